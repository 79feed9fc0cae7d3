"""SPEED.md: what was to be reached, and a section for each topic, kept in speed.json until it is measured anew."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import machine
from tfwavesep.config import write_json
from tfwavesep.evaluation import markdown

PAGE = Path(__file__).parent.parent / "SPEED.md"
RESULTS = Path(__file__).with_name("speed.json")
TOPICS = ("inference", "training", "pipeline", "streaming", "command", "scaling", "peers")
"""Sections of the page, in order; each is written by the script of its name."""


@dataclass(frozen=True)
class Target:
    """What was to be reached, and what was.

    Attributes:
        name: in words.
        wanted: the least, or the most.
        measured: what came out.
        unit: of both.
        at_most: whether less is better.
    """

    name: str
    wanted: float
    measured: float
    unit: str = "x"
    at_most: bool = False

    @property
    def met(self) -> bool:
        """A measurement that is no number meets nothing."""
        return self.measured <= self.wanted if self.at_most else self.measured >= self.wanted

    def row(self) -> list[str]:
        """For the table."""
        sign = "≤" if self.at_most else "≥"
        verdict = "met" if self.met else "**not met**"
        return [self.name, f"{sign} {figure(self.wanted)} {self.unit}", f"{figure(self.measured)} {self.unit}", verdict]


def figure(value: float) -> str:
    """Three digits that count.

    >>> figure(0.5666), figure(13.04), figure(1234.5), figure(2)
    ('0.567', '13.0', '1,234', '2')
    """
    if not math.isfinite(value):
        return "-"
    if value == int(value):
        return f"{int(value):,}"
    digits = math.floor(math.log10(abs(float(f"{value:.2e}"))))
    return f"{value:,.{max(0, 2 - digits)}f}"


def publish(topic: str, text: str, targets: Sequence[Target] = (), data: dict[str, Any] | None = None) -> None:
    """Replace a topic's section, and write the whole page anew.

    Args:
        topic: one of `TOPICS`.
        text: Markdown, without a title.
        targets: which the topic has measured.
        data: what `recorded` is to give the next time.
    """
    sections = _sections()
    sections[topic] = {
        "machine": machine(),
        "text": text.strip(),
        "targets": [asdict(target) for target in targets],
        "data": data or {},
    }
    ordered = {name: sections[name] for name in TOPICS if name in sections}
    write_json(RESULTS, ordered)
    PAGE.write_text(render(ordered), encoding="utf-8")


def recorded(topic: str) -> dict[str, Any]:
    """What a topic has kept of its last measurement."""
    data: dict[str, Any] = _sections().get(topic, {}).get("data", {})
    return data


def _sections() -> dict[str, Any]:
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}


def render(sections: dict[str, Any]) -> str:
    """The page: what was to be reached, then each topic."""
    rows = [
        [f"[{topic}](#{topic})", *Target(**target).row()]
        for topic, section in sections.items()
        for target in section["targets"]
    ]
    missing = ", ".join(topic for topic in TOPICS if topic not in sections)
    left = f"\nNot measured here: {missing}.\n" if missing else ""
    table = markdown([["topic", "what", "wanted", "measured", ""], *rows])
    parts = [f"# Speed\n\n{ABOUT}{left}", f"## Targets\n\n{table}"]
    for topic, section in sections.items():
        about = f"`python -m benchmarks.speed.{topic}`, {section['machine']}."
        parts.append(f"## {topic.capitalize()}\n\n{about}\n\n{section['text']}\n")
    return "\n".join(parts)


ABOUT = """\
Written by the scripts named below; `make speed` runs all but the peers and the curves of three trainings, which need
packages and music of their own, as their scripts say. Contenders take turns, each in a process of its own that may use
one core or two, and figures are medians of at least five turns, unless a table says otherwise, so that ratios hold on a
machine whose speed drifts.
Speed does not depend on weights: where no trained model is at hand they are random. *Real time* is
seconds of audio in the network's own format for a second of computing. `banded_wavenet, short frames` is
that network on frames of 2048 samples, which alone was the model `default` once. `default` here is the mean of
two WaveNets that was released by this name when the page was made, now the preset `ensemble`; the model of today, the
preset `default`, takes 0.9 of its time on a processor without int8 products, and 1.4 to 1.5 on those with them.
"""
