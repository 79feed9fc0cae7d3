"""The way of a song: the same samples from any part of it, pushed or pulled, and no later than promised."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest
from doubles import RATE, SEGMENT, Smoother, noise, separator
from hypothesis import given, settings
from hypothesis import strategies as st

from tfwavesep.audio import resample
from tfwavesep.errors import AudioError
from tfwavesep.separation import Separator
from tfwavesep.separation.streaming import Piece, Resampler, Resampling

RATES = [8000, 11025, 44100, 192000]
"""The stand-in's own rate, and rates whose blocks are short and long."""


def joined(pieces: Iterable[Piece], channels: int) -> np.ndarray:
    return np.concatenate([np.zeros((4, 0, channels), np.float32), *(piece.stems for piece in pieces)], axis=1)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 60000), st.integers(0, 60000), st.integers(1, 70000), st.sampled_from(RATES), st.integers(1, 3))
def test_any_part_of_a_song_has_the_samples_of_the_whole(
    start: int, length: int, block_length: int, sample_rate: int, channels: int
) -> None:
    song = noise(50000, channels)
    whole = np.stack(list(separator().separate(song, sample_rate).values()))

    def read(first: int) -> Iterable[np.ndarray]:
        assert first <= start
        return (song[place : place + block_length] for place in range(first, len(song), block_length))

    part = joined(separator().separate_range(read, sample_rate, start, start + length), channels)
    np.testing.assert_array_equal(part, whole[:, start : start + length])


@pytest.mark.parametrize("sample_rate", RATES)
def test_shards_join_to_the_whole(sample_rate: int) -> None:
    song = noise(90001, 2)
    whole = np.stack(list(separator(2).separate(song, sample_rate).values()))
    cuts = [0, 1, 29999, 30000, 77777, None]
    shards = [
        joined(separator(2).separate_range(lambda first: [song[first:]], sample_rate, start, stop), 2)
        for start, stop in pairwise(cuts)
    ]
    np.testing.assert_array_equal(np.concatenate(shards, axis=1), whole)


def test_a_part_reads_no_more_than_it_needs() -> None:
    song = noise(1_000_000)
    read = []

    def blocks(first: int) -> Iterable[np.ndarray]:
        for place in range(first, len(song), 100):
            read.append((place, place + 100))
            yield song[place : place + 100]

    course = separator().course(44100)
    list(separator().separate_range(blocks, 44100, 500_000, 510_000))
    reach = course.latency * 44100 + 200
    assert 500_000 - 2 * reach < read[0][0]
    assert read[-1][1] < 510_000 + reach


@pytest.mark.parametrize("sample_rate", RATES)
@pytest.mark.parametrize("segment", [0.01, SEGMENT, 0.3])
def test_every_sample_comes_out_within_the_latency_and_some_at_its_end(sample_rate: int, segment: float) -> None:
    separator = Separator(Smoother(), segment)
    latency = separator.course(sample_rate).latency * sample_rate
    stream = separator.open(sample_rate, 1)
    out, waits = 0, []
    for fed in range(50, int(3 * latency) + 2 * sample_rate, 50):
        out += sum(len(piece) for piece in stream.feed(noise(50)))
        waits.append(fed - out)
    assert latency / 2 < max(waits) <= latency + 50


@pytest.mark.parametrize("sample_rate", RATES)
@pytest.mark.parametrize("block", [None, 3, 300])
def test_live_stems_are_the_files_and_come_within_the_latency(sample_rate: int, block: int | None) -> None:
    song, cut = noise(2 * sample_rate + 7, 3), 50
    separator_ = separator(2)
    course = separator_.course(sample_rate, live=True, block=block)
    stream = separator_.open(sample_rate, 3, live=True, block=block)
    out, waits, pieces = 0, [], []
    for place in range(0, len(song), cut):
        pieces += list(stream.feed(song[place : place + cut]))
        out = sum(map(len, pieces))
        waits.append(min(place + cut, len(song)) - out)
    pieces += list(stream.flush())
    np.testing.assert_allclose(
        joined(pieces, 3), np.stack(list(separator_.separate(song, sample_rate).values())), atol=1e-5
    )
    assert course.latency * sample_rate / 2 < max(waits) <= course.latency * sample_rate + cut
    if sample_rate == RATE:
        assert course.latency == pytest.approx(((block or 162) - 1 + 2) / RATE)


@pytest.mark.parametrize("sample_rate", RATES)
def test_pushing_is_as_pulling(sample_rate: int) -> None:
    song = noise(30011, 2)
    stream = separator().open(sample_rate, 2)
    pieces = [piece for block in np.split(song, [1, 2, 9000]) for piece in stream.feed(block)]
    pushed = joined([*pieces, *stream.flush()], 2)
    np.testing.assert_array_equal(pushed, np.stack(list(separator().separate(song, sample_rate).values())))


@pytest.mark.parametrize("to_rate", [8000, 16000, 44100, 48000])
@pytest.mark.parametrize("sample_rate", [8000, 11025, 44100, 44101, 96000])
def test_resampling_block_by_block_is_as_resampling_the_whole(sample_rate: int, to_rate: int) -> None:
    if sample_rate == to_rate:
        return
    song = noise(3 * sample_rate + 7, 2)
    resampler = Resampler(Resampling(sample_rate, to_rate, 4096))
    pieces = np.concatenate(list(resampler.run(np.array_split(song, 9))))
    among_zeros = resample(np.pad(song, [(sample_rate, sample_rate), (0, 0)]), sample_rate, to_rate)
    assert len(pieces) == -(-len(song) * to_rate // sample_rate)
    np.testing.assert_allclose(pieces, among_zeros[to_rate:][: len(pieces)], atol=1e-5)


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([np.zeros((5, 2), np.int16)], "int16"),
        ([np.zeros((2, 5, 1))], "shape"),
        ([np.zeros((5, 2)), np.zeros((5, 1))], "a block of 1 channels after others of 2"),
        ([np.zeros((4000, 1)), np.array([[0.0], [np.inf]])], r"the first at 0\.500 s"),
    ],
)
def test_blocks_that_cannot_be_used_are_refused(blocks: list[np.ndarray], message: str) -> None:
    with pytest.raises(AudioError, match=message):
        list(separator().stream(blocks, RATE))
