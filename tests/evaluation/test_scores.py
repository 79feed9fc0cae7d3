"""What scores tell: medians, intervals that hold them, and tables without a figure of their own."""

import numpy as np
import pytest

from tfwavesep.evaluation import METRICS
from tfwavesep.evaluation.scores import Scores, markdown, table, track_table

SDR = METRICS.index("SDR")


def scores_of(sdr: np.ndarray) -> Scores:
    """Scores of three methods on one target, each with these SDRs over tracks."""
    values = np.full((3, 1, len(METRICS), len(sdr)), np.nan)
    values[:, 0, SDR] = sdr
    names = tuple(f"track {number}" for number in range(len(sdr)))
    return Scores(("model", "mixture", "irm1"), ("vocals",), names, values, {})


def test_the_interval_holds_the_median_and_narrows_with_more_tracks() -> None:
    draws = np.random.default_rng(0).normal(4, 2, 400)
    widths = []
    for count in (10, 400):
        scores = scores_of(draws[:count])
        low, high = scores.interval(0, 0, SDR)
        assert low < scores.median()[0, 0, SDR] < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 3
    # The median of n normal draws has a standard error of 1.2533 sigma / sqrt(n).
    assert widths[1] == pytest.approx(2 * 1.96 * 1.2533 * 2 / np.sqrt(400), rel=0.25)


def test_equal_tracks_leave_no_doubt_and_one_track_leaves_all() -> None:
    assert scores_of(np.full(5, 3.0)).interval(0, 0, SDR) == (3.0, 3.0)
    assert np.isnan(scores_of(np.array([3.0])).interval(0, 0, SDR)).all()


def test_a_track_without_a_score_does_not_count() -> None:
    assert scores_of(np.array([1.0, 2, np.nan, 3])).interval(0, 0, SDR) == scores_of(np.array([1.0, 2, 3])).interval(
        0, 0, SDR
    )


def test_tables_show_what_there_is() -> None:
    scores = scores_of(np.array([1.0, np.nan, 2.0]))
    assert track_table(scores) == [["track", "vocals"], ["track 0", "1.00"], ["track 1", "-"], ["track 2", "2.00"]]
    rows = table(scores)
    assert rows[1] == ["model", "SDR", "1.50"]
    assert rows[2] == ["model", "SDR, 95% interval", "1.00 to 2.00"]
    assert len(rows) == 1 + 3 + 1  # the other metrics were not asked for
    assert table(scores_of(np.array([1.0])))[2] == ["model", "SDR, 95% interval", "-"]
    assert markdown(rows).splitlines()[2] == "| model | SDR | 1.50 |"
