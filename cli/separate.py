"""`tfwavesep separate`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from tfwavesep.places import is_remote, knock, token

from .combinations import PIPE, Asked, nonsense
from .options import OfFiles, Place
from .pipe import to_standard_output
from .progress import Progress

if TYPE_CHECKING:
    from tfwavesep.batch import Job, Monitor, Outcome, Settings
    from tfwavesep.separation import Separator

FEW = 3
"""Failures that are told once more, together, at the end."""


@click.command(cls=OfFiles)
@click.argument("songs", nargs=-1, required=True, type=Place())
@click.option("-o", "--output", "folder", type=Place(), default="separated", show_default=True,
              help="Folder for the stems, or its URL; - for standard output, which takes one stem.")  # fmt: skip
@click.option("-m", "--model", show_default="default, with --live live",
              help="A released model's name, a model folder (./default, if called so), or the .tflite, .keras or "
                   "SavedModel in it.")  # fmt: skip
@click.option("--stems", help="Only these, such as vocals,drums. By default all of the model's.")
@click.option("--two-stems", metavar="STEM", help="This stem, and all the rest of the song as one.")
@click.option("--format", "extension", type=click.Choice(["wav", "flac", "ogg", "mp3"]), default="wav",
              show_default=True, help="Of the stems' files.")  # fmt: skip
@click.option("--bits", type=click.Choice(["16", "24", "float"]),
              help="Sample format of wav (float by default, which never clips) and flac (24).")  # fmt: skip
@click.option("--filename", "template", default="{track}/{stem}.{ext}", show_default=True, metavar="PATTERN",
              help="Of the stems, below the output folder: {track}, {trackext}, {stem}, {ext}.")  # fmt: skip
@click.option("--clip-mode", type=click.Choice(["rescale", "clamp", "none"]),
              show_default="rescale; clamp with -o -, where no gain can be known beforehand",
              help="Where a stem would clip: one gain for all stems, cut its peaks, or refuse the song.")  # fmt: skip
@click.option("--nan", type=click.Choice(["refuse", "zero"]), default="refuse", show_default=True,
              help="What to do with samples that are not numbers.")  # fmt: skip
@click.option("--damaged", type=click.Choice(["refuse", "take"]), default="refuse", show_default=True,
              help="What to do with songs that are not whole: refuse them, or take what is there.")  # fmt: skip
@click.option("--stream", type=click.IntRange(min=1), metavar="N",
              help="Which of a file's sound streams, counted from 1. By default its default one.")  # fmt: skip
@click.option("--keep-offset", is_flag=True,
              help="Begin with silence where a film's sound starts later than its pictures.")  # fmt: skip
@click.option("--start", type=float, default=0.0, metavar="SECONDS", help="Where in the song to begin.")
@click.option("--duration", type=float, metavar="SECONDS", help="How much of it to separate. By default all.")
@click.option("--segment", type=float, metavar="SECONDS",
              help="Audio per run of the network: changes memory, speed, a pipe's delay.")  # fmt: skip
@click.option("--live", is_flag=True,
              help="With -o -: step by step, for music that is played meanwhile.")  # fmt: skip
@click.option("-j", "--jobs", type=click.IntRange(min=1),
              help="Songs separated at the same time. By default 1; with ray as many as fit the cluster.")  # fmt: skip
@click.option("--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True,
              help="What runs the jobs: this program, or a Ray cluster of any number of machines.")  # fmt: skip
@click.option(
    "--address",
    metavar="HOST:PORT",
    help="Of a running Ray cluster, or auto for this machine's. By default one of its own, on this machine.",
)
@click.option("--worker-cpus", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True,
              help="Cores for each of ray's jobs.")  # fmt: skip
@click.option("--worker-gpus", type=click.FloatRange(min=0), default=0.0, show_default=True,
              help="GPUs for each of ray's jobs; may be a fraction.")  # fmt: skip
@click.option("--skip-existing", is_flag=True, help="Leave what is there; make missing stems and pictures.")
@click.option("--overwrite", is_flag=True, help="Replace stems that are there.")
@click.option("--shard", metavar="I/N", default="1/1", help="Do the I-th of N parts of the songs.")
@click.option("--manifest", type=Place(), metavar="FILE",
              help="Append a line of JSON for every song: hashes, settings, files, peaks, seconds, error; at a URL, an "
                   "object in this folder.")  # fmt: skip
@click.option("--plot", is_flag=True,
              help="A picture of each song and its stems beside them; needs the extra [plot].")  # fmt: skip
@click.option("--raw-format", metavar="TYPE[:RATE:CHANNELS]",
              help="Pipes carry samples without a header: TYPE is s16le, s24le or f32le; RATE and CHANNELS say that "
                   "standard input does too.")  # fmt: skip
@click.option("--references", type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="Folder with the true stems: the stems' SDR is shown.")  # fmt: skip
def separate(songs: tuple[Path, ...], folder: Path, **options: Any) -> None:
    """Separate SONGS into stems: audio files, folders, patterns such as 'album/*.mp3', their URLs, or - for standard
    input.

    \b
    Example:
      tfwavesep separate song.mp3 -o stems
      tfwavesep separate 's3://bucket/album/*.flac' -o s3://bucket/stems
    """
    settings = _settings(options, "clamp" if folder == PIPE else "rescale")
    if reason := nonsense(Asked(songs, folder, options, _said())):
        raise click.UsageError(reason)
    if folder == PIPE:
        to_standard_output(songs[0], settings)
    else:
        _to_files(songs, folder, settings, options)


def _said() -> dict[str, str]:
    """The parameters on the command line, as they are written there."""
    context = click.get_current_context()
    parameters = {str(each.name): each.opts[-1] for each in context.command.params}
    sources = {name: context.get_parameter_source(name) for name in parameters}
    return {name: parameters[name] for name, source in sources.items() if source is ParameterSource.COMMANDLINE}


def _settings(options: dict[str, Any], clip_mode: str) -> "Settings":
    from tfwavesep.audio import Format, RawFormat
    from tfwavesep.batch import Settings

    return Settings(
        model=("live" if options["live"] else "default") if options["model"] is None else options["model"],
        segment_seconds=options["segment"],
        stems=() if options["stems"] is None else tuple(name.strip() for name in options["stems"].split(",")),
        two_stems=options["two_stems"],
        form=Format.parse(options["extension"], options["bits"]),
        clip_mode=options["clip_mode"] or clip_mode,
        start_seconds=options["start"],
        duration_seconds=options["duration"],
        zero_bad_samples=options["nan"] == "zero",
        take_damaged=options["damaged"] == "take",
        stream=None if options["stream"] is None else options["stream"] - 1,
        keep_offset=options["keep_offset"],
        live=options["live"],
        raw=None if options["raw_format"] is None else RawFormat.parse(options["raw_format"]),
    )


def _to_files(songs: tuple[Path, ...], folder: Path, settings: "Settings", options: dict[str, Any]) -> None:
    from tfwavesep import batch
    from tfwavesep.batch import Manifest, planning
    from tfwavesep.stemfiles import require_matplotlib

    output = planning.Output(folder, options["template"], _existing(options), options["plot"])
    shard = planning.parse_shard(options["shard"])
    manifest = Manifest(options["manifest"]) if options["manifest"] else None
    if options["plot"]:
        require_matplotlib()
    separator = batch.load(settings)
    if options["references"]:
        _refuse_references(options["references"], settings.choice(separator.targets).written)
    model = planning.Model(separator.targets, batch.model_sha256(settings.model) if manifest else None)
    for remote in filter(is_remote, (*songs, folder)):
        knock(remote)
    sources, failures = planning.expand(songs, folder)
    if is_remote(folder):
        with token(folder):
            pass
    if manifest:
        manifest.check()
    with _engine(options, settings, separator, folder, [source.path for source in sources[:1]]) as run:
        plan = planning.plan(sources, settings, model, output, manifest, shard)
        settled = [*failures, *plan.settled]
        with Progress(len(settled) + len(plan.jobs), len(plan.jobs), manifest) as progress:
            for outcome in settled:
                progress.finished(outcome)
            run(plan.jobs, progress)
    progress.report()
    alone = list(_show_scores(progress.done, options["references"])) if options["references"] else []
    errors = [*_summary([str(outcome.error) for outcome in progress.failed]), *filter(None, [progress.unheard]), *alone]
    if errors:
        raise click.ClickException("; ".join(errors))


@contextmanager
def _engine(
    options: dict[str, Any], settings: "Settings", separator: "Separator", folder: Path, songs: list[Path]
) -> "Iterator[Callable[[list[Job], Monitor], None]]":
    """What runs jobs, ready to do so."""
    if options["engine"] == "local":
        from tfwavesep import batch

        yield lambda jobs, monitor: batch.run(jobs, separator, options["jobs"] or 1, monitor)
        return
    from tfwavesep.batch import cluster

    size = cluster.Size(options["jobs"], options["worker_cpus"], options["worker_gpus"])
    with cluster.joined(options["address"]):
        cluster.check(settings, size, folder, songs)
        yield lambda jobs, monitor: cluster.run(jobs, settings, size, monitor)


def _refuse_references(references: Path, stems: tuple[str, ...]) -> None:
    from tfwavesep.audio import is_named_so

    there = {path.name.partition(".")[0] for path in references.iterdir() if is_named_so(path)}
    if not there.intersection(stems):
        raise click.UsageError(f"--references {references}: holds none of the stems: no {', '.join(stems)}")


def _show_scores(done: "list[Outcome]", references: Path) -> Iterator[str]:
    """Yields why songs cannot be compared."""
    from tfwavesep.errors import AudioError
    from tfwavesep.evaluation import compare_files

    for outcome in done:
        try:
            scores = compare_files(outcome.stems, references)
        except AudioError as error:
            yield str(error)
            continue
        for stem, value in scores.items():
            about = f"SDR {value:6.2f} dB against {references}" if value == value else f"silent in {references}"
            click.echo(f"  {stem:14s} {about}")


def _existing(options: dict[str, Any]) -> str:
    return "skip" if options["skip_existing"] else "overwrite" if options["overwrite"] else "refuse"


def _summary(failures: list[str]) -> list[str]:
    """Of several each was told as it happened."""
    if len(failures) < 2:
        return failures
    return [f"{len(failures)} failed: {'; '.join(failures) if len(failures) <= FEW else 'see above'}"]
