"""Samples without a header."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from tfwavesep.audio.decoding._damages import Damages
from tfwavesep.audio.decoding._decoder import AudioInfo, read_what_is_there
from tfwavesep.errors import AudioError, one_of

RAW_TYPES = {"s16le": ("<i2", 2**15), "s24le": ("s24", 2**23), "f32le": ("<f4", 1)}
"""Sample types of audio without a header, by FFmpeg's names: the type and what full scale is in it."""


@dataclass(frozen=True)
class RawFormat:
    """Audio without a header.

    Attributes:
        type: of a sample, one of `RAW_TYPES`.
        sample_rate: Hz, or None.
        channels: how many, or None.
    """

    type: str
    sample_rate: int | None = None
    channels: int | None = None

    @classmethod
    def parse(cls, text: str) -> "RawFormat":
        """`TYPE` or `TYPE:RATE:CHANNELS`, such as `s16le:44100:2`.

        Raises:
            AudioError: it is neither.
        """
        name, *numbers = text.split(":")
        if name not in RAW_TYPES:
            raise AudioError(one_of("raw format", name, RAW_TYPES))
        if not numbers:
            return cls(name)
        if len(numbers) != 2 or not all(number.isdecimal() and int(number) for number in numbers):
            raise AudioError(f"raw format '{text}': must be TYPE or TYPE:RATE:CHANNELS, such as s16le:44100:2")
        return cls(name, int(numbers[0]), int(numbers[1]))

    def decode(self, data: bytes, channels: int) -> np.ndarray:
        """Whole frames as float32 `(time, channels)`."""
        dtype, scale = RAW_TYPES[self.type]
        if dtype == "s24":
            padded = np.zeros((len(data) // 3, 4), np.uint8)
            padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
            samples: np.ndarray = padded.view("<i4")[:, 0] >> 8
        else:
            samples = np.frombuffer(data, dtype)
        return (samples.astype(np.float32) / np.float32(scale)).reshape(-1, channels)

    @property
    def width(self) -> int:
        """Bytes of a sample."""
        return int(self.type[1:3]) // 8


class RawDecoder:
    """Samples without a header."""

    def __init__(self, file: BinaryIO, raw: RawFormat, damages: Damages) -> None:
        self.damages = damages
        if not raw.sample_rate or not raw.channels:
            raise AudioError(
                f"{damages.name}: raw audio needs its rate and channels: --raw-format {raw.type}:RATE:CHANNELS"
            )
        self.info = AudioInfo(raw.sample_rate, raw.channels, None)
        self._file, self._raw = file, raw
        self._read = read_what_is_there(file)

    def blocks(self, start: int, block_length: int) -> Iterator[np.ndarray]:
        frame = self._raw.width * self.info.channels
        skip, rest = start * frame, b""
        while data := self._read(block_length * frame):
            skipped = min(skip, len(data))
            skip -= skipped
            data = rest + data[skipped:]
            whole = len(data) // frame * frame
            rest = data[whole:]
            if whole:
                yield self._raw.decode(data[:whole], self.info.channels)
        if rest:
            self.damages.refuse(f"is truncated: it ends within a sample ({len(rest)} of {frame} bytes)")

    def close(self) -> None:
        self._file.close()
