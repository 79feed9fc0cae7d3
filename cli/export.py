"""`tfwavesep export`."""

from pathlib import Path

import click

from tfwavesep.errors import needs_extra

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
@click.option("--fixed", "seconds", type=float, metavar="SECONDS",
              help="Write model.tflite of the model RUN with one fixed length, as -o FILE.tflite.")  # fmt: skip
@click.option("--live", is_flag=True,
              help="For music that is played meanwhile, too: the network goes step by step.")  # fmt: skip
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
    seconds: float | None,
    live: bool,
    overwrite: bool,
) -> None:
    """Write the model of a finished training RUN as Keras, SavedModel and TFLite.

    RUN may also be a model folder, or the name of a released model, to write
    it anew in another form. Several become one model, which gives the mean of
    their stems. With --first and --then one of two models is made, which work
    one after the other.

    Runtimes that resize nothing (browsers, microcontrollers) need --fixed:
    one run of that file yields SECONDS of audio, or as near as the network
    can. It takes a model (a released one, too) as it is, and no TensorFlow.

    \b
    Example:
      tfwavesep export runs/tiny -o saved_models/tiny
      tfwavesep export runs/mine -o saved_models/mine --quantize int8 --data musdb18
      tfwavesep export runs/one runs/two -o saved_models/both
      tfwavesep export runs/live -o saved_models/live --quantize float16 --live
      tfwavesep export default -o three_seconds.tflite --fixed 3
      tfwavesep export --first saved_models/spleeter-2stems --then accompaniment=accompaniment \\
                       -o saved_models/best
    """
    if seconds is not None:
        _export_fixed(runs, folder, seconds, overwrite)
        return
    with needs_extra("train", "tfwavesep export"):
        from tfwavesep.release.export import export_cascade, export_model

    if bool(runs) == bool(first) or bool(first) != bool(then):
        raise click.UsageError("name either RUNs, or both --first and --then")
    if first and then:
        path = export_cascade(first, then, folder, licence, scores, overwrite, quantize, root, live)
    else:
        path = export_model(runs, folder, licence, scores, overwrite, quantize, root, live)
    click.echo(f"wrote {path}: config.json, model.keras, 1/ (SavedModel), model.tflite ({quantize})")


def _export_fixed(models: tuple[Path, ...], path: Path, seconds: float, overwrite: bool) -> None:
    _check_meant(len(models), path)
    from tfwavesep.release.fixed import export_fixed

    lengths = export_fixed(str(models[0]), path, seconds, overwrite)
    click.echo(f"wrote {path}: {lengths}")


def _check_meant(models: int, path: Path) -> None:
    """Refuse what goes with a whole model alone."""
    for name in ("quantize", "root", "licence", "scores", "live"):
        given = click.get_current_context().get_parameter_source(name)
        if given == click.core.ParameterSource.COMMANDLINE:
            flag = {"root": "data"}.get(name, name)
            raise click.UsageError(f"--{flag} does not go with --fixed, which takes a model's model.tflite as it is")
    if models != 1:
        raise click.UsageError("--fixed takes one model; several become one by an export without it")
    if path.suffix != ".tflite":
        raise click.UsageError(f"{path}: with --fixed, -o names the file to write, which ends in .tflite")
