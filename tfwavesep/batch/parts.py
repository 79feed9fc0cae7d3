"""A long song in parts: separated by any processes in any order, joined to the same bytes as in one go.

A part is a range of the song on the separator's fixed grid, with real neighbours on both sides, see
`Separator.separate_range`. Parts wait in a folder beside the stems, named after the song's content, the model and the
settings, until all are there; a run that was killed finds them again.
"""

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tfwavesep.audio import Reader
from tfwavesep.batch import jobs
from tfwavesep.batch.jobs import Job, Outcome
from tfwavesep.places import atomic, is_file, local, remove_folder, sha256, size
from tfwavesep.separation import Piece, Separator
from tfwavesep.stemfiles import PieceFile

PART_SECONDS = 600.0
"""Audio in a part: half a minute to a minute of work on one core for the default model, and 850 MB on disk in 44.1 kHz
stereo."""

FOLDER = ".parts-"
"""Begins the names of folders of parts."""


@dataclass(frozen=True)
class Part:
    """A range of a song.

    Attributes:
        job: of the whole song.
        start: its first sample.
        stop: the sample after its last one, or None for the song's end.
        path: where its pieces are kept until they are joined.
    """

    job: Job
    start: int
    stop: int | None
    path: Path


@dataclass(frozen=True)
class Separated:
    """What is known of a part that is on disk.

    Attributes:
        seconds: of audio.
        took_seconds: to separate it; 0 if an earlier run did.
        warnings: what was wrong with the song though it could be separated.
    """

    seconds: float
    took_seconds: float
    warnings: tuple[str, ...] = ()


def cut(job: Job, separator: Separator, seconds: float = PART_SECONDS) -> list[Part]:
    """The parts of a song that is so long that parts pay; none of a shorter one.

    Args:
        job: to cut.
        separator: whose grid the cuts are on.
        seconds: of audio in a part, about; a song shorter than two of them stays whole.

    Raises:
        AudioError: the song cannot be read.
    """
    if not job.written or not is_file(job.source):  # a pipe can be read only once
        return []
    with jobs.open_source(job.source, job.settings) as reader:
        info = reader.info
    length = job.settings.length(info)
    if length is None or length < 2 * seconds:
        return []
    grid_seconds = separator.target_length / separator.sample_rate
    step = round(max(1, round(seconds / grid_seconds)) * grid_seconds * info.sample_rate)
    first, stop = job.settings.span(info.sample_rate)
    cuts = range((first // step + 1) * step, first + round(length * info.sample_rate), step)
    folder = next(iter(job.outputs.values())).parent / f"{FOLDER}{_digest(job, step)}"
    edges = [first, *cuts]
    ends = [*cuts, stop]
    return [Part(job, start, end, folder / f"{start}.f32") for start, end in zip(edges, ends, strict=True)]


def _digest(job: Job, step: int) -> str:
    """What tells the parts of one song, model and settings from all others."""
    told = [sha256(job.source), job.model_sha256, job.settings.described(), step]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def separate(separator: Separator, part: Part, progress: jobs.Progress = jobs.nobody) -> Separated:
    """Separate a part, unless it is on disk already.

    Raises:
        AudioError: the song cannot be read.
        OutputError: the folder cannot be written to, or the disk is full.
    """
    with jobs.open_source(part.job.source, part.job.settings) as reader:
        rate = reader.info.sample_rate
        there = size(part.path)
        if there is not None:
            return Separated(there / (4 * len(separator.targets) * reader.info.channels) / rate, 0.0)
        began, done = time.monotonic(), 0
        with atomic(part.path, lock=True) as beside, beside.open("wb") as file:
            kept = PieceFile(file, part.path.parent)
            for piece in separator.separate_range(reader.blocks, rate, part.start, part.stop):
                kept.put(piece)
                done += len(piece)
                progress(done / rate, None)
        return Separated(done / rate, time.monotonic() - began, tuple(reader.warnings))


def join(separator: Separator, parts: Sequence[Part], separated: Sequence[Separated]) -> Outcome:
    """Write a song's stems from its parts, which are then removed.

    Args:
        separator: of the job's model.
        parts: all of the song's, in order.
        separated: what is known of each.

    Raises:
        AudioError: the stems cannot be written in this format, or the song holds no samples.
        OutputError: the folder cannot be written to, the disk is full, or a stem is there already.
    """
    job = parts[0].job
    jobs.refuse_existing(job)
    with jobs.open_source(job.source, job.settings) as reader:
        pieces = jobs.not_empty(_pieces(separator, parts, reader), reader, job.settings)
        outcome = jobs.write(job, job.settings.choice(separator.targets), reader, pieces)
    forget(parts)
    took = outcome.took_seconds + sum(part.took_seconds for part in separated)
    warnings = [warning for part in separated for warning in part.warnings]
    return replace(outcome, took_seconds=round(took, 3), warnings=list(dict.fromkeys(warnings)))


def _pieces(separator: Separator, parts: Sequence[Part], reader: Reader) -> Iterator[Piece]:
    for part in parts:
        with local(part.path) as path, path.open("rb") as file:
            yield from PieceFile(file, part.path.parent, (len(separator.targets), reader.info.channels)).pieces()


def forget(parts: Sequence[Part]) -> None:
    """Remove what is kept of a song's parts."""
    remove_folder(parts[0].path.parent)
