"""What every way to decode is: the seam between files and whoever reads them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

import numpy as np

from tfwavesep.audio.decoding._damages import Damages


@dataclass(frozen=True)
class AudioInfo:
    """What is known of audio before it is decoded.

    Attributes:
        sample_rate: Hz.
        channels: how many.
        frames: samples per channel, or None where only decoding tells.
        seconds: about how long it is, or None where nothing tells.
        bits: depth of integer samples, or None for others.
        tags: those of `tagging.TAGS` and `tagging.MORE` that it has, and "time_reference", the sample of the day
            that it begins with.
        lossless: whether what is decoded is known to be what was encoded.
        slack: samples of `frames` that may be missing though the file is whole.
        mask: of the channels' speakers, see `speakers`; None where nothing tells, 0 where they are of none.
        cover: a picture, JPEG or PNG.
    """

    sample_rate: int
    channels: int
    frames: int | None
    seconds: float | None = None
    bits: int | None = None
    tags: dict[str, str] = field(default_factory=dict)
    lossless: bool = False
    slack: int = 0
    mask: int | None = None
    cover: bytes | None = None


class Decoder(Protocol):
    """One way to decode.

    Attributes:
        info: what is known of the audio.
        damages: what was lost on the way.
    """

    info: AudioInfo
    damages: Damages

    def blocks(self, start: int, block_length: int) -> Iterator[np.ndarray]:
        """float32 `(time, channels)` from the sample `start` on."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


def read_what_is_there(file: BinaryIO) -> Callable[[int], bytes]:
    """A pipe's reading without waiting for as many bytes as are asked for."""
    return getattr(file, "read1", file.read)
