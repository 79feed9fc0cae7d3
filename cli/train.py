"""`tfwavesep train`."""

from pathlib import Path

import click

from .options import TRACKS, data_root


@click.command()
@click.argument("preset")
@data_root(TRACKS)
@click.option("-o", "--output", "workdir", type=click.Path(path_type=Path), required=True,
              help="Folder for checkpoints, logs, the run's record and the model.")  # fmt: skip
@click.option("--extra", multiple=True, metavar="STEM=FOLDER[@left|@right]",
              help="More material for one stem, such as vocals=singing/. May be repeated.")  # fmt: skip
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE",
              help="Replace a value of the preset, such as training.epochs=10. May be repeated.")  # fmt: skip
@click.option("--resume", is_flag=True, help="Go on with the training that the folder holds, if it holds one.")
def train(
    preset: str, root: Path, workdir: Path, extra: tuple[str, ...], settings: tuple[str, ...], resume: bool
) -> None:
    """Train PRESET, the name of one that comes with the package or the path of a json file.

    \b
    Example:
      tfwavesep train tiny --data musdb18 -o runs/tiny
    """
    from tfwavesep import training
    from tfwavesep.config import load_preset, override

    path = training.train(override(load_preset(preset), settings), root, workdir, extra, resume, click.echo)
    click.echo(f"Next: tfwavesep export {path} -o saved_models/NAME")
