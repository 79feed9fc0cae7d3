"""`tfwavesep data`."""

from math import isnan
from pathlib import Path

import click

from .progress import clock, count, printable
from .tables import show


@click.command()
@click.argument("roots", nargs=-1, required=True, type=click.Path(path_type=Path))
def data(roots: tuple[Path, ...]) -> None:
    """Tell what is in data ROOTS, what training would use of it, and what looks wrong.

    \b
    Example:
      tfwavesep data mysongs
    """
    from rich.table import Table

    from tfwavesep.data.survey import survey

    shown = Table("song", "subset", "length", "format", "stems", "left of the mixture", "what looks wrong")
    rows = list(survey(roots))
    for row in rows:
        stems = "all four" if row.stems and len(row.stems) == 4 else ", ".join(row.stems)
        length = clock(row.seconds) if row.seconds else ""
        left = "" if isnan(row.remainder) else f"{row.remainder:.0f} dB"
        shown.add_row(printable(row.name), row.subset, length, row.form, stems, left, printable("; ".join(row.notes)))
    show(shown)
    for subset, use in (("train", "to train on"), ("valid", "to validate on"), ("test", "to test on")):
        songs = [row for row in rows if row.subset == subset and not row.is_unreadable]
        if songs:
            click.echo(f"{count(len(songs), 'song')} {use}, {clock(sum(row.seconds for row in songs))}")
    unreadable = sum(row.is_unreadable for row in rows)
    if unreadable:
        click.echo(f"{count(unreadable, 'song')} at which a training stops: mend or take away what cannot be read")
    out = sum(row.subset == "left out" for row in rows)
    if out:
        click.echo(f"{count(out, 'folder')} left out")
