"""From what a user names (files, folders, patterns) to a list of jobs: where stems go, and what is done already.

Nothing is separated here, and nothing is written.
"""

import glob
import os
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tfwavesep import audio, places
from tfwavesep.batch.jobs import STDIN, Job, Outcome, Settings
from tfwavesep.batch.manifest import Manifest
from tfwavesep.errors import AudioError, ConfigError, one_of
from tfwavesep.places import urls

TEMPLATE = "{track}/{stem}.{ext}"
"""Where stems go below the output folder."""

APART = "{track}.{trackext}/{stem}.{ext}"
"""Where stems of songs go whose names differ in their endings only."""

SHORT = "{track:.60}/{stem}.{ext}"
"""Where stems of songs go whose names are too long: not even of the widest letters are 60 too many."""

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
            parsed = [(name, form) for _, name, form, _ in string.Formatter().parse(self.template) if name is not None]
            if any("{" in (form or "") for _, form in parsed):
                raise ValueError("holds a field within a field")
            named = [name for name, _ in parsed]
            unknown = [name for name in named if name not in TEMPLATE_FIELDS]
            if unknown:
                raise ConfigError(one_of("field of the file name", unknown[0], sorted(TEMPLATE_FIELDS)))
            example = Path(self.template.format(**dict.fromkeys(TEMPLATE_FIELDS, "x")))
        except (ValueError, MemoryError, OverflowError) as error:
            raise ConfigError(f"file name '{self.template}': {error}") from error
        if "stem" not in named:
            raise ConfigError(f"file name '{self.template}': must contain {{stem}}, or all stems would be one file")
        if example.is_absolute() or ".." in example.parts:
            raise ConfigError(f"file name '{self.template}': must stay within the output folder")

    def path(self, source: Source, stem: str, extension: str) -> Path:
        """Where a stem of a song goes: below the folder, whatever the song is called."""
        track, ending = track_name(source.path)
        name = Path("./" + self.template.format(track=track, trackext=ending, stem=stem, ext=extension))
        return self.folder.joinpath(*("_" if part == ".." else part for part in (*source.below.parts, *name.parts)))

    def picture(self, source: Source) -> Path:
        """Where the picture of a song and its stems goes: named like a stem, but for an ending of its own, which the
        template need not give it."""
        path = self.path(source, "plot", "png")
        if path.suffix == ".png":
            return path
        return path.with_suffix(".png") if audio.is_named_so(path) else path.with_name(f"{path.name}.png")


def track_name(path: Path) -> tuple[str, str]:
    """A song's name and the ending of its file; `.stem.mp4` is an ending. A name that would mean a folder keeps it.

    >>> track_name(Path("A - B.stem.mp4")), track_name(Path("a.b.flac")), track_name(Path("...wav"))
    (('A - B', 'stem.mp4'), ('a.b', 'flac'), ('...wav', 'wav'))
    """
    if path.stem in (".", ".."):
        return path.name, path.suffix[1:]
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
        output: the folder for the stems. Wherever a search comes upon it, it is left out: it holds stems, not songs.

    Raises:
        StoreError: an object store does not answer, or denies.

    Returns:
        the songs, each once, in the order they were named and then by name; and failures for what holds none, and for
        folders that cannot be searched.
    """
    songs: dict[Path, Source] = {}
    failures: list[Outcome] = []
    for name in named:
        closed: dict[Path, str] = {}
        found = _remote_songs(name, output) if places.is_remote(name) else _local_songs(name, output, closed)
        if not found and not closed:
            closed[name] = _nothing(name, output)
        failures += [Outcome(str(place), "failed", error=f"{place}: {reason}") for place, reason in closed.items()]
        for source in found:
            songs.setdefault(places.absolute(source.path), source)
    return list(songs.values()), failures


def _nothing(name: Path, output: Path | None) -> str:
    if output and places.real(name) == places.real(output):
        return "is the output folder, where songs are not looked for; choose another -o, or name the songs themselves"
    if places.is_remote(name):
        return "there are no such objects, or none whose names end as those of audio files do"
    if os.path.isdir(name):
        return "is a folder without audio files"
    hint = " (in a pattern [[] stands for [)" if "[" in str(name) else ""
    return f"no such files{hint}"


def _remote_songs(name: Path, output: Path | None) -> list[Source]:
    songs = []
    for root, objects in urls.find(name).items():
        songs += [Source(root, etag=objects[root])] if root in objects else []
        found = [path for path in objects if path != root and audio.is_named_so(path)]
        found = [path for path in _without_stems(found, root, output) if not _is_hidden(path, root)]
        songs += [Source(path, Path(*path.parent.parts[len(root.parts) :]), objects[path]) for path in found]
    return songs


def _is_hidden(path: Path, searched: Path) -> bool:
    return any(audio.is_hidden(folder) for folder in path.parts[len(searched.parts) :])


def _local_songs(name: Path, output: Path | None, closed: dict[Path, str]) -> list[Source]:
    paths = [name]
    if not os.path.exists(name) and glob.has_magic(str(name)):
        paths = sorted(Path(match) for match in glob.glob(str(name), recursive=True))
    return [source for path in paths for source in _songs_of(path, output, closed)]


def _songs_of(path: Path, output: Path | None, closed: dict[Path, str]) -> list[Source]:
    """The songs that a path stands for. Folders that cannot be searched are added to those that are `closed`, with the
    reason."""
    if path == STDIN or not os.path.isdir(path):
        return [Source(path)]
    errors: list[OSError] = []
    found = _without_stems(audio.find(path, errors.append), path, output)
    reasons = {Path(error.filename): f"cannot be searched: {error.strerror}" for error in errors}
    closed.update((folder, reasons[folder]) for folder in _without_stems(list(reasons), path, output))
    return [Source(file, file.parent.relative_to(path)) for file in found]


def _without_stems(found: list[Path], searched: Path, output: Path | None) -> list[Path]:
    """What was found in a folder, but for what is in the output folder, where that is the same or in it."""
    if output is None or not _holds(searched, output):
        return found
    return [path for path in found if not _holds(output, path)]


def _holds(folder: Path, place: Path) -> bool:
    place = places.real(place)
    return places.real(folder) in (place, *place.parents)


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
        ConfigError: the model has no such stem, or a stem would take the place of a song of the batch, or of another.
    """
    names = settings.choice(model.targets).written
    jobs = [_job(source, names, settings, model, output) for source in sources]
    for job in jobs[:1]:
        _refuse_names(job, output.template, settings.form)
    _refuse_songs_as_outputs(jobs)
    skip = output.existing == "skip"
    earlier = manifest.latest() if manifest and skip else {}
    exists, longest = places.presence(output.folder) if skip else None, places.longest_name(output.folder)
    planned = Plan([], [])
    for source, job, rival in list(zip(sources, jobs, _rivals(sources, jobs), strict=True))[shard[0] - 1 :: shard[1]]:
        settled = _rivalry(source, rival, output) if rival else _too_long(job, output, longest)
        if exists and not settled:
            there = [path for path in job.files if exists(path)]
            settled = _done(job, source.etag, earlier.get(str(source.path)), there)
            job = _rest(job, there)
        if settled:
            planned.settled.append(settled)
        else:
            planned.jobs.append(job)
    return planned


def _job(source: Source, names: Sequence[str], settings: Settings, model: Model, output: Output) -> Job:
    outputs = {name: output.path(source, name, settings.form.extension) for name in names}
    picture = output.picture(source) if output.pictures else None
    return Job(source.path, outputs, settings, output.existing == "overwrite", model.sha256, picture)


def _refuse_names(job: Job, template: str, form: audio.Format) -> None:
    """What a template makes of the stems of any song."""
    one: dict[Path, str] = {}
    for stem, path in job.outputs.items():
        if one.setdefault(path, stem) != stem:
            raise ConfigError(f"file name '{template}': {one[path]} and {stem} would be one file, {path}")
    named = Path(template.format(**dict.fromkeys(TEMPLATE_FIELDS, "x")))
    if audio.is_named_so(named) and named.suffix.lower() != f".{form.extension}":
        raise ConfigError(f"file name '{template}': the stems are .{form.extension}; see --format, and {{ext}}")


def _refuse_songs_as_outputs(jobs: Sequence[Job]) -> None:
    songs = {places.real(job.source): job.source for job in jobs}
    names = {path.name for path in (*songs, *songs.values())}  # to follow the links of every stem would take long
    for job in jobs:
        for path in job.files:
            if path.name in names and (song := songs.get(places.real(path))):
                where = "choose another -o or --filename"
                raise ConfigError(f"{job.source}: its stems would take the place of the song {song}; {where}")


def _rivals(sources: Sequence[Source], jobs: Sequence[Job]) -> Iterator[Source | None]:
    """For each song the earlier one, if any, whose stems go to the same place."""
    taken: dict[Path, Source] = {}
    for source, job in zip(sources, jobs, strict=True):
        rival = next((taken[path] for path in job.outputs.values() if path in taken), None)
        if rival is None:
            taken.update(dict.fromkeys(job.outputs.values(), source))
        yield rival


def _rivalry(source: Source, rival: Source, output: Output) -> Outcome:
    apart = replace(output, template=APART)
    helps = apart.path(source, "", "") != apart.path(rival, "", "")
    hint = f"--filename '{APART}' keeps them apart" if helps else "separate it on its own, with another -o"
    error = f"{source.path}: its stems would take the place of those of {rival.path}; {hint}"
    return Outcome(str(source.path), "failed", error=error)


def _too_long(job: Job, output: Output, longest: int | None) -> Outcome | None:
    names = (name for path in job.files for name in path.parts[len(output.folder.parts) :])
    if longest is None or all(len(os.fsencode(name)) <= longest for name in names):
        return None
    where = f"the file system of {output.folder}"
    return job.failed(f"{job.source}: the name is too long for {where}; --filename '{SHORT}' shortens it")


def _done(job: Job, etag: str | None, row: Outcome | None, there: list[Path]) -> Outcome | None:
    """Whether all of a job's files are there, and those that it would make; None if some are missing."""
    try:
        changed = _difference(job, etag, row) if row and there else None
    except AudioError as unread:
        return job.failed(str(unread))
    except OSError as unread:
        return job.failed(f"{job.source}: cannot be read: {unread.strerror}")
    if changed:
        error = f"{there[0]}: exists already, {changed}; --overwrite replaces it"
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
    if not same and job.is_lasting and row.source_sha256 not in (None, places.sha256(job.source)):
        return "made of another song"
    if row.model_sha256 not in (None, job.model_sha256):
        return "made by another model"
    return "made with other settings" if _of_samples(row.settings) != _of_samples(job.settings.described()) else None


def _of_samples(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings that decide what is in a stem: a stem is the same whichever others are written."""
    told = {name: value for name, value in settings.items() if name not in ("stems", "take_damaged")}
    return {"stream": None, "keep_offset": False, **told}  # rows may be older than these
