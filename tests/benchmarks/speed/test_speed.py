"""What each topic of speed makes of the times that it takes."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile

from benchmarks import scatter
from benchmarks.speed import command, inference, naive, peers, picture, pipeline, scaling, streaming, training
from benchmarks.speed.contenders import Timing
from tfwavesep import config, store
from tfwavesep.config import Preset


@pytest.fixture
def small() -> Preset:
    """The paper's network, small."""
    settings = ["model.filters=4", "model.stacks=2", "model.dilations=3", "model.head=[6, 5]", "data.target_length=40"]
    return config.override(config.load_preset(training.PAPER), [*settings, "training.batch_size=2"])


def test_the_form_of_2018_gives_our_numbers_but_for_its_ends(small: Preset) -> None:
    """Both start from the same weights, so the comparison of their trainings is fair."""
    ours, before = (training.compiled(small, form, "float32") for form in ("ours", "naive"))
    assert isinstance(before.input_shape[1], int)
    mixture = inference.noise(small.model, 40, batch=2)
    difference = np.abs(np.asarray(ours(mixture)) - np.asarray(before(mixture)))
    assert 100 * difference[:, :, 1:-1].max() < difference[:, :, [0, -1]].min()


def test_the_form_of_2018_is_the_papers_network() -> None:
    model = config.load_preset(inference.PAPER).model
    assert naive.build(model, inference.FIELD).count_params() == 3277763  # type: ignore[arg-type]


def test_precision_ends_with_the_block(small: Preset) -> None:
    assert training.compiled(small, "ours", "mixed_bfloat16").layers[3].compute_dtype == "bfloat16"
    assert training.compiled(small, "ours", "float32").layers[3].compute_dtype == "float32"


def test_steps_are_compared_with_the_step_of_2018() -> None:
    rows = [
        {"preset": preset, "form": form, "seconds": seconds, "memory": 100.0, "batch": 1.0}
        for preset, form, seconds in [
            (training.PAPER, "2018, float32", 3.0), (training.PAPER, "ours, float32", 2.0),
            (training.PAPER, "ours, bfloat16", 1.0), ("default", "ours, float32", 5.0),
        ]
    ]  # fmt: skip
    recorded = {
        "steps": rows,
        "curves": {"2018, float32": [2.0, 1.0], "ours, float32": [3.0, 1.0], "ours, bfloat16": [3.0, 1.1]},
    }
    assert [target.measured for target in training.targets(recorded)] == [1.5, 1.0, 3.0, 1.1]
    assert [target.met for target in training.targets(recorded)] == [True, True, True, False]
    text = training.text(recorded)
    assert "| default | ours, float32 | 1.00 s | 5.000 s |  | 0.200 s | 100 |" in text
    assert "| 2 | 1.00000 | 1.00000 | 1.10000 |" in text


def test_figures_of_a_run() -> None:
    row = inference.figures("Keras", 2, 4.0, Timing((2.0,), 300.0), per_second=10.0, peak=40.0)
    assert row["speed"] == 2.0
    assert (row["rate"], row["share"]) == (20.0, 50.0)


def test_each_architecture_is_measured_and_each_released_model() -> None:
    """But for cascades: each is two of the others, one after the other."""
    presets = {name: config.load_preset(name) for name in config.preset_names()}
    measured = {presets[name].architecture for name in inference.PRESETS}
    assert measured | {"cascade"} == {preset.architecture for preset in presets.values()}
    assert set(store.released()) & set(presets) <= set(inference.PRESETS)


def test_targets_of_inference_compare_the_same_cores() -> None:
    def row(runtime: str, cores: int, speed: float) -> dict[str, object]:
        return {"runtime": runtime, "cores": cores, "speed": speed, "share": 51.0}

    paper = [
        row("Keras", 2, 5.0),
        row(inference.NAIVE, 2, 4.0),
        row(inference.PROCEDURE, 2, 2.0),
        row("LiteRT", 1, 1.0),
    ]
    paper += [row(form, 1, 4.0) for form in ("LiteRT, int8", *inference.STUDIES)]
    own = [row("LiteRT, int8", 1, 40.0), row("LiteRT, int8", 2, 60.0), row("LiteRT", 1, 1.0)]
    targets = inference.targets({inference.PAPER: paper, "default": own})
    assert [target.measured for target in targets] == [1.25, 2.5, 51.0, 4.0, 4.0, 4.0, 40.0, 1.5]
    assert inference.targets({"tiny": own}) == []


def test_forms_are_run_in_segments(model: Path) -> None:
    stored = store.read(model)
    estimates = inference.run_form(model / "model.tflite", stored.config, 100, 3)()
    assert [one.shape for one in estimates] == [(1, 3, 100, 1)] * 3  # type: ignore[attr-defined]


def test_a_block_that_is_fed_is_a_block_that_comes_out(model: Path) -> None:
    run = streaming.run_block(str(model), 0.1)
    for _ in range(3):
        assert sum(map(len, run())) == 800  # type: ignore[call-overload]


def test_latency_is_waiting_and_computing(model: Path) -> None:
    (row,) = streaming.rows(str(model), {(0.1, 2): Timing((0.02,), 99.0)})
    assert row[:4] == ["0.10 s", "2", "0.10 s", "20 ms"]
    assert row[5:] == ["5 x", "99"]


def test_kinds_of_command_take_turns_and_each_figure_has_its_median() -> None:
    order, seconds = [], iter([5.0, 1.0, 9.0, 2.0, 4.0, 3.0])

    def run(kind: str) -> tuple[float, float]:
        order.append(kind)
        return next(seconds), -len(order)

    found = command.alternating({kind: lambda kind=kind: run(kind) for kind in "ab"}, turns=3)
    assert order == list("ababab")
    assert found == {"a": [5.0, -3.0], "b": [2.0, -4.0]}


@pytest.mark.parametrize("seconds", [0.25, 2.0, 2.5])
def test_a_song_is_as_long_as_it_should_be(tmp_path: Path, seconds: float) -> None:
    info = soundfile.info(command.write_song(tmp_path / "song.wav", seconds))
    assert info.frames == round(seconds * command.RATE)
    assert info.channels == 2


def test_the_command_is_run_on_its_cores_and_its_failure_is_told(tmp_path: Path, model: Path) -> None:
    song = command.write_song(tmp_path / "song.wav", 0.5)
    wall, cpu, memory = command.separate(song, tmp_path / "stems", 1, str(model))
    assert (tmp_path / "stems" / "song" / "vocals.wav").is_file()
    assert min(wall, cpu) > 0
    assert 20 < memory < 4000
    with pytest.raises(RuntimeError, match="failed"):
        command.separate(tmp_path / "nothing.wav", tmp_path / "stems", 1, str(model))


def test_targets_of_the_command() -> None:
    time, memory = command.targets({1: [15.0, 14.0, 300.0], 2: [3.9, 7.0, 251.0]})
    assert (time.measured, time.met) == (3.9, True)
    assert (memory.measured, memory.met) == (251.0, False)


def test_the_longest_song_is_the_one_whose_memory_counts() -> None:
    (target,) = scaling.targets({10.0: [1.0, 1.0, 500.0], 7200.0: [1.0, 1.0, 240.0]})
    assert target.met
    assert target.measured == 240.0


def test_batches_are_told_per_second_of_audio(model: Path) -> None:
    text = scaling.text(store.read(model), {10.0: [2.0, 3.0, 99.0]}, {("LiteRT", 4): Timing((0.5,), 99.0)})
    assert "| 10 s | 2.00 s | 5 x | 3.00 s | 99 |" in text
    assert "| LiteRT | 4 | 0.500 s | 8 x | 99 |" in text


def test_peers_are_compared_on_as_many_cores() -> None:
    def timings(name: str, one: float, two: float) -> dict[tuple[str, int], Timing]:
        return {(name, 1): Timing((one,), 9.0), (name, 2): Timing((two,), 9.0)}

    found = timings("ours", 2.0, 1.0) | timings("other", 20.0, 5.0)
    networks = timings("ours", 1.0, 1.0) | timings("PyTorch", 0.5, 2.0)
    assert [(t.measured, t.met) for t in peers.targets(found, networks)] == [(5.0, True), (0.5, False)]
    assert "| other | 2 | 5.00 s | 2 x | 5 | 9 |" in peers.table(found, 10.0)


def test_the_picture_has_a_dot_for_each_separator_whose_quality_is_known(tmp_path: Path) -> None:
    rows = [{"name": name, "cores": cores, "speed": 10.0 * cores} for name in peers.SEPARATORS for cores in (1, 2)]
    dots = picture.dots(rows)
    assert set(dots) == {picture.OURS, *picture.PUBLISHED}
    assert dots["Hybrid Demucs"] == (10.0, pytest.approx(7.68))
    assert 3 < dots[picture.OURS][1] < 9
    scatter.draw(dots, tmp_path / "picture.png", "times real time")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_peers_that_are_not_installed_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "race", lambda contenders: {contender.name for contender in contenders})
    kinds = {"ours": ("tfwavesep", peers.run_ours), "theirs": ("no_such_package", peers.run_ours)}
    assert peers.timed(kinds) == {("ours", 1), ("ours", 2)}


def test_pytorchs_form_is_the_papers_network(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    preset = config.load_preset(peers.PAPER)
    small = dataclasses.replace(preset.model, filters=4, stacks=1, dilations=2, head=(6, 5))  # type: ignore[call-arg]
    monkeypatch.setattr(peers, "load_preset", lambda _: dataclasses.replace(preset, model=small))
    peers.run_paper_in_torch()()


def test_the_pipelines_cost_is_told() -> None:
    found = {"pipeline alone": 100.0, "training step alone": 10.0, "both": 8.0}
    (target,) = pipeline.targets(found)
    assert target.measured == 1.25
    assert not target.met
    section = pipeline.text(config.load_preset("tiny"), "two songs", found)
    assert "10 times as fast" in section
    assert "examples from two songs:" in section


def test_the_pipelines_songs_are_told(data_root: Path) -> None:
    assert pipeline.songs(data_root) == f"the 3 train tracks of `{data_root.name}`"
