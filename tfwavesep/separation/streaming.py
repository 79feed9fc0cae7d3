"""The way of one song through the separator, block by block: in at its own rate, out as stems at the same rate.

Three stages follow one another: to the model's rate, the network, back to the song's rate. Each works on a grid of
its own that is fixed in the song, with real neighbours as context, so that what comes out depends neither on how the
blocks are cut nor on where in the song they begin. The estimates meet the mixture's own samples again at the end.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import gcd

import numpy as np
import soxr

from tfwavesep.backends import Backend
from tfwavesep.errors import AudioError
from tfwavesep.separation.chunking import Grid, Segmenter

MOST_CHANNELS = 256
"""More are taken for an array that lies on its side, `(channels, time)`."""

RESAMPLED_LENGTH = 4096
"""Samples, at the lower of two rates, that are resampled at a time at least: 0.1 s at 44.1 kHz."""

RESAMPLED_SHARE = 16
"""What a segment yields is resampled in so many blocks at most: where one waits long anyway, longer ones make that
little worse, and soxr takes as long for a block's beginning and end as for 6000 samples."""

RESAMPLING_CONTEXT = 512
"""Samples, at the lower of two rates, beyond which soxr's filter weighs less than rounding."""


PIECE_LENGTH = 8192
"""Samples of a piece at most: what is made of it on the way to a file then stays in the processor's cache, and is
small enough for the memory that it takes to be given again, not to be got from the system each time."""


@dataclass(frozen=True)
class Piece:
    """Separated audio, the next in its song.

    Attributes:
        mixture: float32 `(time, channels)`, as it came in.
        estimates: float32 `(targets - 1, time, channels)`, what the network found in it.
    """

    mixture: np.ndarray
    estimates: np.ndarray

    def __len__(self) -> int:
        return len(self.mixture)

    def __getitem__(self, times: slice) -> "Piece":
        return Piece(self.mixture[times], self.estimates[:, times])

    @property
    def stems(self) -> np.ndarray:
        """float32 `(targets, time, channels)`; the last is the residual, what the others leave of the mixture."""
        residual = self.mixture - self.estimates.sum(axis=0)
        return np.concatenate([self.estimates, residual[np.newaxis]])


def as_audio(samples: np.ndarray) -> np.ndarray:
    """Samples as float32 `(time, channels)`; `(time,)` is mono.

    Raises:
        AudioError: they are of another form.
    """
    samples = np.asarray(samples)
    if samples.ndim not in (1, 2) or samples.dtype.kind != "f" or samples[0:1].size > MOST_CHANNELS:
        kind = f"{samples.dtype} of shape {samples.shape}"
        raise AudioError(f"samples are {kind}: must be float, full scale 1.0, of shape (time, channels)")
    return np.asarray(samples if samples.ndim == 2 else samples[:, np.newaxis], np.float32)


class Stage:
    """One step on the way, from samples `(time, any)` to samples `(time, any)`.

    Attributes:
        first: place in the song, at the rate of what comes out, of the first sample that comes out.
    """

    first: int

    def feed(self, samples: np.ndarray) -> Iterator[np.ndarray]:
        """Take the next samples; yield what is ready."""
        raise NotImplementedError

    def flush(self) -> Iterator[np.ndarray]:
        """No more will come: yield the rest, up to the song's end."""
        raise NotImplementedError

    def run(self, samples: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """All of a song's samples, pulled only when they are needed."""
        for some in samples:
            yield from self.feed(some)
        yield from self.flush()


@dataclass(frozen=True)
class Resampling:
    """A change of rate, as numbers.

    Attributes:
        sample_rate: of what comes in, Hz.
        to_rate: of what goes out, Hz.
        length: samples, at the lower of both, that are resampled at a time.

    Both rates meet every `period` samples; blocks and their context are whole periods, so that every block can be
    resampled by itself to the same samples as the whole song.
    """

    sample_rate: int
    to_rate: int
    length: int

    @property
    def grid(self) -> Grid:
        """In samples at `sample_rate`."""
        if self.sample_rate == self.to_rate:
            return Grid(1, 0, 0)
        context = self._whole_periods(RESAMPLING_CONTEXT)
        return Grid(self._whole_periods(self.length), context, context)

    def _whole_periods(self, samples: int) -> int:
        divisor = gcd(self.sample_rate, self.to_rate)
        return -(-samples * divisor // min(self.sample_rate, self.to_rate)) * self.sample_rate // divisor

    def place(self, place: int) -> int:
        """A place in the song at `sample_rate`, as the first sample at `to_rate` that is not before it."""
        return -(-place * self.to_rate // self.sample_rate)

    def reach(self, place: int) -> int:
        """Where feeding must begin, at `sample_rate`, so that the sample at `place`, at `to_rate`, comes out."""
        return self.grid.reach(place * self.sample_rate // self.to_rate)


class Resampler(Stage):
    """Changes the rate of a song that arrives in pieces from `start` on."""

    def __init__(self, resampling: Resampling, start: int = 0) -> None:
        self._numbers = resampling
        self._segmenter = Segmenter(resampling.grid, start)
        self.first = self._place = resampling.place(self._segmenter.first)

    def feed(self, samples: np.ndarray) -> Iterator[np.ndarray]:
        yield from map(self._convert, self._segmenter.feed(samples))

    def flush(self) -> Iterator[np.ndarray]:
        yield from map(self._convert, self._segmenter.flush())

    def _convert(self, segment: np.ndarray) -> np.ndarray:
        numbers, grid = self._numbers, self._numbers.grid
        resampled = soxr.resample(np.ascontiguousarray(segment), numbers.sample_rate, numbers.to_rate)
        context, length = numbers.place(grid.context), numbers.place(grid.target_length)
        left = numbers.place(self._segmenter.end) - self._place
        self._place += length
        return np.asarray(resampled[context : context + min(length, left)], np.float32)


class SameRate(Stage):
    """Where there is nothing to resample."""

    def __init__(self, start: int = 0) -> None:
        self.first = start

    def feed(self, samples: np.ndarray) -> Iterator[np.ndarray]:
        yield samples

    def flush(self) -> Iterator[np.ndarray]:
        yield from ()


def resampler(resampling: Resampling, start: int = 0) -> Stage:
    """The stage for a change of rate, or for none."""
    return SameRate(start) if resampling.sample_rate == resampling.to_rate else Resampler(resampling, start)


class Network(Stage):
    """Runs the model on a song that arrives in pieces from `start` on; yields `(time, estimates * channels)`."""

    def __init__(self, backend: Backend, grid: Grid, estimated: int, channels: int, start: int = 0) -> None:
        self._backend = backend
        self._estimated = estimated
        self._channels = channels
        self._segmenter = Segmenter(grid, start)
        self.first = self._place = self._segmenter.first

    def feed(self, samples: np.ndarray) -> Iterator[np.ndarray]:
        yield from self._estimate(self._segmenter.feed(self._group(samples)))

    def flush(self) -> Iterator[np.ndarray]:
        yield from self._estimate(self._segmenter.flush())

    def run(self, samples: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        yield from self._estimate(self._segments(samples))

    def _segments(self, samples: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """All of the song's, pulled by the backend as far ahead as it works on."""
        for some in samples:
            yield from self._segmenter.feed(self._group(some))
        yield from self._segmenter.flush()

    def _group(self, samples: np.ndarray) -> np.ndarray:
        """`(time, channels)` to `(groups, time, model channels)`; a lone last channel of a stereo model is doubled."""
        together = self._backend.config.channels
        if self._channels % together:
            samples = np.concatenate([samples, samples[:, -1:]], axis=1)
        return samples.reshape(len(samples), -(-self._channels // together), together).transpose(1, 0, 2)

    def _estimate(self, segments: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        for predicted in self._backend.predict_many(map(np.ascontiguousarray, segments)):
            estimates = predicted[:, : self._estimated, : self._segmenter.end - self._place]
            time = estimates.shape[2]
            joined = estimates.transpose(2, 1, 0, 3).reshape(time, self._estimated, -1)
            self._place += time
            yield self._ungroup(joined).reshape(time, self._estimated * self._channels)

    def _ungroup(self, estimates: np.ndarray) -> np.ndarray:
        """Take back what `_group` doubled: the mean of the two."""
        if estimates.shape[2] == self._channels:
            return estimates
        last = estimates[:, :, -2:].mean(axis=2, keepdims=True)
        return np.concatenate([estimates[:, :, :-2], last], axis=2)


@dataclass(frozen=True)
class Course:
    """The three stages as numbers: what a song's rate makes of a model's grid.

    Attributes:
        sample_rate: of the song, Hz.
        model_rate: of the model, Hz.
        grid: of the network.
        resampled: samples, at the lower of both rates, that are resampled at a time; None for as many as make no matter
            where a segment waits for its last sample anyway.
    """

    sample_rate: int
    model_rate: int
    grid: Grid
    resampled: int | None = None

    @property
    def inward(self) -> Resampling:
        """To the model's rate."""
        return Resampling(self.sample_rate, self.model_rate, self._at_once)

    @property
    def outward(self) -> Resampling:
        """Back to the song's rate."""
        return Resampling(self.model_rate, self.sample_rate, self._at_once)

    @property
    def _at_once(self) -> int:
        return self.resampled or max(RESAMPLED_LENGTH, self.grid.target_length // RESAMPLED_SHARE)

    def reach(self, place: int) -> int:
        """The sample of the song where feeding must begin at the latest, so that the one at `place` comes out."""
        return self.inward.reach(self.grid.reach(self.outward.reach(place)))

    @property
    def latency(self) -> float:
        """Seconds that a sample waits at most for the samples after it until its stems come out."""
        at_model_rate = (self.grid, self.outward.grid)
        stages = ((self.inward.grid, self.sample_rate), *((grid, self.model_rate) for grid in at_model_rate))
        return sum((grid.target_length - 1 + grid.lookahead) / rate for grid, rate in stages)


class Stream:
    """A song on its way. Push: `feed` it blocks, then `flush`. Pull: `run` it over all of its blocks.

    Args:
        backend: the model's runtime.
        course: the stages as numbers.
        estimated: stems that the network estimates; the rest is the residual.
        channels: of the blocks.
        start: the song's first sample that is wanted. Its blocks begin at `course.reach(start)`.
    """

    def __init__(self, backend: Backend, course: Course, estimated: int, channels: int, start: int = 0) -> None:
        self._estimated = estimated
        self._channels = channels
        self._sample_rate = course.sample_rate
        self._start = start
        self._fed = course.reach(start)
        self._inward = resampler(course.inward, self._fed)
        self._network = Network(backend, course.grid, estimated, channels, self._inward.first)
        self._outward = resampler(course.outward, self._network.first)
        self._place = self._outward.first
        self._mixture: deque[np.ndarray] = deque()

    def feed(self, block: np.ndarray) -> Iterator[Piece]:
        """Take the next `(time, channels)`, full scale 1.0; yield the pieces that are complete with it.

        Raises:
            AudioError: it has another form, or NaN or infinite samples.
        """
        for at_model_rate in self._inward.feed(self._kept(block)):
            for estimates in self._network.feed(at_model_rate):
                yield from self._join(self._outward.feed(estimates))

    def flush(self) -> Iterator[Piece]:
        """The song has ended: yield the rest."""
        for at_model_rate in self._inward.flush():
            for estimates in self._network.feed(at_model_rate):
                yield from self._join(self._outward.feed(estimates))
        for estimates in self._network.flush():
            yield from self._join(self._outward.feed(estimates))
        yield from self._join(self._outward.flush())

    def run(self, blocks: Iterable[np.ndarray]) -> Iterator[Piece]:
        """All of the song's pieces. Blocks are taken when they are needed, and as far ahead as the backend works on.

        Raises:
            AudioError: as `feed`.
        """
        yield from self._join(self._outward.run(self._network.run(self._inward.run(map(self._kept, blocks)))))

    def _kept(self, block: np.ndarray) -> np.ndarray:
        """Take a block in, and keep it until its estimates come."""
        block = as_audio(block)
        if block.shape[1] != self._channels:
            raise AudioError(f"a block of {block.shape[1]} channels after others of {self._channels}")
        if not np.isfinite(block).all():
            place = self._fed + int(np.flatnonzero(~np.isfinite(block).all(axis=1))[0])
            raise AudioError(f"NaN or infinite samples, the first at {place / self._sample_rate:.3f} s")
        self._mixture.append(block[max(0, self._start - self._fed) :])
        self._fed += len(block)
        return block

    def _join(self, estimates: Iterable[np.ndarray]) -> Iterator[Piece]:
        """Estimates meet the mixture's same samples; what is before `start` or beyond the end is left out."""
        for samples in estimates:
            first, self._place = self._place, self._place + len(samples)
            samples = samples[max(0, self._start - first) : max(0, self._fed - first)]
            for place in range(0, len(samples), PIECE_LENGTH):
                some = samples[place : place + PIECE_LENGTH]
                stems = some.reshape(len(some), self._estimated, self._channels).transpose(1, 0, 2)
                yield Piece(self._take(len(some)), np.ascontiguousarray(stems))

    def _take(self, time: int) -> np.ndarray:
        """The mixture's next samples."""
        taken: list[np.ndarray] = []
        while time:
            block = self._mixture.popleft()
            taken.append(block[:time])
            if len(block) > time:
                self._mixture.appendleft(block[time:])
            time -= len(taken[-1])
        return np.concatenate(taken)
