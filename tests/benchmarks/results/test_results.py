"""The comparison of systems: how trainings are planned, done once and read back; what the page tells of them."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.results import compare, page, runs
from benchmarks.results.page import TARGETS, Result
from benchmarks.results.runs import System, Task
from benchmarks.results.systems import LOSSES, SYSTEMS
from tfwavesep import config
from tfwavesep.config import Preset
from tfwavesep.evaluation.scores import Scores

TINY = System("tiny", "tiny WaveNet", "tiny")


@pytest.mark.parametrize("system", [*SYSTEMS, *LOSSES], ids=lambda s: s.name)
def test_every_system_of_the_comparison_can_be_trained(system: System) -> None:
    preset = system.resolve()
    assert preset.data.remix == 0.75
    assert set(preset.model.targets) == {"vocals", "drums", "bass", "other"}


@pytest.fixture(scope="module")
def done(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one small system, trained for a second of CPU time; its scores are made up, because museval, tested
    elsewhere, takes ten times as long as all the rest."""
    folder = tmp_path_factory.mktemp("runs") / "compute" / "tiny"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs.evaluation, "evaluate", made_up_scores)
        runs.perform(task_in(folder), data_root, jobs=1)
    return folder


def task_in(folder: Path, cpu_seconds: float = 1, audio_seconds: float | None = None) -> Task:
    return Task(TINY, folder, folder.with_suffix(".json"), cpu_seconds, audio_seconds)


def made_up_scores(model: str, root: Path, subset: str, folder: Path, *_: object) -> Scores:
    """For two tracks, each target's SDR is its place among the targets; some baselines are left behind."""
    assert (Path(model) / "model.tflite").is_file()
    (folder / "mixture").mkdir(parents=True, exist_ok=True)
    (folder / "mixture" / f"{subset}.json").write_text("{}")
    targets = ("accompaniment", "other", "bass", "drums", "vocals")
    values = np.zeros((3, 5, 4, 2)) + np.arange(5)[:, np.newaxis, np.newaxis]
    return Scores(("model", "mixture", "irm1"), targets, ("a", "b"), values, {})


def test_a_run_is_trained_exported_measured_and_scored(done: Path) -> None:
    result = page.read(task_in(done).record, "tiny WaveNet")
    assert result.cost["parameters"] == 3379
    assert result.cost["receptive_field_seconds"] == 69 / 8000
    assert result.cpu_seconds > 0
    assert result.audio_seconds > 0
    assert result.sdr("test")[:, 0].tolist() == [4, 3, 2, 1, 0]  # in the order of TARGETS, whatever the model's is


def test_baselines_are_kept_for_the_next(done: Path) -> None:
    shared = done.parent.parent / "baselines"
    assert sorted(path.name for path in shared.rglob("*.json")) == ["test.json", "valid.json"]


def test_equal_audio_is_planned_in_steps_of_short_segments(tmp_path: Path) -> None:
    task = task_in(tmp_path / "tiny", cpu_seconds=600, audio_seconds=80)
    preset = runs.plan(task)
    training = preset.training
    assert preset.data.target_length == 4000
    assert training.epochs * training.steps_per_epoch * runs.step_seconds(preset) == pytest.approx(80, rel=0.1)
    assert runs.plan(dataclasses.replace(task, audio_seconds=8)) == preset  # a plan stays


def test_more_steps_are_planned_than_fill_the_budget_of_cpu_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "step_cost", lambda *_: 0.1)
    training = runs.plan(task_in(tmp_path / "tiny", cpu_seconds=2400)).training
    assert (training.epochs, training.steps_per_epoch, training.cpu_seconds) == (10, 2640, 2400)


def test_a_steps_cost_is_that_of_many(tiny: Preset, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of all is left out: it is traced."""
    clock = iter([0.0, 1.0, 2.0, 6.0])
    monkeypatch.setattr(runs.time, "process_time", lambda: next(clock))
    assert runs.step_cost(tiny, 5) == 2.0


def test_the_slowest_system_sets_the_budget_of_audio_and_is_not_trained_again(tmp_path: Path) -> None:
    records = tmp_path / "records"
    for system in SYSTEMS:
        seconds = 70 if system.name == "waveunet" else 500
        config.write_json(records / "compute" / f"{system.name}.json", {"audio_seconds": seconds})
    for _ in range(2):  # also when it is started again
        tasks = compare.tasks_of("audio", tmp_path / "runs", records, cpu_seconds=1)
        assert {task.audio_seconds for task in tasks} == {70}
        assert [task.system.name for task in tasks if task.record.exists()] == ["waveunet"]


def test_what_has_a_record_is_not_trained_again(done: Path, data_root: Path, tmp_path: Path) -> None:
    task = dataclasses.replace(task_in(done), folder=tmp_path / "lost")
    assert runs.run([task], data_root, jobs=1) == []
    assert not task.folder.exists()


def test_what_is_done_is_not_done_again(done: Path, data_root: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in done.rglob("*") if path.is_file()}
    runs.perform(task_in(done), data_root, jobs=1)
    assert {path: path.stat().st_mtime_ns for path in done.rglob("*") if path.is_file()} == before


def test_what_has_no_record_is_named(tmp_path: Path) -> None:
    results, missing = compare.read(tmp_path)
    assert results == {"compute": [], "audio": [], "losses": []}
    assert missing[:2] == ["the paper's WaveNet (compute)", "narrow WaveNet (compute)"]
    assert len(missing) == 16


def test_a_folder_of_other_budgets_is_refused(tmp_path: Path) -> None:
    compare.claim(tmp_path, {"compute": 40.0})
    compare.claim(tmp_path, {"compute": 40.0})
    with pytest.raises(SystemExit, match="choose another folder"):
        compare.claim(tmp_path, {"compute": 1.0})


def result_of(label: str, sdr: float, preset: Preset) -> Result:
    """A made-up result: the model scores `sdr` everywhere, but 1 dB less on the second of three test tracks."""
    scores = {subset: np.zeros((3, len(TARGETS), 4, tracks)) for subset, tracks in (("valid", 2), ("test", 3))}
    for values in scores.values():
        values[0] = sdr
        values[0, :, :, 1] -= 1
    costs = {
        "parameters": 1234567,
        "gmac_per_second": 2.5,
        "receptive_field_seconds": 0.5,
        "cpu_seconds_per_second": 0.1,
    }
    return Result(label, preset, costs, 2400.0, 600.0, (3, 10), scores, ())


def test_the_page_tells_the_figures(tiny: Preset, tmp_path: Path) -> None:
    results = [result_of("first", 1, tiny), result_of("second", 3, tiny), result_of("third", 0.5, tiny)]
    results[2] = dataclasses.replace(results[2], cpu_seconds=2220.0)
    broken = dataclasses.replace(results[2], failed=("a song",))
    text = page.page(
        {"compute": results, "audio": [], "losses": [results[0], broken]},
        ["third (audio)"],
        {"compute": 40, "audio": 40, "losses": 15},
    )
    assert "had **40 CPU-minutes** for its" in text
    assert "so they used 37 to 40)" in text
    assert "| second |" + " **3.00** (3.00 / 3.00) |" * 5 + " 3.00 |" in text
    assert "second 3.00 dB, first 1.00 dB, third 0.50 dB." in text
    assert "With the same audio, the means are not known yet." in text
    assert "of the 3 test tracks: second 3, third 0." in text
    assert "| 1,234,567 | 2.50 | 0.50 s | 2,400 | 10.0 min | 3 of 10 | 0.10 |" in text
    assert "left out: a song." in text
    assert "Not trained yet: third (audio)." in text
    assert "{" not in text
    page.figure(results, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_published_figures_name_their_source_and_what_to_mind() -> None:
    for row in json.loads(page.PUBLISHED.read_text(encoding="utf-8"))["rows"]:
        assert set(row["scores"]) <= set(TARGETS)
        assert row["source"]
        assert row["caveat"]
