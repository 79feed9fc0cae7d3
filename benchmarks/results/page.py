"""The page of the comparison: tables, a figure, and what they say, from what the trainings left behind."""

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import processor
from benchmarks.results.runs import SEGMENT_SECONDS, SUBSETS, step_seconds
from tfwavesep.config import Preset, preset_from_dict, read_json
from tfwavesep.evaluation import METRICS, box_plot, markdown
from tfwavesep.places import atomic
from tfwavesep.stems import STEMS

TARGETS = (*STEMS, "accompaniment")
SDR, SIR, SAR = (METRICS.index(name) for name in ("SDR", "SIR", "SAR"))
BASELINES = {1: "mixture ÷ 4", 2: "ideal ratio mask"}
"""The rows that every model is compared with, by their place among an evaluation's methods."""

TEMPLATE = Path(__file__).with_name("template.md")
PUBLISHED = Path(__file__).with_name("published.json")


@dataclass(frozen=True)
class Result:
    """What one training left behind.

    Attributes:
        label: of the system.
        preset: as it was trained.
        cost: see `runs.measure`.
        cpu_seconds: that its steps took.
        audio_seconds: of target audio that they saw.
        best_epoch: whose weights are scored, of how many epochs.
        scores: for each subset, `(methods, targets, metrics, tracks)` in dB, targets in the order of `TARGETS`.
        failed: tracks that could not be scored.
    """

    label: str
    preset: Preset
    cost: dict[str, float]
    cpu_seconds: float
    audio_seconds: float
    best_epoch: tuple[int, int]
    scores: dict[str, np.ndarray]
    failed: tuple[str, ...]

    def sdr(self, subset: str) -> np.ndarray:
        """The model's, `(targets, tracks)`."""
        return np.asarray(self.scores[subset][0, :, SDR])


def read(record: Path, label: str) -> Result:
    """The result of one training."""
    found = read_json(record)
    return Result(
        label,
        preset_from_dict(found["preset"]),
        found["cost"],
        found["cpu_seconds"],
        found["audio_seconds"],
        tuple(found["best_epoch"]),
        {subset: _in_order(scores) for subset, scores in found["scores"].items()},
        tuple(track for scores in found["scores"].values() for track in scores["failed"]),
    )


def _in_order(scores: dict[str, Any]) -> np.ndarray:
    return np.array(scores["values"], float)[:, [scores["targets"].index(target) for target in TARGETS]]


def write(results: dict[str, list[Result]], missing: list[str], budgets: dict[str, float], output: Path) -> None:
    """Write `RESULTS.md` and `RESULTS.png`."""
    with atomic(output / "RESULTS.md") as temporary:
        temporary.write_text(page(results, missing, budgets), encoding="utf-8")
    figure(results["compute"], output / "RESULTS.png")


def page(results: dict[str, list[Result]], missing: list[str], budgets: dict[str, float]) -> str:
    """The whole page as Markdown: the template, with its figures."""
    compute, audio, losses = results["compute"], results["audio"], results["losses"]
    return TEMPLATE.read_text(encoding="utf-8").format(
        machine=f"{os.cpu_count()} cores ({processor()}), TensorFlow {version('tensorflow')}",
        compute_minutes=budgets["compute"],
        minutes_used=_minutes_used(compute),
        losses_minutes=budgets["losses"],
        segment_seconds=SEGMENT_SECONDS,
        **{f"{subset}_tracks": compute[0].sdr(subset).shape[1] for subset in SUBSETS},
        compute_test=markdown(scores_table(compute, "test")),
        compute_valid=markdown(scores_table(compute, "valid")),
        costs=markdown(costs_table(compute)),
        audio_test=markdown(scores_table(audio, "test")),
        audio_seen=markdown(seen_table(audio)),
        losses_test=markdown(scores_table(losses, "test", baselines=False)),
        losses_valid=markdown(scores_table(losses, "valid", baselines=False)),
        compute_order=_order(compute),
        first=compute[0].label,
        wins=_wins(compute),
        audio_order=_order(audio),
        losses_order=_order(losses),
        least_audio=_least_audio(compute),
        failures=_failures([*compute, *audio, *losses], missing),
        published=markdown(published_table()).rstrip(),
    )


def scores_table(results: list[Result], subset: str, baselines: bool = True) -> list[list[str]]:
    """A row for each system, and the two rows all are compared with."""
    rows = [["", *TARGETS, "mean of the four"]]
    rows += [_scores_row(result.label, result.scores[subset][0]) for result in results]
    if baselines and results:
        rows += [_scores_row(label, results[0].scores[subset][method]) for method, label in BASELINES.items()]
    return rows


def _scores_row(label: str, scores: np.ndarray) -> list[str]:
    medians = np.nanmedian(scores, axis=-1)
    return [label, *(_cell(medians[t, [SDR, SIR, SAR]]) for t in range(len(TARGETS))), f"{_mean(scores):.2f}"]


def _mean(scores: np.ndarray) -> float:
    """Of the four stems' medians over tracks."""
    return float(np.nanmedian(scores[: len(STEMS), SDR], axis=-1).mean())


def _cell(values: Iterable[float]) -> str:
    sdr, *others = (f"{value:.2f}" for value in values)
    return f"**{sdr}** ({' / '.join(others)})" if others else f"**{sdr}**"


def costs_table(results: list[Result]) -> list[list[str]]:
    """What each system is and took."""
    columns: dict[str, Callable[[Result], str]] = {
        "": lambda r: r.label,
        "works at": lambda r: (
            f"{r.preset.model.sample_rate / 1000:g} kHz {('mono', 'stereo')[r.preset.model.channels - 1]}"
        ),
        "loss": lambda r: r.preset.loss.name,
        "parameters": lambda r: f"{r.cost['parameters']:,}",
        "GMAC per second of audio": lambda r: f"{r.cost['gmac_per_second']:.2f}",
        "receptive field": lambda r: f"{r.cost['receptive_field_seconds']:.2f} s",
        "CPU-seconds trained": lambda r: f"{r.cpu_seconds:,.0f}",
        "audio seen": lambda r: f"{r.audio_seconds / 60:,.1f} min",
        "best epoch": lambda r: f"{r.best_epoch[0]} of {r.best_epoch[1]}",
        "real-time factor": lambda r: f"{r.cost['cpu_seconds_per_second']:.2f}",
    }
    return [list(columns), *([column(result) for column in columns.values()] for result in results)]


def seen_table(results: list[Result]) -> list[list[str]]:
    """What each system saw and took."""
    rows = [["", "audio seen", "steps", "CPU-seconds trained"]]
    for r in results:
        seen, steps = f"{r.audio_seconds / 60:.1f} min", f"{r.audio_seconds / step_seconds(r.preset):.0f}"
        rows.append([r.label, seen, steps, f"{r.cpu_seconds:,.0f}"])
    return rows


def published_table() -> list[list[str]]:
    """Figures from elsewhere, with where they come from and what to mind."""
    rows = [["", "music", *TARGETS, "source", "to mind"]]
    for row in json.loads(PUBLISHED.read_text(encoding="utf-8"))["rows"]:
        cells = [_cell(row["scores"][target]) if target in row["scores"] else "" for target in TARGETS]
        rows.append([row["system"], row["music"], *cells, row["source"], row["caveat"]])
    return rows


def _order(results: list[Result]) -> str:
    ranked = sorted(results, key=lambda r: -_mean(r.scores["test"][0]))
    means = [f"{r.label} {_mean(r.scores['test'][0]):.2f} dB" for r in ranked]
    return ", ".join(means) or "not known yet"


def _wins(results: list[Result]) -> str:
    first, *others = (np.nanmean(r.sdr("test")[: len(STEMS)], axis=0) for r in results)
    counts = [int((other > first).sum()) for other in others]
    return ", ".join(f"{r.label} {count}" for r, count in zip(results[1:], counts, strict=True))


def _least_audio(results: list[Result]) -> str:
    least, most = (f(results, key=lambda r: r.audio_seconds) for f in (min, max))
    return f"{least.audio_seconds / 60:.1f} min ({least.label}) to {most.audio_seconds / 60:.1f} min ({most.label})"


def _minutes_used(results: list[Result]) -> str:
    minutes = [result.cpu_seconds / 60 for result in results]
    return f"{min(minutes):.0f} to {max(minutes):.0f}"


def _failures(results: list[Result], missing: list[str]) -> str:
    failed = sorted({track for result in results for track in result.failed})
    told = f"- Tracks that could not be scored and are left out: {', '.join(failed)}.\n" if failed else ""
    return told + (f"- Not trained yet: {', '.join(missing)}.\n" if missing else "")


def figure(results: list[Result], path: Path) -> None:
    """SDR over the test tracks: a panel for each target, a box for each system."""
    sdr = {result.label: result.sdr("test") for result in results}
    sdr.update((label, results[0].scores["test"][method, :, SDR]) for method, label in BASELINES.items())
    box_plot(TARGETS, sdr, path)
