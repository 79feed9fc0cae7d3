"""The `config.json` of a model folder: what it tells of the model, and what it vouches for.

Nothing of a model's architecture, and so no Keras, is imported here.
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from tfwavesep.config import read_json, write_json
from tfwavesep.errors import ModelError, TfwavesepError, require
from tfwavesep.models import ModelConfig
from tfwavesep.places import sha256

CONFIG = "config.json"
KERAS, TFLITE, SAVED_MODEL = "model.keras", "model.tflite", "1"
FORMS = (TFLITE, SAVED_MODEL, KERAS)
"""What a model folder holds beside its `config.json`; the first that is there is opened."""

NOT_YET_A_MODEL = "is a training, not a model: `tfwavesep export` it first"


@dataclass(frozen=True, kw_only=True)
class StoredConfig(ModelConfig):
    """What `config.json` tells a runtime.

    Attributes:
        context: samples of real input needed before an output sample.
        lookahead: samples of real input needed after an output sample.
        block: output lengths must be a multiple of this, in samples.
    """

    context: int = 0
    lookahead: int = 0
    block: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        for side in ("context", "lookahead"):
            require(getattr(self, side) >= 0, side, getattr(self, side), "at least 0 samples")
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
        raise ModelError(f"{path}: is damaged: {str(error).removeprefix(f'{path}: ')}") from error


def is_training(about: dict[str, Any]) -> bool:
    """Whether a `config.json` is a training's: a preset itself, where a model's is about one."""
    return {"loss", "data"} <= about.keys()


def stored_config(about: dict[str, Any]) -> StoredConfig:
    """The part of a `config.json` that a runtime needs.

    Raises:
        KeyError, ValueError, ConfigError: a key is missing or has a value that cannot work.
    """
    model = about["model"]
    lookahead = about.get("lookahead", about["context"])  # once told as one number
    numbers = {"context": about["context"], "lookahead": lookahead, "block": about["block"]}
    for name, value in numbers.items():
        if not isinstance(value, int):
            raise ValueError(f"'{name}' must be a whole number")
    if not isinstance(model, dict):
        raise ValueError("'model' must hold an object")
    return StoredConfig(
        sample_rate=model["sample_rate"],
        channels=model["channels"],
        stems=tuple(model["stems"]),
        residual=model["residual"],
        **numbers,
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
