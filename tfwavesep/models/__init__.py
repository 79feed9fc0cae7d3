"""The registry of architectures: this folder.

A module here without a leading underscore is an architecture. It owes two public names: `Config`, a frozen
dataclass derived from `ModelConfig`, and `build(config)`, a Keras functional model. It may have two more:
`mean(config, networks)`, several networks as one that gives the mean of their stems, with less work than all of them
take one by one; and `begin(network, config, other, other_config)`, see `begin` here, for weights of another
architecture.
"""

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

from tfwavesep.errors import ConfigError, ModelError, one_of
from tfwavesep.models._config import ModelConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras

__all__ = ["ModelConfig", "available", "begin", "build", "config_class", "load", "mean", "renewed"]


def available() -> list[str]:
    """Names of the architectures; none of them is imported."""
    return sorted(module.name for module in iter_modules(__path__) if not module.name.startswith("_"))


def _module(architecture: str) -> Any:
    if architecture not in available():
        raise ConfigError(one_of("architecture", architecture, available()))
    return import_module(f"{__name__}.{architecture}")


def config_class(architecture: str) -> type[ModelConfig]:
    """The `Config` of an architecture.

    Raises:
        ConfigError: there is no such architecture.
    """
    return _module(architecture).Config  # type: ignore[no-any-return]


def build(architecture: str, config: ModelConfig) -> "keras.Model":
    """A new network with random weights: `mixture (batch, time, channels)` to
    `stems (batch, stems, time - config.context - config.lookahead, channels)`.

    Raises:
        ConfigError: there is no such architecture.
    """
    return _module(architecture).build(config)


def begin(
    architecture: str, network: "keras.Model", config: ModelConfig, other: "keras.Model", other_config: ModelConfig
) -> list[str]:
    """Give a network the weights of another, as far as they fit.

    Args:
        architecture, config: of the network.
        other, other_config: whose weights it gets.

    Returns:
        paths of the network's weights for which there was none.

    Raises:
        ConfigError: there is no such architecture.
    """
    from tfwavesep.models._weights import take_over

    module = _module(architecture)
    if hasattr(module, "begin"):
        return module.begin(network, config, other, other_config)  # type: ignore[no-any-return]
    return take_over(network, other)


def mean(architecture: str, config: ModelConfig, networks: "Sequence[keras.Model]") -> "keras.Model":
    """Trained networks of one architecture and config as one, which gives the mean of their stems and shares their
    weights; a single one stays as it is.

    Raises:
        ConfigError: there is no such architecture.
    """
    module = _module(architecture)
    if len(networks) == 1:
        return networks[0]
    return module.mean(config, networks) if hasattr(module, "mean") else _mean(config, networks)


def _mean(config: ModelConfig, networks: "Sequence[keras.Model]") -> "keras.Model":
    """The mean of what networks put out."""
    import keras

    for number, network in enumerate(networks):
        network.name = f"network_{number}"
    mixture = keras.Input((None, config.channels), name="mixture")
    stems = keras.layers.Average(dtype="float32", name="stems")([network(mixture) for network in networks])
    return keras.Model(mixture, stems, name="mean")


def load(path: Path) -> "keras.Model":
    """A network from a `.keras` file of this package; nothing in the file is executed.

    Raises:
        ModelError: the file is damaged or not of this package.
    """
    import keras

    for name in available():
        _module(name)  # registers the layers the file may name
    try:
        return keras.saving.load_model(path, safe_mode=True)
    except (ValueError, OSError, KeyError, TypeError, BadZipFile) as error:
        raise ModelError(f"{path}: cannot be loaded: {str(error).splitlines()[0]}") from error


def renewed(network: "keras.Model", architecture: str, config: ModelConfig) -> "keras.Model":
    """A network that was loaded as `build` makes it now, with the same weights: a file keeps the operations of the day
    that it was written. Where these weights are not those of such a network, it stays as it is.

    Raises:
        ConfigError: there is no such architecture.
    """
    new = build(architecture, config)
    if [weight.shape for weight in new.weights] != [weight.shape for weight in network.weights]:
        return network
    new.set_weights(network.get_weights())
    return new
