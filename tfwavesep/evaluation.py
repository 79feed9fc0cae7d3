"""A model's scores on a data root, next to what doing nothing and knowing everything would score.

All figures are medians over 1-second frames, then over tracks, in dB, as in SiSEC 2018 (Stöter, Liutkus & Ito,
arXiv 1804.06267, section 4).
"""

import hashlib
import json
import multiprocessing
import os
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from tfwavesep import metrics
from tfwavesep.errors import OutputExistsError, TfwavesepError
from tfwavesep.files import atomic
from tfwavesep.metrics import METRICS, Estimates
from tfwavesep.separator import Separator
from tfwavesep.stems import weights
from tfwavesep.store import locate
from tfwavesep.tracks import Track, find_tracks

NOTHING, ORACLE = "mixture", "irm1"
"""Names of the two rows every model is compared with."""

Report = Callable[[str], None]


@dataclass(frozen=True)
class Scores:
    """All scores of an evaluation.

    Attributes:
        methods: the model, then `mixture`, then `irm1`.
        targets: what is scored.
        tracks: names, in order.
        values: float64 `(methods, targets, metrics, tracks)` in dB, medians over frames, NaN where a reference is
            silent; metrics in the order of `METRICS`.
        failed: for each track that could not be scored, why.
    """

    methods: tuple[str, ...]
    targets: tuple[str, ...]
    tracks: tuple[str, ...]
    values: np.ndarray
    failed: dict[str, str]

    def median(self) -> np.ndarray:
        """Medians over tracks: `(methods, targets, metrics)`."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a target that is silent in every track stays NaN
            return np.asarray(np.nanmedian(self.values, axis=-1))


def evaluate(model: str, root: Path, subset: str, folder: Path, jobs: int = 1, report: Report = print) -> Scores:
    """Score a model on a data root.

    Args:
        model: name or path, see `backends.open_backend`.
        root: data root, see `tracks.find_tracks`.
        subset: "valid", "test" or "train".
        folder: where scores go: `METHOD/TRACK.json` in museval's schema, `scores.json`, `table.md` and, if matplotlib
            is there, `boxplot.png`. Tracks scored there before are not scored again.
        jobs: tracks scored at the same time.
        report: takes lines for people.

    Raises:
        OutputExistsError: `folder` holds scores of another model or subset.
        DataError: the data root has no tracks.
    """
    tracks = find_tracks(root, subset)
    path = locate(model)
    targets = scored_targets(Separator.load(str(path)).targets)
    _claim(folder, {"model": model, "sha256": model_hash(path), "subset": subset, "targets": targets})
    failed: dict[str, str] = {}
    tasks = [_Task(str(path), str(root), subset, number, str(folder)) for number in range(len(tracks))]
    for done, (track, error) in enumerate(zip(tracks, _run(tasks, jobs), strict=True), start=1):
        if error:
            failed[track.name] = error
        report(f"{done}/{len(tracks)}  {track.name}" + (f": FAILED: {error}" if error else ""))
    scores = _collect(folder, targets, [t.name for t in tracks if t.name not in failed], failed)
    _write_results(folder, scores, report)
    return scores


def scored_targets(targets: tuple[str, ...]) -> tuple[str, ...]:
    """What a model with these targets is scored on: each, and the accompaniment."""
    return targets if "accompaniment" in targets else (*targets, "accompaniment")


def model_hash(path: Path) -> str:
    """SHA-256 over a model's files, with their names."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            digest.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _claim(folder: Path, about: dict[str, object]) -> None:
    """Make the folder this evaluation's own, or make sure that it is."""
    path = folder / "evaluation.json"
    text = json.dumps(about, indent=2)
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise OutputExistsError(f"{folder}: holds scores of another model or subset; choose another folder")
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class _Task:
    model: str
    root: str
    subset: str
    number: int
    folder: str


def _run(tasks: list[_Task], jobs: int) -> Iterator[str | None]:
    if jobs == 1:
        yield from map(_evaluate_track, tasks)
        return
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(_evaluate_track, tasks)


@lru_cache(maxsize=1)
def _open(model: str, root: str, subset: str) -> tuple[Separator, list[Track]]:
    return Separator.load(model), find_tracks(Path(root), subset)


def _evaluate_track(task: _Task) -> str | None:
    """Score all methods on one track; returns what went wrong."""
    separator, tracks = _open(task.model, task.root, task.subset)
    try:
        score_track(tracks[task.number], separator, Path(task.folder))
    except (TfwavesepError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def score_track(track: Track, separator: Separator, folder: Path) -> None:
    """Score the model and the two rows it is compared with on one track, and write what is not there yet."""
    paths = {method: folder / method / f"{track.name}.json" for method in ("model", NOTHING, ORACLE)}
    if all(path.exists() for path in paths.values()):
        return
    mixture, stems, sample_rate = track.load()
    targets = scored_targets(separator.targets)
    references = dict(zip(targets, metrics.rounded(np.einsum("ts,slc->tlc", weights(targets), stems)), strict=True))
    methods: dict[str, Callable[[], Estimates]] = {
        "model": lambda: metrics.with_accompaniment(separator.separate(mixture, sample_rate)),
        NOTHING: lambda: {target: mixture / len(separator.targets) for target in targets},
        ORACLE: lambda: metrics.with_accompaniment(metrics.ideal_ratio_mask(mixture, references, separator.targets)),
    }
    for method, path in paths.items():
        if not path.exists():
            text = metrics.bss_eval(track.name, references, methods[method](), sample_rate)
            with atomic(path) as temporary:
                temporary.write_text(text, encoding="utf-8")


def _collect(folder: Path, targets: tuple[str, ...], tracks: list[str], failed: dict[str, str]) -> Scores:
    methods = ("model", NOTHING, ORACLE)
    values = np.full((len(methods), len(targets), len(METRICS), len(tracks)), np.nan)
    for m, method in enumerate(methods):
        for t, track in enumerate(tracks):
            scores = json.loads((folder / method / f"{track}.json").read_text(encoding="utf-8"))
            for target in scores["targets"]:
                for k, metric in enumerate(METRICS):
                    frames = [frame["metrics"][metric] for frame in target["frames"]]
                    values[m, targets.index(target["name"]), k, t] = _nanmedian(frames)
    return Scores(methods, targets, tuple(tracks), values, failed)


def _nanmedian(frames: list[float]) -> float:
    heard = np.array(frames, float)
    heard = heard[~np.isnan(heard)]
    return float(np.median(heard)) if len(heard) else float("nan")


def table(scores: Scores) -> list[list[str]]:
    """A header and one row for each method and metric, in dB."""
    medians = scores.median()
    rows = [["method", "metric", *scores.targets]]
    for m, method in enumerate(scores.methods):
        for k, metric in enumerate(METRICS):
            rows.append([method, metric, *(f"{medians[m, t, k]:.2f}" for t in range(len(scores.targets)))])
    return rows


def markdown(rows: list[list[str]]) -> str:
    """Rows, the first of which is the header, as a Markdown table."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]) + "\n"


def _write_results(folder: Path, scores: Scores, report: Report) -> None:
    medians = scores.median()
    summary = {
        method: {
            target: {metric: _decibels(medians[m, t, k]) for k, metric in enumerate(METRICS)}
            for t, target in enumerate(scores.targets)
        }
        for m, method in enumerate(scores.methods)
    }
    about = "medians over 1-s frames, then over tracks, dB"
    with atomic(folder / "scores.json") as temporary:
        text = json.dumps({"about": about, "tracks": len(scores.tracks), "failed": scores.failed, "scores": summary})
        temporary.write_text(text, encoding="utf-8")
    with atomic(folder / "table.md") as temporary:
        heading = f"{len(scores.tracks)} tracks; museval (BSS Eval v4), {about}.\n\n"
        temporary.write_text(heading + markdown(table(scores)), encoding="utf-8")
    try:
        box_plot(scores, folder / "boxplot.png")
    except ImportError:
        report("no box plot: pip install 'tfwavesep[plot]'")


def _decibels(value: float) -> float | None:
    """Ready for json, which has no NaN."""
    return None if np.isnan(value) else round(float(value), 3)


def box_plot(scores: Scores, path: Path) -> None:
    """SDR over tracks: one panel for each target, one box for each method.

    Raises:
        ImportError: matplotlib is not there.
    """
    os.environ.setdefault("MPLBACKEND", "Agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.4 * len(scores.targets), 3.6), layout="constrained")
    panels = figure.subplots(1, len(scores.targets), sharey=True, squeeze=False)[0]
    for t, (panel, target) in enumerate(zip(panels, scores.targets, strict=True)):
        boxes = [scores.values[m, t, 0] for m in range(len(scores.methods))]
        panel.boxplot([box[~np.isnan(box)] for box in boxes], widths=0.6)
        panel.set_xticks(range(1, len(boxes) + 1), scores.methods)
        panel.set_title(target)
        panel.grid(axis="y", alpha=0.3)
    panels[0].set_ylabel("SDR (dB), median over frames")
    with atomic(path) as temporary:
        figure.savefig(temporary, dpi=120)
