"""`tfwavesep separate` with a pipe for the stem."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tfwavesep.errors import OutputError

from .progress import notes, printable

if TYPE_CHECKING:
    from tfwavesep.batch import Settings


def to_standard_output(song: Path, settings: "Settings") -> None:
    """Put out one stem of a song while the song still comes in."""
    from tfwavesep import batch
    from tfwavesep.batch import pipes

    if sys.stdout is None:
        raise OutputError("standard output: is closed")
    separator = batch.load(settings)
    pipes.pipe_format(settings, separator.targets)  # or else an error, before the song is opened
    with batch.open_source(song, settings) as reader, _quiet_end():
        if sys.stderr.isatty():
            delay = separator.course(reader.info.sample_rate, settings.live).latency
            how = "" if settings.live else "; a shorter --segment shortens that"
            click.echo(f"the stem comes {delay:.2f} s after the song{how}", err=True)
        written = pipes.separate_into(sys.stdout.buffer, separator, reader, settings)
    for line in notes(reader.warnings, written.gain_db, written.clipped):
        click.echo(printable(f"{song}: {line}"), err=True)


@contextmanager
def _quiet_end() -> Iterator[None]:
    """Whoever listened may go when they have heard enough."""
    try:
        yield
    except (BrokenPipeError, OutputError) as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python still wants to flush
        if isinstance(error, BrokenPipeError):
            sys.exit(0)
        raise
