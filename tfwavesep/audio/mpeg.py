"""What stands between the frames of an MP3 and its relatives that is no sound: tags, and counts of frames.

Reference:
    id3.org, ID3v2.4.0 main structure, section 3.1; APEv2 specification (wiki.hydrogenaud.io); the Xing header.
"""

import struct
from typing import BinaryIO

ID3_HEADER, APE_HEADER, ID3V1 = 10, 32, 128


def tags(data: bytes, place: int = 0) -> tuple[int, int] | None:
    """The first tags in some bytes.

    Args:
        data: to search.
        place: where to begin. A tag of ID3's first version is one here only, or where another tag ends: it begins with
            three letters and no more, which any sound has at times.

    Returns:
        where they begin, and where the last of those ends that follow one another, which may be beyond the bytes.

    >>> tags(b"TAG" + bytes(125) + b"ID3\\4\\0\\0\\0\\0\\1\\0"), tags(b"sTAGe"), tags(b"..ID3\\4\\0\\0\\0\\0\\1\\0")
    ((0, 266), None, (2, 140))
    """
    begin = place if _length(data[place : place + APE_HEADER]) else _found(data, place)
    if begin is None:
        return None
    end = begin
    while length := _length(data[end : end + APE_HEADER]):
        end += length
    return begin, end


def _found(data: bytes, place: int) -> int | None:
    found = [data.find(name, place) for name in (b"ID3", b"APETAGEX")]
    return next((start for start in sorted(found) if start >= 0 and _length(data[start : start + APE_HEADER])), None)


def _length(tag: bytes) -> int:
    """Bytes of a tag, by its header; 0 if it is none."""
    if tag[:3] == b"ID3" and len(tag) >= ID3_HEADER and tag[3] < 5 and not tag[4] and max(tag[6:10]) < 0x80:
        return ID3_HEADER + _syncsafe(tag[6:10]) + (ID3_HEADER if tag[5] & 0x10 else 0)
    if tag[:8] == b"APETAGEX" and len(tag) >= APE_HEADER:
        size, _, flags = struct.unpack_from("<III", tag, 12)
        return APE_HEADER + size if flags & 1 << 29 else APE_HEADER  # else it is a footer, which ends the tag
    return ID3V1 if tag[:3] == b"TAG" else 0


def _syncsafe(number: bytes) -> int:
    return sum(byte << shift for byte, shift in zip(number, (21, 14, 7, 0), strict=True))


def counted_frames(file: BinaryIO) -> int | None:
    """How many frames an MP3 tells that it has, in the tag of Xing or LAME within its first frame; None if it does not.
    Of files that were joined it is what the first one tells."""
    skip = _length(file.read(ID3_HEADER))
    file.seek(skip)
    start = file.read(4096)
    file.seek(0)
    tag = max(start.find(b"Xing"), start.find(b"Info"))
    if tag < 0 or len(start) < tag + 12:
        return None
    flags, frames = struct.unpack_from(">II", start, tag + 4)
    return int(frames) if flags & 1 else None
