"""`tfwavesep separate`."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from tfwavesep.errors import OutputError
from tfwavesep.places import is_remote, knock, place, token

from .progress import Progress, notes, printable

if TYPE_CHECKING:
    from tfwavesep.batch import Job, Monitor, Outcome, Settings
    from tfwavesep.separation import Separator

PIPE = Path("-")

ONLY_TO_A_FOLDER = ("template", "jobs", "skip_existing", "overwrite", "shard", "manifest", "plot", "references")
STANDARD_INPUT = (PIPE, Path("/dev/stdin"))
DESCRIPTORS = (Path("/dev/fd"), Path("/proc/self/fd"))
"""Folders where pipes without names have numbers; the next one has the same."""

ONLY_WITH_RAY = ("address", "worker_cpus", "worker_gpus")


class OfFiles(click.Command):
    """A command that tells a file whose name begins as an option does from a misspelt option."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """See `click.Command.parse_args`."""
        try:
            return super().parse_args(context, list(args))
        except click.NoSuchOption as error:
            file = next((arg for arg in args if arg.startswith(error.option_name) and Path(arg).exists()), None)
            if file:
                raise click.UsageError(f"{file}: is a file, but taken for an option; write ./{file}") from error
            raise


class Place(click.ParamType):
    """A path, or a URL."""

    name = "path"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Path:
        """See `places.place`."""
        return place(value) if isinstance(value, str) else value


@click.command(cls=OfFiles)
@click.argument("songs", nargs=-1, required=True, type=Place())
@click.option("-o", "--output", "folder", type=Place(), default="separated", show_default=True,
              help="Folder for the stems, or its URL; - for standard output, which takes one stem.")  # fmt: skip
@click.option("-m", "--model", default="default", show_default=True,
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
    _refuse_places(songs, folder, options)
    _refuse_idle(songs, folder, options)
    if folder == PIPE:
        _to_pipe(songs, settings)
    else:
        _to_files(songs, folder, settings, options)


def _settings(options: dict[str, Any], clip_mode: str) -> "Settings":
    from tfwavesep.audio import Format, RawFormat
    from tfwavesep.batch import Settings

    return Settings(
        model=options["model"],
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
    if options["references"]:
        _show_scores(progress.done, options["references"])
    errors = [str(outcome.error) for outcome in progress.failed] + ([progress.unheard] if progress.unheard else [])
    if errors:
        raise click.ClickException(_summary(errors))


@contextmanager
def _engine(
    options: dict[str, Any], settings: "Settings", separator: "Separator", folder: Path, songs: list[Path]
) -> "Iterator[Callable[[list[Job], Monitor], None]]":
    """What runs jobs, ready to do so."""
    from tfwavesep import batch
    from tfwavesep.batch import cluster

    if options["engine"] == "local":
        yield lambda jobs, monitor: batch.run(jobs, separator, options["jobs"] or 1, monitor)
        return
    size = cluster.Size(options["jobs"], options["worker_cpus"], options["worker_gpus"])
    with cluster.joined(options["address"]):
        cluster.check(settings, size, folder, songs)
        yield lambda jobs, monitor: cluster.run(jobs, settings, size, monitor)


def _refuse_places(songs: tuple[Path, ...], folder: Path, options: dict[str, Any]) -> None:
    manifest = options["manifest"]
    if manifest and is_remote(manifest) != is_remote(folder):
        raise click.UsageError(
            f"-o {folder} and --manifest {manifest}: must be both URLs or both on disk, so that whoever goes on later "
            "finds both"
        )
    if options["engine"] == "ray" and PIPE in (*songs, folder):
        raise click.UsageError("-: a pipe cannot be separated by other machines, only with --engine local")
    if PIPE in songs and len(songs) > 1:
        raise click.UsageError("- is standard input: it cannot be separated together with other songs")
    if folder == PIPE and len(songs) > 1:
        raise click.UsageError("-o -: standard output takes one song")


def _refuse_idle(songs: tuple[Path, ...], folder: Path, options: dict[str, Any]) -> None:
    """Refuse options that would do nothing beside the others."""
    if options["skip_existing"] and options["overwrite"]:
        raise click.UsageError("--skip-existing and --overwrite: only one of them can be meant")
    if folder == PIPE and (idle := _given(ONLY_TO_A_FOLDER)):
        raise click.UsageError(f"{idle}: only with a folder for the stems, not with -o -")
    nameless = next((song for song in songs if song in STANDARD_INPUT or song.parent in DESCRIPTORS), None)
    if options["skip_existing"] and nameless:
        raise click.UsageError(f"{nameless}: has no name of its own to be known by: not with --skip-existing")
    if options["engine"] == "local" and (idle := _given(ONLY_WITH_RAY)):
        raise click.UsageError(f"{idle}: only with --engine ray")
    raw = options["raw_format"]
    if raw and PIPE not in (*songs, folder):
        raise click.UsageError("--raw-format: only with a pipe, - for the song or the output; files tell their own")
    if raw and ":" not in raw and folder != PIPE:
        raise click.UsageError(f"--raw-format {raw}: raw audio needs its rate and channels: {raw}:RATE:CHANNELS")
    if raw and ":" in raw and PIPE not in songs:
        raise click.UsageError(f"--raw-format {raw}: a rate and channels are standard input's; {songs[0]} has its own")


def _refuse_references(references: Path, stems: tuple[str, ...]) -> None:
    from tfwavesep.audio import is_named_so

    there = {path.name.partition(".")[0] for path in references.iterdir() if is_named_so(path)}
    if not there.intersection(stems):
        raise click.UsageError(f"--references {references}: holds none of the stems: no {', '.join(stems)}")


def _given(names: tuple[str, ...]) -> str:
    """Those of some parameters that are on the command line, as they are written there."""
    context = click.get_current_context()
    said = [p for p in context.command.params if p.name in names]
    said = [p for p in said if context.get_parameter_source(str(p.name)) is ParameterSource.COMMANDLINE]
    return ", ".join(parameter.opts[-1] for parameter in said)


def _to_pipe(songs: tuple[Path, ...], settings: "Settings") -> None:
    from tfwavesep import batch
    from tfwavesep.batch import pipes

    if sys.stdout is None:
        raise OutputError("standard output: is closed")
    separator = batch.load(settings)
    pipes.pipe_format(settings, separator.targets)  # or else an error, before the song is opened
    with batch.open_source(songs[0], settings) as reader, _quiet_end():
        if sys.stderr.isatty():
            delay = separator.course(reader.info.sample_rate).latency
            click.echo(f"the stem comes {delay:.2f} s after the song; a shorter --segment shortens that", err=True)
        written = pipes.separate_into(sys.stdout.buffer, separator, reader, settings)
    for line in notes(reader.warnings, written.gain_db, written.clipped):
        click.echo(printable(f"{songs[0]}: {line}"), err=True)


@contextmanager
def _quiet_end() -> Iterator[None]:
    """Whoever listened may go when they have heard enough."""
    try:
        yield
    except (BrokenPipeError, OutputError) as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python still wants to flush
        if isinstance(error, BrokenPipeError):
            sys.exit(0)
        raise


def _show_scores(done: "list[Outcome]", references: Path) -> None:
    from tfwavesep.evaluation import compare_files

    for outcome in done:
        for stem, value in compare_files(outcome.stems, references).items():
            click.echo(f"  {stem:14s} SDR {value:6.2f} dB against {references}")


def _existing(options: dict[str, Any]) -> str:
    return "skip" if options["skip_existing"] else "overwrite" if options["overwrite"] else "refuse"


def _summary(failures: list[str]) -> str:
    return failures[0] if len(failures) == 1 else f"{len(failures)} failed: {'; '.join(failures)}"
