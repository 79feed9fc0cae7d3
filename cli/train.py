"""`tfwavesep train`."""

from pathlib import Path

import click

from tfwavesep.errors import needs_extra

from .options import TRACKS, data_root


@click.command()
@click.argument("preset", required=False)
@data_root(TRACKS, several=True)
@click.option("-o", "--output", "workdir", type=click.Path(path_type=Path), required=True,
              help="Folder for checkpoints, logs, the run's record and the model.")  # fmt: skip
@click.option("--from", "start", metavar="MODEL",
              help="Begin with the weights of a model, or of a training that is finished. Without PRESET it goes on as "
                   "it was trained, at a tenth of the learning rate.")  # fmt: skip
@click.option("--extra", multiple=True, metavar="STEM=FOLDER[@left|@right]",
              help="More material for one stem, such as vocals=singing/. May be repeated.")  # fmt: skip
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE",
              help="Replace a value of the preset, such as training.epochs=10. May be repeated.")  # fmt: skip
@click.option("--preview", type=click.IntRange(min=0), default=0, metavar="EPOCHS",
              help="Every so many epochs, write the stems of 20 seconds of a validation song.")  # fmt: skip
@click.option("--resume", is_flag=True,
              help="Go on with the training that the folder holds, if it holds one: without PRESET as it is, but for "
                   "what --set changes.")  # fmt: skip
def train(
    preset: str | None,
    roots: tuple[Path, ...],
    workdir: Path,
    start: str | None,
    extra: tuple[str, ...],
    settings: tuple[str, ...],
    preview: int,
    resume: bool,
) -> None:
    """Train PRESET, the name of one that comes with the package or the path of a json file.

    \b
    Example:
      tfwavesep train tiny --data musdb18 -o runs/tiny
      tfwavesep train --from default --data musdb18 -o runs/mine
      tfwavesep train --resume --set training.epochs=60 --data musdb18 -o runs/mine
    """
    with needs_extra("train", "tfwavesep train"):
        from tfwavesep import training
    from tfwavesep.config import load_preset, override

    begin = training.begin(start) if start else None
    there = training.preset_of(workdir) if resume else None
    if preset:
        chosen = load_preset(preset)
    elif there:
        chosen = there
    elif begin:
        chosen = training.gently(begin)
    else:
        raise click.UsageError("what is to be trained? Name a PRESET, or a model with --from")
    path = training.train(override(chosen, settings), roots, workdir, extra, resume, click.echo, begin, preview)
    click.echo(f"Next: tfwavesep export {path} -o saved_models/NAME")
