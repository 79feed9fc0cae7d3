"""Export: a model on disk explains itself, all its forms agree, and it appears whole or not at all."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import Run, config_of

from tfwavesep import config, models
from tfwavesep.errors import ModelError, OutputError, OutputExistsError, TfwavesepError
from tfwavesep.release import export, signatures
from tfwavesep.release.export import export_model
from tfwavesep.separation import Separator


def listing(folder: Path) -> dict[Path, bytes]:
    """All files below a folder, hidden ones too, and what is in them."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_config_explains_the_model(model: Path, tiny: config.Preset) -> None:
    told = config_of(model)
    assert told["description"] == tiny.description
    assert told["architecture"] == tiny.architecture
    assert told["model"] == tiny.to_dict()["model"]
    assert (told["context"], told["lookahead"]) == (tiny.model.context, tiny.model.lookahead)
    assert told["block"] == tiny.model.block
    assert told["licence"] == "CC0"
    assert config.preset_from_dict(told["preset"]).model == tiny.model
    assert {"val_loss", "best_epoch", "data", "versions", "date"} <= told["training"].keys()


def test_scores_are_told_if_they_are_there(trained: Path, model: Path, tmp_path: Path) -> None:
    scores = {"tracks": 1, "scores": {"model": {"vocals": {"SDR": 1.5}}}}
    (tmp_path / "scores.json").write_text(json.dumps(scores))
    assert config_of(model)["scores"] is None
    assert config_of(export_model(trained, tmp_path / "model", scores=tmp_path / "scores.json"))["scores"] == scores


def test_config_names_no_path_of_the_machine(model: Path, trained: Path, data_root: Path) -> None:
    text = (model / "config.json").read_text()
    assert not [path for path in (model, trained, data_root, Path.home()) if str(path) in text]


def test_a_model_is_config_and_three_forms(model: Path) -> None:
    assert sorted(path.name for path in model.iterdir()) == ["1", "config.json", "model.keras", "model.tflite"]
    assert not [path for path in model.parent.iterdir() if path.name.startswith(".")]


def test_signature_is_named(model: Path) -> None:
    import tensorflow as tf

    signatures = tf.saved_model.load(str(model / "1")).signatures
    _, arguments = signatures["serving_default"].structured_input_signature
    assert {name: (spec.shape.as_list(), spec.dtype) for name, spec in arguments.items()} == {
        "mixture": ([None, None, 1], tf.float32)
    }
    assert list(signatures["serving_default"].structured_outputs) == ["stems"]


def test_a_model_that_is_there_is_kept_unless_overwritten(trained: Path, model: Path, tmp_path: Path) -> None:
    there = Path(shutil.copytree(model, tmp_path / "model"))
    before = listing(tmp_path)
    with pytest.raises(OutputExistsError, match="--overwrite"):
        export_model(trained, there)
    assert listing(tmp_path) == before
    assert export_model(trained / "model.keras", there, overwrite=True) == there
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert sorted(path.name for path in there.iterdir()) == ["1", "config.json", "model.keras", "model.tflite"]
    assert (config_of(there)["licence"], config_of(model)["licence"]) == ("not stated", "CC0")


def test_only_models_are_ever_overwritten(trained: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    (tmp_path / "songs").mkdir()
    (tmp_path / "songs" / "song.wav").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "alike").mkdir()
    (tmp_path / "alike" / "model.tflite").write_text("mine")
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as photos:
        photos.writestr("photo.jpg", b"mine")
    (tmp_path / "text.zip").write_text("mine")
    before = listing(tmp_path)
    for place in (run, tmp_path, *(tmp_path / name for name in ("songs", "file", "alike", "photos.zip", "text.zip"))):
        with pytest.raises(OutputExistsError, match="is not a model"):
            export_model(run, place, overwrite=True)
    assert listing(tmp_path) == before


@pytest.mark.parametrize("name", ["thesis.txt", "1/notes/thesis.txt"])
def test_what_lies_among_a_models_files_is_not_lost(trained: Path, model: Path, name: str, tmp_path: Path) -> None:
    there = Path(shutil.copytree(model, tmp_path / "model"))
    (there / name).parent.mkdir(exist_ok=True)
    (there / name).write_text("mine")
    before = listing(tmp_path)
    with pytest.raises(OutputExistsError, match=f"holds {name}, which is not the model's"):
        export_model(trained, there, overwrite=True)
    assert listing(tmp_path) == before


def test_what_appears_meanwhile_is_not_lost(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    song = tmp_path / "model" / "song.wav"

    def meanwhile(*args: object) -> None:
        song.parent.mkdir()
        song.write_text("mine")

    monkeypatch.setattr(export, "_compare", meanwhile)
    with pytest.raises(OutputExistsError, match="is not a model"):
        export_model(trained, tmp_path / "model", overwrite=True)
    assert listing(tmp_path) == {song: b"mine"}


@pytest.mark.parametrize(
    ("error", "told"), [(OSError(28, "No space left"), OutputError), (KeyboardInterrupt(), KeyboardInterrupt)]
)
def test_the_old_model_stays_if_the_new_one_cannot_take_its_place(
    trained: Path, model: Path, error: BaseException, told: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = Path(shutil.copytree(model, tmp_path / "model"))
    before = listing(tmp_path)
    rename = Path.rename

    def failing(path: Path, target: Path) -> Path:
        if target == there and not path.name.endswith(".old"):
            raise error
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(told) as caught:
        export_model(trained, there, overwrite=True)
    assert told is KeyboardInterrupt or str(caught.value) == f"{there}: cannot be written: No space left"
    assert listing(tmp_path) == before


def test_a_link_to_a_model_is_replaced_and_not_what_it_leads_to(trained: Path, model: Path, tmp_path: Path) -> None:
    target = Path(shutil.copytree(model, tmp_path / "target"))
    before = listing(target)
    (tmp_path / "model").symlink_to(target)
    export_model(trained, tmp_path / "model", overwrite=True)
    assert listing(target) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "target"]
    assert config_of(tmp_path / "model")["licence"] == "not stated"


def test_a_model_is_overwritten_from_within_its_folder(
    trained: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = Path(shutil.copytree(model, tmp_path / "model"))
    monkeypatch.chdir(there)
    export_model(trained, Path(), overwrite=True)
    assert config_of(there)["licence"] == "not stated"


@pytest.mark.parametrize("name", ["config.json", "model.keras", "run.json"])
def test_a_run_that_is_not_finished_is_refused(trained: Path, tmp_path: Path, name: str) -> None:
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    (run / name).unlink()
    with pytest.raises(ModelError, match=f"has no {name}"):
        export_model(run, tmp_path / "models" / "tiny")
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("name", ["config.json", "model.keras", "run.json"])
def test_a_damaged_run_is_refused(trained: Path, tmp_path: Path, name: str) -> None:
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    (run / name).write_bytes((run / name).read_bytes()[:500])
    with pytest.raises(TfwavesepError, match=name):
        export_model(run, tmp_path / "models" / "tiny")
    assert not (tmp_path / "models").exists()


def test_a_model_that_was_changed_is_refused(model: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(model, tmp_path / "copy"))
    with zipfile.ZipFile(copy / "model.keras", "a") as file:
        file.comment = b"other weights"
    with pytest.raises(ModelError, match=r"model\.keras: is damaged or changed"):
        export_model(copy, tmp_path / "models" / "tiny")
    assert not (tmp_path / "models").exists()


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The TFLite form of a network like the tiny one, with other weights."""
    preset = config.load_preset("tiny")
    path = tmp_path_factory.mktemp("other") / "1"
    signatures.write(models.build(preset.architecture, preset.model), preset.model, path)
    return export.to_tflite(path)


@pytest.mark.parametrize("there", [False, True])
def test_a_form_that_differs_is_not_written(
    trained: Path, model: Path, other: bytes, there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if there:
        shutil.copytree(model, tmp_path / "model")
    before = listing(tmp_path)
    monkeypatch.setattr(export, "to_tflite", lambda saved_model, live: other)
    with pytest.raises(ModelError, match=r"model\.tflite differs from Keras: .* not written"):
        export_model(trained, tmp_path / "model", overwrite=there)
    assert listing(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["model"] * there


def test_a_form_that_cannot_be_opened_is_not_written(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "to_tflite", lambda saved_model, live: b"nonsense")
    with pytest.raises(ModelError, match="not a TFLite model"):
        export_model(trained, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_refused(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="file: is a file, not a folder"):
        export_model(trained, tmp_path / "file" / "model")
    assert listing(tmp_path) == {tmp_path / "file": b"mine"}


def test_one_model_of_two_that_work_one_after_the_other(model: Path, run: Run, tmp_path: Path) -> None:
    """Other divided by the same model again: all of it belongs to other, so that nothing changes but the context."""
    result = run("export", "--first", model, "--then", f"other={model}", "-o", tmp_path / "both")
    assert result.exit_code == 0, result.output
    about, one = config_of(tmp_path / "both"), config_of(model)
    assert (about["architecture"], about["licence"]) == ("cascade", "CC0")
    assert about["context"] == 2 * one["context"]
    assert about["preset"]["name"] == "tiny, then tiny"
    assert [member["preset"]["name"] for member in about["training"]["members"]] == ["tiny", "tiny"]
    mixture = (0.1 * np.random.default_rng(0).standard_normal((9000, 1))).astype(np.float32)
    expected, found = (Separator.load(str(path)).separate(mixture, 8000) for path in (model, tmp_path / "both"))
    assert list(found) == list(expected)
    for stem, samples in expected.items():
        np.testing.assert_allclose(found[stem], samples, atol=1e-5)
    assert "cascade of wavenet, wavenet" in run("models", tmp_path / "both").output


@pytest.mark.parametrize(
    ("then", "message"),
    [
        ("other", "--then other: must be STEM=MODEL, such as accompaniment=default"),
        ("piano={model}", "unknown stem 'piano'"),
        ("other=defualt", "unknown model 'defualt': did you mean 'default'?"),
        ("other=default", "sample_rate is 44100, but 8000"),
        (None, "name either RUNs, or both --first and --then"),
    ],
)
def test_two_models_that_do_not_fit_are_refused(
    then: str | None, message: str, model: Path, run: Run, tmp_path: Path
) -> None:
    options = [] if then is None else ["--then", then.format(model=model)]
    result = run("export", "--first", model, *options, "-o", tmp_path / "both")
    assert result.exit_code == (2 if then is None else 1)
    assert message in result.output
    assert not list(tmp_path.iterdir())
