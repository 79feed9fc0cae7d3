"""Trained networks, with all that is known of them, as they lie on disk; and several of them as one."""

import dataclasses
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfwavesep import models, store
from tfwavesep.config import Preset, preset_from_dict, read_json
from tfwavesep.errors import ConfigError, ModelError
from tfwavesep.models import ModelConfig
from tfwavesep.places import sha256
from tfwavesep.stems import TARGETS
from tfwavesep.store import KERAS
from tfwavesep.training.runs import CONFIG, RECORD

if TYPE_CHECKING:
    import keras


COMMON = frozenset(each.name for each in fields(ModelConfig))
"""What the networks of one model have in common."""

GENTLER = 10
"""By how much a training is slower that begins with a trained network."""


@dataclass(frozen=True)
class Trained:
    """A network that was trained.

    Attributes:
        run: where it lies.
        preset: what it is and how it was trained.
        record: of the training.
        network: with its weights.
        licence: of the weights.
    """

    run: Path
    preset: Preset
    record: dict[str, Any]
    network: "keras.Model"
    licence: str = "not stated"

    def record_of_start(self) -> dict[str, str]:
        """What a training that begins with this network notes of it: its name, and the SHA-256 of its weights."""
        return {"model": self.preset.name, "sha256": sha256(self.run / KERAS)}


def begin(model: str) -> Trained:
    """The network that a training can begin with: of a model, or of a training that is finished.

    Args:
        model: of a released model its name; a model folder or a zip file of one, or a training's folder; or the
            `model.keras` in it.

    Raises:
        ModelError: there is no such model, it has lost its `model.keras`, or is damaged; or it is a form whose weights
            cannot be trained.
    """
    path = store.locate(model)
    if path.suffix == ".tflite" or (path / "saved_model.pb").is_file():
        raise ModelError(f"{model}: its weights cannot be trained; {KERAS} beside it can: give the model's folder")
    return read(store.unpack(path) if path.suffix == ".zip" else path)


def gently(start: Trained) -> Preset:
    """The preset that a network was trained by, at a tenth of the learning rate, so that it keeps what it knows."""
    training = start.preset.training
    training = dataclasses.replace(training, learning_rate=training.learning_rate / GENTLER)
    return dataclasses.replace(start.preset, training=training)


def read(run: Path) -> Trained:
    """What a training left, or what was exported from one.

    Args:
        run: a training's folder or a model folder, or the `model.keras` in it; or the name of a released model.

    Raises:
        ModelError: the training is not finished, or a file is missing, damaged or not what was exported.
    """
    run = store.released().get(str(run), run.parent if run.suffix == ".keras" else run)
    for name in (CONFIG, KERAS):
        if not (run / name).is_file():
            raise _unfinished(run, name)
    values = read_json(run / CONFIG)
    if "preset" in values:  # a model folder
        store.verify(store.read(run), run / KERAS)
        preset, record = preset_from_dict(values["preset"]), values.get("training", {})
        return Trained(run, preset, record, _network(run, preset), values.get("licence", ""))
    if not (run / RECORD).is_file():
        raise _unfinished(run, RECORD)
    preset = preset_from_dict(values)
    return Trained(run, preset, read_json(run / RECORD), _network(run, preset))


def _network(run: Path, preset: Preset) -> "keras.Model":
    return models.renewed(models.load(run / KERAS), preset.architecture, preset.model)


def _unfinished(run: Path, missing: str) -> ModelError:
    return ModelError(f"{run}: has no {missing}; it must be the folder of a finished `tfwavesep train`")


def join(trained: Sequence[Trained]) -> Trained:
    """Several networks as one, which gives the mean of their stems; see `models.ensemble`.

    Args:
        trained: one, which stays as it is, or several of the same rate, channels and stems.

    Raises:
        ConfigError: they differ in one of these.
    """
    first, *others = trained
    if not others:
        return first
    from tfwavesep.models import ensemble

    for other in others:
        _check_alike(first, other)
    common = {name: getattr(first.preset.model, name) for name in COMMON}
    config = ensemble.Config(**common, members=tuple(_member(each.preset) for each in trained))
    return Trained(
        run=first.run,
        preset=_preset(first.preset, config, "ensemble", _mean_of(trained)),
        record={"members": [{**each.record, "preset": each.preset.to_dict()} for each in trained]},
        network=ensemble.join(config, [each.network for each in trained]),
        licence="; ".join(dict.fromkeys(each.licence for each in trained)),
    )


def members(whole: Trained) -> list[Trained]:
    """What `join` made one of, each network by itself; a single network alone."""
    if not whole.preset.members:
        return [whole]
    from tfwavesep.models import ensemble

    networks = ensemble.networks(whole.preset.model, whole.network)  # type: ignore[arg-type]
    pairs = zip(whole.preset.members, networks, strict=True)
    return [dataclasses.replace(whole, preset=preset, network=network) for preset, network in pairs]


def cascade(first: Trained, divided: str, second: Trained) -> Trained:
    """Two networks as one, the second of which divides a stem of the first; see `models.cascade`.

    Args:
        first: what divides the mixture.
        divided: a target of it.
        second: of the same rate and channels.

    Raises:
        ConfigError: they differ in these, the first has no such target, or the second has none that is part of it.
    """
    from tfwavesep.models import cascade

    _check_alike(first, second, ("sample_rate", "channels"))
    kept = tuple(target for target in first.preset.model.targets if target != divided)
    within = tuple(target for target in second.preset.model.targets if target in TARGETS.get(divided, ()))
    config = cascade.Config(
        sample_rate=first.preset.model.sample_rate,
        channels=first.preset.model.channels,
        stems=(*kept, *within),
        first=_member(first.preset, COMMON - {"stems", "residual"}),
        divided=divided,
        second=_member(second.preset, COMMON - {"stems", "residual"}),
    )
    told = f"Two networks, the second of which divides the {divided} of the first: {first.preset.description}, then"
    return Trained(
        run=first.run,
        preset=dataclasses.replace(
            _preset(first.preset, config, "cascade", f"{told} {second.preset.description}"),
            name=f"{first.preset.name}, then {second.preset.name}",
        ),
        record={"members": [{**each.record, "preset": each.preset.to_dict()} for each in (first, second)]},
        network=cascade.join(config, [first.network, second.network]),
        licence="; ".join(dict.fromkeys(each.licence for each in (first, second))),
    )


def _check_alike(first: Trained, other: Trained, names: Iterable[str] = COMMON) -> None:
    for name in names:
        one, another = (getattr(each.preset.model, name) for each in (first, other))
        if one != another:
            raise ConfigError(f"{other.run}: {name} is {another!r}, but {one!r} in {first.run}; one model has one")


def _mean_of(trained: Sequence[Trained]) -> str:
    return f"The mean of {len(trained)} networks. The first: {trained[0].preset.description}"


def _member(preset: Preset, common: Collection[str] = COMMON) -> Any:
    from tfwavesep.models.ensemble import Member

    values = preset.to_dict()["model"]
    return Member(
        architecture=preset.architecture, sizes={name: values[name] for name in sorted(values.keys() - set(common))}
    )


def _preset(first: Preset, config: ModelConfig, architecture: str, description: str) -> Preset:
    """What would train them all at once, as the first of them was trained."""
    length = -(-first.data.target_length // config.block) * config.block
    return dataclasses.replace(
        first,
        description=description,
        architecture=architecture,
        model=config,
        data=dataclasses.replace(first.data, target_length=length),
    )
