"""WAV: writing to a file of any size and into a pipe, and reading the header of one that comes out of a pipe.

libsndfile stamps the time into its float files, so that two runs give different bytes; must be told beforehand
whether a file will pass 4 GiB; and cannot write a WAV into a pipe. What is written here is plain RIFF wherever that
is enough, because many players read nothing else; the space for RF64's 64-bit lengths is kept free.

Reference:
    EBU Tech 3306 (RF64), section 3.5: a JUNK chunk that becomes ds64 when a file grows beyond 4 GiB.
"""

import struct
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO

import numpy as np

from tfwavesep import system
from tfwavesep.audio import speakers, tagging

RIFF_LIMIT = 2**32 - 1
"""Bytes that RIFF's 32-bit lengths can count."""

ELSEWHERE = 0xFFFFFFFF
"""Stands for a length that is not known, or that RF64 tells elsewhere."""

ALMOST = 0x2000
"""Bytes that are left free below what a length can count, for headers, and to end with a whole frame."""

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")

BEXT_TIME, BEXT_LENGTH = 338, 602
"""Where a bext chunk has its time reference, and its length without a coding history (EBU Tech 3285)."""

LATEST = 2**48
"""No time reference: a day at 192 kHz has fewer than 2**34 samples."""

INFO_IDS = {
    **{"title": b"INAM", "artist": b"IART", "album": b"IPRD", "date": b"ICRD"},
    **{"tracknumber": b"ITRK", "genre": b"IGNR", "comment": b"ICMT", "copyright": b"ICOP"},
}
"""Tags and their names in a LIST INFO chunk."""


class WavFile:
    """A WAV that is being written to an open binary file.

    Args:
        file: to write to, from where it stands. A pipe, or a file that is open for appending, where nobody can go back,
            gets lengths that say "until the end".
        sample_rate: Hz.
        channels: how many.
        subtype: PCM_16, PCM_24 or FLOAT.
        tags: title, artist and so on.
        mask: of the speakers of more than two channels, see `speakers`; the usual ones if None.
        cover: a picture, JPEG or PNG.
    """

    def __init__(
        self,
        file: BinaryIO,
        sample_rate: int,
        channels: int,
        subtype: str,
        tags: dict[str, str] | None = None,
        mask: int | None = None,
        cover: bytes | None = None,
    ) -> None:
        self._file = file
        self._frame = channels * {"PCM_16": 2, "PCM_24": 3, "FLOAT": 4}[subtype]
        self._subtype = subtype
        mask = speakers.USUAL.get(channels, 0) if mask is None else mask
        self._middle = _format(sample_rate, channels, self._frame, subtype, mask) + _tags(tags or {}, cover)
        self._bytes = 0
        self._start = _start(file)
        file.write(self._header(None))

    def write(self, samples: np.ndarray) -> None:
        """Append `(time, channels)`: int16, int32 with 24 bits in use, or float32, as the subtype asks."""
        data = to_bytes(samples, self._subtype)
        self._file.write(data)
        self._bytes += len(data)

    def close(self) -> None:
        """Fill in the lengths. The file stays open."""
        self._file.write(b"\0" * (self._bytes % 2))
        if self._start is not None:
            end = self._file.tell()
            self._file.seek(self._start)
            self._file.write(self._header(self._bytes))
            self._file.seek(end)

    def _header(self, size: int | None) -> bytes:
        frames = 0 if size is None else size // self._frame
        fact = struct.pack("<4sII", b"fact", 4, min(frames, ELSEWHERE)) if self._subtype == "FLOAT" else b""
        middle = self._middle + fact
        total = None if size is None else 4 + 36 + len(middle) + 8 + size + size % 2
        large = total is not None and total > RIFF_LIMIT
        lengths = struct.pack("<QQQI", total or 0, size or 0, frames, 0) if large else b"\0" * 28
        return b"".join([
            struct.pack("<4sI4s", b"RF64" if large else b"RIFF", _told(total), b"WAVE"),
            struct.pack("<4sI", b"ds64" if large else b"JUNK", 28) + lengths,
            middle,
            struct.pack("<4sI", b"data", ELSEWHERE if large else _told(size)),
        ])  # fmt: skip


def _start(file: BinaryIO) -> int | None:
    """Where a file stands, None if nobody can go back there to write."""
    if not file.seekable():
        return None
    with suppress(OSError):  # not a file of the system
        if system.appends(file.fileno()):
            return None
    return file.tell()


def _told(length: int | None) -> int:
    return ELSEWHERE if length is None or length > RIFF_LIMIT else length


def _format(sample_rate: int, channels: int, frame: int, subtype: str, mask: int) -> bytes:
    """The fmt chunk; the extensible form only where the plain one is not allowed."""
    bits, tag = 8 * frame // channels, FLOAT if subtype == "FLOAT" else PCM
    plain = struct.pack("<HIIHH", channels, sample_rate, sample_rate * frame, frame, bits)
    if channels > 2:
        body = struct.pack("<H", EXTENSIBLE) + plain + struct.pack("<HHIH", 22, bits, mask, tag) + GUID_TAIL
    else:
        body = struct.pack("<H", tag) + plain
    return struct.pack("<4sI", b"fmt ", len(body)) + body


def _tags(tags: dict[str, str], cover: bytes | None) -> bytes:
    """INFO for all that reads it; bext and ID3 only where they tell more."""
    bext = bytes(BEXT_TIME) + struct.pack("<QH", int(tags.get("time_reference", 0)), 1)
    chunks = [(b"bext", bext.ljust(BEXT_LENGTH, b"\0") if "time_reference" in tags else b"")]
    chunks += [(b"id3 ", tagging.as_id3(tags, cover))]
    told = [struct.pack("<4sI", name, len(body)) + body + b"\0" * (len(body) % 2) for name, body in chunks if body]
    return _info(tags) + b"".join(told)


def _info(tags: dict[str, str]) -> bytes:
    body = b""
    for tag, name in INFO_IDS.items():
        text = tags.get(tag, "").encode("utf-8", "replace") + b"\0"
        if tags.get(tag):
            body += struct.pack("<4sI", name, len(text)) + text + b"\0" * (len(text) % 2)
    return struct.pack("<4sI4s", b"LIST", 4 + len(body), b"INFO") + body if body else b""


def is_unknown(length: int) -> bool:
    """Whether a data chunk's length means "until the end": none, or about all that 31 or 32 bits can count, which is
    what programs write that cannot go back and fill it in.

    FFmpeg writes 0xFFFFFFFF, SoX the whole frames in 0x7FFFF000, arecord 0x7FFFFF00 or 0x80000000.
    """
    return length == 0 or any(limit - ALMOST <= length <= limit for limit in (2**31, 2**32))


def read_header(read: Callable[[int], bytes]) -> tuple[bytes, int | None]:
    """Read a WAV up to its first sample.

    Args:
        read: returns as many bytes as it is asked for, or fewer at the end.

    Returns:
        all the bytes that were read, and the number of samples per channel that they promise, or None if they do not
        (or are no WAV's).
    """
    header = read(12)
    large: int | None = None
    frame = 0
    is_wav = header[:4] in (b"RIFF", b"RF64") and header[8:] == b"WAVE"
    while is_wav and len(head := read(8)) == 8:
        header += head
        name, size = head[:4], int.from_bytes(head[4:], "little")
        if name == b"data":
            short = None if is_unknown(size) else size
            promised = large if header[:4] == b"RF64" and size == ELSEWHERE else short
            return header, promised // frame if promised and frame else None
        body = read(size + size % 2)
        header += body
        if name == b"ds64" and len(body) >= 16:
            large = struct.unpack_from("<Q", body, 8)[0]
        if name == b"fmt " and len(body) >= 14:
            frame = struct.unpack_from("<H", body, 12)[0]
    return header, None


def told_mask(header: bytes) -> int | None:
    """The mask of speakers that a WAV's header tells, see `read_header`; None if it tells none."""
    body = _chunk(header, b"fmt ")
    if len(body) < 40 or int.from_bytes(body[:2], "little") != EXTENSIBLE:
        return None
    return int(struct.unpack_from("<I", body, 20)[0])


def is_16_bit_stereo(header: bytes) -> bool:
    """Whether a WAV's header, see `read_header`, tells of two channels of 16-bit integers."""
    body = _chunk(header, b"fmt ")
    if len(body) < 16:
        return False
    tag, channels = struct.unpack_from("<HH", body)
    return (tag in (PCM, EXTENSIBLE), channels, struct.unpack_from("<H", body, 14)[0]) == (True, 2, 16)


def told_time(header: bytes) -> dict[str, str]:
    """The tag "time_reference" of a WAV's header: samples from midnight to its first one, if it tells them."""
    body = _chunk(header, b"bext")
    time = struct.unpack_from("<Q", body, BEXT_TIME)[0] if len(body) >= BEXT_TIME + 8 else 0
    return {"time_reference": str(time)} if 0 < time < LATEST else {}


def _chunk(header: bytes, wanted: bytes) -> bytes:
    place = 12
    while place + 8 <= len(header):
        name, size = struct.unpack_from("<4sI", header, place)
        if name == wanted:
            return header[place + 8 : place + 8 + size]
        place += 8 + size + size % 2
    return b""


def to_bytes(samples: np.ndarray, subtype: str) -> bytes:
    """Samples as a WAV or a raw stream holds them, little-endian.

    >>> to_bytes(np.array([[1, -2]], np.int32), "PCM_24").hex()
    '010000feffff'
    """
    if subtype == "PCM_24":
        return np.ascontiguousarray(samples.astype("<i4")).view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    return samples.astype({"PCM_16": "<i2", "FLOAT": "<f4"}[subtype]).tobytes()
