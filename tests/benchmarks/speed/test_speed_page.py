"""The page of speed: figures, targets, sections."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.speed import page
from benchmarks.speed.page import Target


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5666, "0.567"), (13.04, "13.0"), (1234.5, "1,234"), (2.0, "2"), (0, "0"), (99.96, "100"), (np.nan, "-")],
)
def test_figures_have_three_digits_that_count(value: float, text: str) -> None:
    assert page.figure(value) == text


@pytest.mark.parametrize(
    ("measured", "at_most", "met"),
    [(2.0, False, True), (1.99, False, False), (2.0, True, True), (2.01, True, False), (np.nan, False, False)],
)
def test_a_target_is_judged(measured: float, at_most: bool, met: bool) -> None:
    target = Target("speed", 2.0, measured, at_most=at_most)
    assert target.met is met
    assert ("**not met**" in target.row()) is not met


@pytest.fixture
def speed_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(page, "RESULTS", tmp_path / "speed.json")
    monkeypatch.setattr(page, "PAGE", tmp_path / "SPEED.md")
    return tmp_path / "SPEED.md"


def test_topics_replace_their_own_section_only_and_stand_in_order(speed_page: Path) -> None:
    page.publish("command", "first\n", [Target("command", 12.0, 13.0, "s", True)])
    page.publish("inference", "of networks", [Target("speed", 30.0, 50.0)], {"kept": 1})
    page.publish("command", "of files", [Target("command", 12.0, 6.0, "s", True)])
    text = speed_page.read_text()
    assert "first" not in text
    assert text.index("of networks") < text.index("of files")
    assert "| [command](#command) | command | ≤ 12 s | 6 s | met |" in text
    assert "| [inference](#inference) | speed | ≥ 30 x | 50 x | met |" in text
    assert page.recorded("inference") == {"kept": 1}
    assert page.recorded("peers") == {}


def test_the_page_is_what_the_scripts_wrote() -> None:
    """Nobody edited it by hand."""
    sections = json.loads(page.RESULTS.read_text(encoding="utf-8"))
    assert list(sections) == [topic for topic in page.TOPICS if topic in sections]
    assert page.PAGE.read_text(encoding="utf-8") == page.render(sections)
