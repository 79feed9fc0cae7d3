"""Models on disk: names, folders, zip files, and the `config.json` that explains and vouches for the rest.

Nothing of a model's architecture, and so no Keras, is imported here.
"""

import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any

from tfwavesep.config import read_json, write_json
from tfwavesep.errors import ConfigError, ModelError, OutputError, TfwavesepError, one_of, require
from tfwavesep.files import cache_folder, remove_folder, sha256
from tfwavesep.models import ModelConfig

CONFIG = "config.json"
KERAS, TFLITE, SAVED_MODEL = "model.keras", "model.tflite", "1"
FORMS = (TFLITE, SAVED_MODEL, KERAS)
"""What a model folder holds beside its `config.json`; the first that is there is opened."""

NOT_YET_A_MODEL = "is a training, not a model: `tfwavesep export` it first"


@dataclass(frozen=True, kw_only=True)
class StoredConfig(ModelConfig):
    """What `config.json` tells a runtime.

    Attributes:
        context: samples of real input needed on each side of an output sample.
        block: output lengths must be a multiple of this, in samples.
    """

    context: int = 0
    block: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.context >= 0, "context", self.context, "at least 0 samples")
        require(self.block >= 1, "block", self.block, "at least 1 sample")

    @classmethod
    def of(cls, config: ModelConfig) -> "StoredConfig":
        """What will be told of a network."""
        return cls(**{each.name: getattr(config, each.name) for each in fields(cls)})


@dataclass(frozen=True)
class StoredModel:
    """A model folder.

    Attributes:
        folder: where it is.
        about: all that its `config.json` says.
        config: what a runtime needs of that.
    """

    folder: Path
    about: dict[str, Any]
    config: StoredConfig


def released() -> dict[str, Path]:
    """The models that come with the package, by name."""
    try:
        folder = resources.files("tfwavesep_saved_models")
    except ModuleNotFoundError:
        return {}
    entries = (Path(str(entry)) for entry in folder.iterdir())
    return {entry.name: entry for entry in sorted(entries) if (entry / CONFIG).is_file()}


def locate(model: str) -> Path:
    """The folder or file that a model's name or path stands for. The name of a released model is that, whatever is in
    the working folder; `./NAME` is a path.

    Raises:
        ModelError: there is no such model; the known ones are listed.
    """
    if is_url(model):
        raise ModelError(f"{model}: is on a server; here its files are needed, so give its folder")
    known = released()
    if model in known:
        return known[model]
    path = Path(model)
    if model and path.exists():
        return path
    raise ModelError(one_of("model", model, known) + " (or the path of a model folder)")


def is_url(model: str) -> bool:
    """Whether this is the URL of a model on a server, not a name or a path."""
    return "://" in model


def find_form(model: str) -> Path:
    """The file or folder that a runtime opens.

    Args:
        model: the name of a released model; a model folder or a zip file of one (the first of `FORMS` in it is
            taken); or one of these forms inside such a folder.

    Raises:
        ModelError: there is no such model, it has no form left, or no `config.json` beside it.
    """
    path = locate(model)
    if path.suffix == ".zip":
        path = unpack(path)
    if path.is_dir() and not (path / "saved_model.pb").is_file():
        read(path)
        form = next((path / name for name in FORMS if (path / name).exists()), None)
        if form is None:
            raise ModelError(f"{path}: has none of {TFLITE}, {SAVED_MODEL}/ and {KERAS}")
        return form
    if not (path.parent / CONFIG).is_file():
        raise ModelError(f"{model}: is no model, or not in its folder: there is no {CONFIG} beside it")
    return path


def read(folder: Path) -> StoredModel:
    """What the `config.json` of a model folder says.

    Raises:
        ModelError: there is none, or it is damaged, or a training's.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise ModelError(f"{folder}: has no {CONFIG}; a model is a folder that `tfwavesep export` wrote")
    try:
        about = read_json(path)
        told_files(about)
        return StoredModel(folder, about, stored_config(about))
    except KeyError as error:
        if is_training(about):
            raise ModelError(f"{folder}: {NOT_YET_A_MODEL}") from error
        raise ModelError(f"{path}: is damaged: {error} is missing") from error
    except (TfwavesepError, ValueError, TypeError) as error:
        raise ModelError(f"{path}: is damaged: {error}") from error


def is_training(about: dict[str, Any]) -> bool:
    """Whether a `config.json` is a training's: a preset itself, where a model's is about one."""
    return {"loss", "data"} <= about.keys()


def stored_config(about: dict[str, Any]) -> StoredConfig:
    """The part of a `config.json` that a runtime needs.

    Raises:
        KeyError, TypeError, ConfigError: a key is missing or has a value that cannot work.
    """
    model = about["model"]
    return StoredConfig(
        sample_rate=model["sample_rate"],
        channels=model["channels"],
        stems=tuple(model["stems"]),
        residual=model["residual"],
        context=about["context"],
        block=about["block"],
    )


def told_files(about: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Size and SHA-256 of a model's files by name, as its `config.json` tells them; empty if it does not.

    Raises:
        ValueError: it tells something else.
    """
    files = about.get("files", {})
    if not isinstance(files, dict):
        raise ValueError("'files' must hold an object")
    for name, told in files.items():
        if not (isinstance(told, dict) and isinstance(told.get("bytes"), int) and isinstance(told.get("sha256"), str)):
            raise ValueError(f"'files' must tell bytes and sha256 of {name}")
    return files


def write(folder: Path, about: dict[str, Any]) -> None:
    """Write a model's `config.json`, with the size and the SHA-256 of every other file in the folder."""
    files = {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": sha256(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != CONFIG
    }
    write_json(folder / CONFIG, {**about, "files": files})


def verify(model: StoredModel, form: Path) -> None:
    """Make sure that a form is what was exported, file by file; if `config.json` tells of no files, it may be anything.

    Raises:
        ModelError: a file is missing, damaged, changed, or was not there at export.
    """
    if "files" not in model.about:
        return
    told = told_files(model.about)
    there = {form} if form.is_file() else {path for path in form.rglob("*") if path.is_file()}
    expected = {model.folder / name for name in told if form in ((model.folder / name), *(model.folder / name).parents)}
    for path in sorted(expected - there):
        raise ModelError(f"{path}: is missing; get or export the model again")
    for path in sorted(there - {model.folder / CONFIG}):
        name = path.relative_to(model.folder).as_posix()
        if name not in told:
            raise ModelError(f"{path}: is not part of the model that was exported; move it elsewhere")
        if sha256(path) != told[name]["sha256"]:
            raise ModelError(f"{path}: is damaged or changed (its SHA-256 is not the one in {CONFIG}); get it again")


def strangers(model: Path) -> list[str]:
    """The names of what a model folder, or a zip file of one, holds that is not the model's own.

    Raises:
        ModelError: it is no model, or is damaged.
    """
    if model.suffix == ".zip":
        with _opened(model) as (file, root, text):
            names = {name for name in file.namelist() if not name.endswith("/")}
            own = {root + name for name in (CONFIG, *told_files(json.loads(text)))}
    else:
        own = {CONFIG, *told_files(read(model).about)}
        found = (path for path in model.rglob("*") if path.is_symlink() or not path.is_dir())
        names = {path.relative_to(model).as_posix() for path in found}
    return sorted(names - own)


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
        if not _is_whole(folder):
            remove_folder(folder)
            _unpack(archive, folder)
    except OSError as error:
        raise OutputError(f"{archive}: cannot be unpacked to {cache_folder()}: {error.strerror}") from error
    return folder


def _is_whole(folder: Path) -> bool:
    """Whether there is a model with all of its files as they were exported, and none else."""
    try:
        verify(read(folder), folder)
    except ModelError:
        return False
    return True


def _unpack(archive: Path, folder: Path) -> None:
    with _opened(archive) as (file, root, text):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".writing-", dir=folder.parent) as name:
            beside = Path(name) / "model"
            beside.mkdir()
            (beside / CONFIG).write_bytes(text)
            for path, told in json.loads(text)["files"].items():
                target = beside / _inside(path)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(_checked(file, root + path, told))
            try:
                beside.rename(folder)
            except OSError:
                if not folder.exists():  # else somebody else was quicker
                    raise


@contextmanager
def _opened(archive: Path) -> Iterator[tuple[zipfile.ZipFile, str, bytes]]:
    """A model's zip file, the prefix of its names, and its `config.json`.

    Raises:
        ModelError: it is none, or it turns out in the block to be damaged.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            root = _root(file)
            text = _content(file, root + CONFIG)
            _check(json.loads(text))
            yield file, root, text
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, ConfigError, NotImplementedError) as error:
        raise ModelError(f"{archive}: is not the zip file of a model, or is damaged: {error}") from error


def _check(about: dict[str, Any]) -> None:
    """Whether a `config.json` is that of a model that can be opened."""
    if is_training(about):
        raise ValueError(f"it {NOT_YET_A_MODEL}")
    stored_config(about)
    if not {name.split("/")[0] for name in told_files(about)}.intersection(FORMS):
        raise ValueError(f"its 'files' name none of {', '.join(FORMS)}")


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


def size(model: StoredModel, form: str) -> int:
    """Bytes of a form, 0 if the folder does not have it."""
    path = model.folder / form
    files = [path] if path.is_file() else path.rglob("*")
    return sum(os.path.getsize(file) for file in files if file.is_file())
