"""Models as zip files."""

import hashlib
import json
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from tfwavesep.errors import ConfigError, ModelError, OutputError
from tfwavesep.places import cache_folder, remove_folder, sha256
from tfwavesep.store.contract import (
    CONFIG,
    FORMS,
    NOT_YET_A_MODEL,
    is_training,
    read,
    stored_config,
    told_files,
    verify,
)


def pack(folder: Path, archive: Path) -> None:
    """Write a model folder as a zip file; weights do not compress, so they are stored."""
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                file.write(path, (PurePosixPath(folder.name) / path.relative_to(folder).as_posix()))


def unpack(archive: Path) -> Path:
    """The folder of a model that is a zip file: unpacked into the cache once, under the file's SHA-256.

    Only files that its `config.json` lists are written, and only if they have the size and the SHA-256 told there.

    What was damaged there since is unpacked anew.

    Raises:
        ModelError: it is not the zip file of a model, or is damaged, or cannot be read.
        OutputError: the cache cannot be written to.
    """
    try:
        folder = cache_folder() / "models" / sha256(archive)[:32]
    except OSError as error:
        raise ModelError(f"{archive}: cannot be read: {error.strerror}") from error
    try:
        if not _is_whole(folder, archive):
            remove_folder(folder)
            _unpack(archive, folder)
    except OSError as error:
        advice = "set TFWAVESEP_CACHE to a folder that can be written to, or unpack it yourself and name the folder"
        raise OutputError(f"{archive}: cannot be unpacked to {cache_folder()}: {error.strerror}; {advice}") from error
    return folder


def _is_whole(folder: Path, archive: Path) -> bool:
    """Whether there is a model with all of its files that the zip file has as they were exported, and none else."""
    try:
        model = read(folder)
        with opened(archive) as (file, root, _):
            kept = _kept(model.about, file, root)
        verify(replace(model, about={**model.about, "files": kept}), folder)
    except ModelError:
        return False
    return True


def _kept(about: dict[str, Any], file: zipfile.ZipFile, root: str) -> dict[str, dict[str, Any]]:
    """Of the files that a `config.json` tells of, those of the forms that are there: a model may come without some."""
    there = {name.removeprefix(root).split("/")[0] for name in file.namelist() if name.startswith(root)}
    return {name: told for name, told in told_files(about).items() if name.split("/")[0] in there}


def _unpack(archive: Path, folder: Path) -> None:
    with opened(archive) as (file, root, text):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".writing-", dir=folder.parent) as name:
            beside = Path(name) / "model"
            beside.mkdir()
            (beside / CONFIG).write_bytes(text)
            for path, told in _kept(json.loads(text), file, root).items():
                target = beside / _inside(path)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(_checked(file, root + path, told))
            try:
                beside.rename(folder)
            except OSError:
                if not folder.exists():  # else somebody else was quicker
                    raise


@contextmanager
def opened(archive: Path) -> Iterator[tuple[zipfile.ZipFile, str, bytes]]:
    """A model's zip file, the prefix of its names, and its `config.json`.

    Raises:
        ModelError: it is none, or it turns out in the block to be damaged.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            root = _root(file)
            text = _content(file, root + CONFIG)
            _check(json.loads(text), file, root)
            yield file, root, text
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, ConfigError, NotImplementedError) as error:
        raise ModelError(f"{archive}: is not the zip file of a model, or is damaged: {error}") from error


def _check(about: dict[str, Any], file: zipfile.ZipFile, root: str) -> None:
    """Whether a `config.json` is that of a model that can be opened."""
    if is_training(about):
        raise ValueError(f"it {NOT_YET_A_MODEL}")
    stored_config(about)
    if not {name.split("/")[0] for name in _kept(about, file, root)}.intersection(FORMS):
        raise ValueError(f"it has none of {', '.join(FORMS)} that its 'files' name")


def _root(file: zipfile.ZipFile) -> str:
    """The folder inside the zip file that holds the model, as a prefix of names."""
    found = [name for name in file.namelist() if name.split("/")[-1] == CONFIG and name.count("/") <= 1]
    if len(found) != 1:
        raise ValueError(f"it holds {len(found)} times {CONFIG}")
    return found[0].removesuffix(CONFIG)


def _content(file: zipfile.ZipFile, name: str) -> bytes:
    """What is in a file of a zip file."""
    try:
        return file.read(name)
    except Exception as error:  # RuntimeError if it is encrypted, and each way of compressing has errors of its own
        raise ValueError(f"{name} cannot be read: {error}") from error


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name:
        raise ValueError(f"the name {name!r} leads out of it")
    return path


def _checked(file: zipfile.ZipFile, name: str, told: dict[str, Any]) -> bytes:
    """A file out of a zip file, if it is the one that `config.json` tells of."""
    if file.getinfo(name).file_size != told["bytes"]:
        raise ValueError(f"{name} has not the size that {CONFIG} tells")
    data = _content(file, name)
    if hashlib.sha256(data).hexdigest() != told["sha256"]:
        raise ValueError(f"the SHA-256 of {name} is not the one in {CONFIG}")
    return data
