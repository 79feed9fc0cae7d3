"""Audio in, stems out: any rate, any number of channels, any length, in constant memory.

One path (`streaming`) serves a file, a pipe, an array and a part of a song, to the same samples.
"""

import numbers
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np

from tfwavesep.audio import BLOCK_LENGTH
from tfwavesep.backends import Backend, open_backend
from tfwavesep.errors import AudioError, ConfigError, ModelError
from tfwavesep.places import Place
from tfwavesep.separation.chunking import Grid, live_length, segment_length
from tfwavesep.separation.live import StepByStep
from tfwavesep.separation.streaming import Course, Piece, Stream, as_audio

LONGEST_SEGMENT = 120.0
"""Seconds; the default model takes 20 MB for each."""

LIVE_RESAMPLED_LENGTH = 256
"""Samples, at the lower of two rates, that are resampled at a time while music is played: 6 ms at 44.1 kHz."""


class Separator:
    """Separates with a trained model.

    The last of `targets` is the residual: what is left when the others are taken from the mixture, at the
    input's rate, so that all of them sum to the mixture.

    One that `load` gave can be pickled: it is loaded again where it is unpickled, and so it is in a forked process,
    unless its runtime does not survive that.

    Args:
        backend: the model's runtime.
        segment_seconds: audio that one run of the network yields, None for a fitting one. Different values give the
            same stems within rounding (1e-5).

    Raises:
        ConfigError: `segment_seconds` is not above 0, or above `LONGEST_SEGMENT`.
    """

    def __init__(self, backend: Backend, segment_seconds: float | None = None) -> None:
        if segment_seconds is not None and not 0 < segment_seconds <= LONGEST_SEGMENT:
            raise ConfigError(f"segment = {segment_seconds} s: above 0, at most {LONGEST_SEGMENT:g}")
        config = backend.config
        self._backend, self._process = backend, os.getpid()
        self._segment_seconds = segment_seconds
        self._model: str | None = None
        self.sample_rate = config.sample_rate
        self.targets = config.targets
        self.target_length = segment_length(config, segment_seconds, backend.max_target_length)

    @classmethod
    def load(cls, model: Place = "default", segment_seconds: float | None = None) -> "Separator":
        """A separator for a model's name or path, see `backends.open_backend`."""
        separator = cls(open_backend(model), segment_seconds)
        separator._model = os.fspath(model)
        return separator

    def __reduce__(self) -> tuple[Any, ...]:
        if self._model is None:
            return type(self), (self._backend, self._segment_seconds)
        return type(self).load, (self._model, self._segment_seconds)

    @property
    def backend(self) -> Backend:
        """The model's runtime.

        Raises:
            ModelError: it was loaded before this process was forked, and hangs now.
        """
        if self._process != os.getpid():
            if not self._backend.survives_fork:
                raise ModelError(
                    f"{self._model or 'the model'}: was loaded before this process was forked, which "
                    f"{self._backend.name} does not survive; load it here, or start processes by spawn"
                )
            if self._model is not None:  # what it held, of locks and connections, is its parent's
                self._backend = open_backend(self._model)
            self._process = os.getpid()
        return self._backend

    def separate(self, mixture: np.ndarray, sample_rate: int) -> dict[str, np.ndarray]:
        """Separate an array.

        Args:
            mixture: `(time, channels)`, or `(time,)` for mono; full scale 1.0.
            sample_rate: of the mixture, in Hz.

        Returns:
            for each of `targets`, float32 `(time, channels)`, as long as the mixture and at its rate.

        Raises:
            AudioError: the array has another form, or NaN or infinite samples.
        """
        mixture = as_audio(mixture)
        blocks = (mixture[place : place + BLOCK_LENGTH] for place in range(0, len(mixture), BLOCK_LENGTH))
        stems = [np.zeros((len(self.targets), 0, mixture.shape[1]), np.float32), *self.stream(blocks, sample_rate)]
        return dict(zip(self.targets, np.concatenate(stems, axis=1), strict=True))

    def stream(self, blocks: Iterable[np.ndarray], sample_rate: int) -> Iterator[np.ndarray]:
        """Separate audio that arrives in blocks.

        Args:
            blocks: `(time, channels)`, full scale 1.0, of any lengths.
            sample_rate: in Hz.

        Yields:
            float32 `(targets, time, channels)` as soon as they are ready; together as long as the input, and the
            same samples however the input was cut.

        Raises:
            AudioError: a block has another form, or NaN or infinite samples.
        """
        for piece in self.separate_range(lambda _: blocks, sample_rate):
            yield piece.stems

    def separate_range(
        self,
        read: Callable[[int], Iterable[np.ndarray]],
        sample_rate: int,
        start: int = 0,
        stop: int | None = None,
    ) -> Iterator[Piece]:
        """Separate a part of a song to the same samples, bit for bit, that the whole song gives there: on one fixed
        grid, with the real neighbours as context. Parts that follow one another, made in any order on any machine
        with the same kind of runtime, join to the whole.

        Args:
            read: called with the sample to begin at (0, or some context before `start`); yields the song's blocks
                `(time, channels)` from there on, of any lengths. No more of them are taken than are needed.
            sample_rate: in Hz.
            start: first sample that is wanted.
            stop: the sample after the last one, or None for the song's end. A song that ends earlier ends there.

        Yields:
            the next samples, as soon as they are ready.

        Raises:
            AudioError: a block has another form, or NaN or infinite samples.
        """
        source = read(self.course(sample_rate).reach(start))
        if hasattr(source, "ndim"):  # its rows would be taken for blocks
            raise AudioError("an array in place of blocks: give it to `separate`, or in a list")
        blocks = (block for block in map(as_audio, source) if len(block))
        first = next(blocks, None)
        if first is None:
            return
        for piece in self.open(sample_rate, first.shape[1], start).run(chain([first], blocks)):
            yield piece[: None if stop is None else stop - start]
            start += len(piece)
            if stop is not None and start >= stop:
                return

    def open(
        self, sample_rate: int, channels: int, start: int = 0, live: bool = False, block: int | None = None
    ) -> Stream:
        """For those who push: a stream with `feed(block)` and `flush()`, which yield pieces as they are ready.

        Args:
            sample_rate: in Hz.
            channels: of the blocks.
            start: the first sample that is wanted; feeding begins at `course(sample_rate).reach(start)`.
            live: for music that is played meanwhile, from its first sample on: the network goes step by step, computes
                every sample once, and its stems are as late as `course(sample_rate, live=True).latency`. They are the
                same within rounding (1e-5).
            block: samples of a step, at the model's rate, None for about a fiftieth of a second; only with `live`.

        Raises:
            ConfigError: `block` is no multiple of the network's; or `start` or `block` do not go with the rest.
            ModelError: it is to go live, and the model cannot go step by step.
        """
        estimated = len(self.targets) - 1
        course = self.course(sample_rate, live, block)
        if not live:
            return Stream(self.backend, course, estimated, channels, start)
        if start:
            raise ConfigError(f"start = {start}: live music begins with its first sample")
        batch = -(-channels // self.backend.config.channels)
        return Stream(StepByStep(self.backend, course.grid, batch), course, estimated, channels)

    def course(self, sample_rate: int, live: bool = False, block: int | None = None) -> Course:
        """A song's way as numbers, among them its `latency` in seconds: how long a sample waits at most for those
        after it (look-ahead, block and resampling; the time to compute comes on top).

        Args:
            sample_rate: in Hz.
            live: as in `open`.
            block: as in `open`.

        Raises:
            AudioError: the rate is no whole number, or not above 0.
            ConfigError: `block` is no multiple of the network's, or there is one and it does not go live.
        """
        if not isinstance(sample_rate, numbers.Real) or sample_rate <= 0 or sample_rate % 1:
            raise AudioError(f"a sample rate of {sample_rate!r}: must be a whole number above 0, in Hz")
        config = self.backend.config
        if live:
            length = live_length(config) if block is None else block
            config.require_blocks("block", length)
            grid = Grid(length, 0, config.lookahead)
            return Course(int(sample_rate), self.sample_rate, grid, LIVE_RESAMPLED_LENGTH)
        if block is not None:
            raise ConfigError(f"block = {block}: only live; segment_seconds tells how long other runs are")
        return Course(int(sample_rate), self.sample_rate, Grid.of(config, self.target_length))
