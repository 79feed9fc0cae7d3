"""Runtimes for a trained model, all behind one seam.

A backend has a `config` and `predict`; which one is opened follows from the form of the path, never from trying.
What a backend needs is imported when it is opened: a `.tflite` model runs without TensorFlow.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tfwavesep import models
from tfwavesep.config import read_json
from tfwavesep.errors import ModelError, TfwavesepError, one_of
from tfwavesep.models import ModelConfig
from tfwavesep.models._config import require

CONFIG = "config.json"
KERAS, TFLITE, SAVED_MODEL = "model.keras", "model.tflite", "1"


class Backend(Protocol):
    """What the separator needs of a runtime.

    Attributes:
        config: what the model separates, at which rate, with which context.
        name: of the runtime, for messages.
    """

    config: ModelConfig
    name: str

    def predict(self, mixture: np.ndarray) -> np.ndarray:
        """Run the network.

        Args:
            mixture: float32 `(batch, target_length + 2 * config.context, channels)`.

        Returns:
            float32 `(batch, stems, target_length, channels)`.
        """
        ...

    def predict_many(self, mixtures: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Run the network on one segment after the other; a runtime that is far away has several under way.

        Args:
            mixtures: as for `predict`; taken only when they are needed, and never more than a fixed number ahead.

        Yields:
            what `predict` would return, in the same order.
        """
        return map(self.predict, mixtures)


@dataclass(frozen=True, kw_only=True)
class StoredConfig(ModelConfig):
    """What `config.json` tells a runtime. Nothing of the model's architecture, and so no Keras, is imported for it.

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


class KerasBackend(Backend):
    """Runs a `.keras` file."""

    name = "Keras"

    def __init__(self, path: Path, config: ModelConfig) -> None:
        import tensorflow as tf

        self.config = config
        model = models.load(path)
        self._run = tf.function(lambda mixture: model(mixture, training=False), reduce_retracing=True)

    def predict(self, mixture: np.ndarray) -> np.ndarray:
        return np.asarray(self._run(mixture))


class SavedModelBackend(Backend):
    """Runs a SavedModel's `serving_default` signature."""

    name = "SavedModel"

    def __init__(self, path: Path, config: ModelConfig) -> None:
        import tensorflow as tf

        self.config = config
        try:
            self._model = tf.saved_model.load(str(path))
            self._run = self._model.signatures["serving_default"]
            inputs, outputs = self._run.structured_input_signature[1], self._run.structured_outputs
            if "mixture" not in inputs or "stems" not in outputs:
                raise ValueError("its signature is not serving_default(mixture) -> stems")
        except (OSError, KeyError, ValueError, IndexError, tf.errors.OpError) as error:
            raise ModelError(f"{path}: is not a SavedModel of this package: {str(error).splitlines()[0]}") from error

    def predict(self, mixture: np.ndarray) -> np.ndarray:
        import tensorflow as tf

        return np.asarray(self._run(mixture=tf.constant(mixture))["stems"])


class LiteRTBackend(Backend):
    """Runs a `.tflite` file with LiteRT; needs no TensorFlow."""

    name = "LiteRT"

    def __init__(self, path: Path, config: ModelConfig, threads: int | None = None) -> None:
        import os

        from ai_edge_litert.interpreter import Interpreter

        self.config = config
        try:
            self._interpreter = Interpreter(model_path=str(path), num_threads=threads or os.cpu_count())
        except ValueError as error:
            raise ModelError(f"{path}: is damaged or not a TFLite model") from error
        signature = self._interpreter.get_signature_list().get("serving_default")
        if signature != {"inputs": ["mixture"], "outputs": ["stems"]}:
            raise ModelError(f"{path}: is not a TFLite model of this package: no serving_default(mixture) -> stems")
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]
        self._shape: tuple[int, ...] = ()

    def predict(self, mixture: np.ndarray) -> np.ndarray:
        if mixture.shape != self._shape:
            self._interpreter.resize_tensor_input(self._input, mixture.shape, strict=True)
            self._interpreter.allocate_tensors()
            self._shape = mixture.shape
        self._interpreter.set_tensor(self._input, mixture)
        self._interpreter.invoke()
        return np.asarray(self._interpreter.get_tensor(self._output))


def read_config(folder: Path) -> dict[str, Any]:
    """The `config.json` of a model on disk.

    Raises:
        ModelError: there is none, or it is damaged.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise ModelError(f"{folder}: has no {CONFIG}; a model is a folder that `tfwavesep export` wrote")
    try:
        values = read_json(path)
        values["config"] = _stored_config(values)
    except KeyError as error:
        raise ModelError(f"{path}: is damaged: {error} is missing") from error
    except (TfwavesepError, ValueError, TypeError) as error:
        raise ModelError(f"{path}: is damaged: {error}") from error
    return values


def _stored_config(values: dict[str, Any]) -> StoredConfig:
    model = values["model"]
    return StoredConfig(
        sample_rate=model["sample_rate"],
        channels=model["channels"],
        stems=tuple(model["stems"]),
        residual=model["residual"],
        context=values["context"],
        block=values["block"],
    )


def released() -> dict[str, Path]:
    """The models that come with the package, by name."""
    try:
        folder = resources.files("tfwavesep_saved_models")
    except ModuleNotFoundError:
        return {}
    entries = (Path(str(entry)) for entry in folder.iterdir())
    return {entry.name: entry for entry in sorted(entries) if (entry / CONFIG).is_file()}


def locate(model: str) -> Path:
    """The folder or file that a model's name or path stands for.

    Raises:
        ModelError: there is no such model; the known ones are listed.
    """
    path = Path(model)
    if path.exists():
        return path
    known = released()
    if model in known:
        return known[model]
    raise ModelError(one_of("model", model, known) + " (or the path of a model folder)")


def open_backend(model: str) -> Backend:
    """A runtime for a model.

    Args:
        model: the name of a released model; a model folder (its `.tflite` is taken, or else its SavedModel, or else
            its `.keras`); or one of these three inside such a folder.

    Raises:
        ModelError: it is not there, damaged, or none of these forms.
    """
    path = locate(model)
    if path.is_dir() and not (path / "saved_model.pb").is_file():
        path = _preferred(path)
    config = read_config(path.parent)["config"]
    if path.suffix == ".tflite":
        return LiteRTBackend(path, config)
    if path.suffix == ".keras":
        return KerasBackend(path, config)
    if (path / "saved_model.pb").is_file():
        return SavedModelBackend(path, config)
    raise ModelError(f"{path}: must be a model folder, a .tflite, a .keras or a SavedModel folder")


def _preferred(folder: Path) -> Path:
    read_config(folder)
    for name in (TFLITE, SAVED_MODEL, KERAS):
        if (folder / name).exists():
            return folder / name
    raise ModelError(f"{folder}: has none of {TFLITE}, {SAVED_MODEL}/ and {KERAS}")


def write_config(folder: Path, values: dict[str, Any]) -> None:
    """Write a model's `config.json`."""
    (folder / CONFIG).write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
