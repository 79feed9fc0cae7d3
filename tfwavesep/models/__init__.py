"""The registry of architectures: this folder.

A module here without a leading underscore is an architecture. It owes two public names: `Config`, a frozen
dataclass derived from `ModelConfig`, and `build(config)`, a Keras functional model.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

from tfwavesep.errors import ConfigError, one_of
from tfwavesep.models._config import ModelConfig

if TYPE_CHECKING:
    import keras

__all__ = ["ModelConfig", "available", "build", "config_class"]


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
    `stems (batch, stems, time - 2 * config.context, channels)`.

    Raises:
        ConfigError: there is no such architecture.
    """
    return _module(architecture).build(config)
