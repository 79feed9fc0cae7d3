"""`tfwavesep separate`."""

from pathlib import Path

import click

from tfwavesep.errors import TfwavesepError


@click.command()
@click.argument("songs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path), default="separated", show_default=True,
              help="Folder for the stems: SONG/STEM.wav.")  # fmt: skip
@click.option("-m", "--model", default="default", show_default=True,
              help="A released model's name, a model folder, or the .tflite, .keras or SavedModel in it.")  # fmt: skip
@click.option("--stems", help="Only these, such as vocals,drums. By default all of the model's.")
@click.option("--segment", type=float, metavar="SECONDS",
              help="Audio per run of the network: changes memory and speed, not what is heard.")  # fmt: skip
@click.option("--references", type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="Folder with the true stems: the stems' SDR is shown.")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace stems that are there.")
def separate(
    songs: tuple[Path, ...],
    folder: Path,
    model: str,
    stems: str | None,
    segment: float | None,
    references: Path | None,
    overwrite: bool,
) -> None:
    """Separate SONGS, audio files or folders of them, into stems.

    \b
    Example:
      tfwavesep separate song.mp3 -o stems
    """
    from tfwavesep.separator import Separator, separate_file

    separator = Separator.load(model, segment)
    wanted = tuple(name.strip() for name in stems.split(",")) if stems else ()
    files, failures = _expand(songs)
    for song in files:
        try:
            done = separate_file(separator, song, folder, wanted, overwrite)
            click.echo(f"{song} ({done.seconds:.1f} s): {', '.join(str(path) for path in done.stems.values())}")
            if references:
                _show_scores(done.stems, references)
        except TfwavesepError as error:
            failures.append(str(error))
            if len(files) > 1:
                click.echo(f"failed: {error}", err=True)
    if failures:
        raise click.ClickException(failures[0] if len(failures) == 1 else _summary(failures))


def _expand(songs: tuple[Path, ...]) -> tuple[list[Path], list[str]]:
    """The files that are meant; and what is wrong with folders without audio, and with songs whose stems would take
    the place of another's."""
    from tfwavesep.audio import find

    files: dict[str, Path] = {}
    failures: list[str] = []
    for song in songs:
        found = find(song) if song.is_dir() else [song]
        if not found:
            failures.append(f"{song}: is a folder without audio files")
        for file in found:
            if files.setdefault(file.stem, file) is not file:
                failures.append(f"{file}: its stems would overwrite those of {files[file.stem]}; separate it elsewhere")
    return list(files.values()), failures


def _summary(failures: list[str]) -> str:
    return f"{len(failures)} failed: {'; '.join(failures)}"


def _show_scores(stems: dict[str, Path], references: Path) -> None:
    from tfwavesep.metrics import compare_files

    for stem, value in compare_files(stems, references).items():
        click.echo(f"  {stem:14s} SDR {value:6.2f} dB against {references}")
