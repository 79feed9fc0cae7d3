"""Segments: whatever the pieces, the same grid; every sample in its place."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfwavesep.separation import Segmenter


def centres(song: np.ndarray, cuts: list[int], target_length: int, context: int) -> list[np.ndarray]:
    segmenter = Segmenter(target_length, context)
    segments = [s for piece in np.split(song, cuts) for s in segmenter.feed(piece)]
    return [*segments, *segmenter.flush()]


@given(st.integers(0, 50), st.integers(1, 9), st.integers(0, 7), st.lists(st.integers(0, 50), max_size=6))
def test_any_cuts_give_the_same_segments_of_real_neighbours(
    length: int, target_length: int, context: int, cuts: list[int]
) -> None:
    song = np.arange(1.0, length + 1)[:, np.newaxis]
    segments = centres(song, sorted(cuts), target_length, context)
    assert len(segments) == -(-length // target_length)
    padded = np.pad(song, [(context, context + target_length), (0, 0)])
    for number, segment in enumerate(segments):
        start = number * target_length
        np.testing.assert_array_equal(segment, padded[start : start + target_length + 2 * context])


def test_sample_by_sample_is_not_slow() -> None:
    segmenter = Segmenter(target_length=100_000, context=50_000)
    sample = np.zeros((1, 2), np.float32)
    assert sum(1 for _ in range(250_000) for _ in segmenter.feed(sample)) == 2


@pytest.mark.parametrize("shape", [(3, 10, 2), (10, 1)])
def test_leading_axes_are_kept(shape: tuple[int, ...]) -> None:
    segmenter = Segmenter(4, 1)
    segments = [*segmenter.feed(np.ones(shape)), *segmenter.flush()]
    assert [s.shape for s in segments] == [(*shape[:-2], 6, shape[-1])] * 3
