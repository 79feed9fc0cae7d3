"""`tfwavesep export`."""

from pathlib import Path

import click

from .options import data_root


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, type=click.Path(path_type=Path))
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path), required=True,
              help="Folder of the model, such as saved_models/NAME, or NAME.zip.")  # fmt: skip
@click.option("--first", metavar="MODEL", help="Instead of RUN: the model that divides the mixture.")
@click.option("--then", metavar="STEM=MODEL", help="The model that divides a stem of the first further.")
@click.option("--quantize", metavar="FORM", default="none", show_default=True,
              help="Form of model.tflite: none, float16, int8-weights, dynamic or int8.")  # fmt: skip
@data_root("Data root, to calibrate int8 and to measure what the form costs in SDR.", required=False)
@click.option("--licence", help="Licence of the weights, for config.json.")
@click.option("--scores", type=click.Path(path_type=Path), help="An evaluation's scores.json, for config.json.")
@click.option("--overwrite", is_flag=True, help="Replace a model that is there.")
def export(
    runs: tuple[Path, ...],
    folder: Path,
    first: str | None,
    then: str | None,
    quantize: str,
    root: Path | None,
    licence: str | None,
    scores: Path | None,
    overwrite: bool,
) -> None:
    """Write the model of a finished training RUN as Keras, SavedModel and TFLite.

    RUN may also be a model folder, to write it anew in another form. Several
    become one model, which gives the mean of their stems. With --first and --then
    one of two models is made, which work one after the other.

    \b
    Example:
      tfwavesep export runs/tiny -o saved_models/tiny
      tfwavesep export runs/mine -o saved_models/mine --quantize int8 --data musdb18
      tfwavesep export runs/one runs/two -o saved_models/both
      tfwavesep export --first saved_models/spleeter-2stems --then accompaniment=default -o saved_models/best
    """
    from tfwavesep.release.export import export_cascade, export_model

    if bool(runs) == bool(first) or bool(first) != bool(then):
        raise click.UsageError("name either RUNs, or both --first and --then")
    if first and then:
        path = export_cascade(first, then, folder, licence, scores, overwrite, quantize, root)
    else:
        path = export_model(runs, folder, licence, scores, overwrite, quantize, root)
    click.echo(f"wrote {path}: config.json, model.keras, 1/ (SavedModel), model.tflite ({quantize})")
