"""Ogg's pages: what neither libsndfile nor FFmpeg tells of a file, and what libsndfile leaves to chance in one.

Reference:
    RFC 3533, section 6: a page is "OggS", version, flags, position, serial, sequence number, checksum, lacing, body.
"""

import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

HEADER = 27
LONGEST_PAGE = HEADER + 255 + 255 * 255
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True)
class Page:
    """One page of a file.

    Attributes:
        place: its first byte in the file.
        data: all its bytes.
    """

    place: int
    data: bytes

    @property
    def intact(self) -> bool:
        """Whether its checksum is right."""
        return int.from_bytes(self.data[22:26], "little") == checksum(self.data)

    @property
    def first(self) -> bool:
        """Whether its stream begins with it."""
        return bool(self.data[5] & 2)

    @property
    def last(self) -> bool:
        """Whether its stream ends with it."""
        return bool(self.data[5] & 4)

    @property
    def serial(self) -> bytes:
        """Of its stream."""
        return self.data[14:18]

    @property
    def number(self) -> int:
        """Its place among the pages of its stream."""
        return int.from_bytes(self.data[18:22], "little")


def checksum(page: bytes) -> int:
    """Ogg's CRC-32 is zlib's with all bits in the other order, starting from and ending with nothing inverted."""
    blank = page[:22] + b"\0\0\0\0" + page[26:]
    crc = zlib.crc32(blank.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{crc:032b}"[::-1], 2)


def pages(file: BinaryIO) -> Iterator[Page]:
    """The pages that follow one another from where the file is; ends at the first that is cut off or is none."""
    while True:
        place = file.tell()
        head = file.read(HEADER)
        if len(head) < HEADER or head[:4] != b"OggS":
            return
        lacing = file.read(head[26])
        data = head + lacing + file.read(sum(lacing))
        if len(data) < HEADER + head[26] + sum(lacing):
            return
        yield Page(place, data)


def inspect(path: Path) -> tuple[bool, bool]:
    """Look at all pages of a file.

    Returns:
        whether every stream in it has its last page; and whether nothing before that is missing or damaged and none
        begins where another has ended, as in a chain, of which libsndfile reads the first stream alone.
    """
    numbers: dict[bytes, int] = {}
    open_streams: set[bytes] = set()
    sound, ended = True, False
    with path.open("rb") as file:
        while page := _next_intact(file):
            expected = numbers.get(page.serial, page.number - 1) + 1
            sound = sound and page.number == expected and not (page.first and ended)
            numbers[page.serial] = page.number
            (open_streams.discard if page.last else open_streams.add)(page.serial)
            ended = ended or page.last
    return bool(numbers) and not open_streams, sound


def ends(data: bytes) -> bool:
    """Whether the last page that is whole in some bytes is the last one of its stream."""
    place = len(data)
    while (place := data.rfind(b"OggS", 0, place)) >= 0:
        page = next(pages(io.BytesIO(data[place:])), None)
        if page and page.intact:
            return page.last
    return False


def _next_intact(file: BinaryIO) -> Page | None:
    """The next page whose checksum is right, wherever it begins."""
    place = file.tell()
    while True:
        file.seek(place)
        page = next(pages(file), None)
        if page and page.intact:
            return page
        file.seek(place + 1)
        found = file.read(1 << 17).find(b"OggS")
        if found < 0:
            if len(file.read(4)) < 4:
                return None
            place += (1 << 17) - 3
        else:
            place += 1 + found


def set_serial(path: Path, serial: bytes = b"sep0") -> None:
    """Give a file's one stream a serial of our choice: libsndfile takes a random one, so that the same audio would not
    give the same bytes."""
    with path.open("r+b") as file:
        for page in pages(file):
            data = page.data[:14] + serial + page.data[18:]
            file.seek(page.place)
            file.write(data[:22] + checksum(data).to_bytes(4, "little") + data[26:])
