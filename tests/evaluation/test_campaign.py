"""Evaluation: museval's json for every track, a summary that follows from it, and only the work that is left."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import soundfile
from conftest import Run, config_of, synthetic_stems

from tfwavesep.data import Track, stempeg
from tfwavesep.errors import DataError, OutputExistsError
from tfwavesep.evaluation import METRICS, campaign
from tfwavesep.evaluation.campaign import evaluate, scored_targets
from tfwavesep.evaluation.scores import Scores, markdown, table, track_table
from tfwavesep.stems import STEMS

RATE = 8000
TARGETS = (*STEMS, "accompaniment")
METHODS = ("model", "mixture", "irm1")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two mono test tracks of 2 s; nobody sings in the first second of the second."""
    root = tmp_path_factory.mktemp("small")
    for seed, name in enumerate(("first", "second")):
        folder = root / "test" / name
        folder.mkdir(parents=True)
        stems = {stem: audio[:, 0] for stem, audio in synthetic_stems(2, RATE, seed).items()}
        stems["vocals"][: RATE * seed] = 0
        for stem, audio in {**stems, "mixture": sum(stems.values())}.items():
            soundfile.write(folder / f"{stem}.wav", audio, RATE, "PCM_16")
    return root


@pytest.fixture(scope="module")
def scored(model: Path, root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Scores]:
    folder = tmp_path_factory.mktemp("scores")
    return folder, evaluate(str(model), root, "test", folder)


@pytest.fixture
def folder(scored: tuple[Path, Scores], tmp_path: Path) -> Path:
    """A copy of the scores, to go on with."""
    return Path(shutil.copytree(scored[0], tmp_path / "scores"))


def times(folder: Path) -> dict[Path, int]:
    """When each track's scores were written."""
    return {path: path.stat().st_mtime_ns for path in folder.glob("*/*.json")}


def test_every_track_has_scores_in_musevals_schema(scored: tuple[Path, Scores]) -> None:
    stempeg.ensure()
    import museval

    schema = json.loads((Path(museval.__file__).parent / "musdb.schema.json").read_text())
    written = {path.relative_to(scored[0]) for path in times(scored[0])}
    assert written == {Path(method) / f"{track}.json" for method in METHODS for track in ("first", "second")}
    for path in times(scored[0]):
        scores = json.loads(path.read_text())
        jsonschema.validate(scores, schema)
        assert {target["name"] for target in scores["targets"]} == set(TARGETS)
        assert {len(target["frames"]) for target in scores["targets"]} == {2}


def test_summary_table_and_plot_follow(scored: tuple[Path, Scores], model: Path) -> None:
    folder, scores = scored
    assert (scores.methods, scores.targets, scores.tracks) == (METHODS, TARGETS, ("first", "second"))
    summary = json.loads((folder / "scores.json").read_text())
    assert (summary["subset"], summary["tracks"], summary["failed"]) == ("test", 2, {})
    assert summary["model_sha256"] == config_of(model)["files"]["model.tflite"]["sha256"]
    for m, method in enumerate(METHODS):
        for t, target in enumerate(TARGETS):
            told = [summary["scores"][method][target][metric] for metric in METRICS]
            np.testing.assert_allclose(told, scores.median()[m, t], atol=1e-3)
    assert markdown(table(scores)) in (folder / "table.md").read_text()
    assert markdown(track_table(scores)) in (folder / "tracks.md").read_text()
    assert summary["sdr_interval"].keys() == set(TARGETS)
    assert (folder / "boxplot.png").read_bytes().startswith(b"\x89PNG")


def test_knowing_everything_beats_knowing_nothing(scored: tuple[Path, Scores]) -> None:
    _, nothing, oracle = scored[1].median()[:, :, METRICS.index("SDR")]
    assert np.all(oracle > nothing)


def test_a_silent_second_does_not_count(scored: tuple[Path, Scores]) -> None:
    for m, method in enumerate(METHODS):
        targets = json.loads((scored[0] / method / "second.json").read_text())["targets"]
        (vocals,) = [target for target in targets if target["name"] == "vocals"]
        silent, heard = (frame["metrics"]["SDR"] for frame in vocals["frames"])
        assert np.isnan(silent)
        assert scored[1].values[m, TARGETS.index("vocals"), METRICS.index("SDR"), 1] == heard


def test_what_was_scored_is_not_scored_again(model: Path, root: Path, folder: Path) -> None:
    (folder / "irm1" / "second.json").unlink()
    before, summary = times(folder), (folder / "scores.json").read_bytes()
    evaluate(str(model), root, "test", folder)
    after = times(folder)
    assert after.keys() - before.keys() == {folder / "irm1" / "second.json"}
    assert {path: after[path] for path in before} == before
    assert (folder / "scores.json").read_bytes() == summary


@pytest.mark.parametrize(("form", "subset"), [("model.keras", "test"), ("", "train")])
def test_another_model_or_subset_is_refused(
    model: Path, root: Path, data_root: Path, folder: Path, form: str, subset: str
) -> None:
    with pytest.raises(OutputExistsError, match="another model, subset, data or metric"):
        evaluate(str(model / form), data_root if subset == "train" else root, subset, folder)


def test_other_music_of_the_same_names_is_refused(model: Path, root: Path, folder: Path, tmp_path: Path) -> None:
    """The scores are the first's; a copy of it elsewhere is no other."""
    before = (folder / "scores.json").read_bytes()
    evaluate(str(model), Path(shutil.copytree(root, tmp_path / "copy")), "test", folder)
    with pytest.raises(OutputExistsError, match="another model, subset, data or metric"):
        evaluate(str(model), break_tracks(root, tmp_path / "other", "first"), "test", folder)
    assert (folder / "scores.json").read_bytes() == before


def test_another_metric_is_refused(model: Path, root: Path, folder: Path) -> None:
    with pytest.raises(OutputExistsError, match="another model, subset, data or metric"):
        evaluate(str(model), root, "test", folder, metric="sdr")


def test_what_can_be_scored_is(run: Run, model: Path, root: Path, scored: tuple[Path, Scores], tmp_path: Path) -> None:
    """SDR alone is the same; a stem that is silent, and what is not known of a track, has "-", and all else counts."""
    data = Path(shutil.copytree(root, tmp_path / "root"))
    bass, sample_rate = soundfile.read(data / "test" / "first" / "bass.wav")
    silent = Path(shutil.copytree(data / "test" / "first", data / "test" / "no bass"))
    soundfile.write(silent / "bass.wav", 0 * bass, sample_rate)
    singing = Path(shutil.copytree(data / "test" / "first", data / "test" / "singing"))
    for stem in ("drums", "bass", "other"):
        (singing / f"{stem}.wav").unlink()
    result = run("evaluate", model, "--data", data, "--subset", "test", "-o", tmp_path / "scores", "--metric", "sdr")
    assert result.exit_code == 0, result.output
    assert "SIR" not in result.output
    header, _, first, no_bass, second, sang = (tmp_path / "scores" / "tracks.md").read_text().splitlines()[2:]
    place = [cell.strip() for cell in header.split("|")].index("bass")
    cells = {
        line.split("|")[1].strip(): [c.strip() for c in line.split("|")] for line in (first, no_bass, second, sang)
    }
    assert {name: [t for t in TARGETS if row[2 + TARGETS.index(t)] == "-"] for name, row in cells.items()} == {
        "first": [], "second": [], "no bass": ["bass"], "singing": ["drums", "bass", "other"],
    }  # fmt: skip
    assert place == 2 + TARGETS.index("bass")
    assert cells["singing"][2] == cells["first"][2]  # vocals
    values = scored[1].values[0, :, METRICS.index("SDR")]
    assert [f"{value:.2f}" for value in values[:, 0]] == cells["first"][2:-1]


def break_tracks(root: Path, copy: Path, *names: str) -> Path:
    """A copy of a data root in which some tracks cannot be read."""
    for name in names:
        (Path(shutil.copytree(root, copy, dirs_exist_ok=True)) / "test" / name / "drums.wav").write_bytes(b"not audio")
    return copy


def test_a_broken_track_is_named_and_the_others_go_on(
    run: Run, model: Path, root: Path, folder: Path, tmp_path: Path
) -> None:
    broken = break_tracks(root, tmp_path / "root", "first")
    for path in (*folder.glob("*/first.json"), folder / "evaluation.json"):  # as if the others' had been copied there
        path.unlink()
    result = run("evaluate", model, "--data", broken, "--subset", "test", "-o", folder)
    assert result.exit_code == 1
    (error,) = [line for line in result.output.splitlines() if line.startswith("Error:")]
    assert error == "Error: 1 track failed: first"
    assert "drums.wav" in result.output
    summary = json.loads((folder / "scores.json").read_text())
    assert (summary["tracks"], list(summary["failed"])) == (1, ["first"])
    assert summary["scores"]["model"]["drums"]["SDR"] is not None


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_no_scores_at_all_are_still_json(run: Run, model: Path, root: Path, tmp_path: Path) -> None:
    broken = break_tracks(root, tmp_path / "root", "first")
    shutil.rmtree(broken / "test" / "second")
    result = run("evaluate", model, "--data", broken, "--subset", "test", "-o", tmp_path / "scores")
    assert result.exit_code == 1
    assert "Error: 1 track failed: first" in result.output
    text = (tmp_path / "scores" / "scores.json").read_text()
    assert "NaN" not in text
    assert json.loads(text)["scores"]["model"]["drums"]["SDR"] is None


def test_jobs_do_not_change_the_scores(model: Path, root: Path, scored: tuple[Path, Scores], tmp_path: Path) -> None:
    scores = evaluate(str(model), root, "test", tmp_path, jobs=2)
    np.testing.assert_array_equal(scores.values, scored[1].values)


def test_an_error_that_nobody_thought_of_is_one_tracks_too(
    model: Path, root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    score = campaign.score_track

    def score_or_fail(track: Track, *others: Any) -> None:
        if track.name == "first":
            raise MemoryError("no room for it")
        score(track, *others)

    monkeypatch.setattr(campaign, "score_track", score_or_fail)
    scores = evaluate(str(model), root, "test", folder)
    assert (scores.tracks, scores.failed) == (("second",), {"first": "MemoryError: no room for it"})


class Deadly(campaign._Task):
    """A track that kills the process which is given it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (9,)


def test_a_track_that_kills_its_process_is_told_and_the_others_go_on(model: Path, root: Path, folder: Path) -> None:
    """Also those that were being scored, or waited, at that time."""
    first, second = (campaign._Task(str(model), str(root), "test", number, str(folder)) for number in range(2))
    deadly = Deadly(str(model), str(root), "test", 0, str(folder))
    missing = folder / "irm1" / "first.json"
    missing.unlink()
    told = list(campaign._run([first, deadly, second, deadly], jobs=2))
    killed = "the process that scored it was killed (out of memory?)"
    assert told == [None, killed, None, killed]
    assert missing.exists()


def test_no_tracks_are_refused(model: Path, root: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no tracks"):
        evaluate(str(model), root, "valid", tmp_path / "scores")
    assert not (tmp_path / "scores").exists()


@pytest.mark.parametrize("targets", [STEMS, ("vocals", "accompaniment")])
def test_accompaniment_is_always_scored(targets: tuple[str, ...]) -> None:
    assert sorted(scored_targets(targets)) == sorted({*targets, "accompaniment"})
