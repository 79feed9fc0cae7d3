"""Frames of AAC in ADTS: FFmpeg's reader skips what is none between them, and does not tell.

Reference:
    ISO/IEC 13818-7, section 6.2: a header has twelve bits of sync, what is fixed in a stream, and the frame's length.
"""

from collections.abc import Callable, Iterator
from typing import BinaryIO

from tfwavesep.audio import mpeg

HEADER = 7
LONGEST_TAG_HEADER = 32

TAGS = (b"ID3", b"APETAGEX", b"TAG")


def length(header: bytes) -> int:
    """Bytes of the frame that begins with some bytes; 0 if none does.

    >>> length(bytes.fromhex("fff15080277ffc")), length(b"RIFF...")
    (315, 0)
    """
    if len(header) < HEADER or header[0] != 0xFF or header[1] & 0xF6 != 0xF0 or header[2] >> 2 & 15 > 12:
        return 0
    told = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
    return told if told > HEADER else 0


def _fixed(header: bytes) -> tuple[int, ...]:
    """What is the same in all frames of a stream."""
    return header[1], header[2], header[3] & 0xF0


def begins(file: BinaryIO) -> bool:
    """Whether a file holds such frames, by its beginning, behind a tag if there is one."""
    tags = mpeg.tags(file.read(LONGEST_TAG_HEADER)) or (0, 0)
    file.seek(tags[1] if tags[0] == 0 else 0)
    header = file.read(HEADER)
    file.seek(0)
    return length(header) > 0


class Frames:
    """A stream's frames alone, for FFmpeg to read.

    Args:
        read: returns at most as many bytes as it is asked for, none at the end.

    Attributes:
        noise: bytes that are no frame and no tag, by the number of the frame that comes after them.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self.noise: dict[int, int] = {}
        self._source = read
        self._frames = self._parsed()
        self._left = b""

    def read(self, size: int) -> bytes:
        """At most so many bytes, none at the end."""
        self._left = self._left or next(self._frames, b"")
        given, self._left = self._left[:size], self._left[size:]
        return given

    def _parsed(self) -> Iterator[bytes]:
        data, number, known = b"", 0, None
        while data := self._filled(data, LONGEST_TAG_HEADER):
            if data.startswith(TAGS) and (tags := mpeg.tags(data)):
                data = self._filled(data, tags[1])[tags[1] :]
                continue
            size = length(data)
            data = self._filled(data, size + HEADER)
            if 0 < size <= len(data) and (_fixed(data) == known or _follows(data[size:], data)):
                known, number = _fixed(data), number + 1
                yield data[:size]
            else:
                size = min(data.find(mark, 1) % (len(data) + 1) for mark in (b"\xff", *TAGS))
                self.noise[number] = self.noise.get(number, 0) + size
            data = data[size:]

    def _filled(self, data: bytes, size: int) -> bytes:
        """With what comes next, until there are so many bytes."""
        while len(data) < size and (more := self._source(4096)):
            data += more
        return data


def _follows(after: bytes, frame: bytes) -> bool:
    """Whether another frame of the same stream, a tag, or the end comes after one."""
    return not after or after.startswith(TAGS) or (length(after) > 0 and _fixed(after) == _fixed(frame))
