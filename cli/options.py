"""Options that several commands take in the same way."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tfwavesep.places import place


def data_root(use: str, required: bool = True, several: bool = False) -> Callable[[Any], Any]:
    """Where music with true stems is.

    Args:
        use: what it is for, or what it is.
        required: whether the command needs it.
        several: whether it may be in several places, which come as `roots`.
    """
    return click.option(
        "--data", "roots" if several else "root", type=click.Path(path_type=Path), envvar="MUSDB_PATH",
        show_envvar=True, required=required, multiple=several, help=f"{use} May be repeated." if several else use,
    )  # fmt: skip


TRACKS = "MUSDB18 in any edition, or folders TRACK/{mixture,vocals,drums,bass,other}.wav."
"""What a data root is."""


class OfFiles(click.Command):
    """A command that tells a file whose name begins as an option does from a misspelt option."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """See `click.Command.parse_args`."""
        try:
            return super().parse_args(context, list(args))
        except click.NoSuchOption as error:
            file = next((arg for arg in args if arg.startswith(error.option_name) and Path(arg).exists()), None)
            if file:
                raise click.UsageError(f"{file}: is a file, but taken for an option; write ./{file}") from error
            raise


class Place(click.ParamType):
    """A path, or a URL."""

    name = "path"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Path:
        """See `places.place`."""
        if value == "":  # which would stand for the folder one is in
            self.fail("an empty name", parameter, context)
        return place(value) if isinstance(value, str) else value
