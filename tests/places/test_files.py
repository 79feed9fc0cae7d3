"""Files appear whole or not at all, with the user's permissions."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tfwavesep.errors import OutputError
from tfwavesep.places import atomic, cache_folder, exist, is_file, longest_name, presence, size, token
from tfwavesep.places.files import PREFIX, sweep

LONG = 300 * "y"


def write(path: Path, text: str = "new") -> None:
    with atomic(path) as temporary:
        temporary.write_text(text)


def interrupted_write(path: Path) -> None:
    with atomic(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt


@pytest.mark.parametrize("name", ["song.wav", "new/folders/song.wav", "夜" * 80 + ".wav"])
def test_files_appear_at_the_end_only(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with atomic(path) as temporary:
        temporary.write_text("new")
        assert (temporary.parent, temporary.suffix) == (path.parent, path.suffix)
        assert not path.exists()
    assert list(path.parent.iterdir()) == [path]
    assert path.read_text() == "new"


def test_what_was_there_is_replaced(tmp_path: Path) -> None:
    write(tmp_path / "song.wav", "old")
    write(tmp_path / "song.wav", "new")
    assert (tmp_path / "song.wav").read_text() == "new"


def test_failures_leave_everything_as_it_was(tmp_path: Path) -> None:
    write(tmp_path / "old.wav", "old")
    for name in ("old.wav", "new.wav", "folder/new.wav"):
        with pytest.raises(KeyboardInterrupt):
            interrupted_write(tmp_path / name)
    assert [p.name for p in tmp_path.iterdir()] == ["old.wav"]
    assert (tmp_path / "old.wav").read_text() == "old"


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o002])
def test_permissions_are_as_the_user_wants_them(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        write(tmp_path / "song.wav")
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "song.wav").stat().st_mode) == 0o666 & ~mask


def test_writing_leaves_the_umask_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is one for all threads: whoever sets it, if only to read it, changes what the others write meanwhile."""
    masks: list[int] = []
    monkeypatch.setattr(os, "umask", lambda mask: masks.append(mask) or 0)
    write(tmp_path / "song.wav")
    assert not masks


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("folder", "folder: is a folder, not a file"),
        ("file/song.wav", "file: is a file, not a folder"),
        ("file/new/song.wav", "file: is a file, not a folder"),
        ("link/song.wav", "link: is a link to disk, which is not there"),
        ("link/new/song.wav", "link: is a link to disk, which is not there"),
        (f"new/{LONG}/song.wav", f"new/{LONG}: cannot be written to: File name too long"),
    ],
)
def test_places_that_cannot_be_written_to_are_named(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("disk")
    with pytest.raises(OutputError, match=f"^{tmp_path}/{message}"):
        write(tmp_path / name)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder", "link"]


def test_what_cannot_be_looked_at_is_not_there(tmp_path: Path) -> None:
    """A name that is too long stands in for a folder that may not be searched: the system refuses to look for both."""
    path = tmp_path / LONG / "song.wav"
    assert (exist([path]), presence(tmp_path)(path), is_file(path), size(path)) == ([], False, False, None)


def test_what_a_killed_writer_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    """Not a file whose name ends like this one's, which somebody may be writing."""
    left, others = f"{PREFIX}0123abcd-a.wav", [f"{PREFIX}0123abcd-my-a.wav", f"{PREFIX}4567cdef-b.wav"]
    for name in (left, *others):
        (tmp_path / name).touch()
    assert sweep(tmp_path / "a.wav")
    assert sorted(path.name for path in tmp_path.iterdir()) == others


def test_a_token_is_there_inside_the_block(tmp_path: Path) -> None:
    with token(tmp_path / "new" / "folder") as path:
        assert (path.parent, path.is_file()) == (tmp_path / "new" / "folder", True)
    assert not list(tmp_path.iterdir())


def test_names_may_be_as_long_as_is_told(tmp_path: Path) -> None:
    longest = longest_name(tmp_path / "new" / "folder")
    assert longest
    write(tmp_path / ("y" * longest))
    with pytest.raises(OutputError, match="File name too long"):
        write(tmp_path / ("y" * (longest + 1)))


def test_a_signal_while_a_file_is_made_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = os.open

    def interrupted(*how: object) -> int:
        os.close(make(*how))
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "open", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "new" / "song.wav")
    assert not list(tmp_path.iterdir())


def test_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    """A limit on the size of files stands in for the full disk: both make the write fail half way."""
    code = (
        "import resource, signal, numpy as np\n"
        "from pathlib import Path\n"
        "from tfwavesep import audio\n"
        "from tfwavesep import errors\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try:\n"
        f"    audio.write(Path({str(tmp_path / 'new' / 'song.wav')!r}), np.ones((200_000, 2)), 44100)\n"
        "except errors.OutputError as error:\n"
        "    print(error)\n"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "song.wav: cannot be written (is the disk full?)" in output
    assert not list(tmp_path.iterdir())


def test_cache_folder_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TFWAVESEP_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("TFWAVESEP_CACHE")
    assert cache_folder().name == "tfwavesep"
