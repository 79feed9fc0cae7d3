"""Ogg's pages: whole, chained, damaged and cut ones are told apart, and a serial of our choice changes nothing else."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from doubles import noise

from tfwavesep.audio import ogg


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """Three seconds of Vorbis."""
    soundfile.write(tmp_path / "song.ogg", noise(132300, 2), 44100, "VORBIS")
    return tmp_path / "song.ogg"


def test_a_whole_file_is_whole(song: Path) -> None:
    assert ogg.inspect(song) == (True, True)
    with song.open("rb") as file:
        pages = list(ogg.pages(file))
    assert all(page.intact for page in pages)
    assert b"".join(page.data for page in pages) == song.read_bytes()
    assert [page.last for page in pages] == [False] * (len(pages) - 1) + [True]


@pytest.mark.parametrize("share", [0.2, 0.5, 0.999])
def test_a_cut_file_has_no_last_page(song: Path, share: float) -> None:
    data = song.read_bytes()
    song.write_bytes(data[: int(len(data) * share)])
    assert not ogg.inspect(song)[0]


@pytest.mark.parametrize("damage", ["one bit", "a page is gone", "a page is noise"])
def test_a_damaged_file_is_not_sound(song: Path, damage: str) -> None:
    with song.open("rb") as file:
        pages = [page.data for page in ogg.pages(file)]
    middle = len(pages) // 2
    if damage == "one bit":
        pages[middle] = pages[middle][:-1] + bytes([pages[middle][-1] ^ 1])
    elif damage == "a page is gone":
        del pages[middle]
    else:
        pages[middle] = np.random.default_rng(0).bytes(len(pages[middle]))
    song.write_bytes(b"".join(pages))
    assert ogg.inspect(song) == (True, False)


def test_streams_in_a_chain_are_whole_each_but_not_one(song: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.ogg"
    soundfile.write(other, noise(1000), 44100, "VORBIS")
    ogg.set_serial(other, b"abcd")
    (tmp_path / "both.ogg").write_bytes(song.read_bytes() + other.read_bytes())
    assert ogg.inspect(tmp_path / "both.ogg") == (True, False)


def test_a_new_serial_keeps_the_samples(song: Path) -> None:
    before = soundfile.read(song)[0]
    ogg.set_serial(song)
    assert ogg.inspect(song) == (True, True)
    with song.open("rb") as file:
        assert {page.serial for page in ogg.pages(file)} == {b"sep0"}
    np.testing.assert_array_equal(soundfile.read(song)[0], before)
