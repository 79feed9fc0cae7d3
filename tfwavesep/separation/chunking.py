"""Cutting a song into segments that overlap by the context of what works on them. Only NumPy here."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

SEGMENT_CONTEXTS = 3
"""By default a segment yields three times its context on one side. With five a run would do a tenth less work at most
for each second, and takes half as much memory again, which is slower to fill than caches are."""


def segment_length(
    context: int, block: int, sample_rate: int, seconds: float | None = None, longest: int | None = None
) -> int:
    """Samples that one run of a network is to yield.

    Args:
        context: samples needed on each side.
        block: what comes out is a multiple of this.
        sample_rate: in Hz.
        seconds: what is wished for, or None for a fitting length.
        longest: most samples that a run may yield, or None.

    >>> segment_length(context=4000, block=96, sample_rate=8000)
    12000
    >>> segment_length(context=1000, block=96, sample_rate=8000, longest=500)
    480
    """
    samples = round(seconds * sample_rate) if seconds else max(sample_rate, SEGMENT_CONTEXTS * context)
    blocks = round(samples / block) if longest is None else min(round(samples / block), longest // block)
    return max(1, blocks) * block


@dataclass(frozen=True)
class Grid:
    """How a song is cut: segment `k` yields the samples `k * target_length` up to `(k + 1) * target_length`.

    Attributes:
        target_length: samples that each segment yields.
        context: samples needed on each side of them.
    """

    target_length: int
    context: int

    def reach(self, place: int) -> int:
        """The sample of a song where feeding must begin at the latest, so that the one at `place` comes out."""
        return max(0, place // self.target_length * self.target_length - self.context)

    def first(self, start: int) -> int:
        """The first sample of a song that comes out when feeding begins at `start`."""
        return -(-(start + self.context) // self.target_length) * self.target_length if start else 0


class Segmenter:
    """Turns audio that arrives in pieces into segments on one fixed grid.

    Segment `k` holds what is needed to put out samples `k * target_length` up to `(k + 1) * target_length`: those
    samples and `context` more on each side. Neighbours are real; zeros stand only before the song's start and
    beyond its end. The grid depends neither on how the pieces are cut nor on where in the song they begin, so
    neither does what comes out.

    Shape:
        in `(..., time, channels)`, out `(..., target_length + 2 * context, channels)`.

    Args:
        target_length: samples that each segment yields.
        context: samples needed on each side.
        start: place in the song of the first sample that will be fed; above 0 only segments whose whole context
            is fed are put out.

    Attributes:
        first: place in the song of the first sample that the first segment yields.

    >>> segmenter = Segmenter(target_length=2, context=1)
    >>> song = np.arange(1, 4).reshape(3, 1)
    >>> [s.ravel().tolist() for s in [*segmenter.feed(song), *segmenter.flush()]]
    [[0, 1, 2, 3], [2, 3, 0, 0]]
    """

    def __init__(self, target_length: int, context: int, start: int = 0) -> None:
        self.target_length = target_length
        self.context = context
        self.first = Grid(target_length, context).first(start)
        self.end = start
        self._next = self.first - context
        self._pieces: list[np.ndarray] = []
        self._held = 0

    def feed(self, audio: np.ndarray) -> Iterator[np.ndarray]:
        """Take the next piece; yield the segments that are complete with it."""
        if self.end == 0 and not self._pieces:
            self._hold(self._zeros(audio, self.context))
        unneeded = max(0, self._next - self.end) if not self._held else 0
        self.end += audio.shape[-2]
        self._hold(audio[..., unneeded:, :])
        yield from self._complete()

    def flush(self) -> Iterator[np.ndarray]:
        """No more will come: yield what is left, with zeros beyond the end."""
        needed = -(-self.end // self.target_length) * self.target_length + self.context
        if self._pieces and self._next + self.context < self.end:
            self._hold(self._zeros(self._pieces[0], needed - self._next - self._held))
            yield from self._complete()

    def _hold(self, audio: np.ndarray) -> None:
        self._pieces.append(audio)
        self._held += audio.shape[-2]

    def _complete(self) -> Iterator[np.ndarray]:
        """Cut off whole segments; pieces are joined only when there is one, however small they come."""
        length = self.target_length + 2 * self.context
        if self._held < length:
            return
        audio = np.concatenate(self._pieces, axis=-2)
        starts = range(0, self._held - length + 1, self.target_length)
        for start in starts:
            yield audio[..., start : start + length, :]
        rest = audio[..., len(starts) * self.target_length :, :]
        self._next += len(starts) * self.target_length
        self._pieces, self._held = [rest], rest.shape[-2]

    @staticmethod
    def _zeros(like: np.ndarray, length: int) -> np.ndarray:
        return np.zeros((*like.shape[:-2], length, like.shape[-1]), like.dtype)
