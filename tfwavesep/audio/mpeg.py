"""What stands between the frames of an MP3 and its relatives that is no sound: tags, and counts of frames.

Reference:
    id3.org, ID3v2.4.0 main structure, section 3.1; APEv2 specification (wiki.hydrogenaud.io); the Xing header, and
    what LAME adds to it (gabriel.mp3-tech.org, "Mp3 Info Tag rev 1 specifications").
"""

import struct
from dataclasses import dataclass

ID3_HEADER, APE_HEADER, ID3V1 = 10, 32, 128

FIRST_FRAME = 4096
"""Bytes that are enough for the first frame."""

LONGEST_TAG = 1 << 24
"""A tag before the first frame that is longer is not waited for: its file's count stays unknown in a pipe."""

LAYER = 0x06
"""Bits of a frame's second byte that are 0 in AAC, which begins likewise."""

XING_FIELDS = (4, 4, 100, 4)
"""Bytes of what the tag's flags tell of: frames, bytes, a table, quality."""

ENCODERS = (b"LAME", b"Lavf", b"Lavc")
"""Those whose name is followed by what they put around the sound, 21 bytes from its beginning."""

PADDING = 21

DECODER_DELAY = 529
"""Samples by which any decoder of MP3 is late."""


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


@dataclass(frozen=True)
class Counted:
    """What an MP3 tells of its length, in the tag of Xing or LAME within its first frame.

    Attributes:
        frames: how many there are, without that one.
        before: samples that its encoder put before the sound.
        behind: and behind it, to fill up the last frame.
    """

    frames: int
    before: int = 0
    behind: int = 0

    @property
    def filling(self) -> int:
        """Samples at the end of what is decoded that are none of the song's."""
        return max(0, self.behind - DECODER_DELAY)

    def decoded(self, frame: int) -> int:
        """Samples that a decoder makes of all frames of so many samples, without those before the sound."""
        return self.frames * frame - self.before - DECODER_DELAY


def start_length(start: bytes) -> int:
    r"""How many bytes of a file tell what `counted` can tell; 0 if it does not begin as an MP3 does.

    >>> start_length(b"\xff\xfb\x90\x64"), start_length(b"ID3\4\0\0\0\0\1\0"), start_length(b"OggS")
    (4096, 4234, 0)
    """
    tag = _length(start[:ID3_HEADER])
    is_frame = len(start) > 1 and start[0] == 0xFF and start[1] & 0xE0 == 0xE0 and start[1] & LAYER
    return min(tag, LONGEST_TAG) + FIRST_FRAME if tag or is_frame else 0


def counted(start: bytes) -> Counted | None:
    """What an MP3's first bytes tell; None if they do not. Of files that were joined it is what the first one tells."""
    begin = _length(start[:ID3_HEADER])
    start = start[begin : begin + FIRST_FRAME]
    tag = max(start.find(b"Xing"), start.find(b"Info"))
    if tag < 0 or len(start) < tag + 12:
        return None
    flags, frames = struct.unpack_from(">II", start, tag + 4)
    if not flags & 1:
        return None
    encoder = tag + 8 + sum(size for bit, size in enumerate(XING_FIELDS) if flags >> bit & 1)
    if start[encoder : encoder + 4] not in ENCODERS or len(start) < encoder + PADDING + 3:
        return Counted(frames)
    padding = int.from_bytes(start[encoder + PADDING : encoder + PADDING + 3], "big")
    return Counted(frames, padding >> 12, padding & 0xFFF)
