"""Models on disk: by name, as folders, as zip files."""

import json
import os
from importlib import resources
from pathlib import Path

from tfwavesep.errors import ModelError, one_of
from tfwavesep.store.archive import opened, pack, unpack
from tfwavesep.store.contract import (
    CONFIG,
    FORMS,
    KERAS,
    SAVED_MODEL,
    TFLITE,
    StoredConfig,
    StoredModel,
    read,
    stored_config,
    told_files,
    verify,
    write,
)

__all__ = [
    "CONFIG",
    "FORMS",
    "KERAS",
    "SAVED_MODEL",
    "TFLITE",
    "StoredConfig",
    "StoredModel",
    "find_form",
    "is_url",
    "locate",
    "pack",
    "read",
    "released",
    "size",
    "stored_config",
    "strangers",
    "unpack",
    "verify",
    "write",
]


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


def strangers(model: Path) -> list[str]:
    """The names of what a model folder, or a zip file of one, holds that is not the model's own.

    Raises:
        ModelError: it is no model, or is damaged.
    """
    if model.suffix == ".zip":
        with opened(model) as (file, root, text):
            names = {name for name in file.namelist() if not name.endswith("/")}
            own = {root + name for name in (CONFIG, *told_files(json.loads(text)))}
    else:
        own = {CONFIG, *told_files(read(model).about)}
        found = (path for path in model.rglob("*") if path.is_symlink() or not path.is_dir())
        names = {path.relative_to(model).as_posix() for path in found}
    return sorted(names - own)


def size(model: StoredModel, form: str) -> int:
    """Bytes of a form, 0 if the folder does not have it."""
    path = model.folder / form
    files = [path] if path.is_file() else path.rglob("*")
    return sum(os.path.getsize(file) for file in files if file.is_file())
