"""Files that were joined, as `cat a.flac b.flac` does, of kinds whose readers stop where the first one ends."""

import io
import re
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np

from tfwavesep.audio.decoding._damages import Damages
from tfwavesep.audio.decoding._decoder import Decoder
from tfwavesep.errors import AudioError

STARTS = {
    "wav": (0, rb"RIFF....WAVE"),
    "rf64": (0, rb"RF64....WAVE"),
    "w64": (0, rb"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"),
    "aiff": (0, rb"FORM....AIF[FC]"),
    "au": (0, rb"\.snd\x00\x00.{6}\x00\x00\x00.\x00"),
    "caf": (0, rb"caff\x00\x01\x00\x00"),
    "mp4": (4, rb"ftyp(?:qt  |isom|iso\d|mp4\d|M4[ABV] |3g..|dash)"),
    "flac": (0, rb"fLaC[\x00\x80]\x00\x00\x22"),
    "flv": (0, rb"FLV\x01[\x00-\x05]\x00\x00\x00\x09\x00\x00\x00\x00"),
    "asf": (0, rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c"),
    "tta": (0, rb"TTA1[\x01\x02]\x00"),
    "wv": (0, rb"wvpk.{6}\x00.{5}\x00{4}.{5}[%s]" % re.escape(bytes(byte for byte in range(256) if byte & 8))),
}
"""How files of each kind begin, and at which byte; WavPack's by a first block at sample 0."""

ENDS = {"wav": ("<I", 4, 8), "aiff": (">I", 4, 8), "rf64": ("<Q", 20, 8), "w64": ("<Q", 16, 0)}
"""How and where some kinds tell how long they are, and what they do not count. One that ends where it says is alone and
is not searched: a long recording is opened once for each of its parts."""

LONGEST_START = 64
"""Bytes that are enough to see how a file begins."""

BLOCK = 1 << 20
"""Bytes of a file that are searched at a time."""

READ_ON = ("au", "flac")
"""Kinds that FFmpeg reads on by itself where one follows another in a pipe."""


def kind_of(start: bytes) -> str | None:
    """Which of these kinds some bytes begin, if any."""
    return next((kind for kind in STARTS if _found(kind, start[:LONGEST_START])[:1] == [0]), None)


def _found(kind: str, data: bytes) -> list[int]:
    place, pattern = STARTS[kind]
    return [found.start() - place for found in re.finditer(pattern, data, re.DOTALL)]


def sections(path: Path) -> list[tuple[int, int]]:
    """Where in a file others of its kind begin and end, of which the first is at its beginning; one if it is alone."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(LONGEST_START)
        kind = kind_of(start)
        file.seek(0)
        is_searched = kind is not None and not _ends_at(size, kind, start)
        starts = sorted(set(_all_found(kind, file))) if kind and is_searched else [0]
    return list(pairwise([*starts, size]))


def _ends_at(size: int, kind: str, start: bytes) -> bool:
    """Whether a file says that it is so long, but for a byte that fills up."""
    if kind not in ENDS or len(start) < LONGEST_START:
        return False
    form, place, more = ENDS[kind]
    return abs(int(struct.unpack_from(form, start, place)[0]) + more - size) <= 1


def _all_found(kind: str, file: BinaryIO) -> Iterator[int]:
    """In all of a file, block by block, each with the end of the one before it."""
    last = b""
    while data := file.read(BLOCK):
        place = file.tell() - len(data) - len(last)
        yield from (place + found for found in _found(kind, last + data))
        last = data[-LONGEST_START:]


class Watch:
    """Looks for where another file begins in what comes out of a pipe.

    Args:
        start: the pipe's first bytes.
    """

    def __init__(self, start: bytes) -> None:
        kind = kind_of(start)
        self._kind = None if kind in READ_ON else kind
        self._last = b""

    def sees(self, data: bytes) -> bool:
        """Whether another one begins in what comes next, of which `start` is no part."""
        if self._kind is None:
            return False
        data = self._last + data
        self._last = data[-LONGEST_START:]
        return bool(_found(self._kind, data))


class Section(io.RawIOBase):
    """A part of a file, as a file.

    Args:
        file: seekable; closed with its part.
        start: of the part, in bytes.
        stop: its end.
    """

    def __init__(self, file: BinaryIO, start: int, stop: int) -> None:
        self._file, self._start, self._size, self._place = file, start, stop - start, 0

    def seekable(self) -> bool:
        """It is."""
        return True

    def readable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As any file's."""
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        return self._place

    def read(self, size: int = -1) -> bytes:
        """As any file's."""
        left = max(0, self._size - self._place)
        self._file.seek(self._start + self._place)
        data = self._file.read(left if size < 0 else min(size, left))
        self._place += len(data)
        return data

    def close(self) -> None:
        """The file too."""
        self._file.close()
        super().close()


class JoinedDecoder:
    """Files that were joined, one after the other; what is known of the first is known of all, but for their length.

    Args:
        parts: opens each of them, with its own damages.
        damages: of the whole.
    """

    def __init__(self, parts: list[Callable[[Damages], Decoder]], damages: Damages) -> None:
        self.damages = damages
        self._parts = parts
        infos = []
        for number in range(len(parts)):
            with closing(self._open(number)) as part:
                infos.append(part.info)
        frames, seconds = [info.frames for info in infos], [info.seconds for info in infos]
        self.info = replace(
            infos[0],
            frames=None if None in frames else sum(filter(None, frames)),
            seconds=None if None in seconds else sum(filter(None, seconds)),
        )

    def _open(self, number: int) -> Decoder:
        return self._parts[number](Damages(f"{self.damages.name}: {self._name(number)}", self.damages.take))

    def _name(self, number: int) -> str:
        return f"part {number + 1} of {len(self._parts)}"

    def blocks(self, start: int, block_length: int) -> Iterator[np.ndarray]:
        """Of all parts; each is decoded from its beginning, as nothing else tells how long it is."""
        form, place = (self.info.sample_rate, self.info.channels), 0
        for number in range(len(self._parts)):
            with closing(self._open(number)) as part:
                if (part.info.sample_rate, part.info.channels) != form:
                    raise AudioError(f"{self.damages.name}: changes its rate or channels at {place / form[0]:.3f} s")
                for samples in part.blocks(0, block_length):
                    yield from (samples[max(0, start - place) :],) if place + len(samples) > start else ()
                    place += len(samples)
                self.damages.lines += [f"{self._name(number)}: {line}" for line in part.damages.lines]

    def close(self) -> None:
        """Nothing stays open."""
