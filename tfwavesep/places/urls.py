"""Places by URL, in object stores and wherever else fsspec reaches. They are of `upath.UPath`, which has a `Path`'s
names, parents and joining; what they hold is got at by the functions here.

What S3, Google Cloud Storage and Azure promise: an object appears whole when its upload ends, or not at all, and
readers see the old one until then. They cannot append, and what they call renaming is a copy and a removal. So what is
written is made on this machine's disk and uploaded under its own name, in one request or as one multipart upload, and
never moved.
"""

import re
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from tfwavesep.errors import AudioError, ConfigError, OutputError, StoreError, TfwavesepError, needs_extra
from tfwavesep.system import Scratch

ANSWER_SECONDS = 60.0
"""How long a store may take for its first answer. Later on its package tries again by itself."""

TEXTS = 1000
"""Small objects that are read at a time."""

LOCAL = ("file", "local")
"""Protocols of this machine's files, whose places are paths."""

_copies: "WeakValueDictionary[tuple[str, str | None], Scratch]" = WeakValueDictionary()
_latest: list[Scratch] = []
"""Copies of objects on disk that are being read; and the one that was fetched last, since a
song is read more than once, and several parts of a long one by the same process."""


def is_url(text: str) -> bool:
    """Whether this is a URL, not a path.

    >>> is_url("s3://bucket/song.wav"), is_url("songs/a: b.wav")
    (True, False)
    """
    return re.match(r"[a-z][a-z0-9+.-]+://", text) is not None


def place(text: str) -> Any:
    """The `UPath` of a URL; for a local file's, its `Path`.

    Raises:
        ConfigError: there is no such protocol, or what speaks it is not installed.
        ExtraError: the extra `urls` is not installed.
    """
    protocol, _, rest = text.partition("://")
    if protocol in LOCAL:
        return Path(rest)
    with needs_extra("urls", text):
        import fsspec
        import upath
    try:
        fsspec.get_filesystem_class(protocol)
    except (ImportError, ValueError) as error:
        raise ConfigError(f"{text}: {error}") from error
    if not rest.strip("/"):
        raise ConfigError(f"{text}: names no bucket")
    return upath.UPath(text.rstrip("/"), use_listings_cache=False)  # others write there too


@contextmanager
def _told(url: Any, what: str, kind: type[TfwavesepError] = StoreError) -> Iterator[None]:
    """What goes wrong inside the block, as an error for people."""
    try:
        yield
    except TfwavesepError:
        raise
    except FileNotFoundError as error:
        raise kind(f"{url}: {what}: there is no such object or bucket") from error
    except PermissionError as error:
        raise kind(f"{url}: {what}: access is denied: {_line(error)}") from error
    except Exception as error:  # every store's package has its own
        raise kind(f"{url}: {what}: {_line(error)}") from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def knock(url: Any) -> None:
    """See whether the store of a URL answers.

    Raises:
        StoreError: it does not.
    """
    failures: list[Exception] = []

    def ask() -> None:
        try:
            with suppress(PermissionError, FileNotFoundError):
                url.exists()
        except Exception as error:
            failures.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(ANSWER_SECONDS)
    if asking.is_alive():
        failures.append(TimeoutError(f"no answer within {ANSWER_SECONDS:g} s"))
    for failure in failures:
        with _told(url, "cannot be reached"):
            raise failure


def exist(urls: Sequence[Any]) -> list[Any]:
    """Those of some URLs that exist; all are asked for at once."""
    if not urls:
        return []
    with ThreadPoolExecutor(len(urls)) as pool:
        return [url for url, found in zip(urls, pool.map(size, urls), strict=True) if found is not None]


def find(url: Any) -> dict[Any, dict[Any, str | None]]:
    """The objects that a URL stands for, each with its ETag, by what was named: the URL itself, or whatever matches it
    as a pattern; which is an object, or a folder of objects at any depth."""
    with _told(url, "cannot be listed"):
        objects = {url.path: url.fs.find(url.path, detail=True)}
        if not objects[url.path] and any(sign in url.path for sign in "*?["):
            objects = {
                name: {name: info} if info["type"] == "file" else url.fs.find(name, detail=True)
                for name, info in sorted(url.fs.glob(url.path, detail=True).items())
                if "/." not in name  # hidden, to which patterns of paths are blind too
            }

    def at(name: str) -> Any:
        return type(url)(url.fs.unstrip_protocol(name), **url.storage_options)

    return {
        at(root): {at(name): _etag(info) for name, info in sorted(found.items())} for root, found in objects.items()
    }


def names(folder: Any) -> set[str]:
    """The `path` of every object below a URL."""
    with _told(folder, "cannot be listed"), suppress(FileNotFoundError):
        return set(folder.fs.find(folder.path))
    return set()


def _etag(info: dict[str, Any]) -> str | None:
    return info.get("ETag") or info.get("etag")


def etag(url: Any) -> str | None:
    """What the store calls an object's content, if it has a name for it; of another content it is another."""
    with _told(url, "cannot be read"):
        return _etag(url.fs.info(url.path))


def size(url: Any) -> int | None:
    """Bytes of an object, None if there is none."""
    with _told(url, "cannot be looked for"), suppress(FileNotFoundError):
        return int(url.fs.info(url.path)["size"])
    return None


def texts(folder: Any, suffix: str) -> Iterator[str]:
    """The contents of the small objects below a URL whose names end so, in the names' order; many are asked for at a
    time."""
    wanted = sorted(name for name in names(folder) if name.endswith(suffix))
    for first in range(0, len(wanted), TEXTS):
        some = wanted[first : first + TEXTS]
        with _told(folder, "cannot be read"):
            contents = folder.fs.cat(some)
        contents = contents if isinstance(contents, dict) else {some[0]: contents}
        yield from (contents[name].decode("utf-8", "replace") for name in some)


def fetch(url: Any) -> Scratch:
    """A copy of an object in the folder for temporary files, gone with the process at last.

    Raises:
        AudioError: there is no such object, or it may not be read.
        StoreError: the store does not answer, or the disk is full.
    """
    try:
        with _told(url, "cannot be fetched"):
            named = (str(url), etag(url))
            copy = _copies.get(named)
            if copy is None:
                _latest.clear()
                copy = Scratch()
                url.fs.get_file(url.path, str(copy.path))
                _copies[named] = copy
            _latest[:] = [copy]
            return copy
    except StoreError as error:
        song_is_bad = isinstance(error.__cause__, (FileNotFoundError, PermissionError))
        raise AudioError(str(error)) if song_is_bad else error from error


def put(path: Path, url: Any) -> None:
    """Upload a file.

    Raises:
        OutputError: the store does not take it, or does not answer.
    """
    with _told(url, "cannot be written", OutputError):
        url.fs.put_file(str(path), url.path)


@contextmanager
def token(folder: Any, name: str) -> Iterator[Any]:
    """An empty object below a URL inside the block.

    Raises:
        OutputError: the store does not take it, or does not answer.
    """
    url = folder / name
    with _told(folder, "cannot be written to", OutputError):
        url.fs.pipe_file(url.path, b"")
    try:
        yield url
    finally:
        remove(url)


def remove(url: Any) -> None:
    """Remove an object and all below it, as far as possible."""
    with suppress(Exception):
        url.fs.rm(url.path, recursive=True)
