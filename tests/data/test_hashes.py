"""Hashes of files: of what is in them now, and no file is read twice for nothing."""

import os
import time
from pathlib import Path

import pytest

from tfwavesep.data import hashes as room
from tfwavesep.data.hashes import hashes
from tfwavesep.errors import DataError
from tfwavesep.places import sha256


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that was not touched for an hour, and a cache of its own."""
    monkeypatch.setenv("TFWAVESEP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(room, "SETTLED_SECONDS", -1.0)  # as if an hour had passed: nobody can set when a file changed
    path = tmp_path / "song.wav"
    path.write_bytes(b"music")
    return path


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are read."""
    files: list[Path] = []
    monkeypatch.setattr(room, "sha256", lambda path: files.append(path) or sha256(path))
    return files


def test_what_was_not_touched_is_not_read_again(file: Path, read: list[Path]) -> None:
    assert hashes([file, file]) == hashes([file]) == {file: sha256(file)}
    assert read == [file]


def test_an_edit_in_place_is_noticed_even_where_the_clock_is_set_back(file: Path, read: list[Path]) -> None:
    before, status = hashes([file]), file.stat()
    time.sleep(0.02)
    file.write_bytes(b"noise")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert hashes([file]) == {file: sha256(file)} != before


def test_what_was_just_touched_is_not_remembered(file: Path, read: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "SETTLED_SECONDS", 2.0)
    assert hashes([file]) == hashes([file])
    assert read == [file, file]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"/": 1}', '{"/": {}}'])
def test_a_memory_that_is_damaged_is_made_anew(file: Path, read: list[Path], text: str) -> None:
    memory = Path(os.environ["TFWAVESEP_CACHE"]) / "hashes.json"
    memory.parent.mkdir()
    memory.write_text(text)
    assert hashes([file]) == hashes([file]) == {file: sha256(file)}
    assert read == [file]


def test_without_a_cache_hashes_are_the_same(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFWAVESEP_CACHE", str(file / "in a file"))
    assert hashes([file]) == {file: sha256(file)}


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.wav: cannot be read: No such file"):
        hashes([tmp_path / "nowhere.wav"])
