"""The command group, and the one place where errors become lines for people.

Commands import what they need inside their functions, so that `tfwavesep --help` does not wait for TensorFlow.
"""

import errno
import os
import signal
import sys
from contextlib import suppress
from multiprocessing import freeze_support
from typing import Any

import click

from tfwavesep.errors import TfwavesepError
from tfwavesep.system import ENDING

from .check import check
from .data import data
from .evaluate import evaluate
from .export import export
from .import_model import import_model
from .live import live
from .models import models
from .progress import printable, unheard
from .separate import separate
from .train import train
from .web import web


class ErrorBoundary(click.Group):
    """Shows the errors meant for the user as one line; all others keep their traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except TfwavesepError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            raise click.ClickException(f"{error.filename}: the name is too long for the file system") from error


@click.group(cls=ErrorBoundary, context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True)
@click.version_option(package_name="tfwavesep", prog_name="tfwavesep")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Separate music into stems in the waveform domain."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


for command in (separate, check, data, train, evaluate, export, import_model, live, models, web):
    cli.add_command(command)


def tidy_when_told_to_stop() -> None:
    """SIGTERM and SIGHUP end a command as Ctrl-C does, unless whoever started it wants them ignored (nohup)."""
    for number in ENDING:
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)


def main() -> None:
    """The console script: exit code 0 if all went well, 1 for an error, 2 for wrong usage, 130 if interrupted."""
    freeze_support()
    tidy_when_told_to_stop()
    try:
        sys.exit(cli.main(standalone_mode=False) or 0)
    except click.exceptions.Abort:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asks again gets no traceback of what ends anyway
        _tell("Interrupted; nothing half-written is left.")
        sys.exit(130)
    except click.ClickException as error:
        _tell(f"Error: {printable(error.format_message())}")
        sys.exit(error.exit_code)
    except OSError as error:
        if error.filename is not None or error.errno not in (errno.EPIPE, errno.ENOSPC, errno.EIO):
            raise
        _tell(f"Error: {unheard(error)}")
        sys.exit(1)


def _tell(line: str) -> None:
    with suppress(OSError):  # nobody hears it, or the disk is full: the exit code says it too
        click.echo(line, err=True)
