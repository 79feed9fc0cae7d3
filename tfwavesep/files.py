"""Files that appear whole or not at all, and the folder for those that can be made again."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tfwavesep.errors import OutputError


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; it takes `path`'s place when the block ends well, or else disappears, and
    with it the folder, if it was made for it and is empty.

    Raises:
        OutputError: the folder cannot be written to, or `path` is a folder.
    """
    new_folder = not path.parent.exists()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".writing-", suffix=f"-{path.name[-60:]}", dir=path.parent)
    except OSError as error:
        raise OutputError(f"{path.parent}: cannot be written to: {error.strerror}") from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        try:
            os.replace(temporary, path)
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)
        if new_folder:
            with suppress(OSError):  # not empty: something was written
                path.parent.rmdir()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def cache_folder() -> Path:
    """Where decoded tracks and unpacked models are kept: TFWAVESEP_CACHE, or the user's cache folder."""
    from platformdirs import user_cache_dir

    return Path(os.environ.get("TFWAVESEP_CACHE") or user_cache_dir("tfwavesep"))
