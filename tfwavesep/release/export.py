"""The only writer of models on disk: Keras, SavedModel and TFLite side by side, checked against each other."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfwavesep import backends, store
from tfwavesep.config import read_json
from tfwavesep.data import Track, find_tracks
from tfwavesep.errors import ConfigError, ModelError, OutputError, OutputExistsError
from tfwavesep.hush import hushed
from tfwavesep.places import Place, absolute, cannot_write, place, several
from tfwavesep.release import fidelity, fixed, quantization, signatures
from tfwavesep.release.fidelity import Fidelity, snr
from tfwavesep.separation import Separator
from tfwavesep.store import KERAS, SAVED_MODEL, TFLITE, StoredConfig
from tfwavesep.training import Trained, trained

LEAST_SNR = {"none": 80.0, "float16": 45.0, "int8-weights": 25.0, "dynamic": 10.0, "int8": 10.0}
"""What a `.tflite` must reach with Keras' stems as what is expected, in dB; the SavedModel must reach the first."""

STEPS_DIFFER = 1e-5
"""By how much at most stems of a song may differ if they are made step by step, full scale being 1."""

LIVE = ("none", "float16", "int8-weights")
"""Forms of a `.tflite` that go step by step: what they compute does not depend on where segments begin."""

CALIBRATION_TRACKS = 16


def export_model(
    runs: Place | Sequence[Place],
    folder: Place,
    licence: str | None = None,
    scores: Place | None = None,
    overwrite: bool = False,
    quantize: str = "none",
    data: Place | None = None,
    live: bool = False,
) -> Path:
    """Write a trained model as `config.json`, `model.keras`, `1/` (SavedModel) and `model.tflite`.

    Everything is written beside `folder`, loaded again and compared with Keras; only then does it take its place.

    Args:
        runs: a training's folder, or the `model.keras` in it; or a model's folder or name, to write it anew. Several
            become one model, which gives the mean of their stems.
        folder: of the model; its name is the model's. It is at once a base path for TensorFlow Serving. If it ends in
            `.zip`, the model becomes a zip file.
        licence: of the weights, for `config.json`; by default that of the model folder, or "not stated".
        scores: the `scores.json` of an evaluation of this model, for `config.json`.
        overwrite: whether a model that is there may be replaced.
        quantize: the form of `model.tflite`, one of `quantization.FORMS`.
        data: data root; its validation tracks tell what the form of `model.tflite` costs in SDR, its train tracks are
            what int8 is calibrated on.
        live: whether it can go step by step, too: `model.tflite` and the SavedModel have the signature `step`.

    Returns:
        `folder`.

    Raises:
        ConfigError: there is no such form, int8 has no data root, or the networks differ in rate, channels or stems; or
            the form does not go live.
        DataError: the data root has no tracks.
        ModelError: there is no trained model, it is a model's and not what was exported, or an exported form differs
            from Keras; or the network cannot go step by step.
        OutputError: `folder` cannot be written.
        OutputExistsError: `folder` exists; or is not a model, or holds something else too, and so is not overwritten.
    """
    folder, songs = place(folder), place(data) if data else None
    check(folder, overwrite, quantize, songs, live)
    source = trained.join([trained.read(run) for run in several(runs)])
    return write_model(source, folder, licence, place(scores) if scores else None, overwrite, quantize, songs, live)


def export_cascade(
    first: str,
    then: str,
    folder: Place,
    licence: str | None = None,
    scores: Place | None = None,
    overwrite: bool = False,
    quantize: str = "none",
    data: Place | None = None,
    live: bool = False,
) -> Path:
    """What `export_model` does, of two models, the second of which divides a stem of the first.

    Args:
        first: a model's name or folder, or a training's folder.
        then: "STEM=MODEL": what of the first is divided further, and by which.
        folder, licence, scores, overwrite, quantize, data, live: as in `export_model`.

    Returns:
        `folder`.

    Raises:
        ConfigError, DataError, ModelError, OutputError, OutputExistsError: as in `export_model`; or the first has no
            such stem.
    """
    folder, songs = place(folder), place(data) if data else None
    check(folder, overwrite, quantize, songs, live)
    stem, equals, second = then.partition("=")
    if not equals or not second:
        raise ConfigError(f"--then {then}: must be STEM=MODEL, such as accompaniment=default")
    source = trained.cascade(trained.read(store.locate(first)), stem, trained.read(store.locate(second)))
    return write_model(source, folder, licence, place(scores) if scores else None, overwrite, quantize, songs, live)


def check(folder: Path, overwrite: bool, quantize: str, data: Path | None, live: bool = False) -> None:
    """Refuse what `write_model` would refuse, before there is a network.

    Raises:
        ConfigError, DataError, OutputExistsError: as in `export_model`.
    """
    quantization.check_form(quantize, music=data is not None)
    if live and quantize not in LIVE:
        alike = "so that what is played has the stems of the file"
        raise ConfigError(f"quantisation {quantize}: live models compute in float32, {alike}: {', '.join(LIVE)}")
    _check_place(folder, overwrite)
    if data:
        find_tracks(data, "valid")


def write_model(
    source: Trained,
    folder: Path,
    licence: str | None = None,
    scores: Path | None = None,
    overwrite: bool = False,
    quantize: str = "none",
    data: Path | None = None,
    live: bool = False,
) -> Path:
    """What `export_model` does, of a network that is there.

    Args:
        source: the network, and all that is known of it.
        folder, licence, scores, overwrite, quantize, data, live: as in `export_model`.

    Returns:
        `folder`.

    Raises:
        ConfigError, DataError, ModelError, OutputError, OutputExistsError: as in `export_model`.
    """
    check(folder, overwrite, quantize, data, live)
    tracks = find_tracks(data, "valid") if data else []
    config = StoredConfig.of(source.preset.model)
    calibration = calibration_segments(data, config) if data and quantize == "int8" else []
    place = absolute(folder)
    with _beside(place) as beside:
        source.network.save(beside / KERAS)
        signatures.write(source.network, config, beside / SAVED_MODEL, live)
        signatures.write_warmup(config, beside.name, beside / SAVED_MODEL)
        tflite = quantization.quantize(to_tflite(beside / SAVED_MODEL, live), quantize, calibration)
        (beside / TFLITE).write_bytes(fixed.with_default_length(tflite, config))
        _compare(beside, config, quantize, calibration)
        if live:
            _compare_steps(beside, config)
        about = _describe(source, licence, scores, live)
        about["tflite"] = _describe_tflite(beside, config, quantize, tracks)
        store.write(beside, about)
        _check_place(folder, overwrite)  # all this took a while
        _take_place(beside, place)
    return folder


def _check_place(folder: Path, overwrite: bool) -> None:
    """Only what `export` wrote may be replaced, and only on request."""
    if not os.path.lexists(folder):
        return
    try:
        foreign = store.strangers(folder)
    except (ModelError, OSError) as error:
        raise OutputExistsError(f"{folder}: exists and is not a model; choose another name") from error
    if foreign:
        raise OutputExistsError(f"{folder}: holds {foreign[0]}, which is not the model's; choose another name")
    if not overwrite:
        raise OutputExistsError(f"{folder}: exists already; --overwrite replaces it, or choose another name")


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """A new folder to write to, next to where `folder` is to be; what is still there when the block ends disappears.

    Raises:
        OutputError: it cannot be written to.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent)
    except OSError as error:
        raise cannot_write(folder.parent, error) from error
    with temporary as name:
        beside = Path(name) / folder.name.removesuffix(".zip")
        beside.mkdir()
        try:
            yield beside
        except OSError as error:
            raise OutputError(f"{folder}: cannot be written: {error.strerror or error}") from error


def _take_place(beside: Path, folder: Path) -> None:
    """Rename what was written to what it is to be. What is there is moved aside, and back if that fails; only then it
    is removed."""
    if folder.suffix == ".zip":
        archive = beside.parent / folder.name
        store.pack(beside, archive)
        archive.replace(folder)
        return
    old = folder.with_name(f"{beside.parent.name}.old")
    try:
        if folder.exists():
            folder.rename(old)
        beside.rename(folder)
    finally:
        if os.path.lexists(old) and not folder.exists():
            old.rename(folder)
    if old.is_symlink():
        old.unlink()
    else:
        shutil.rmtree(old, ignore_errors=True)


def _describe(source: Trained, licence: str | None, scores: Path | None, live: bool) -> dict[str, Any]:
    """All that is known of the model; the single truth about it once it is on disk."""
    preset = source.preset
    values = preset.to_dict()
    return {
        "description": preset.description,
        "architecture": preset.architecture,
        "model": values["model"],
        "context": preset.model.context,
        "lookahead": preset.model.lookahead,
        "block": preset.model.block,
        "live": live,
        "licence": licence or source.licence,
        "scores": read_json(scores) if scores else None,
        "training": {key: value for key, value in source.record.items() if key != "preset"},
        "preset": values,
    }


def _describe_tflite(folder: Path, config: StoredConfig, form: str, tracks: list[Track]) -> dict[str, Any]:
    """How `model.tflite` was made, the lengths with which it runs as it is, and what its form costs on music."""
    lengths = fixed.Lengths.of(config)
    return {
        "quantisation": form,
        "bytes": (folder / TFLITE).stat().st_size,
        "input_length": lengths.input_length,
        "target_length": lengths.target_length,
        "beside_keras": _fidelity(folder, config, tracks).to_dict() if tracks else None,
    }


def _fidelity(folder: Path, config: StoredConfig, tracks: list[Track]) -> Fidelity:
    keras_form, tflite = (backends.open_form(folder / name, config) for name in (KERAS, TFLITE))
    (found,) = fidelity.measure(keras_form, [tflite], tracks)
    return found


def calibration_segments(data: Path, config: StoredConfig) -> list[np.ndarray]:
    """Music of the train tracks for int8 to take its ranges from; see `quantization.quantize`."""
    tracks = find_tracks(data, "train")
    return fidelity.segments(tracks[:: -(-len(tracks) // CALIBRATION_TRACKS)], config)


def to_tflite(saved_model: Path, live: bool = False) -> bytes:
    """The float32 TFLite form of a SavedModel, also of its `step` if it goes live: native ops only, batch and time
    free."""
    keys = ["serving_default", "step"] if live else ["serving_default"]
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_model), signature_keys=keys)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    with hushed():  # it warns of what it sets itself
        return bytes(converter.convert())


def _compare(folder: Path, config: StoredConfig, form: str, music: list[np.ndarray]) -> None:
    """Load every form again and compare it with Keras, on noise of two lengths and two batch sizes, or on the music
    that int8 was calibrated on."""
    reference, saved_model, tflite = (
        backends.open_form(folder / name, config) for name in (KERAS, SAVED_MODEL, TFLITE)
    )
    for mixture in music[:2] or _noise(config):
        expected = reference.predict(mixture)
        for name, other, least in ((SAVED_MODEL, saved_model, "none"), (TFLITE, tflite, form)):
            estimates = other.predict(mixture)
            if estimates.shape != expected.shape:
                raise ModelError(f"{name} gives the shape {estimates.shape}, Keras {expected.shape}; not written")
            found = snr(expected, estimates)
            if not found >= LEAST_SNR[least]:
                raise ModelError(
                    f"{name} differs from Keras: {found:.1f} dB SNR (at least {LEAST_SNR[least]:.0f}); not written"
                )


def _compare_steps(folder: Path, config: StoredConfig) -> None:
    """Load what goes step by step again and compare it with the same file's stems of a song."""
    (segment,) = _noise(config)[:1]
    song = segment[0, : 5 * config.block * -(-256 // config.block)]
    for name in (SAVED_MODEL, TFLITE):
        separator = Separator(backends.open_form(folder / name, config))
        stream = separator.open(config.sample_rate, config.channels, live=True)
        stems = np.concatenate([piece.stems for piece in stream.run([song])], axis=1)
        expected = np.stack(list(separator.separate(song, config.sample_rate).values()))
        error = float(np.abs(stems - expected).max())
        if not error <= STEPS_DIFFER:
            raise ModelError(f"{name} differs step by step: by {error:.1e} (at most {STEPS_DIFFER:.0e}); not written")


def _noise(config: StoredConfig) -> list[np.ndarray]:
    noise = np.random.default_rng(0)
    lengths = (blocks * config.block * -(-256 // config.block) for blocks in (1, 3))
    shapes = [(batch, config.input_length(length), config.channels) for batch, length in enumerate(lengths, start=1)]
    return [(0.1 * noise.standard_normal(shape)).astype(np.float32) for shape in shapes]
