"""Options that several commands take in the same way."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


def data_root(use: str, required: bool = True) -> Callable[[Any], Any]:
    """Where music with true stems is.

    Args:
        use: what it is for, or what it is.
        required: whether the command needs it.
    """
    return click.option(
        "--data", "root", type=click.Path(path_type=Path), envvar="MUSDB_PATH", show_envvar=True, required=required,
        help=use,
    )  # fmt: skip


TRACKS = "MUSDB18 in any edition, or folders TRACK/{mixture,vocals,drums,bass,other}.wav."
"""What a data root is."""
