"""From what a user names (files, folders, patterns) to a list of jobs: where stems go, and what is done already.

Nothing is separated here, and nothing is written.
"""

import glob
import string
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tfwavesep import audio, files, urls
from tfwavesep.errors import ConfigError, one_of
from tfwavesep.jobs import STDIN, Job, Outcome, Settings
from tfwavesep.manifest import Manifest

TEMPLATE = "{track}/{stem}.{ext}"
"""Where stems go below the output folder."""

TEMPLATE_FIELDS = {"track", "trackext", "stem", "ext"}

EXISTING = ("refuse", "skip", "overwrite")
"""What is done with songs whose stems are there."""


@dataclass(frozen=True)
class Source:
    """A song that is meant.

    Attributes:
        path: of the file.
        below: its folder's place below the folder that was named; the stems keep it.
        etag: what an object store calls its content.
    """

    path: Path
    below: Path = field(default_factory=Path)
    etag: str | None = None


@dataclass(frozen=True)
class Output:
    """Where stems go, what they are called, and what is done with those that are there.

    Attributes:
        folder: of all.
        template: of a name, with the fields of `TEMPLATE_FIELDS`.
        existing: one of `EXISTING`. With "skip" a song whose stems (and picture, with `pictures`) are all there is
            done; of others only what is missing is made. If the manifest tells that what is there was made of another
            file, model or settings, that is a failure; which stems were chosen then does not matter.
        pictures: whether one of each song goes beside its stems.

    Raises:
        ConfigError: the template has an unknown field, or leads out of the folder.
    """

    folder: Path
    template: str = TEMPLATE
    existing: str = "refuse"
    pictures: bool = False

    def __post_init__(self) -> None:
        try:
            named = [name for _, name, _, _ in string.Formatter().parse(self.template) if name is not None]
            unknown = [name for name in named if name not in TEMPLATE_FIELDS]
            if unknown:
                raise ConfigError(one_of("field of the file name", unknown[0], sorted(TEMPLATE_FIELDS)))
            example = Path(self.template.format(**dict.fromkeys(TEMPLATE_FIELDS, "x")))
        except ValueError as error:
            raise ConfigError(f"file name '{self.template}': {error}") from error
        if "stem" not in named:
            raise ConfigError(f"file name '{self.template}': must contain {{stem}}, or all stems would be one file")
        if example.is_absolute() or ".." in example.parts:
            raise ConfigError(f"file name '{self.template}': must stay within the output folder")

    def path(self, source: Source, stem: str, extension: str) -> Path:
        """Where a stem of a song goes."""
        track, ending = track_name(source.path)
        name = Path(self.template.format(track=track, trackext=ending, stem=stem, ext=extension))
        return self.folder.joinpath(*source.below.parts, *name.parts)


def track_name(path: Path) -> tuple[str, str]:
    """A song's name and the ending of its file; `.stem.mp4` is an ending.

    >>> track_name(Path("A - B.stem.mp4")), track_name(Path("a.b.flac"))
    (('A - B', 'stem.mp4'), ('a.b', 'flac'))
    """
    name = path.stem if path != STDIN else "stdin"
    if path.suffix.lower() in (".mp4", ".m4a") and name.lower().endswith(".stem") and len(name) > 5:
        return name[:-5], name[-4:] + path.suffix
    return name, path.suffix[1:]


@dataclass(frozen=True)
class Model:
    """What a plan needs to know of the model.

    Attributes:
        targets: of it.
        sha256: its digest, for the manifest.
    """

    targets: tuple[str, ...]
    sha256: str | None = None


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes:
        jobs: in the order of the sources.
        settled: songs that are not separated: they are done already, or cannot be done.
    """

    jobs: list[Job]
    settled: list[Outcome]


def expand(named: Sequence[Path], output: Path | None = None) -> tuple[list[Source], list[Outcome]]:
    """The songs that files, folders and patterns stand for.

    Args:
        named: what the user wrote. Folders are searched at any depth.
        output: a folder that is not searched: it holds stems, not songs.

    Raises:
        StoreError: an object store does not answer, or denies.

    Returns:
        the songs, each once, in the order they were named and then by name; and failures for what holds none.
    """
    songs: dict[Path, Source] = {}
    failures: list[Outcome] = []
    for name in named:
        found = _remote_songs(name, output) if files.is_remote(name) else _local_songs(name, output)
        if not found:
            failures.append(Outcome(str(name), "failed", error=f"{name}: {_nothing(name)}"))
        for source in found:
            songs.setdefault(files.absolute(source.path), source)
    return list(songs.values()), failures


def _nothing(name: Path) -> str:
    if files.is_remote(name):
        return "there are no such objects, or none whose names end as those of audio files do"
    return "is a folder without audio files" if name.is_dir() else "no such files"


def _remote_songs(name: Path, output: Path | None) -> list[Source]:
    songs = []
    for root, objects in urls.find(name).items():
        for path, etag in objects.items():
            if path == root:
                songs.append(Source(path, etag=etag))
            elif audio.is_named_so(path) and (output is None or output == root or output not in path.parents):
                songs.append(Source(path, Path(*path.parent.parts[len(root.parts) :]), etag))
    return songs


def _local_songs(name: Path, output: Path | None) -> list[Source]:
    paths = [name]
    if not name.exists() and glob.has_magic(str(name)):
        paths = sorted(Path(match) for match in glob.glob(str(name), recursive=True))
    return [source for path in paths for source in _songs_of(path, output)]


def _songs_of(path: Path, output: Path | None) -> list[Source]:
    if not path.is_dir():
        return [Source(path)]
    kept_out = output.resolve() if output and output.resolve() != path.resolve() else None
    found = audio.find(path)
    if kept_out:
        found = [file for file in found if kept_out not in file.resolve().parents]
    return [Source(file, file.parent.relative_to(path)) for file in found]


def parse_shard(text: str) -> tuple[int, int]:
    """`i/n`: the i-th of n parts, counted from 1.

    Raises:
        ConfigError: it is not.

    >>> parse_shard("2/8")
    (2, 8)
    """
    number, _, count = text.partition("/")
    if number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count):
        return int(number), int(count)
    raise ConfigError(f"shard '{text}': must be i/n with i from 1 to n, such as 2/8")


def plan(
    sources: Sequence[Source],
    settings: Settings,
    model: Model,
    output: Output,
    manifest: Manifest | None = None,
    shard: tuple[int, int] = (1, 1),
) -> Plan:
    """Jobs for all songs that are not done.

    Args:
        sources: all songs of the batch, also those of other shards.
        settings: of all.
        model: of the settings.
        output: where stems go.
        manifest: of earlier runs.
        shard: which part of how many: every n-th song, so that n machines share the work without talking.

    Raises:
        ConfigError: the model has no such stem.
    """
    names = settings.choice(model.targets).written
    skip = output.existing == "skip"
    earlier = manifest.latest() if manifest and skip else {}
    exists = files.presence(output.folder) if skip else None
    taken: dict[Path, Source] = {}
    planned = Plan([], [])
    for index, source in enumerate(sources):
        outputs = {name: output.path(source, name, settings.form.extension) for name in names}
        rival = next((taken[path] for path in outputs.values() if path in taken), None)
        if rival is None:
            taken.update(dict.fromkeys(outputs.values(), source))
        if index % shard[1] != shard[0] - 1:
            continue
        picture = output.path(source, "plot", "png") if output.pictures else None
        job = Job(source.path, outputs, settings, output.existing == "overwrite", model.sha256, picture)
        settled = _rivalry(source, rival) if rival else None
        if exists and not settled:
            there = [path for path in job.files if exists(path)]
            settled = _done(job, source.etag, earlier.get(str(source.path)), there)
            job = _rest(job, there)
        if settled:
            planned.settled.append(settled)
        else:
            planned.jobs.append(job)
    return planned


def _rivalry(source: Source, rival: Source) -> Outcome:
    hint = "another file name pattern keeps them apart, such as {track}.{trackext}/{stem}.{ext}"
    error = f"{source.path}: its stems would take the place of those of {rival.path}; {hint}"
    return Outcome(str(source.path), "failed", error=error)


def _done(job: Job, etag: str | None, row: Outcome | None, there: list[Path]) -> Outcome | None:
    """Whether all of a job's files are there, and those that it would make; None if some are missing."""
    changed = _difference(job, etag, row) if row and there else None
    if changed:
        error = f"{there[0]}: exists already, made of another {changed}; --overwrite replaces it"
        return Outcome(str(job.source), "failed", error=error)
    if len(there) == len(job.files):
        outputs = {stem: str(path) for stem, path in job.outputs.items()}
        return Outcome(str(job.source), "skipped", outputs, str(job.picture) if job.picture else None)
    return None


def _rest(job: Job, there: list[Path]) -> Job:
    """A job that leaves files as they are which are there."""
    kept = frozenset(stem for stem, path in job.outputs.items() if path in there)
    return replace(job, kept=kept, picture=None if job.picture in there else job.picture)


def _difference(job: Job, etag: str | None, row: Outcome) -> str | None:
    """What of a job is not what a manifest's row tells. An object with the same ETag need not be read again."""
    same = etag is not None and etag == row.source_etag
    if not same and files.is_file(job.source) and row.source_sha256 not in (None, files.sha256(job.source)):
        return "input"
    if row.model_sha256 not in (None, job.model_sha256):
        return "model"
    return "settings" if _of_samples(row.settings) != _of_samples(job.settings.described()) else None


def _of_samples(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings that decide what is in a stem: a stem is the same whichever others are written."""
    return {name: value for name, value in settings.items() if name != "stems"}
