"""What stands between the frames of an MP3 and its relatives that is no sound: tags, and counts of frames.

Reference:
    id3.org, ID3v2.4.0 main structure, section 3.1; APEv2 specification (wiki.hydrogenaud.io); the Xing header.
"""

import struct
from typing import BinaryIO

ID3_HEADER, APE_HEADER, ID3V1 = 10, 32, 128


def tag_end(data: bytes) -> int | None:
    """Where the tags end that begin in some bytes, which may be beyond them; None if none begins.

    >>> tag_end(b"TAG" + bytes(125) + b"ID3\\4\\0\\0\\0\\0\\1\\0"), tag_end(b"noise")
    (266, None)
    """
    end = None
    while (start := _next_tag(data, end or 0)) is not None:
        end = start + _length(data[start:])
    return end


def _next_tag(data: bytes, place: int) -> int | None:
    found = [start for name in (b"ID3", b"APETAGEX", b"TAG") if (start := data.find(name, place)) >= 0]
    return next((start for start in sorted(found) if _length(data[start:])), None)


def _length(tag: bytes) -> int:
    """Bytes of a tag, by its header; 0 if it is none."""
    if tag[:3] == b"ID3" and len(tag) >= ID3_HEADER and tag[3] < 0xFF and max(tag[6:10]) < 0x80:
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
