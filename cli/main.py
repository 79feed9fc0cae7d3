"""The command group, and the one place where errors become lines for people.

Commands import what they need inside their functions, so that `tfwavesep --help` does not wait for TensorFlow.
"""

import os
import sys
from importlib.metadata import version
from typing import Any

import click

from tfwavesep.errors import TfwavesepError

from .check import check
from .evaluate import evaluate
from .export import export
from .models import models
from .separate import separate
from .train import train


class ErrorBoundary(click.Group):
    """Shows the errors meant for the user as one line; all others keep their traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except TfwavesepError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=ErrorBoundary, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("tfwavesep"), prog_name="tfwavesep")
def cli() -> None:
    """Separate music into stems in the waveform domain."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


for command in (separate, check, train, evaluate, export, models):
    cli.add_command(command)


def main() -> None:
    """The console script: exit code 0 if all went well, 1 for an error, 2 for wrong usage, 130 for Ctrl-C."""
    try:
        sys.exit(cli.main(standalone_mode=False) or 0)
    except click.exceptions.Abort:
        click.echo("Interrupted; nothing half-written is left.", err=True)
        sys.exit(130)
    except click.ClickException as error:
        click.echo(f"Error: {' '.join(error.format_message().split())}", err=True)
        sys.exit(error.exit_code)
