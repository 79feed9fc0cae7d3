"""What an evaluation found: medians, how far they can be trusted, and tables and a picture of them.

All figures are medians over 1-second frames, then over tracks, in dB, as in SiSEC 2018 (Stöter, Liutkus & Ito,
arXiv 1804.06267, section 4).
"""

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfwavesep.config import read_json, write_json
from tfwavesep.evaluation.metrics import METRICS
from tfwavesep.places import atomic

NOTHING, ORACLE = "mixture", "irm1"
"""Names of the two rows every model is compared with."""

CONFIDENCE = 0.95
"""Of the intervals of the medians."""

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

    def interval(self, method: int, target: int, metric: int) -> tuple[float, float]:
        """Between what bounds the median over tracks lies with `CONFIDENCE`; NaN for fewer than two tracks.

        Reference:
            Efron 1979, "Bootstrap methods": percentiles of the medians of 10,000 draws of as many tracks.
        """
        from scipy.stats import bootstrap

        heard = self.values[method, target, metric]
        heard = heard[~np.isnan(heard)]
        if len(heard) < 2:
            return float("nan"), float("nan")
        found = bootstrap(
            (heard,), np.median, n_resamples=10_000, confidence_level=CONFIDENCE, method="percentile", random_state=0
        ).confidence_interval
        return float(found.low), float(found.high)


def collect(folder: Path, targets: tuple[str, ...], tracks: list[str], failed: dict[str, str]) -> Scores:
    """Read what an evaluation wrote for each track: `METHOD/TRACK.json` below `folder`."""
    methods = ("model", NOTHING, ORACLE)
    values = np.full((len(methods), len(targets), len(METRICS), len(tracks)), np.nan)
    for m, method in enumerate(methods):
        for t, track in enumerate(tracks):
            scores = read_json(folder / method / f"{track}.json")
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
    """A header and one row for each method and each metric that was asked for, in dB; below the model's SDR, its
    interval. What has no score has "-"."""
    medians = scores.median()
    rows = [["method", "metric", *scores.targets]]
    for m, method in enumerate(scores.methods):
        for k, metric in enumerate(METRICS):
            if k == METRICS.index("SDR") or not np.isnan(medians[:, :, k]).all():
                rows.append([method, metric, *map(_shown, medians[m, :, k])])
    bounds = [scores.interval(0, t, METRICS.index("SDR")) for t in range(len(scores.targets))]
    interval = [
        scores.methods[0],
        f"SDR, {CONFIDENCE:.0%} interval",
        *("-" if np.isnan(low) else f"{low:.2f} to {high:.2f}" for low, high in bounds),
    ]
    rows.insert(2, interval)
    return rows


def track_table(scores: Scores) -> list[list[str]]:
    """A header and one row for each track: the model's SDR in dB, "-" where a reference is silent."""
    values = scores.values[0, :, METRICS.index("SDR")]
    rows = [[track, *map(_shown, column)] for track, column in zip(scores.tracks, values.T, strict=True)]
    return [["track", *scores.targets], *rows]


def _shown(decibels: float) -> str:
    return "-" if np.isnan(decibels) else f"{decibels:.2f}"


def markdown(rows: list[list[str]]) -> str:
    """Rows, the first of which is the header, as a Markdown table."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]) + "\n"


def write_results(folder: Path, scores: Scores, scored: dict[str, Any], report: Report) -> None:
    """Write `scores.json`, `table.md`, `tracks.md` and, if matplotlib is there, `boxplot.png`.

    Args:
        folder: where they go.
        scores: what they tell.
        scored: what `scores.json` tells besides: which model, on which subset.
        report: takes lines for people.
    """
    medians = scores.median()
    summary = {
        method: {
            target: {metric: _decibels(medians[m, t, k]) for k, metric in enumerate(METRICS)}
            for t, target in enumerate(scores.targets)
        }
        for m, method in enumerate(scores.methods)
    }
    intervals = {
        target: [_decibels(bound) for bound in scores.interval(0, t, METRICS.index("SDR"))]
        for t, target in enumerate(scores.targets)
    }
    about = "medians over 1-s frames, then over tracks, dB"
    tracks = len(scores.tracks)
    values = {
        "about": about, **scored, "tracks": tracks, "failed": scores.failed, "scores": summary,
        "confidence": CONFIDENCE, "sdr_interval": intervals,
    }  # fmt: skip
    by = "SDR as museval's" if scored.get("metric") == "sdr" else "museval (BSS Eval v4)"
    heading = f"{tracks} tracks; {by}, {about}; interval over tracks by bootstrap.\n\n"
    write_json(folder / "scores.json", values)
    _write(folder / "table.md", heading + markdown(table(scores)))
    _write(folder / "tracks.md", "SDR of the model in dB, median over 1-s frames.\n\n" + markdown(track_table(scores)))
    try:
        sdr = scores.values[:, :, METRICS.index("SDR")]
        box_plot(scores.targets, dict(zip(scores.methods, sdr, strict=True)), folder / "boxplot.png")
    except ImportError:
        report("no box plot: pip install 'tfwavesep[plot]'")


def _write(path: Path, text: str) -> None:
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _decibels(value: float) -> float | None:
    """Ready for json, which has no NaN."""
    return None if np.isnan(value) else round(float(value), 3)


def box_plot(targets: Sequence[str], sdr: Mapping[str, np.ndarray], path: Path) -> None:
    """SDR over tracks: one panel for each target, one box for each row.

    Args:
        targets: what is scored.
        sdr: for each row's label, `(targets, tracks)` in dB, NaN where a reference is silent.
        path: of the picture, a PNG.

    Raises:
        ImportError: matplotlib is not there.
    """
    os.environ.setdefault("MPLBACKEND", "Agg")
    from matplotlib.figure import Figure

    labels = list(sdr)[::-1]  # the first is drawn at the top
    figure = Figure(figsize=(1.5 + 2.4 * len(targets), 1.2 + 0.4 * len(labels)), layout="constrained")
    panels = figure.subplots(1, len(targets), sharey=True, squeeze=False)[0]
    for t, (panel, target) in enumerate(zip(panels, targets, strict=True)):
        boxes = [sdr[label][t] for label in labels]
        panel.boxplot([box[~np.isnan(box)] for box in boxes], widths=0.6, orientation="horizontal", manage_ticks=False)
        panel.set_title(target)
        panel.grid(axis="x", alpha=0.3)
    panels[0].set_yticks(range(1, 1 + len(labels)), labels)
    figure.supxlabel("SDR (dB), median over frames", fontsize="medium")
    with atomic(path) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
