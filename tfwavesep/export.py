"""The only writer of models on disk: Keras, SavedModel and TFLite side by side, checked against each other."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfwavesep import backends, models
from tfwavesep.backends import KERAS, SAVED_MODEL, TFLITE
from tfwavesep.config import Preset, preset_from_dict, read_json
from tfwavesep.errors import ModelError, OutputError, OutputExistsError
from tfwavesep.training import CONFIG, RECORD

TOLERANCE = 1e-4
"""Largest difference allowed between Keras and an exported form, full scale 1.0."""


def export_model(
    run: Path, folder: Path, licence: str = "not stated", scores: Path | None = None, overwrite: bool = False
) -> Path:
    """Write a trained model as `config.json`, `model.keras`, `1/` (SavedModel) and `model.tflite`.

    Everything is written beside `folder`, loaded again and compared with Keras; only then does it take its place.

    Args:
        run: a training's folder, or the `model.keras` in it.
        folder: of the model; its name is the model's. It is at once a base path for TensorFlow Serving.
        licence: of the weights, for `config.json`.
        scores: the `scores.json` of an evaluation of this model, for `config.json`.
        overwrite: whether a model that is there may be replaced.

    Returns:
        `folder`.

    Raises:
        ModelError: there is no trained model, or an exported form differs from Keras.
        OutputExistsError: `folder` exists, or is not a model and so not to be overwritten.
    """
    run = run.parent if run.suffix == ".keras" else run
    _check_place(folder, overwrite)
    preset, record = _read_run(run)
    model = models.load(run / KERAS)
    with _beside(folder) as beside:
        backends.write_config(beside, _describe(preset, record, licence, scores))
        model.save(beside / KERAS)
        write_saved_model(model, preset, beside / SAVED_MODEL)
        (beside / TFLITE).write_bytes(to_tflite(beside / SAVED_MODEL))
        _compare(beside)
        if folder.exists():
            shutil.rmtree(folder)
        beside.rename(folder)
    return folder


def _check_place(folder: Path, overwrite: bool) -> None:
    """Only what `export` wrote may be replaced, and only on request."""
    if folder.exists() and not (folder / TFLITE).is_file():
        raise OutputExistsError(f"{folder}: exists and is not a model; choose another name")
    if folder.exists() and not overwrite:
        raise OutputExistsError(f"{folder}: exists already; --overwrite replaces it, or choose another name")


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """A new folder to write to, next to where `folder` is to be; what is still there when the block ends disappears."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent)
    except OSError as error:
        raise OutputError(f"{folder.parent}: cannot be written to: {error.strerror}") from error
    with temporary as name:
        beside = Path(name) / folder.name
        beside.mkdir()
        yield beside


def _read_run(run: Path) -> tuple[Preset, dict[str, Any]]:
    for name in (CONFIG, KERAS, RECORD):
        if not (run / name).is_file():
            raise ModelError(f"{run}: has no {name}; it must be the folder of a finished `tfwavesep train`")
    return preset_from_dict(read_json(run / CONFIG)), read_json(run / RECORD)


def _describe(preset: Preset, record: dict[str, Any], licence: str, scores: Path | None) -> dict[str, Any]:
    """All that is known of the model; the single truth about it once it is on disk."""
    values = preset.to_dict()
    return {
        "description": preset.description,
        "architecture": preset.architecture,
        "model": values["model"],
        "context": preset.model.context,
        "block": preset.model.block,
        "licence": licence,
        "scores": read_json(scores) if scores else None,
        "training": {key: value for key, value in record.items() if key != "preset"},
        "preset": values,
    }


def write_saved_model(model: keras.Model, preset: Preset, path: Path) -> None:
    """A SavedModel with the signature `serving_default(mixture) -> stems`, batch and time free.

    Written by TensorFlow itself: Keras' export archive stores every weight twice.
    """
    mixture = tf.TensorSpec((None, None, preset.model.channels), tf.float32, name="mixture")
    module = tf.Module()
    module.weights = [variable.value for variable in model.variables]
    module.serve = tf.function(lambda mixture: {"stems": model(mixture, training=False)}, input_signature=[mixture])
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.serve})


def to_tflite(saved_model: Path) -> bytes:
    """The float32 TFLite form of a SavedModel: native ops only, batch and time free."""
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_model), signature_keys=["serving_default"])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    return bytes(converter.convert())


def ops(tflite: Path) -> list[str]:
    """The distinct ops of a `.tflite` file, sorted."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(tflite))
    return sorted({op["op_name"] for op in interpreter._get_ops_details() if op["op_name"] != "DELEGATE"})


def _compare(folder: Path) -> None:
    """Load every form again and compare it with Keras, on two lengths and two batch sizes of noise."""
    forms = {name: backends.open_backend(str(folder / name)) for name in (KERAS, SAVED_MODEL, TFLITE)}
    reference = forms.pop(KERAS)
    config = reference.config
    noise = np.random.default_rng(0)
    for batch, blocks in ((1, 1), (2, 3)):
        target_length = blocks * config.block * -(-256 // config.block)
        shape = (batch, config.input_length(target_length), config.channels)
        mixture = (0.1 * noise.standard_normal(shape)).astype(np.float32)
        expected = reference.predict(mixture)
        for name, form in forms.items():
            difference = _difference(form.predict(mixture), expected)
            if not difference <= TOLERANCE:
                raise ModelError(
                    f"{name} differs from Keras by {difference:.1e} (at most {TOLERANCE:.0e}); not written"
                )


def _difference(estimates: np.ndarray, expected: np.ndarray) -> float:
    if estimates.shape != expected.shape:
        raise ModelError(f"an exported form gives the shape {estimates.shape}, Keras {expected.shape}; not written")
    return float(np.abs(estimates - expected).max())
