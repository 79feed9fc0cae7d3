"""`tfwavesep check`."""

from pathlib import Path

import click

from .progress import printable


@click.command()
@click.argument("mixture", type=click.Path(path_type=Path))
@click.argument("stems", nargs=-1, required=True, type=click.Path(path_type=Path))
def check(mixture: Path, stems: tuple[Path, ...]) -> None:
    """Tell how deep MIXTURE nulls when its STEMS, files or a folder of them, are taken from it.

    The exit code is 1 if more is left than rounding accounts for: nothing may be left by integer samples (WAV, FLAC),
    a few float32 roundings by others. Of stems that are stored with loss (MP3, Ogg) only the depth is told.

    \b
    Example:
      tfwavesep check song.flac separated/song
    """
    from tfwavesep.stemfiles import null_depth, stems_in

    files: list[Path] = []
    for stem in stems:
        found, sums = stems_in(stem, mixture) if stem.is_dir() else ([stem], [])
        files += found
        for path in sums:
            click.echo(printable(f"{path}: left out, the stems it is the sum of are there"), err=True)
    depth = null_depth(mixture, files)
    if not depth.passed:
        raise click.ClickException(f"{mixture}: its stems do not sum to it: {depth}")
    click.echo(depth)
