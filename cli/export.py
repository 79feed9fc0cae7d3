"""`tfwavesep export`."""

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path), required=True,
              help="Folder of the model, such as saved_models/NAME.")  # fmt: skip
@click.option("--licence", default="not stated", show_default=True, help="Licence of the weights, for config.json.")
@click.option("--scores", type=click.Path(path_type=Path), help="An evaluation's scores.json, for config.json.")
@click.option("--overwrite", is_flag=True, help="Replace a model that is there.")
def export(run: Path, folder: Path, licence: str, scores: Path | None, overwrite: bool) -> None:
    """Write the model of a finished training RUN as Keras, SavedModel and TFLite.

    \b
    Example:
      tfwavesep export runs/tiny -o saved_models/tiny
    """
    from tfwavesep.export import export_model

    path = export_model(run, folder, licence, scores, overwrite)
    click.echo(f"wrote {path}: config.json, model.keras, 1/ (SavedModel), model.tflite; all give the same stems")
