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
        self._buffer: np.ndarray | None = None

    def feed(self, audio: np.ndarray) -> Iterator[np.ndarray]:
        """Take the next piece; yield the segments that are complete with it."""
        self.fed += audio.shape[-2]
        yield from self._push(audio)

    def flush(self) -> Iterator[np.ndarray]:
        """No more will come: yield what is left, with zeros beyond the end."""
        missing = -(-self.fed // self.target_length) * self.target_length - self.fed + self.context
        if self._buffer is not None and self._emitted * self.target_length < self.fed:
            yield from self._push(self._zeros(self._buffer, missing))

    def _push(self, audio: np.ndarray) -> Iterator[np.ndarray]:
        start = self._zeros(audio, self.context) if self._buffer is None else self._buffer
        self._buffer = np.concatenate([start, audio], axis=-2)
        length = self.target_length + 2 * self.context
        while self._buffer.shape[-2] >= length and self._emitted * self.target_length < self.fed:
            yield self._buffer[..., :length, :]
            self._buffer = self._buffer[..., self.target_length :, :]
            self._emitted += 1

    @staticmethod
    def _zeros(like: np.ndarray, length: int) -> np.ndarray:
        return np.zeros((*like.shape[:-2], length, like.shape[-1]), like.dtype)
