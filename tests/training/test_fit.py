"""Training: a record that says it all, the best weights, and an interruption that changes nothing."""

import dataclasses
import json
import math
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from click.testing import Result
from conftest import Run

from tfwavesep import models, system
from tfwavesep.config import Preset, load_preset, override, preset_from_dict, read_json
from tfwavesep.data import examples, tracks
from tfwavesep.errors import ConfigError, DataError, ModelError, OutputExistsError, TfwavesepError
from tfwavesep.models.ensemble import Config, Member
from tfwavesep.training import losses, read_history, train
from tfwavesep.training.callbacks import Progress

SHORT = (
    *("training.epochs=5", "training.steps_per_epoch=5", "training.schedule=cosine"),
    *("training.batch_size=2", "data.target_length=2000", "training.average=0.8", "training.weight_decay=0.01"),
)
"""Five epochs of five small steps, whose learning rate follows the number of steps; the weights' averages are kept."""


def test_who_resumes_a_training_that_is_not_there_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    with pytest.raises(DataError):
        train(load_preset("tiny"), tmp_path / "no music", tmp_path / "run", resume=True, report=told.append)
    assert told[0] == f"{tmp_path / 'run'}: holds no training to go on with; a new one begins"


def record_of(workdir: Path) -> dict:
    return json.loads((workdir / "run.json").read_text())


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def hidden(folder: Path) -> set[str]:
    """Names of what was being written when something ended."""
    return {path.name for path in folder.iterdir() if path.name.startswith(".")}


def weights_of(workdir: Path) -> list[np.ndarray]:
    return keras.saving.load_model(workdir / "model.keras").get_weights()


def validation_loss(workdir: Path, preset: Preset, root: Path) -> float:
    """Of the model that a training left, on the validation fragments, computed anew."""
    model = keras.saving.load_model(workdir / "model.keras")
    model.compile(loss=losses.make(preset.loss.name, preset.loss.options))
    return float(model.evaluate(examples.open_datasets(preset, root).valid, verbose=0))


def test_a_run_says_all_about_itself(trained: Path, tiny: Preset, data_root: Path) -> None:
    preset = override(tiny, ["training.epochs=2"])
    assert json.loads((trained / "config.json").read_text()) == preset.to_dict()
    record, history = record_of(trained), read_history(trained)
    assert record["preset"] == preset.to_dict()
    assert record["versions"]["tensorflow"] == version("tensorflow")
    found = [*tracks.find_tracks(data_root, "train"), *tracks.find_tracks(data_root, "valid")]
    assert record["data"]["fingerprint"] == tracks.fingerprint(found)
    assert [row["epoch"] for row in history] == list(range(record["epochs"])) == [0, 1]
    best = min(history, key=lambda row: row["val_loss"])
    assert (record["best_epoch"], record["val_loss"]) == (best["epoch"] + 1, best["val_loss"])
    assert all(math.isfinite(row["loss"]) and math.isfinite(row["val_loss"]) for row in history)
    assert list((trained / "logs").rglob("events*"))
    assert (trained / "history.png").read_bytes().startswith(b"\x89PNG")
    assert not hidden(trained)


def test_the_model_has_the_least_validation_loss(trained: Path, tiny: Preset, data_root: Path) -> None:
    least = min(row["val_loss"] for row in read_history(trained))
    assert validation_loss(trained, tiny, data_root) == pytest.approx(least, rel=1e-5)


def test_the_averages_are_what_is_validated_and_kept(tiny: Preset, data_root: Path, tmp_path: Path) -> None:
    preset = override(tiny, ["training.epochs=2", "training.average=0.9", "training.learning_rate=0.02"])
    train(preset, data_root, tmp_path / "run", report=lambda line: None)
    least = min(row["val_loss"] for row in read_history(tmp_path / "run"))
    assert validation_loss(tmp_path / "run", preset, data_root) == pytest.approx(least, rel=1e-5)
    latest = keras.saving.load_model(tmp_path / "run" / "latest.keras")
    kept = zip(weights_of(tmp_path / "run"), latest.get_weights(), strict=True)
    assert max(np.abs(average - weight).max() for average, weight in kept) > 1e-3


def test_a_step_is_traced_once(tiny: Preset, data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which takes longer than many steps."""
    traced: list[bool] = []
    step = keras.Model.train_step

    def train_step(model: keras.Model, data: Any) -> Any:
        traced.append(True)
        return step(model, data)

    monkeypatch.setattr(keras.Model, "train_step", train_step)
    preset = override(tiny, ["training.epochs=1", "training.steps_per_epoch=2"])
    train(preset, data_root, tmp_path / "run", report=lambda line: None)
    assert len(traced) == 1


@pytest.mark.parametrize("gpus", [0, 1])
def test_graphs_are_not_rewritten_where_there_is_no_gpu(
    gpus: int, tiny: Preset, data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And whoever trains from a program of theirs finds their own setting afterwards."""
    during: list[bool] = []

    def switched_off() -> bool:
        return tf.config.optimizer.get_experimental_options().get("disable_meta_optimizer", False)

    def no_fit(model: keras.Model, *_: Any, **__: Any) -> None:
        during.append(switched_off())
        raise InterruptedError

    def listed(kind: str | None = None) -> list[str]:
        return ["a GPU"] * gpus if kind == "GPU" else []

    monkeypatch.setattr(tf.config, "list_physical_devices", listed)
    monkeypatch.setattr(keras.Model, "fit", no_fit)
    with pytest.raises(InterruptedError):
        train(tiny, data_root, tmp_path / "run", report=lambda line: None)
    assert during == [not gpus]
    assert not switched_off()


def test_time_to_go_is_told_in_the_first_minute_and_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four epochs of 100 steps of 10 seconds."""
    told: list[str] = []
    clock = iter(range(0, 10**6, 10))
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    progress = Progress(4, 100.0, math.inf, told.append)
    progress.set_params({"steps": 100})
    for epoch in range(2):
        progress.on_epoch_begin(epoch)
        for step in range(100):
            progress.on_train_batch_end(step)
        progress.on_epoch_end(epoch, {"loss": 1.0, "val_loss": 1.0})
    assert told[0] == "epoch 1/4  6% done, at most 66 min to go"
    assert [line.split()[2] for line in told] == ["6%", "66%", "loss", "60%", "loss"]


@pytest.fixture(scope="module")
def stopped(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Preset]:
    """A training that jumps about, with a patience of 2 epochs of one step."""
    settings = ["training.epochs=40", "training.patience=2", "training.learning_rate=0.3", "training.steps_per_epoch=1"]
    preset = override(load_preset("tiny"), settings)
    workdir = tmp_path_factory.mktemp("stopped")
    train(preset, data_root, workdir, report=lambda line: None)
    return workdir, preset


def test_early_stopping_waits_and_restores_the_best(stopped: tuple[Path, Preset], data_root: Path) -> None:
    workdir, preset = stopped
    losses = [row["val_loss"] for row in read_history(workdir)]
    assert len(losses) < preset.training.epochs
    assert len(losses) - 1 - int(np.argmin(losses)) == preset.training.patience
    assert record_of(workdir)["best_epoch"] == int(np.argmin(losses)) + 1
    assert validation_loss(workdir, preset, data_root) == pytest.approx(min(losses), rel=1e-5)


def test_resuming_what_has_stopped_trains_no_further(
    stopped: tuple[Path, Preset], data_root: Path, tmp_path: Path
) -> None:
    workdir = Path(shutil.copytree(stopped[0], tmp_path / "run"))
    train(stopped[1], data_root, workdir, resume=True, report=lambda line: None)
    for name in ("history.csv", "latest.keras", "best.keras"):
        assert (workdir / name).read_bytes() == (stopped[0] / name).read_bytes()
    assert record_of(workdir)["epochs"] == record_of(stopped[0])["epochs"]


def test_resuming_what_is_complete_changes_nothing(trained: Path, run: Run, data_root: Path, tmp_path: Path) -> None:
    workdir = Path(shutil.copytree(trained, tmp_path / "run"))
    result = run("train", "tiny", "--data", data_root, "-o", workdir, "--set", "training.epochs=2", "--resume")
    assert result.exit_code == 0, result.output
    for name in ("config.json", "history.csv", "latest.keras"):
        assert (workdir / name).read_bytes() == (trained / name).read_bytes()
    np.testing.assert_equal(weights_of(workdir), weights_of(trained))


def test_a_budget_of_cpu_time_ends_the_training_and_is_kept_over_a_resume(
    tiny: Preset, data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that gives ten seconds to each epoch's steps, and an hour to each validation."""
    ticks = iter(range(10**6))
    monkeypatch.setattr("time.process_time", lambda: (n := next(ticks)) // 2 * 3600.0 + n % 2 * 10)
    settings = ["training.epochs=9", "training.steps_per_epoch=1", "training.cpu_seconds=25"]
    preset = override(tiny, settings)
    train(preset, data_root, tmp_path / "run", report=lambda line: None)
    assert [row["cpu_seconds"] for row in read_history(tmp_path / "run")] == [10, 20, 30]
    (tmp_path / "run" / "model.keras").unlink()
    train(preset, data_root, tmp_path / "run", resume=True, report=lambda line: None)
    assert [row["cpu_seconds"] for row in read_history(tmp_path / "run")] == [10, 20, 30]
    more = override(preset, ["training.cpu_seconds=35"])
    train(more, data_root, tmp_path / "run", resume=True, report=lambda line: None)
    assert [row["cpu_seconds"] for row in read_history(tmp_path / "run")] == [10, 20, 30, 40]


def arguments(workdir: Path, root: Path, *more: str) -> list[str]:
    settings = [word for setting in SHORT for word in ("--set", setting)]
    return ["train", "tiny", "--data", str(root), "-o", str(workdir), *settings, *more]


def rows(workdir: Path) -> int:
    """Epochs in a training's history so far."""
    history = workdir / "history.csv"
    return len(history.read_text().splitlines()) - 1 if history.exists() else 0


WAITING = """
import time
from tfwavesep.training.callbacks import Finite
from tfwavesep_cli.main import main
begin = Finite.on_epoch_begin
Finite.on_epoch_begin = lambda self, epoch, logs=None: time.sleep(600) if epoch == 4 else begin(self, epoch, logs)
main()
"""
"""The command, which waits before its fifth and last epoch, as who is to kill it may be slow."""


def kill_after(epochs: int, workdir: Path, root: Path) -> None:
    """Train in another process, and kill it as soon as its history has so many epochs."""
    command = [sys.executable, "-c", WAITING, *arguments(workdir, root)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and rows(workdir) < epochs:
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -signal.SIGKILL, "the training ended before it could be killed"


@pytest.fixture(scope="module")
def unbroken(run: Run, data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that nothing interrupts."""
    workdir = tmp_path_factory.mktemp("unbroken")
    result = run(*arguments(workdir, data_root))
    assert result.exit_code == 0, result.output
    return workdir


@pytest.fixture(scope="module")
def killed(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same training, killed after its second epoch."""
    workdir = tmp_path_factory.mktemp("killed")
    kill_after(2, workdir, data_root)
    return workdir


def as_killed(workdir: Path) -> None:
    """Leave it as it is."""


def before_the_checkpoint(workdir: Path) -> None:
    """The process died after it wrote an epoch's history, and while it wrote its checkpoint."""
    number = rows(workdir)
    with (workdir / "history.csv").open("a") as file:
        file.write(f"{number},0.0,0.0\n")
    (workdir / ".writing-0123abcd-latest.keras").write_bytes(b"half")


def without_checkpoint(workdir: Path) -> None:
    """The process died in the first epoch."""
    (workdir / "latest.keras").unlink(missing_ok=True)


@pytest.mark.parametrize("state", [as_killed, before_the_checkpoint, without_checkpoint])
def test_a_killed_training_goes_on_as_if_nothing_had_been(
    state: Callable[[Path], None], killed: Path, unbroken: Path, run: Run, data_root: Path, tmp_path: Path
) -> None:
    workdir = Path(shutil.copytree(killed, tmp_path / "run"))
    assert not (workdir / "model.keras").exists()
    state(workdir)
    result = run(*arguments(workdir, data_root, "--resume"))
    assert result.exit_code == 0, result.output
    assert not hidden(workdir)
    assert read_history(workdir) == read_history(unbroken)
    np.testing.assert_equal(weights_of(workdir), weights_of(unbroken))


def test_mixed_precision_leaves_a_float32_model(
    tiny: Preset, data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system, "has_bfloat16", lambda: True)  # emulated where it is not there
    settings = ["training.mixed_precision=true", "training.epochs=1", "training.steps_per_epoch=2"]
    lines: list[str] = []
    train(override(tiny, settings), data_root, tmp_path / "run", report=lines.append)
    model = keras.saving.load_model(tmp_path / "run" / "model.keras")
    assert {layer.dtype_policy.name for layer in model.layers} == {"float32"}
    assert {weight.dtype for weight in model.weights} == {"float32"}
    latest = keras.saving.load_model(tmp_path / "run" / "latest.keras")
    assert "mixed_bfloat16" in {layer.dtype_policy.name for layer in latest.layers}
    assert keras.config.dtype_policy().name == "float32"
    assert any("parameters in bfloat16," in line for line in lines)


def a_step(poisoned: int) -> Callable[[keras.Model, Any], Any]:
    """What `keras.Model.train_step` does, but for one step after which all weights are NaN."""
    step = keras.Model.train_step

    def train_step(model: keras.Model, data: Any) -> Any:
        logs = step(model, data)
        for weight in model.trainable_weights:
            nan = tf.where(model.optimizer.iterations == poisoned, np.nan, 0.0)
            weight.assign(weight + tf.cast(nan, weight.dtype))
        return logs

    return train_step


@pytest.mark.parametrize("step", [11, 12, 15])
def test_a_loss_that_is_no_number_leaves_the_last_finite_state(
    step: int, run: Run, data_root: Path, unbroken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the first step of the third epoch, in a later one, and by the last one, as the validation finds. What went
    wrong for a moment goes on as if nothing had been."""
    workdir = tmp_path / "run"
    with monkeypatch.context() as broken:
        broken.setattr(keras.Model, "train_step", a_step(step))
        result = run(*arguments(workdir, data_root))
    assert result.exit_code == 1
    (error,) = [line for line in result.output.splitlines() if line.startswith("Error:")]
    assert "loss is nan in epoch 3; the state after epoch 2 is kept" in error
    assert "--resume --set training.learning_rate=" in error
    assert not (workdir / "model.keras").exists()
    assert read_history(workdir) == read_history(unbroken)[:2]
    latest = keras.saving.load_model(workdir / "latest.keras")
    assert all(np.isfinite(value).all() for value in [*latest.get_weights(), *latest.optimizer.variables])
    result = run(*arguments(workdir, data_root, "--resume"))
    assert result.exit_code == 0, result.output
    assert read_history(workdir) == read_history(unbroken)
    np.testing.assert_equal(weights_of(workdir), weights_of(unbroken))


def test_a_rate_that_is_too_high_is_told_and_a_lower_one_goes_on(run: Run, data_root: Path, tmp_path: Path) -> None:
    def trained_at(rate: str, *more: str) -> Result:
        return run("train", "tiny", "--data", data_root, "-o", tmp_path / "run", "--set", "training.epochs=1",
                   "--set", "training.steps_per_epoch=3", "--set", f"training.learning_rate={rate}", *more)  # fmt: skip

    result = trained_at("1e30")
    assert result.exit_code == 1
    (error,) = [line for line in result.output.splitlines() if line.startswith("Error:")]
    assert "no epoch is behind it: go on from there with a lower training.learning_rate" in error
    assert not (tmp_path / "run" / "model.keras").exists()
    result = trained_at("1e-3", "--resume")
    assert result.exit_code == 0, result.output
    assert record_of(tmp_path / "run")["epochs"] == 1


def limited(megabytes: float, workdir: Path, root: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Train in another process, in which no file may grow longer: writes fail as they do on a full disk."""
    code = (
        "import resource, sys; from tfwavesep_cli.main import main; "
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({int(megabytes * 1e6)}, -1)); main()"
    )
    command = [sys.executable, "-c", code, *arguments(workdir, root, *more)]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_full_disk_is_told_and_the_training_goes_on_when_there_is_room(
    killed: Path, unbroken: Path, run: Run, data_root: Path, tmp_path: Path
) -> None:
    workdir = Path(shutil.copytree(killed, tmp_path / "run"))
    before, left = (workdir / "latest.keras").read_bytes(), hidden(workdir)  # a kill may leave what it met
    result = limited(0.02, workdir, data_root, "--resume")
    assert result.returncode == 1
    errors = result.stderr.splitlines()
    assert "Traceback" not in result.stderr
    assert re.search(r"Error: .*: cannot be written \(is the disk full\?\).*--resume goes on", errors[-1])
    assert (workdir / "latest.keras").read_bytes() == before
    assert hidden(workdir) <= left
    result = run(*arguments(workdir, data_root, "--resume"))
    assert result.exit_code == 0, result.output
    assert not hidden(workdir)
    assert read_history(workdir) == read_history(unbroken)
    np.testing.assert_equal(weights_of(workdir), weights_of(unbroken))


def test_what_may_change_goes_on_and_is_remembered(run: Run, unbroken: Path, data_root: Path, tmp_path: Path) -> None:
    """More epochs, at another rate: the epochs that were there stay, and those that come are at the new rate."""
    workdir = Path(shutil.copytree(unbroken, tmp_path / "run"))
    more = ("--set", "training.epochs=7", "--set", "training.learning_rate=1e-5")
    result = run("train", "--resume", "--data", data_root, "-o", workdir, *more)
    assert result.exit_code == 0, result.output
    told = "after epoch 5 training.epochs is 7 (5 before), training.learning_rate is 1e-05 (0.003 before)"
    assert told in result.output
    history = read_history(workdir)
    assert history[:5] == read_history(unbroken)
    assert [row["epoch"] for row in history] == list(range(7))
    assert abs(history[6]["val_loss"] - history[5]["val_loss"]) < abs(history[4]["val_loss"] - history[3]["val_loss"])
    values = {"training.epochs": [5, 7], "training.learning_rate": [0.003, 1e-5]}
    assert record_of(workdir)["changes"] == [{"after_epoch": 5, "values": values}]
    assert record_of(workdir)["preset"]["training"]["epochs"] == 7


def test_what_has_stopped_goes_on_with_another_rate(
    stopped: tuple[Path, Preset], data_root: Path, tmp_path: Path
) -> None:
    """Patience begins anew where something was changed, and the best so far stays the best."""
    workdir = Path(shutil.copytree(stopped[0], tmp_path / "run"))
    before = read_history(workdir)
    calm = override(stopped[1], ["training.learning_rate=1e-9", "training.weight_decay=1e-9"])
    train(calm, data_root, workdir, resume=True, report=lambda line: None)
    history = read_history(workdir)
    assert history[: len(before)] == before
    assert len(history) == len(before) + stopped[1].training.patience
    assert record_of(workdir)["best_epoch"] == record_of(stopped[0])["best_epoch"]


def the_same(preset: Preset) -> Preset:
    return override(preset, ["training.epochs=2"])


def another_seed(preset: Preset) -> Preset:
    return override(the_same(preset), ["training.seed=1"])


@pytest.mark.parametrize(
    ("preset_of", "resume", "error", "message"),
    [
        (the_same, False, OutputExistsError, "--resume"),
        (another_seed, False, OutputExistsError, "--resume"),
        (
            another_seed,
            True,
            ModelError,
            r"training\.seed \(0 there, 1 asked for\); .* may differ in training\.epochs, ",
        ),
    ],
)
def test_a_training_that_is_there_is_kept(
    preset_of: Callable[[Preset], Preset], resume: bool, error: type[TfwavesepError], message: str,
    tiny: Preset, trained: Path, data_root: Path,
) -> None:  # fmt: skip
    before = contents(trained)
    with pytest.raises(error, match=message):
        train(preset_of(tiny), data_root, trained, resume=resume)
    assert contents(trained) == before


def test_an_unknown_loss_is_refused_before_the_data_is_touched(tiny: Preset, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown loss 'l3'"):
        train(override(tiny, ["loss.name=l3"]), tmp_path / "nowhere", tmp_path / "run", report=lambda line: None)
    assert not (tmp_path / "run").exists()


def fewer(root: Path) -> None:
    shutil.rmtree(root / "train" / "train 0")


def edited_in_place(root: Path) -> None:
    """One sample of one stem."""
    file = root / "train" / "train 0" / "bass.wav"
    data = bytearray(file.read_bytes())
    data[len(data) // 3] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize("change", [fewer, edited_in_place])
def test_going_on_with_other_data_is_refused(
    change: Callable[[Path], None], trained: Path, tiny: Preset, data_root: Path, tmp_path: Path
) -> None:
    other = shutil.copytree(data_root, tmp_path / "other")
    change(other)
    two_epochs = override(tiny, ["training.epochs=2"])
    with pytest.raises(ModelError, match="on other data"):
        train(two_epochs, other, trained, resume=True)


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("place", ["folder", "folder/file"])
def test_a_place_with_something_else_is_kept(
    place: str, resume: bool, tiny: Preset, data_root: Path, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("mine")
    with pytest.raises(OutputExistsError, match="holds no training"):
        train(tiny, data_root, tmp_path / place, resume=resume)
    assert contents(tmp_path) == {tmp_path / "folder" / "file": b"mine"}


def test_data_that_cannot_be_used_leaves_the_folder_free(tiny: Preset, tmp_path: Path) -> None:
    with pytest.raises(DataError):
        train(tiny, tmp_path / "nothing", tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.fixture
def pair(tiny: Preset) -> Preset:
    """An ensemble of two tiny networks."""
    sizes = {"filters": 4, "stacks": 1, "dilations": 3, "head": [8, 4]}
    members = (
        Member(architecture="wavenet", sizes=sizes),
        Member(architecture="wavenet", sizes={**sizes, "filters": 6}),
    )
    model = Config(sample_rate=8000, channels=1, stems=tiny.model.stems, residual="other", members=members)
    few = dataclasses.replace(tiny.training, epochs=2, steps_per_epoch=4)
    return dataclasses.replace(tiny, architecture="ensemble", model=model, training=few)


def test_the_networks_of_an_ensemble_are_trained_one_by_one(pair: Preset, data_root: Path, tmp_path: Path) -> None:
    """Each is a training like any other, from a seed of its own; together they are their mean. What is missing is
    trained by going on, to the same weights, and nothing else is."""
    told: list[str] = []
    train(pair, data_root, tmp_path / "run", report=told.append)
    assert "networks; wrote" in told[-1]
    assert pair.members[0].training.seed != pair.members[1].training.seed
    for number, member in enumerate(pair.members, start=1):
        assert preset_from_dict(read_json(tmp_path / "run" / str(number) / "config.json")) == member
        assert [row["epoch"] for row in read_history(tmp_path / "run" / str(number))] == [0, 1]
    record = read_json(tmp_path / "run" / "run.json")
    assert record["preset"] == pair.to_dict()
    assert [each["preset"] for each in record["members"]] == [member.to_dict() for member in pair.members]

    def weights(run: Path) -> list[np.ndarray]:
        return list(models.load(run / "model.keras").get_weights())

    together, apart = weights(tmp_path / "run"), [weights(tmp_path / "run" / number) for number in ("1", "2")]
    assert all(np.array_equal(a, b) for a, b in zip(together, [*apart[0], *apart[1]], strict=True))

    before = (tmp_path / "run" / "1" / "history.csv").read_text()
    shutil.rmtree(tmp_path / "run" / "2")
    with pytest.raises(OutputExistsError, match="--resume"):
        train(pair, data_root, tmp_path / "run", report=told.append)
    train(pair, data_root, tmp_path / "run", resume=True, report=told.append)
    assert (tmp_path / "run" / "1" / "history.csv").read_text() == before
    assert all(np.array_equal(a, b) for a, b in zip(together, weights(tmp_path / "run"), strict=True))


def test_an_ensemble_takes_no_place_of_something_else(pair: Preset, data_root: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="is not empty and holds no training"):
        train(pair, data_root, tmp_path, resume=True)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
