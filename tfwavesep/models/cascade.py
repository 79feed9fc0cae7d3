"""One network after the other: the first divides the mixture, the second divides one of its stems further.

A network that takes the vocals out well leaves music that is easier to divide than the mixture was. The two may be of
any architecture, trained apart or as one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import lcm
from typing import Any

import keras
from keras import layers, ops

from tfwavesep import models, plain
from tfwavesep.errors import ConfigError, one_of, require
from tfwavesep.models._config import ModelConfig
from tfwavesep.models.ensemble import Member
from tfwavesep.stems import TARGETS


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """Which networks.

    Attributes:
        first: divides the mixture; its sizes have its stems and its residual.
        divided: the stem or residual of the first that the second divides.
        second: divides that; its sizes have its stems and its residual. What it calls by the name of something that is
            not in `divided`, such as vocals in an accompaniment, is added to its last target that is.
    """

    first: Member
    divided: str
    second: Member

    def __post_init__(self) -> None:
        super().__post_init__()
        first = self.parts_in_order[0]
        if self.divided not in first.targets:
            raise ConfigError(one_of("stem", self.divided, first.targets))
        require(bool(self.within), "second.sizes.stems", self.second.sizes.get("stems"), f"some of {self.divided}")
        require(self.residual is None, "residual", self.residual, "null: the estimates sum to the mixture")
        expected = (*self.kept, *self.within)
        require(self.stems == expected, "stems", self.stems, f"those of both networks in order: {', '.join(expected)}")

    def _config(self, name: str) -> ModelConfig:
        member: Member = getattr(self, name)
        common = {"sample_rate": self.sample_rate, "channels": self.channels}
        for field in common:
            own = member.sizes.get(field)
            require(
                field not in member.sizes, f"{name}.sizes.{field}", own, "left to the cascade, whose networks share it"
            )
        return plain.read(models.config_class(member.architecture), {**member.sizes, **common}, f"{name}.sizes.")

    @property
    def parts_in_order(self) -> tuple[ModelConfig, ModelConfig]:
        """The configs of both."""
        return self._config("first"), self._config("second")

    @property
    def kept(self) -> tuple[str, ...]:
        """What the first estimates and the second does not see."""
        return tuple(target for target in self.parts_in_order[0].targets if target != self.divided)

    @property
    def within(self) -> tuple[str, ...]:
        """What of the second's targets is in the divided stem."""
        held = TARGETS.get(self.divided, (self.divided,))
        return tuple(target for target in self.parts_in_order[1].targets if target in held)

    @property
    def margins(self) -> tuple[int, int]:
        """Samples that the first estimates before and after for the second to see: whole blocks, so that the first
        stays on its grid in the song."""
        first, second = self.parts_in_order
        before, after = (-(-side // first.block) * first.block for side in (second.context, second.lookahead))
        return before, after

    @property
    def context(self) -> int:
        """That of the first for what the second sees."""
        return self.parts_in_order[0].context + self.margins[0]

    @property
    def lookahead(self) -> int:
        """That of the first for what the second sees."""
        return self.parts_in_order[0].lookahead + self.margins[1]

    @property
    def block(self) -> int:
        """What is whole for both."""
        return lcm(*(part.block for part in self.parts_in_order))


def build(config: Config) -> keras.Model:
    """The networks with random weights, as one Keras functional model.

    Shape:
        `mixture (batch, time, channels)` to `stems (batch, stems, time - context - lookahead, channels)`; the stems sum
        to the mixture's central part.
    """
    architectures = (config.first.architecture, config.second.architecture)
    return join(config, [models.build(*part) for part in zip(architectures, config.parts_in_order, strict=True)])


def join(config: Config, networks: Sequence[keras.Model]) -> keras.Model:
    """The same of networks that are there, which keep their weights.

    Args:
        config: of the cascade.
        networks: the first and the second.
    """
    mixture = keras.Input((None, config.channels), name="mixture")
    first, second = config.parts_in_order
    for network, name in zip(networks, ("first", "second"), strict=True):
        network.name = name
    estimates = _targets(networks[0], first, mixture, "first")
    before, after = config.margins
    seen = _crop(estimates[config.divided], (before - second.context, after - second.lookahead), "seen")
    divided = _targets(networks[1], second, seen, "second")
    strange = [divided[target] for target in second.targets if target not in config.within]
    if strange:
        last = config.within[-1]
        divided[last] = layers.Add(dtype="float32", name="with_the_rest")([divided[last], *strange])
    kept = [_crop(estimates[target], config.margins, f"{target}_kept") for target in config.kept]
    rows = [ops.expand_dims(row, 1) for row in (*kept, *(divided[target] for target in config.within))]
    return keras.Model(mixture, layers.Concatenate(axis=1, dtype="float32", name="stems")(rows), name="cascade")


def _targets(network: keras.Model, config: ModelConfig, mixture: Any, name: str) -> dict[str, Any]:
    """What a network makes of a mixture, each `(batch, time, channels)` by target, the residual too."""
    stems = network(mixture)
    found = {stem: stems[:, number] for number, stem in enumerate(config.stems)}
    if config.residual:
        kept = _crop(mixture, (config.context, config.lookahead), f"{name}_mixture")
        found[config.residual] = layers.Subtract(dtype="float32", name=f"{name}_residual")(
            [kept, ops.sum(stems, axis=1)]
        )
    return found


def _crop(x: Any, ends: tuple[int, int], name: str) -> Any:
    return layers.Cropping1D(ends, dtype="float32", name=name)(x) if any(ends) else x
