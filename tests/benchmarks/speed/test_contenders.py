"""Contenders take turns on their cores."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.speed.contenders import Contender, Timing, peak_gflops, race


def note(path: Path, name: str) -> Callable[[], object]:
    """A contender that writes down when it is run, and on how many cores."""

    def run() -> None:
        with path.open("a") as file:
            file.write(f"{name}{len(os.sched_getaffinity(0))} ")

    return run


def fail() -> Callable[[], object]:
    raise SystemExit(3)


def test_contenders_take_turns_on_their_cores_and_the_first_turn_is_not_counted(tmp_path: Path) -> None:
    log = tmp_path / "log"
    timings = race([Contender(name, note, (log, name), cores=1) for name in "ab"], turns=3)
    assert log.read_text() == "a1 b1 " * 4
    for timing in timings.values():
        assert len(timing.turns) == 3
        assert 5 < timing.memory < 1000


def test_a_contender_that_fails_ends_the_race(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="lame: failed"):
        race([Contender("a", note, (tmp_path / "log", "a")), Contender("lame", fail)])


def test_a_timing_is_the_median() -> None:
    assert Timing((3.0, 1.0, 200.0), 1.0).seconds == 3.0


def test_the_peak_counts_a_multiplication_and_an_addition() -> None:
    assert peak_gflops(Timing((2.0,), 1.0)) == pytest.approx(4096**3 / 1e9)
