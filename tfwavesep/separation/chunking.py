"""Cutting a song into segments that overlap by what is seen around them by what works on them. Only NumPy here."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tfwavesep.models import ModelConfig

LONG_SECONDS = 5.0
"""What a network sees around a sample: where it is more, a segment yields half as much again as is seen, else as much.
Networks on bands take no less time with longer segments, and a third more memory, which is slower to fill than caches
are; Spleeter's U-Nets, which see 11.7 s, a sixth less time for a quarter more memory."""

LIVE_SECONDS = 0.02
"""By default a step of music that is played yields no less: shorter ones would take longer to begin and to end than to
compute."""


def live_length(config: ModelConfig) -> int:
    """Samples that a step of a network yields by default: the least whole blocks that have `LIVE_SECONDS`."""
    return -(-int(LIVE_SECONDS * config.sample_rate) // config.block) * config.block


def segment_length(config: ModelConfig, seconds: float | None = None, longest: int | None = None) -> int:
    """Samples that one run of a network is to yield: a multiple of its block.

    Args:
        config: of the network.
        seconds: what is wished for, or None for a fitting length.
        longest: most samples that a run may yield, or None.
    """
    seen = config.context + config.lookahead
    fitting = max(config.sample_rate, seen if seen <= LONG_SECONDS * config.sample_rate else 3 * seen // 2)
    blocks = round((round(seconds * config.sample_rate) if seconds else fitting) / config.block)
    return max(1, blocks if longest is None else min(blocks, longest // config.block)) * config.block


@dataclass(frozen=True)
class Grid:
    """How a song is cut: segment `k` yields the samples `k * target_length` up to `(k + 1) * target_length`.

    Attributes:
        target_length: samples that each segment yields.
        context: samples needed before them.
        lookahead: samples needed after them.
    """

    target_length: int
    context: int
    lookahead: int

    @classmethod
    def of(cls, config: ModelConfig, target_length: int) -> "Grid":
        """That of a network whose segments yield `target_length` samples."""
        return cls(target_length, config.context, config.lookahead)

    @property
    def input_length(self) -> int:
        """Samples that each segment holds."""
        return self.context + self.target_length + self.lookahead

    def reach(self, place: int) -> int:
        """The sample of a song where feeding must begin at the latest, so that the one at `place` comes out."""
        return max(0, place // self.target_length * self.target_length - self.context)

    def first(self, start: int) -> int:
        """The first sample of a song that comes out when feeding begins at `start`."""
        return -(-(start + self.context) // self.target_length) * self.target_length if start else 0


class Segmenter:
    """Turns audio that arrives in pieces into segments on one fixed grid.

    Segment `k` holds what is needed to put out samples `k * target_length` up to `(k + 1) * target_length`: those
    samples, `context` more before them and `lookahead` after. Neighbours are real; zeros stand only before the song's
    start and beyond its end. The grid depends neither on how the pieces are cut nor on where in the song they begin, so
    neither does what comes out.

    Shape:
        in `(..., time, channels)`, out `(..., grid.input_length, channels)`.

    Args:
        grid: the segments'.
        start: place in the song of the first sample that will be fed; above 0 only segments whose whole context
            is fed are put out.

    Attributes:
        first: place in the song of the first sample that the first segment yields.

    >>> segmenter = Segmenter(Grid(target_length=2, context=1, lookahead=1))
    >>> song = np.arange(1, 4).reshape(3, 1)
    >>> [s.ravel().tolist() for s in [*segmenter.feed(song), *segmenter.flush()]]
    [[0, 1, 2, 3], [2, 3, 0, 0]]
    """

    def __init__(self, grid: Grid, start: int = 0) -> None:
        self.grid = grid
        self.first = grid.first(start)
        self.end = start
        self._next = self.first - grid.context
        self._pieces: list[np.ndarray] = []
        self._held = 0

    def feed(self, audio: np.ndarray) -> Iterator[np.ndarray]:
        """Take the next piece; yield the segments that are complete with it."""
        if self.end == 0 and not self._pieces:
            self._hold(self._zeros(audio, self.grid.context))
        unneeded = max(0, self._next - self.end) if not self._held else 0
        self.end += audio.shape[-2]
        self._hold(audio[..., unneeded:, :])
        yield from self._complete()

    def flush(self) -> Iterator[np.ndarray]:
        """No more will come: yield what is left, with zeros beyond the end."""
        target_length = self.grid.target_length
        needed = -(-self.end // target_length) * target_length + self.grid.lookahead
        if self._pieces and self._next + self.grid.context < self.end:
            self._hold(self._zeros(self._pieces[0], needed - self._next - self._held))
            yield from self._complete()

    def _hold(self, audio: np.ndarray) -> None:
        self._pieces.append(audio)
        self._held += audio.shape[-2]

    def _complete(self) -> Iterator[np.ndarray]:
        """Cut off whole segments; pieces are joined only when there is one, however small they come."""
        length, step = self.grid.input_length, self.grid.target_length
        if self._held < length:
            return
        audio = np.concatenate(self._pieces, axis=-2)
        starts = range(0, self._held - length + 1, step)
        for start in starts:
            yield audio[..., start : start + length, :]
        rest = audio[..., len(starts) * step :, :]
        self._next += len(starts) * step
        self._pieces, self._held = [rest], rest.shape[-2]

    @staticmethod
    def _zeros(like: np.ndarray, length: int) -> np.ndarray:
        return np.zeros((*like.shape[:-2], length, like.shape[-1]), like.dtype)
