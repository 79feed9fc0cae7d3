"""Audio that is being read: whole, and of numbers."""

from collections.abc import Iterator

import numpy as np

from tfwavesep.audio.decoding._decoder import Decoder
from tfwavesep.errors import AudioError

BLOCK_LENGTH = 65536
"""Samples per channel that files are read in."""

LOUDEST = 2.0**30
"""Larger samples are no audio: the steps that stems are counted in would not suffice."""


class Reader:
    """Audio that is being read.

    Args:
        name: of the file, for messages.
        decoder: to read with.
        zero_bad_samples: whether NaN and infinite samples become zeros; else they are an error.

    Attributes:
        info: what is known of the audio.
    """

    def __init__(self, name: str, decoder: Decoder, zero_bad_samples: bool = False) -> None:
        self.info = decoder.info
        self.name = name
        self._decoder = decoder
        self._zero = zero_bad_samples
        self._zeroed_from = 0.0
        self._count = 0

    def blocks(self, start: int = 0, block_length: int = BLOCK_LENGTH) -> Iterator[np.ndarray]:
        """Decode piece by piece.

        Args:
            start: the first sample that is wanted.
            block_length: samples per channel in each piece at most.

        Yields:
            float32 `(time, channels)`, none of them empty.

        Raises:
            AudioError: the end is missing, the audio cannot be decoded, or holds NaN or infinite samples.
        """
        place = start
        for block in self._decoder.blocks(start, block_length):
            for first in range(0, len(block), block_length):
                yield self._checked(block[first : first + block_length], place + first)
            place += len(block)
        frames = self.info.frames
        if frames is not None and place < frames - self.info.slack and start < frames:
            self._decoder.damages.refuse(f"is truncated: {place} of {frames} samples could be decoded")

    @property
    def warnings(self) -> list[str]:
        """What was wrong with what has been read so far."""
        lines = list(self._decoder.damages.lines)
        if self._count:
            lines.append(f"{self._count} NaN or infinite samples from {self._zeroed_from:.3f} s on were set to zero")
        return lines

    def _checked(self, block: np.ndarray, place: int) -> np.ndarray:
        if np.abs(block).max() <= LOUDEST:  # not of NaN
            return block
        bad = ~np.isfinite(block)
        if bad.any():
            block = self._zeroed(block, bad, self._seconds(bad, place))
        loud = np.abs(block) > LOUDEST
        if loud.any():
            text = f"has a sample of {np.abs(block[loud][0]):.0e} at {self._seconds(loud, place):.3f} s"
            raise AudioError(f"{self.name}: {text}, full scale being 1; repair the file")
        return block

    def _zeroed(self, block: np.ndarray, bad: np.ndarray, seconds: float) -> np.ndarray:
        if not self._zero:
            text = f"has a NaN or infinite sample at {seconds:.3f} s; repair the file"
            raise AudioError(f"{self.name}: {text} (separate --nan zero sets such samples to zero)")
        self._zeroed_from = self._zeroed_from if self._count else seconds
        self._count += int(bad.sum())
        return np.where(bad, np.float32(0), block)

    def _seconds(self, found: np.ndarray, place: int) -> float:
        """Where the first of some samples of a block is."""
        return (place + int(found.any(axis=1).argmax())) / self.info.sample_rate
