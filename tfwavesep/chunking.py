"""Cutting a song into segments that overlap by the network's context. Only NumPy here."""

from collections.abc import Iterator

import numpy as np


class Segmenter:
    """Turns audio that arrives in pieces into segments on one fixed grid.

    Segment `k` holds what the network needs to put out samples `k * target_length` up to
    `(k + 1) * target_length`: those samples and `context` more on each side. Neighbours are real; zeros stand
    only before the song's start and beyond its end. The grid does not depend on how the pieces are cut, so
    neither does what comes out.

    Shape:
        in `(..., time, channels)`, out `(..., target_length + 2 * context, channels)`.

    Args:
        target_length: samples that each segment yields.
        context: samples needed on each side.

    >>> segmenter = Segmenter(target_length=2, context=1)
    >>> song = np.arange(1, 4).reshape(3, 1)
    >>> [s.ravel().tolist() for s in [*segmenter.feed(song), *segmenter.flush()]]
    [[0, 1, 2, 3], [2, 3, 0, 0]]
    """

    def __init__(self, target_length: int, context: int) -> None:
        self.target_length = target_length
        self.context = context
        self.fed = 0
        self._emitted = 0
        self._pieces: list[np.ndarray] = []
        self._held = 0

    def feed(self, audio: np.ndarray) -> Iterator[np.ndarray]:
        """Take the next piece; yield the segments that are complete with it."""
        if not self._pieces:
            self._hold(self._zeros(audio, self.context))
        self.fed += audio.shape[-2]
        self._hold(audio)
        yield from self._complete()

    def flush(self) -> Iterator[np.ndarray]:
        """No more will come: yield what is left, with zeros beyond the end."""
        segments = -(-self.fed // self.target_length)
        if segments > self._emitted:
            needed = segments * self.target_length + 2 * self.context
            self._hold(self._zeros(self._pieces[0], needed - self._emitted * self.target_length - self._held))
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
        self._emitted += len(starts)
        self._pieces, self._held = [rest], rest.shape[-2]

    @staticmethod
    def _zeros(like: np.ndarray, length: int) -> np.ndarray:
        return np.zeros((*like.shape[:-2], length, like.shape[-1]), like.dtype)
