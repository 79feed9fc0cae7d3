"""Several networks as one: the mean of what each of them estimates.

Networks that were trained apart, from other random weights or at other sizes, agree on what they have learnt and err
each in its own way. In the mean the errors cancel in part, above all where there is little music to learn from.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from itertools import chain
from math import lcm
from typing import Any

import keras
from keras import layers

from tfwavesep import models, plain
from tfwavesep.errors import require
from tfwavesep.models._config import ModelConfig


@dataclass(frozen=True, kw_only=True)
class Member:
    """One of the networks.

    Attributes:
        architecture: a module of `tfwavesep.models`.
        sizes: what its `Config` has beside that of the ensemble, as plain values.
    """

    architecture: str
    sizes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """Which networks.

    Attributes:
        members: at least two; rate, channels and stems are the ensemble's.

    Reference:
        Breiman 1996, "Bagging predictors", Machine Learning 24, section 4: why a mean of unstable predictors is better
        than each of them. Ours differ by weights and sizes, not by the examples, as in Lakshminarayanan et al. 2017
        (arXiv 1612.01474), section 2.4. For music: Uhlich et al. 2017 (ICASSP, "network blending").
    """

    members: tuple[Member, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        require(len(self.members) > 1, "members", len(self.members), "at least two networks")
        for number in range(len(self.members)):
            self._config(number)  # so that a member that cannot be built is refused here

    def _config(self, number: int) -> ModelConfig:
        member, where = self.members[number], f"members[{number}].sizes"
        common = {each.name: getattr(self, each.name) for each in fields(ModelConfig)}
        for name in common:
            own = member.sizes.get(name)
            require(name not in member.sizes, f"{where}.{name}", own, "left to the ensemble, whose members share it")
        return plain.read(models.config_class(member.architecture), {**member.sizes, **common}, where + ".")

    @property
    def parts(self) -> tuple[tuple[str, ModelConfig], ...]:
        """Architecture and config of each member."""
        return tuple((member.architecture, self._config(number)) for number, member in enumerate(self.members))

    @property
    def context(self) -> int:
        """That of the network which sees farthest."""
        return max(config.context for _, config in self.parts)

    @property
    def lookahead(self) -> int:
        """That of the network which looks ahead farthest."""
        return max(config.lookahead for _, config in self.parts)

    @property
    def block(self) -> int:
        """What is whole for every network."""
        return lcm(*(config.block for _, config in self.parts))


def build(config: Config) -> keras.Model:
    """The networks with random weights, as one Keras functional model.

    Shape:
        `mixture (batch, time, channels)` to `stems (batch, stems, time - context - lookahead, channels)`.
    """
    return join(config, [models.build(*part) for part in config.parts])


def join(config: Config, networks: Sequence[keras.Model]) -> keras.Model:
    """The same of networks that are there, which keep their weights.

    Networks of one kind are made one first, see `models.mean`, as they may have work in common.

    Args:
        config: of the ensemble.
        networks: its members, in their order.
    """
    kinds: dict[tuple[str, ModelConfig], list[keras.Model]] = {}
    for kind, network in zip(config.parts, networks, strict=True):
        kinds.setdefault(kind, []).append(network)
    mixture = keras.Input((None, config.channels), name="mixture")
    shares = []
    for number, ((architecture, part), alike) in enumerate(kinds.items()):
        network = models.mean(architecture, part, alike)
        network.name = f"kind_{number}"
        spare = (config.context - part.context, config.lookahead - part.lookahead)
        nearer = layers.Cropping1D(spare, dtype="float32", name=f"context_{number}")(mixture) if any(spare) else mixture
        shares.append(network(nearer) * (len(alike) / len(networks)))
    return keras.Model(mixture, layers.Add(dtype="float32", name="stems")(shares), name="ensemble")


def networks(config: Config, ensemble: keras.Model) -> list[keras.Model]:
    """The members of an ensemble, each with its weights as a network of its own: what `join` made one of.

    Args:
        config: of the ensemble.
        ensemble: as `build` or `join` made it.
    """
    members = [models.build(*part) for part in config.parts]
    kinds: dict[tuple[str, ModelConfig], list[keras.Model]] = {}
    for kind, member in zip(config.parts, members, strict=True):
        kinds.setdefault(kind, []).append(member)
    weights = iter(ensemble.weights)  # one kind after the other, as they were joined
    for member in chain.from_iterable(kinds.values()):
        for weight in member.weights:
            weight.assign(next(weights))
    return members
