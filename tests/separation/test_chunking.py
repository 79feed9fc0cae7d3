"""Segments: whatever the pieces, the same grid; every sample in its place."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfwavesep.separation import Grid, Segmenter, segment_length
from tfwavesep.store import StoredConfig


def cut(song: np.ndarray, cuts: list[int], grid: Grid) -> list[np.ndarray]:
    segmenter = Segmenter(grid)
    segments = [s for piece in np.split(song, cuts) for s in segmenter.feed(piece)]
    return [*segments, *segmenter.flush()]


GRIDS = st.builds(Grid, st.integers(1, 9), st.integers(0, 7), st.integers(0, 7))


@given(st.integers(0, 50), GRIDS, st.lists(st.integers(0, 50), max_size=6))
def test_any_cuts_give_the_same_segments_of_real_neighbours(length: int, grid: Grid, cuts: list[int]) -> None:
    song = np.arange(1.0, length + 1)[:, np.newaxis]
    segments = cut(song, sorted(cuts), grid)
    assert len(segments) == -(-length // grid.target_length)
    padded = np.pad(song, [(grid.context, grid.target_length + grid.lookahead), (0, 0)])
    for number, segment in enumerate(segments):
        start = number * grid.target_length
        np.testing.assert_array_equal(segment, padded[start : start + grid.input_length])


@given(st.integers(1, 50), GRIDS, st.integers(0, 60))
def test_a_song_fed_from_where_the_grid_says_gives_the_same_segments(length: int, grid: Grid, place: int) -> None:
    song = np.arange(1.0, length + 1)[:, np.newaxis]
    whole, start = cut(song, [], grid), grid.reach(min(place, length - 1))
    segmenter = Segmenter(grid, start)
    found = [*segmenter.feed(song[start:]), *segmenter.flush()]
    assert segmenter.first <= min(place, length - 1)
    for segment, expected in zip(found, whole[segmenter.first // grid.target_length :], strict=True):
        np.testing.assert_array_equal(segment, expected)


def config(context: int, lookahead: int) -> StoredConfig:
    sides = {"context": context, "lookahead": lookahead}
    return StoredConfig(sample_rate=8000, channels=1, stems=("vocals",), residual="accompaniment", block=96, **sides)


def test_a_run_yields_a_second_or_as_much_as_it_sees_or_half_as_much_again_if_that_is_long() -> None:
    assert segment_length(config(12_000, 12_000)) == segment_length(config(24_000, 0)) == 24_000
    assert segment_length(config(20_000, 20_000)) == 96 * 417
    assert segment_length(config(20_000, 20_064)) == 96 * 626
    assert segment_length(config(100, 100)) == 7968
    assert segment_length(config(100, 100), seconds=0.1) == 768
    assert segment_length(config(100, 100), longest=500) == 480


def test_sample_by_sample_is_not_slow() -> None:
    segmenter = Segmenter(Grid(target_length=100_000, context=50_000, lookahead=50_000))
    sample = np.zeros((1, 2), np.float32)
    assert sum(1 for _ in range(250_000) for _ in segmenter.feed(sample)) == 2


@pytest.mark.parametrize("shape", [(3, 10, 2), (10, 1)])
def test_leading_axes_are_kept(shape: tuple[int, ...]) -> None:
    segmenter = Segmenter(Grid(4, 1, 1))
    segments = [*segmenter.feed(np.ones(shape)), *segmenter.flush()]
    assert [s.shape for s in segments] == [(*shape[:-2], 6, shape[-1])] * 3
