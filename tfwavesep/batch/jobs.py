"""One song, from its file to its stems: a job is a value that can be sent to any process or machine and run there."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tfwavesep.audio import AudioInfo, Format, RawFormat, Reader, about, open_audio
from tfwavesep.errors import AudioError, ConfigError, OutputExistsError, one_of
from tfwavesep.places import etag, exist, is_file, place, sha256
from tfwavesep.separation import Piece, Separator
from tfwavesep.stemfiles import CLIP_MODES, Choice, Written, plot, stem_files

Progress = Callable[[float, float | None], None]
"""Is told how many seconds of a song are done, and of how many, if that is known."""

STDIN = Path("-")
"""The source that is standard input."""


def nobody(seconds: float, length: float | None) -> None:
    """Does not want to know."""


@dataclass(frozen=True)
class Settings:
    """How songs are separated and their stems written; the same for all songs of a batch.

    Attributes:
        model: a released model's name or the path of one, see `backends.open_backend`.
        segment_seconds: audio per run of the network, None for a fitting length.
        stems: which to write; all of the model's if empty.
        two_stems: one stem, to be written beside all the rest of the mixture.
        form: of the files.
        clip_mode: one of `stemfiles.CLIP_MODES`.
        start_seconds: where in the song to begin; the stems are those of the whole song there.
        duration_seconds: how much to separate, None for all.
        zero_bad_samples: whether NaN and infinite samples become zeros; else the song is refused.
        take_damaged: whether what is there of a song that is not whole is separated; else it is refused.
        stream: which of a file's audio streams, the first being 0; None for its default one.
        keep_offset: whether silence comes first where a film's sound starts later than its pictures.
        live: whether the network goes step by step, for music that is played meanwhile, from its first sample on.
        raw: samples without a header, into a pipe; from standard input too if it has their rate and channels.

    Raises:
        ConfigError: a value cannot work.
    """

    model: str = "default"
    segment_seconds: float | None = None
    stems: tuple[str, ...] = ()
    two_stems: str | None = None
    form: Format = field(default_factory=Format)
    clip_mode: str = "rescale"
    start_seconds: float = 0.0
    duration_seconds: float | None = None
    zero_bad_samples: bool = False
    take_damaged: bool = False
    stream: int | None = None
    keep_offset: bool = False
    live: bool = False
    raw: RawFormat | None = None

    def __post_init__(self) -> None:
        if self.clip_mode not in CLIP_MODES:
            raise ConfigError(one_of("clip mode", self.clip_mode, CLIP_MODES))
        if self.stems and self.two_stems is not None:
            raise ConfigError("stems and two-stems: only one of them can be chosen")
        if not 0 <= self.start_seconds < float("inf"):
            raise ConfigError(f"start = {self.start_seconds} s: at least 0")
        if self.duration_seconds is not None and not 0 < self.duration_seconds < float("inf"):
            raise ConfigError(f"duration = {self.duration_seconds} s: above 0")

    def choice(self, targets: tuple[str, ...]) -> Choice:
        """Which stems of a model's are written.

        Raises:
            ConfigError: the model has no such stem.
        """
        return Choice.of(targets, self.stems, self.two_stems)

    def length(self, info: AudioInfo) -> float | None:
        """Seconds of a song that are wanted, or None if its length is not known."""
        wanted = self.duration_seconds
        if info.seconds is None:
            return wanted
        left = max(0.0, info.seconds - self.start_seconds)
        return left if wanted is None else min(left, wanted)

    def tags(self, info: AudioInfo) -> dict[str, str]:
        """Of the stems: the song's, from when they begin."""
        if "time_reference" not in info.tags:
            return info.tags
        return {**info.tags, "time_reference": str(int(info.tags["time_reference"]) + self.span(info.sample_rate)[0])}

    def described(self) -> dict[str, Any]:
        """As a manifest's row holds them."""
        return {**asdict(self), "stems": list(self.stems)}

    def span(self, sample_rate: int) -> tuple[int, int | None]:
        """The first sample that is wanted and the one after the last, or None for the song's end."""
        start = round(self.start_seconds * sample_rate)
        if self.duration_seconds is None:
            return start, None
        return start, start + max(1, round(self.duration_seconds * sample_rate))


@dataclass(frozen=True)
class Job:
    """One song to be separated.

    Attributes:
        source: the file.
        outputs: where each stem goes.
        settings: how.
        overwrite: whether files that are there may be replaced.
        model_sha256: of the model's files, for the outcome.
        picture: where a picture of the song and its stems goes, if one is wanted.
        kept: the stems that are there already and stay as they are; a picture shows them too.
    """

    source: Path
    outputs: dict[str, Path]
    settings: Settings
    overwrite: bool = False
    model_sha256: str | None = None
    picture: Path | None = None
    kept: frozenset[str] = frozenset()

    @property
    def written(self) -> dict[str, Path]:
        """Where each stem goes that is made."""
        return {stem: path for stem, path in self.outputs.items() if stem not in self.kept}

    @property
    def files(self) -> list[Path]:
        """All that is made: stems, and the picture."""
        return [*self.written.values(), *([self.picture] if self.picture else [])]

    @property
    def is_lasting(self) -> bool:
        """Whether the song can be read again, as none can that came through a pipe."""
        return self.source != STDIN and is_file(self.source)

    def failed(self, error: str) -> "Outcome":
        """That nothing came of it, and why."""
        return Outcome(str(self.source), "failed", error=error, settings=self.settings.described())


@dataclass
class Outcome:
    """What came of a job; a row of a manifest.

    Attributes:
        source: the file.
        status: "done", "skipped" or "failed".
        outputs: the files written, by stem.
        picture: of the song and its stems.
        seconds: of audio.
        took_seconds: to separate it.
        peak: the largest absolute sample of each stem, full scale 1.0.
        gain_db: the common gain that all stems were given, 0 or less.
        clipped: how many samples were cut to full scale.
        warnings: what was wrong with the song though it could be separated.
        error: why it could not.
        source_sha256: of the file's content.
        source_etag: what an object store calls that content.
        model_sha256: of the model's files.
        settings: of the job.
    """

    source: str
    status: str = "done"
    outputs: dict[str, str] = field(default_factory=dict)
    picture: str | None = None
    seconds: float = 0.0
    took_seconds: float = 0.0
    peak: dict[str, float] = field(default_factory=dict)
    gain_db: float = 0.0
    clipped: int = 0
    warnings: list[str] = field(default_factory=list)
    error: str | None = None
    source_sha256: str | None = None
    source_etag: str | None = None
    model_sha256: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def stems(self) -> dict[str, Path]:
        """The files written, by stem."""
        return {stem: place(path) for stem, path in self.outputs.items()}


def open_source(source: Path, settings: Settings) -> AbstractContextManager[Reader]:
    """A song, ready to be read as the settings say; see `audio.open_audio`.

    Raises:
        AudioError: standard input, if that is the song, is closed.
    """
    if source == STDIN and sys.stdin is None:
        raise AudioError("standard input: is closed")
    raw = settings.raw if source == STDIN and settings.raw and settings.raw.sample_rate else None
    file = sys.stdin.buffer if source == STDIN else source
    ways = (settings.zero_bad_samples, settings.stream, settings.take_damaged, settings.keep_offset)
    return open_audio(file, raw, *ways)


def separated(separator: Separator, reader: Reader, settings: Settings) -> Iterator[Piece]:
    """The part of a song that is wanted, piece by piece.

    Raises:
        AudioError: the song cannot be read, or ends before the part begins.
        ModelError: it is to go live, and the model cannot go step by step.
    """
    sample_rate = reader.info.sample_rate
    if settings.live:
        stream = separator.open(sample_rate, reader.info.channels, live=True)
        return not_empty(stream.run(reader.blocks()), reader, settings)
    start, stop = settings.span(sample_rate)
    return not_empty(separator.separate_range(reader.blocks, sample_rate, start, stop), reader, settings)


def not_empty(pieces: Iterator[Piece], reader: Reader, settings: Settings) -> Iterator[Piece]:
    """A song's pieces; if there are none, that is an AudioError."""
    first = next(pieces, None)
    if first is None and settings.start_seconds:
        raise AudioError(f"{reader.name}: ends before {settings.start_seconds} s, where to start")
    if first is None:
        raise AudioError(f"{reader.name}: holds no samples")
    yield first
    yield from pieces


def run(separator: Separator, job: Job, progress: Progress = nobody) -> Outcome:
    """Separate a song; if all its stems are kept, only draw its picture.

    Args:
        separator: of the job's model and segment.
        job: to do.
        progress: is told how far it is.

    Raises:
        AudioError: the song cannot be read, or its stems cannot be written in this format.
        ConfigError: the model has no such stem.
        OutputError: the folder cannot be written to, the disk is full, or a stem is there already
            (`OutputExistsError`).
    """
    choice = job.settings.choice(separator.targets)
    refuse_existing(job)
    if not job.written:
        return _only_draw(job)
    with open_source(job.source, job.settings) as reader:
        return write(job, choice, reader, separated(separator, reader, job.settings), progress)


def write(job: Job, choice: Choice, reader: Reader, pieces: Iterable[Piece], progress: Progress = nobody) -> Outcome:
    """Write a song's stems.

    Args:
        job: of the song.
        choice: of stems.
        reader: of the song, open.
        pieces: of the song, in order; taken one by one.
        progress: is told how far it is.

    Raises:
        AudioError: as `run`.
        OutputError: as `run`.
    """
    began = time.monotonic()
    settings, info = job.settings, reader.info
    sound = (settings.form, info.sample_rate, info.channels, settings.clip_mode)
    opened = stem_files(job.written, choice, *sound, settings.tags(info), info.mask, info.cover)
    with about(reader.name), opened as (append, written):
        done, length = 0.0, settings.length(info)
        for piece in pieces:
            append(piece)
            done += len(piece) / info.sample_rate
            progress(done, length)
    _draw(job)
    return _outcome(job, written, written.frames / info.sample_rate, reader.warnings, time.monotonic() - began)


def _only_draw(job: Job) -> Outcome:
    began = time.monotonic()
    _draw(job)
    return _outcome(job, Written({}), 0.0, [], time.monotonic() - began)


def _draw(job: Job) -> None:
    """The picture, if one is wanted: of the mixture, unless that came through a pipe and is gone, and all stems."""
    settings = job.settings
    if job.picture and job.is_lasting:
        song = {"mixture": job.source, **job.outputs}
        opened = partial(open_source, settings=settings)
        plot(song, job.picture, settings.start_seconds, job.source.name, opened)
    elif job.picture:
        plot(job.outputs, job.picture, title=job.source.name)


def _outcome(job: Job, written: Written, seconds: float, warnings: list[str], took: float) -> Outcome:
    return Outcome(
        source=str(job.source),
        outputs={stem: str(path) for stem, path in written.paths.items()},
        picture=str(job.picture) if job.picture else None,
        seconds=seconds,
        took_seconds=round(took, 3),
        peak={stem: round(peak, 6) for stem, peak in written.peak.items()},
        gain_db=written.gain_db,
        clipped=written.clipped,
        warnings=warnings,
        source_sha256=sha256(job.source) if job.is_lasting else None,
        source_etag=etag(job.source),
        model_sha256=job.model_sha256,
        settings=job.settings.described(),
    )


def refuse_existing(job: Job) -> None:
    """Raise OutputExistsError if a job would overwrite a file that it may not."""
    if not job.overwrite:
        for path in exist(job.files):
            raise OutputExistsError(f"{path}: exists already; --overwrite replaces it, or choose another folder")
