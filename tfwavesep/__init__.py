"""Music source separation in the waveform domain.

The public names are imported when they are first used, so that `import tfwavesep` does not wait for TensorFlow; nor for
the packages' metadata, which take as long to find as a tenth of the command's start.
"""

from importlib import import_module
from typing import Any

from tfwavesep.errors import needs_extra

_HOMES = {
    "Separator": "separation",
    "evaluate": "evaluation",
    "export_model": "release.export",
    "load_preset": "config",
    "open_backend": "backends",
    "separate_file": "batch",
    "train": "training",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("tfwavesep")
    if name not in _HOMES:
        raise AttributeError(f"module 'tfwavesep' has no attribute {name!r}")
    with needs_extra("train", f"tfwavesep.{name}"):
        return getattr(import_module(f"tfwavesep.{_HOMES[name]}"), name)
