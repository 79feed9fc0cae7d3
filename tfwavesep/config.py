"""Presets: all that defines a training, as data."""

import dataclasses
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import resources
from math import inf
from pathlib import Path
from typing import Any

from tfwavesep import models, plain
from tfwavesep.errors import ConfigError, one_of, require
from tfwavesep.models import ModelConfig
from tfwavesep.places import Place, atomic


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """Which loss, and its options.

    Attributes:
        name: a key of `tfwavesep.losses.LOSSES`.
        options: its arguments.
    """

    name: str = "two_term"
    options: dict[str, Any] = field(default_factory=dict)


DRAWS = ("song", "minute")
"""What may be heard equally often."""


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """How examples are drawn from tracks.

    Attributes:
        target_length: samples of each example's references, at the model's rate.
        draw: "song", so that each song is heard as often as any other, and each file of extra material; or "minute", so
            that each minute is.
        remix: share of examples whose stems come from different songs, 0 to 1.
        gain_min: least factor a stem is multiplied with.
        gain_max: greatest factor a stem is multiplied with.
        flip_polarity: whether each stem's sign is drawn.
        swap_channels: whether each stem's left and right are swapped in half of the examples.
        drop: chance that a stem is left out, each by itself, so that the model meets silence.
        voiced_share: share of the examples whose vocals are drawn from where somebody sings.
        extra_share: in remixed examples, share of a stem's fragments that come from extra material, if there is any.
        spread: whether extra material that is mono is given a place in a room, see `data.width.spread`.
        narrow: share of the examples that are made narrow, half of these mono, see `data.width.narrow`; above 0,
            validation hears each fragment in mono too.
        worn: chance of each of the things that may have happened to a recording, see `data.wear.worn`.
        speeds: the songs are also heard at these speeds, with their pitch changed along, 1 being the song as it is.
    """

    target_length: int
    draw: str = "song"
    remix: float = 0.0
    gain_min: float = 1.0
    gain_max: float = 1.0
    flip_polarity: bool = False
    swap_channels: bool = False
    drop: float = 0.0
    voiced_share: float = 0.0
    extra_share: float = 0.5
    spread: bool = False
    narrow: float = 0.0
    worn: float = 0.0
    speeds: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        require(
            bool(self.speeds) and all(0.5 <= speed <= 2 for speed in self.speeds),
            "data.speeds",
            self.speeds,
            "factors from 0.5 to 2, at least one",
        )
        require(self.draw in DRAWS, "data.draw", self.draw, " or ".join(DRAWS))
        for name in ("remix", "drop", "voiced_share", "extra_share", "narrow", "worn"):
            require(0 <= getattr(self, name) <= 1, f"data.{name}", getattr(self, name), "a share from 0 to 1")
        require(self.target_length > 0, "data.target_length", self.target_length, "at least 1 sample")
        require(
            0 < self.gain_min <= self.gain_max,
            "data.gain_min, data.gain_max",
            (self.gain_min, self.gain_max),
            "0 < gain_min <= gain_max",
        )


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How the network is fitted.

    Attributes:
        batch_size: examples per step.
        steps_per_epoch: steps between two validations.
        epochs: at most this many.
        patience: epochs without a better validation loss before training stops.
        cpu_seconds: CPU time of the steps (all threads together, examples included, validation not) after which no
            further epoch begins, or None.
        learning_rate: Adam's, at the start.
        schedule: "constant", or "cosine" down to 0 over all epochs.
        weight_decay: share of the weights taken away per step and unit of learning rate, or None.
        clip_norm: gradients' global norm is clipped to this, or None.
        average: momentum of the moving average of the weights that is validated and kept, or None for the weights
            themselves.
        mixed_precision: compute in bfloat16 where the machine has it, see `training.arithmetic`; weights stay
            in float32.
        seed: of weights and examples.
    """

    batch_size: int = 10
    steps_per_epoch: int = 2000
    epochs: int = 250
    patience: int = 16
    cpu_seconds: float | None = None
    learning_rate: float = 1e-3
    schedule: str = "constant"
    weight_decay: float | None = None
    clip_norm: float | None = None
    average: float | None = None
    mixed_precision: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("batch_size", "steps_per_epoch", "epochs", "patience"):
            require(getattr(self, name) >= 1, f"training.{name}", getattr(self, name), "at least 1")
        budget = self.cpu_seconds
        require(budget is None or budget > 0, "training.cpu_seconds", budget, "above 0, or null for no limit")
        require(0 < self.learning_rate < inf, "training.learning_rate", self.learning_rate, "above 0, and finite")
        clip, decay = self.clip_norm, self.weight_decay
        require(clip is None or 0 < clip < inf, "training.clip_norm", clip, "above 0, or null for no limit")
        require(decay is None or 0 <= decay < inf, "training.weight_decay", decay, "at least 0, or null for none")
        require(0 <= self.seed < 2**32, "training.seed", self.seed, "from 0 to 2**32 - 1")
        require(self.average is None or 0 < self.average < 1, "training.average", self.average, "above 0 and below 1")
        if self.schedule not in ("constant", "cosine"):
            raise ConfigError(one_of("training.schedule", self.schedule, ("constant", "cosine")))


@dataclass(frozen=True, kw_only=True)
class Preset:
    """An architecture with its sizes, its loss, its examples and its training.

    Attributes:
        name: of the preset.
        description: one line for people.
        architecture: a module of `tfwavesep.models`.
        model: sizes, rate and stems.
        loss: what is minimised.
        data: how examples are drawn.
        training: how the network is fitted.
    """

    name: str
    description: str
    architecture: str
    model: ModelConfig
    loss: LossConfig
    data: DataConfig
    training: TrainingConfig

    def __post_init__(self) -> None:
        self.model.input_length(self.data.target_length)
        stereo = self.model.channels == 2
        for name in ("swap_channels", "spread", "narrow"):
            value = getattr(self.data, name)
            require(stereo or not value, f"data.{name}", value, f"{json.dumps(type(value)())}: the model is mono")

    @property
    def members(self) -> tuple["Preset", ...]:
        """What trains each network of an ensemble, from a seed of its own; none for what is trained as it is."""
        return tuple(
            dataclasses.replace(
                self,
                name=f"{self.name}, network {number + 1}",
                architecture=architecture,
                model=model,
                training=dataclasses.replace(self.training, seed=self.training.seed + number),
            )
            for number, (architecture, model) in enumerate(self.model.parts)
        )

    def to_dict(self) -> dict[str, Any]:
        """The preset as plain values, ready for json."""
        values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return values


def preset_from_dict(values: dict[str, Any]) -> Preset:
    """The preset that `to_dict` made these values from.

    Raises:
        ConfigError: a key is unknown or missing, or a value cannot work.
    """
    if "architecture" not in values:
        raise ConfigError("preset: 'architecture' is missing")
    model = models.config_class(plain.convert(str, values["architecture"], "architecture"))
    return plain.read(Preset, values, hints={"model": model})


def preset_names() -> list[str]:
    """The presets that come with the package."""
    folder = resources.files("tfwavesep") / "presets"
    return sorted(entry.name.removesuffix(".json") for entry in folder.iterdir() if entry.name.endswith(".json"))


def load_preset(name_or_path: Place) -> Preset:
    """A preset of the package by name, or one of your own by the path of its json file.

    Raises:
        ConfigError: there is no such preset, or it cannot be read.
    """
    name_or_path = os.fspath(name_or_path)
    if name_or_path.endswith(".json"):
        values = read_json(Path(name_or_path))
    elif name_or_path in preset_names():
        values = read_json(Path(str(resources.files("tfwavesep") / "presets" / f"{name_or_path}.json")))
    else:
        raise ConfigError(one_of("preset", name_or_path, preset_names()) + " (or the path of a .json file)")
    try:
        return preset_from_dict({"name": Path(name_or_path).stem, **values})
    except ConfigError as error:
        raise ConfigError(f"{name_or_path}: {error}") from error


def read_json(path: Path) -> dict[str, Any]:
    """The json object that a file holds.

    Raises:
        ConfigError: there is no such file, or it holds something else; the file and the line are named.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such file")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}: line {error.lineno} is not json: {error.msg}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: must hold a json object")
    return values


def write_json(path: Path, values: dict[str, Any], indent: int | None = 2) -> None:
    """Write what `read_json` reads, with None as indent in one line; the file appears whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(values, indent=indent, ensure_ascii=False) + "\n", encoding="utf-8")


def override(preset: Preset, settings: Iterable[str]) -> Preset:
    """The preset with single values replaced.

    Args:
        preset: where to start from.
        settings: texts such as "training.learning_rate=3e-4"; the value is read as json, or else as text.

    Raises:
        ConfigError: a key is unknown (the nearest is named) or a value cannot work.
    """
    values = preset.to_dict()
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise ConfigError(f"--set {setting}: must be key=value, such as training.epochs=10")
        _place(values, key, _value(text))
    return preset_from_dict(values)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _place(values: dict[str, Any], key: str, value: Any) -> None:
    """Put a value at a dotted key; only the options of a loss may be new."""
    known = list(_dotted(values))
    if key not in known and key.rpartition(".")[0] != "loss.options":
        raise ConfigError(one_of("key", key, known))
    *groups, last = key.split(".")
    for group in groups:
        values = values[group]
    values[last] = value


def _dotted(values: dict[str, Any], prefix: str = "") -> Iterable[str]:
    for key, value in values.items():
        if isinstance(value, dict) and key != "options":
            yield from _dotted(value, f"{prefix}{key}.")
        else:
            yield prefix + key
