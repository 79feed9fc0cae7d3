"""Files that appear whole or not at all, and the folder for those that can be made again."""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tfwavesep.errors import OutputError

PREFIX = ".writing-"
"""Begins the names of files that are being written."""


@contextmanager
def atomic(path: Path, lock: bool = False) -> Iterator[Path]:
    """A path beside `path` to write to; it takes `path`'s place when the block ends well, or else disappears, and
    with it the folders that were made for it, if they are empty.

    Args:
        path: of the file.
        lock: whether to hold a lock on what is written, so that whoever writes the same file later can tell that this
            process was killed, and remove what it left. Some libraries (HDF5) insist on a lock of their own.

    Raises:
        OutputError: the folder cannot be written to, or `path` is a folder.
    """
    new_folders = [folder for folder in path.parents if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if lock:
            sweep(path)
        handle, name = tempfile.mkstemp(prefix=PREFIX, suffix=f"-{_tail(path.name)}", dir=path.parent)
    except OSError as error:
        raise OutputError(f"{path.parent}: cannot be written to: {error.strerror}") from error
    temporary = Path(name)
    try:
        if lock:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield temporary
        try:
            temporary.chmod(0o666 & ~_umask())
            os.replace(temporary, path)
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)
        os.close(handle)
        with suppress(OSError):  # not empty: something was written
            for folder in new_folders:
                folder.rmdir()


def _tail(name: str) -> str:
    """The end of a name, short enough to stand behind a prefix."""
    return os.fsdecode(os.fsencode(name[-60:])[-180:].lstrip(bytes(range(0x80, 0xC0))))


def sweep(path: Path) -> bool:
    """Remove what was left by processes that were killed while they wrote this file: nobody holds a lock on it.

    Returns:
        whether nothing is left; else others are writing this file.
    """
    clean = True
    for left in path.parent.glob(f"{PREFIX}*"):
        if left.name.endswith(f"-{_tail(path.name)}"):
            try:
                with left.open("rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    left.unlink()
            except OSError:
                clean = False
    return clean


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def cache_folder() -> Path:
    """Where decoded tracks and unpacked models are kept: TFWAVESEP_CACHE, or the user's cache folder."""
    from platformdirs import user_cache_dir

    return Path(os.environ.get("TFWAVESEP_CACHE") or user_cache_dir("tfwavesep"))


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
