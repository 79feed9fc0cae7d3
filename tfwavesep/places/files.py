"""Files that appear whole or not at all, by path or by URL; and the folder for those that can be made again.

What is done to a place that may be a URL's is done by the functions here; stores are dealt with in `urls`. Whether
something is there `os.path` is asked, which says no where a `Path` raises: names too long, folders that are closed.
"""

import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tfwavesep import system
from tfwavesep.errors import OutputError
from tfwavesep.places import urls

PREFIX = ".writing-"
"""Begins the names of files that are being written."""

Place = str | os.PathLike[str]
"""What callers of public functions may name a place with: text, a path, or what stands for one."""


def place(name: Place) -> Path:
    """The path that a text stands for; for a URL (see `urls.place`) what does the same there. What is a place already
    stays as it is.

    >>> place("songs/one.wav") == place(Path("songs/one.wav")) == Path("songs/one.wav")
    True

    Raises:
        ConfigError: nothing that is installed speaks the URL's protocol.
    """
    if isinstance(name, str) and urls.is_url(name):
        return urls.place(name)
    return Path(name) if isinstance(name, str | os.PathLike) else name  # a URL's place is no path


def several(names: Place | Sequence[Place]) -> list[Path]:
    """One place or several, as a list.

    >>> several("one") == several(["one"]) == [Path("one")]
    True
    """
    one = isinstance(names, str) or not isinstance(names, Iterable)  # a URL's place is no os.PathLike
    return [place(names)] if one else [place(name) for name in names]  # type: ignore[arg-type, union-attr]


def is_remote(place: Path) -> bool:
    """Whether a place is in a store, not on a disk."""
    return not isinstance(place, Path)


def absolute(place: Path) -> Path:
    """A place that means the same in any working folder."""
    return place if is_remote(place) else Path(os.path.abspath(place))


def real(place: Path) -> Path:
    """The one path of a file that may have several, through links."""
    return place if is_remote(place) else Path(os.path.realpath(place))


def knock(place: Path) -> None:
    """See whether a URL's store answers.

    Raises:
        StoreError: it does not.
    """
    if is_remote(place):
        urls.knock(place)


@contextmanager
def local(place: Path) -> Iterator[Path]:
    """A path on this machine to read a file from: its own, or that of a copy, which is gone with the process at last.

    Raises:
        AudioError: a URL's object is not there, or may not be read.
        StoreError: the store does not answer, or the disk is too full for a copy.
    """
    copy = urls.fetch(place) if is_remote(place) else None
    yield copy.path if copy else place


def exist(places: Iterable[Path]) -> list[Path]:
    """Those of some places that exist.

    Raises:
        StoreError: the store does not tell.
    """
    places = list(places)
    there = set(urls.exist([place for place in places if is_remote(place)]))
    return [place for place in places if place in there or (not is_remote(place) and os.path.exists(place))]


def presence(folder: Path) -> Callable[[Path], bool]:
    """What tells whether a file below a folder exists. A store is asked here, once, for all there are.

    Raises:
        StoreError: the store does not tell.
    """
    if not is_remote(folder):
        return os.path.exists
    there = urls.names(folder)
    return lambda place: place.path in there  # type: ignore[attr-defined]


def is_file(place: Path) -> bool:
    """Whether a place can be read more than once, as no pipe can; a URL's always can, if there is anything."""
    return is_remote(place) or os.path.isfile(place)


def size(place: Path) -> int | None:
    """Bytes of a file, None if there is none.

    Raises:
        StoreError: the store does not tell.
    """
    if is_remote(place):
        return urls.size(place)
    return place.stat().st_size if os.path.exists(place) else None


def longest_name(folder: Path) -> int | None:
    """Bytes that a name may have in a folder, which need not be there yet; None if nobody knows."""
    if is_remote(folder):
        return None
    folder = absolute(folder)
    return system.longest_name(next(place for place in (folder, *folder.parents) if os.path.isdir(place)))


def etag(place: Path) -> str | None:
    """What a store calls the content of an object; None if it has no name for it, and for files."""
    return urls.etag(place) if is_remote(place) else None


@contextmanager
def atomic(path: Path, lock: bool = False) -> Iterator[Path]:
    """A path beside `path` to write to; it takes `path`'s place when the block ends well, or else disappears, and with
    it the folders that were made for it, if they are empty. A URL's is in the folder for temporary files, and is
    uploaded when the block ends well.

    Args:
        path: of the file.
        lock: whether to hold a lock on what is written, so that whoever writes the same file later can tell that this
            process was killed, and remove what it left. Some libraries (HDF5) insist on a lock of their own.

    Raises:
        OutputError: the folder cannot be written to, or `path` is a folder; or the upload fails.
    """
    if is_remote(path):
        with _temporary(Path(tempfile.gettempdir(), path.name), lock, 0o600) as temporary:
            yield temporary
            urls.put(temporary, path)
    else:
        if os.path.isdir(path):  # of several files that appear together none would then be the first
            raise OutputError(f"{path}: is a folder, not a file that could be replaced")
        with _temporary(path, lock, 0o666) as temporary:
            yield temporary
            _rename(temporary, path)


@contextmanager
def _temporary(path: Path, lock: bool, mode: int) -> Iterator[Path]:
    """A new file beside `path`; gone, unless it has been renamed, when the block ends.

    The system takes the user's umask off the mode: it is the whole process's, and cannot be read without setting it.
    """
    new_folders = [folder for folder in path.parents if not os.path.exists(folder)]
    temporary, held = path.with_name(f"{PREFIX}{uuid.uuid4().hex[:8]}-{_tail(path.name)}"), None
    try:
        held = _new_file(temporary, path, lock, mode)
        yield temporary
    finally:  # also of a signal that comes while the file is made
        with suppress(OSError):  # it has been renamed, or its place takes no files
            temporary.unlink()
        if held is not None:
            os.close(held)
        for folder in new_folders:
            remove_if_empty(folder)


def _new_file(temporary: Path, path: Path, lock: bool, mode: int) -> int | None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if lock:
            sweep(path)
        handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise cannot_write(path.parent, error) from error
    if lock:
        return system.hold(handle)
    os.close(handle)
    return None


def _rename(temporary: Path, path: Path) -> None:
    try:
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error


def cannot_write(place: Path, error: OSError) -> OutputError:
    """Why a place takes no files."""
    if isinstance(error, FileExistsError | NotADirectoryError):
        for path in (place, *place.parents):
            if os.path.exists(path) and not os.path.isdir(path):
                return OutputError(f"{path}: is a file, not a folder")
            if os.path.lexists(path) and not os.path.exists(path):
                return OutputError(f"{path}: is a link to {os.readlink(path)}, which is not there")
    return OutputError(f"{place}: cannot be written to: {error.strerror}")


@contextmanager
def disk_errors(place: object, *others: type[Exception]) -> Iterator[None]:
    """The disk's errors inside the block, and those others by which a library tells of them, as an OutputError that
    names the place."""
    kinds: tuple[type[Exception], ...] = (OSError, *others)
    try:
        yield
    except kinds as error:
        reason = getattr(error, "strerror", None) or getattr(error, "error_string", None) or error
        raise OutputError(f"{place}: cannot be written (is the disk full?): {reason}") from error


def _tail(name: str) -> str:
    """The end of a name, short enough to stand behind a prefix."""
    return os.fsdecode(os.fsencode(name[-60:])[-180:].lstrip(bytes(range(0x80, 0xC0))))


def sweep(path: Path) -> bool:
    """Remove what was left by processes that were killed while they wrote this file: nobody holds a lock on it.

    Returns:
        whether nothing is left; else others are writing this file. Nothing ever is in a store.
    """
    if is_remote(path):
        return True
    clean = True
    for left in path.parent.glob(f"{PREFIX}*"):
        if left.name[len(PREFIX) + 8 :] == f"-{_tail(path.name)}":
            try:
                system.remove_unheld(left)
            except OSError:
                clean = False
    return clean


def cache_folder() -> Path:
    """Where decoded tracks and unpacked models are kept: TFWAVESEP_CACHE, or the user's cache folder."""
    from platformdirs import user_cache_dir

    return Path(os.environ.get("TFWAVESEP_CACHE") or user_cache_dir("tfwavesep"))


@contextmanager
def token(folder: Path) -> Iterator[Path]:
    """A file in a folder, which may be a new one, inside the block: to see whether one can write there, and who else
    sees it.

    Raises:
        OutputError: the folder cannot be written to.
    """
    if is_remote(folder):
        with urls.token(folder, f"{PREFIX}{uuid.uuid4().hex}") as path:
            yield path
        return
    with _temporary(folder / "token", lock=False, mode=0o600) as path:
        yield path.absolute()


def remove_folder(folder: Path) -> None:
    """Remove a folder and all in it, as far as possible."""
    if is_remote(folder):
        urls.remove(folder)
    else:
        shutil.rmtree(folder, ignore_errors=True)


def remove_if_empty(folder: Path) -> None:
    """Remove a folder that has nothing in it; a store has no such folders."""
    if not is_remote(folder):
        with suppress(OSError):  # not empty, or not there
            folder.rmdir()


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with local(path) as copy, copy.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
