"""BSS Eval with museval as its judge."""

import numpy as np
import pytest

from tfwavesep.data import stempeg
from tfwavesep.evaluation.bss_eval import AT_ONCE, BssEval

FRAME = 1500


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def musevals(references: np.ndarray, estimates: np.ndarray, frame: int = FRAME) -> np.ndarray:
    stempeg.ensure()
    import museval

    return np.array(museval.evaluate(references, estimates, frame, frame))


def estimates_of(references: np.ndarray) -> np.ndarray:
    """Filtered, with a part of the others and something new."""
    delayed = np.roll(references, 3, axis=1)
    return 0.8 * references - 0.3 * delayed + 0.1 * references.sum(axis=0) + 0.2 * noise(*references.shape, seed=1)


@pytest.mark.parametrize(
    ("stems", "time", "channels"),
    [(2, 6000, 2), (3, 4 * FRAME + 700, 1), (1, 2 * FRAME, 2), (2, FRAME - 400, 1), (2, (AT_ONCE + 2) * FRAME, 1)],
)
def test_scores_are_musevals(stems: int, time: int, channels: int) -> None:
    references = 0.2 * noise(stems, time, channels)
    estimates = estimates_of(references)
    found, expected = BssEval(references, FRAME)(estimates), musevals(references, estimates)
    if stems == 1:  # there is no interference but rounding's
        found[2], expected[2] = 0, 0
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("right", ["the same", "silent"])
def test_so_they_are_where_a_channel_tells_nothing_new(right: str) -> None:
    """Their matrix cannot be factored with it."""
    references = 0.2 * noise(2, 3 * FRAME, 2)
    references[1, :, 1] = references[1, :, 0] if right == "the same" else 0
    estimates = estimates_of(references)
    np.testing.assert_allclose(BssEval(references, FRAME)(estimates), musevals(references, estimates), atol=1e-4)


def test_so_they_are_where_a_stem_is_made_of_the_others() -> None:
    references = 0.2 * noise(3, 3 * FRAME, 1)
    references[2] = references[0] + references[1]
    estimates = estimates_of(references)
    np.testing.assert_allclose(BssEval(references, FRAME)(estimates), musevals(references, estimates), atol=1e-3)


def test_a_frame_has_no_score_where_one_stem_is_silent() -> None:
    references = 0.2 * noise(2, 4 * FRAME, 1)
    estimates = estimates_of(references)
    references[0, :FRAME] = 0
    estimates[1, 2 * FRAME : 3 * FRAME] = 0
    found = BssEval(references, FRAME)(estimates)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(musevals(references, estimates)))
    assert np.isnan(found).all(axis=(0, 1)).tolist() == [True, False, True, False]


def test_only_what_is_asked_for_is_scored() -> None:
    references = 0.2 * noise(3, 2 * FRAME, 1)
    score, estimates = BssEval(references, FRAME), estimates_of(references)
    found = score(estimates, [1])
    np.testing.assert_array_equal(found[:, 1], score(estimates)[:, 1])
    assert np.isnan(found[:, [0, 2]]).all()
