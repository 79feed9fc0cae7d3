"""Tags between the frames of MP3s are known by their headers, whatever is in them."""

import struct

import pytest

from tfwavesep.audio import mpeg

ID3 = b"ID3\4\0\0\0\0\2\1"
"""The header of a tag of 257 bytes."""

APE = struct.pack("<8sIIII8x", b"APETAGEX", 2000, 100, 1, 1 << 29)


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (ID3 + b"APIC", (0, 267)),
        (b"ID3\4\0\x10\0\0\2\1", (0, 277)),
        (APE, (0, 132)),
        (b"TAG" + bytes(10), (0, 128)),
        (bytes(50) + ID3, (50, 50 + 267)),
        (b"TAG" + bytes(125) + ID3, (0, 128 + 267)),
        (bytes(50) + b"TAG" + bytes(125), None),
        (b"", None),
        (b"ID3\4\0\0\x80\0\0\0", None),
        (b"ID3", None),
        (b"\xff\xfb\x90\x64" + bytes(413), None),
    ],
    ids=[
        "id3v2",
        "with a footer",
        "ape",
        "id3v1",
        "after noise",
        "two",
        "letters",
        "nothing",
        "no length",
        "cut",
        "a frame",
    ],
)
def test_where_tags_are(data: bytes, place: tuple[int, int] | None) -> None:
    assert mpeg.tags(data) == place


@pytest.mark.parametrize(
    ("flags", "frames"), [(1, 77), (0, None), (0xF, 77)], ids=["frames", "no frames", "everything"]
)
def test_frames_are_counted_behind_a_tag(flags: int, frames: int | None) -> None:
    data = ID3 + bytes(257) + b"\xff\xfb\x90\x64" + bytes(32) + b"Xing" + struct.pack(">II", flags, 77)
    assert mpeg.counted(data) == (frames and mpeg.Counted(frames))


def test_what_an_encoder_put_around_the_sound_is_counted_too() -> None:
    tag = b"Info" + struct.pack(">II", 0xF, 10) + bytes(4 + 100 + 4) + b"LAME3.100" + bytes(12)
    counted = mpeg.counted(b"\xff\xfb\x90\x64" + bytes(32) + tag + (576 << 12 | 1000).to_bytes(3, "big"))
    assert counted == mpeg.Counted(10, 576, 1000)
    assert counted.decoded(1152) - counted.filling == 10 * 1152 - 576 - 1000
