"""What is in files, as hashes: one sample that was edited in place is noticed. A file is read again only if it was
touched since.
"""

import json
import os
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from tfwavesep import system
from tfwavesep.errors import DataError, OutputError
from tfwavesep.places import atomic, cache_folder, sha256

SETTLED_SECONDS = 2.0
"""A file that was touched less long ago is not remembered: clocks of file systems tick slowly, and it may be touched
again within one tick."""


def hashes(files: Iterable[Path]) -> dict[Path, str]:
    """SHA-256 of each file.

    Raises:
        DataError: a file cannot be read.
    """
    files = list(dict.fromkeys(files))
    memory = cache_folder() / "hashes.json"
    known = _recall(memory)
    with ThreadPoolExecutor(system.cores()) as pool:
        told = list(pool.map(lambda file: _about(file, known), files))
    found = {_key(file): about for file, about in zip(files, told, strict=True)}
    fresh = {name: about for name, about in found.items() if known.get(name) != about and _is_settled(about)}
    if fresh:
        with suppress(OutputError, OSError), atomic(memory) as temporary:  # it would only have saved time
            temporary.write_text(json.dumps({**known, **fresh}), encoding="utf-8")
    return {file: about["sha256"] for file, about in zip(files, told, strict=True)}


def _about(file: Path, known: dict[str, Any]) -> dict[str, Any]:
    """What tells whether a file was touched, and its hash."""
    try:
        status = file.stat()
        about = {"bytes": status.st_size, "modified": status.st_mtime_ns, "changed": status.st_ctime_ns}
        before = known.get(_key(file), {})
        if about.items() <= before.items():
            return dict(before)
        return {**about, "sha256": sha256(file)}
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror}") from error


def _key(file: Path) -> str:
    return os.path.abspath(file)


def _is_settled(about: dict[str, Any]) -> bool:
    return bool(time.time_ns() - max(about["modified"], about["changed"]) > SETTLED_SECONDS * 1e9)


def _recall(memory: Path) -> dict[str, Any]:
    """What is remembered of files that are still there; nothing if it cannot be read."""
    try:
        known = json.loads(memory.read_text(encoding="utf-8"))
        return {name: about for name, about in known.items() if "sha256" in about and os.path.exists(name)}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
