"""`tfwavesep evaluate`."""

from pathlib import Path

import click

from .options import TRACKS, data_root
from .progress import count
from .tables import show


@click.command()
@click.argument("model", default="default")
@data_root(TRACKS)
@click.option("--subset", type=click.Choice(["valid", "test", "train"]), default="valid", show_default=True,
              help="Which tracks of the data root.")  # fmt: skip
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path), required=True,
              help="Folder for scores; an evaluation that was interrupted goes on there.")  # fmt: skip
@click.option("-j", "--jobs", type=click.IntRange(min=1), default=1, show_default=True,
              help="Tracks scored at the same time.")  # fmt: skip
@click.option("--metric", type=click.Choice(["museval", "sdr"]), default="museval", show_default=True,
              help="SDR, SIR, SAR and ISR; or SDR alone, the same, in a hundredth of the time.")  # fmt: skip
def evaluate(model: str, root: Path, subset: str, folder: Path, jobs: int, metric: str) -> None:
    """Score MODEL with museval against true stems, in what is known of each track.

    \b
    Example:
      tfwavesep evaluate default --data musdb18 --subset test -o scores
    """
    from rich.table import Table

    from tfwavesep import evaluation
    from tfwavesep.evaluation import table

    scores = evaluation.evaluate(model, root, subset, folder, jobs, lambda line: click.echo(line, err=True), metric)
    header, *rows = table(scores)
    tracks = count(len(scores.tracks), "track")
    shown = Table(*header, title=f"{subset}: {tracks}, median over 1-s frames then tracks, dB")
    for row in rows:
        shown.add_row(*row, end_section=row[1] == rows[-1][1])
    show(shown)
    if scores.failed:
        raise click.ClickException(f"{count(len(scores.failed), 'track')} failed: {', '.join(scores.failed)}")
