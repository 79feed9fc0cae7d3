"""`tfwavesep check`."""

from pathlib import Path

import click


@click.command()
@click.argument("mixture", type=click.Path(path_type=Path))
@click.argument("stems", nargs=-1, required=True, type=click.Path(path_type=Path))
def check(mixture: Path, stems: tuple[Path, ...]) -> None:
    """Tell how deep MIXTURE nulls when its STEMS, files or a folder of them, are taken from it.

    WAV and FLAC with integer samples must leave nothing, or else the exit code is 1.

    \b
    Example:
      tfwavesep check song.flac separated/song
    """
    from tfwavesep import audio
    from tfwavesep.check import null_depth

    files = [file for stem in stems for file in (audio.find(stem) if stem.is_dir() else [stem])]
    if not files:
        raise click.ClickException(f"{stems[0]}: is a folder without audio files")
    found = null_depth(mixture, files)
    gain = f", after a common gain of {found.gain_db:.1f} dB" if found.gain_db else ""
    worst = f"; most is left at {found.worst_seconds:.3f} s: {found.worst:.2e}" if found.worst else ""
    click.echo(f"null depth {found.depth_db:.1f} dB{gain}{worst}")
    if not found.passed:
        raise click.ClickException(f"{mixture}: its stems do not sum to it")
