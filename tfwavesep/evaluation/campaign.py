"""Scoring a model on a data root, next to what doing nothing and knowing everything would score."""

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from tfwavesep import system
from tfwavesep.batch import model_sha256
from tfwavesep.config import read_json, write_json
from tfwavesep.data import Track, find_tracks, fingerprint, stempeg
from tfwavesep.errors import OutputExistsError
from tfwavesep.evaluation import metrics
from tfwavesep.evaluation.metrics import Estimates
from tfwavesep.evaluation.scores import NOTHING, ORACLE, Report, Scores, collect, write_results
from tfwavesep.places import Place, atomic, place
from tfwavesep.separation import Separator
from tfwavesep.stems import gathered, in_tracks, known, weights
from tfwavesep.store import locate


def evaluate(
    model: Place,
    root: Place,
    subset: str,
    folder: Place,
    jobs: int = 1,
    report: Report = print,
    metric: str = "museval",
) -> Scores:
    """Score a model on a data root.

    Args:
        model: name or path, see `backends.open_backend`.
        root: data root, see `data.find_tracks`.
        subset: "valid", "test" or "train".
        folder: where scores go: `METHOD/TRACK.json` in museval's schema, `scores.json`, `table.md`, `tracks.md`
            and, if matplotlib is there, `boxplot.png`. Tracks scored there before are not scored again.
        jobs: tracks scored at the same time, but no more than there are cores for.
        report: takes lines for people.
        metric: "museval" for all metrics, or "sdr" for SDR alone, quickly; see `metrics.Scorer`.

    Raises:
        OutputExistsError: `folder` holds scores of another model, subset or data, or by another metric.
        DataError: the data root has no tracks, or a file of theirs cannot be read.
        ExtraError: the extra `train` is not installed.
    """
    model, root, folder = os.fspath(model), place(root), place(folder)
    stempeg.ensure()  # or else an error, before anything is decoded
    tracks = find_tracks(root, subset, lambda place, why: report(f"left out: {place}: {why}"))
    path = locate(model)
    targets = scored_targets(Separator.load(str(path)).targets)
    about = {"subset": subset, "model_sha256": model_sha256(model)} | ({"metric": metric} if metric == "sdr" else {})
    _claim(folder, {"model": model, **about, "data": fingerprint(tracks), "targets": list(targets)})
    failed: dict[str, str] = {}
    tasks = [_Task(str(path), str(root), subset, number, str(folder), metric) for number in range(len(tracks))]
    for done, (track, error) in enumerate(zip(tracks, _run(tasks, jobs), strict=True), start=1):
        if error:
            failed[track.name] = error
        report(f"{done}/{len(tracks)}  {track.name}" + (f": FAILED: {error}" if error else ""))
    scores = collect(folder, targets, [t.name for t in tracks if t.name not in failed], failed)
    write_results(folder, scores, about, report)
    return scores


def scored_targets(targets: tuple[str, ...]) -> tuple[str, ...]:
    """What a model with these targets is scored on: each that tracks have, and the accompaniment."""
    return in_tracks(targets) if "accompaniment" in targets else (*in_tracks(targets), "accompaniment")


def _claim(folder: Path, about: dict[str, Any]) -> None:
    """Make the folder this evaluation's own, or make sure that it is."""
    path = folder / "evaluation.json"
    if path.exists() and read_json(path) != about:
        raise OutputExistsError(
            f"{folder}: holds scores of another model, subset, data or metric; choose another folder"
        )
    write_json(path, about)


@dataclass(frozen=True)
class _Task:
    model: str
    root: str
    subset: str
    number: int
    folder: str
    metric: str = "museval"


def _run(tasks: list[_Task], jobs: int) -> Iterator[str | None]:
    """For each track in order, what went wrong."""
    if jobs == 1:
        yield from map(_evaluate_track, tasks)
        return
    left, jobs = list(tasks), min(jobs, system.cores())
    while left:
        with _processes(jobs) as pool:
            with system.shared_by(jobs):
                answers = [pool.submit(_evaluate_track, task) for task in left]
            for answer in answers:
                try:
                    error = answer.result()
                except BrokenProcessPool:
                    break
                del left[0]
                yield error
        if left:
            yield _alone(left.pop(0))


def _alone(task: _Task) -> str | None:
    """Score a track in a process of its own: where several die together, this tells whether it was this track's."""
    with _processes(1) as pool:
        try:
            return pool.submit(_evaluate_track, task).result()
        except BrokenProcessPool:
            return "the process that scored it was killed (out of memory?)"


def _processes(count: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(count, multiprocessing.get_context("spawn"))


@lru_cache(maxsize=1)
def _open(model: str, root: str, subset: str) -> tuple[Separator, list[Track]]:
    return Separator.load(model), find_tracks(Path(root), subset)


def _evaluate_track(task: _Task) -> str | None:
    """Score all methods on one track; returns what went wrong."""
    separator, tracks = _open(task.model, task.root, task.subset)
    try:
        score_track(tracks[task.number], separator, Path(task.folder), task.metric)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def score_track(track: Track, separator: Separator, folder: Path, metric: str = "museval") -> None:
    """Score the model and the two rows it is compared with on one track, in what is known of it, and write what is not
    there yet."""
    paths = {method: folder / method / f"{track.name}.json" for method in ("model", NOTHING, ORACLE)}
    if all(path.exists() for path in paths.values()):
        return
    mixture, stems, sample_rate = track.load()
    estimated, targets = in_tracks(separator.targets), scored_targets(separator.targets)
    true = dict(zip(targets, metrics.rounded(np.einsum("ts,slc->tlc", weights(targets), stems)), strict=True))
    references = {
        target: true[target] for target, is_known in zip(targets, known(track.rest, targets), strict=True) if is_known
    }
    methods: dict[str, Callable[[], Estimates]] = {
        "model": lambda: metrics.with_accompaniment(gathered(separator.separate(mixture, sample_rate))),
        NOTHING: lambda: {target: mixture / len(estimated) for target in targets},
        ORACLE: lambda: metrics.with_accompaniment(metrics.ideal_ratio_mask(mixture, true, estimated)),
    }
    score = metrics.Scorer(track.name, references, sample_rate, quick=metric == "sdr")
    for method, path in paths.items():
        if not path.exists():
            text = score(methods[method]())
            with atomic(path) as temporary:
                temporary.write_text(text, encoding="utf-8")
