"""Stems on their way to disk: which are written, at which level, all of them or none."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np

from tfwavesep.audio import Append, Format, FormatError, encoder
from tfwavesep.errors import ConfigError, one_of
from tfwavesep.places import atomic, disk_errors
from tfwavesep.separation import PIECE_LENGTH, Piece
from tfwavesep.stemfiles import levels

CLIP_MODES = ("rescale", "clamp", "none")
"""What is done where a stem is louder than its format can hold: one common gain for all stems; the loudest samples are
cut, and what is cut is left to the other stems; or the song is refused."""

SPOOL_LENGTH = PIECE_LENGTH
"""Samples per channel that are read back at a time."""


@dataclass(frozen=True)
class Choice:
    """The stems that are written, as sums of the model's targets. All parts together are the mixture.

    Attributes:
        parts: for each name, the places of its targets in the model's list; every target is in exactly one.
        written: the names that are wanted.
    """

    parts: dict[str, tuple[int, ...]]
    written: tuple[str, ...]

    @classmethod
    def of(cls, targets: Sequence[str], stems: Sequence[str] = (), two_stems: str | None = None) -> "Choice":
        """What is asked for: `stems` (all if empty), or one stem and all the rest of the mixture.

        Raises:
            ConfigError: the model has no such stem.

        >>> Choice.of(["vocals", "drums", "other"], two_stems="vocals").parts
        {'vocals': (0,), 'accompaniment': (1, 2)}
        """
        for stem in (*stems, *([two_stems] if two_stems is not None else [])):
            if stem not in targets:
                raise ConfigError(one_of("stem", stem, targets))
        if two_stems is None:
            return cls({target: (place,) for place, target in enumerate(targets)}, tuple(stems or targets))
        place = list(targets).index(two_stems)
        rest = "accompaniment" if two_stems == "vocals" else f"no_{two_stems}"
        parts = {two_stems: (place,), rest: tuple(p for p in range(len(targets)) if p != place)}
        return cls(parts, tuple(parts))

    def steps(self, piece: Piece, bits: int, tenths: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """The mixture `(time, channels)` and the parts `(parts, time, channels)` in whole steps, see `levels.split`."""
        mixture, targets = levels.split(piece, bits, tenths)
        if len(self.parts) == len(targets):  # nothing to sum
            return mixture, targets[[place for (place,) in self.parts.values()]]
        return mixture, np.stack([targets[list(places)].sum(axis=0) for places in self.parts.values()])


@dataclass
class Written:
    """What was written.

    Attributes:
        paths: the files, by stem.
        frames: samples per channel.
        peak: the largest absolute sample of each stem, full scale 1.0.
        gain_db: the common gain that all stems were given, 0 or less.
        clipped: how many samples were cut to full scale.
    """

    paths: dict[str, Path]
    frames: int = 0
    peak: dict[str, float] = field(default_factory=dict)
    gain_db: float = 0.0
    clipped: int = 0


class Leveller:
    """Turns pieces into the steps that are written, and keeps account of them.

    Args:
        choice: of stems.
        form: they are written in.
        clip_mode: one of `CLIP_MODES`; here "rescale" does nothing yet, because the gain is known at the end only.
    """

    def __init__(self, choice: Choice, form: Format, clip_mode: str, sample_rate: int) -> None:
        self._choice, self._form, self._mode, self._rate = choice, form, clip_mode, sample_rate
        self._places = [list(choice.parts).index(name) for name in choice.written]
        self.frames = self.clipped = 0
        self.tenths = 0
        self.loudest = 0
        self._peaks = np.zeros(len(self._places))

    def measure(self, piece: Piece) -> None:
        """Look how loud the parts and the mixture are."""
        mixture, parts = self._choice.steps(piece, self._form.bits)
        self.loudest = max(self.loudest, levels.peak(mixture), levels.peak(parts))

    def settle(self) -> None:
        """Choose the common gain that lets everything measured fit."""
        self.tenths = levels.tenths_to_fit(self.loudest, len(self._choice.parts), self._form.bits)

    def take(self, piece: Piece) -> list[np.ndarray]:
        """The next steps `(time, channels)` of each stem that is written."""
        mixture, parts = self._choice.steps(piece, self._form.bits, self.tenths)
        if self._form.clips:
            parts = self._fit(mixture, parts)
        written = [parts[place] for place in self._places]
        self.frames += len(piece)
        self._peaks = np.maximum(self._peaks, [max(steps.max(), -steps.min()) for steps in written])
        return written

    def _fit(self, mixture: np.ndarray, parts: np.ndarray) -> np.ndarray:
        low, high = levels.bounds(self._form.bits)
        over = (parts < low) | (parts > high)
        if not over.any():
            return parts
        if self._mode == "none":
            seconds = (self.frames + int(np.flatnonzero(over.any(axis=(0, 2)))[0])) / self._rate
            what = f"a stem is beyond full scale at {seconds:.3f} s, which only float wav can hold"
            raise FormatError(f"{what}: choose that, or another --clip-mode")
        self.clipped += int(over.sum())
        return np.where(over.any(axis=0), levels.clamp(mixture, parts, self._form.bits), parts)

    @property
    def peaks(self) -> dict[str, float]:
        """The largest absolute sample of each written stem so far, full scale 1.0."""
        return dict(zip(self._choice.written, (self._peaks / 2.0 ** (self._form.bits - 1)).tolist(), strict=True))


class PieceFile:
    """Pieces on disk: float32, little-endian, `(time, 1 + estimates, channels)`, the mixture first.

    Args:
        file: to write to or read from.
        folder: where it is, for messages.
        shape: `(1 + estimates, channels)` of what is read; what is written says it.
    """

    def __init__(self, file: IO[bytes], folder: Path, shape: tuple[int, int] | None = None) -> None:
        self._file, self._folder = file, folder
        self._shape: tuple[int, ...] = (-1, *shape) if shape else ()

    def put(self, piece: Piece) -> None:
        """Append a piece."""
        together = np.concatenate([piece.mixture[np.newaxis], piece.estimates]).transpose(1, 0, 2)
        self._shape = (-1, *together.shape[1:])
        with disk_errors(self._folder):
            self._file.write(np.ascontiguousarray(together, "<f4").data)

    def pieces(self) -> Iterator[Piece]:
        """All that was put, from the start."""
        with disk_errors(self._folder):
            self._file.seek(0)
        while data := self._file.read(4 * SPOOL_LENGTH * int(np.prod(self._shape[1:]))):
            together = np.frombuffer(data, "<f4").reshape(self._shape).transpose(1, 0, 2)
            yield Piece(np.ascontiguousarray(together[0]), np.ascontiguousarray(together[1:]))

    def close(self) -> None:
        """Forget all."""
        with disk_errors(self._folder):
            self._file.close()


class Spool(PieceFile):
    """Pieces in a file without a name, which is gone with the process however it ends."""

    def __init__(self, folder: Path) -> None:
        with disk_errors(folder):
            super().__init__(tempfile.TemporaryFile(dir=folder), folder)  # noqa: SIM115


@contextmanager
def stem_files(
    paths: Mapping[str, Path],
    choice: Choice,
    form: Format,
    sample_rate: int,
    channels: int,
    clip_mode: str = "rescale",
    tags: dict[str, str] | None = None,
    mask: int | None = None,
    cover: bytes | None = None,
) -> Iterator[tuple[Callable[[Piece], None], Written]]:
    """A function that takes pieces to files, and the account of them, which is filled in at the end.

    The files appear together when the block ends well, or else not at all.

    Args:
        paths: where each stem of `choice.written` goes; those that are left out are not written.
        choice: which stems, as sums of which targets.
        form: of the files.
        sample_rate: Hz.
        channels: of the pieces.
        clip_mode: one of `CLIP_MODES`.
        tags: of the song.
        mask: of its speakers, see `AudioInfo`.
        cover: its picture.

    Raises:
        FormatError: the format cannot hold this rate, number of channels, or (clip mode none) level.
        OutputError: a folder cannot be written to, or the disk is full.
    """
    leveller = Leveller(choice, form, clip_mode, sample_rate)
    account = Written(dict(paths))
    with ExitStack() as places:
        beside = {stem: places.enter_context(atomic(path, lock=True)) for stem, path in paths.items()}
        with ExitStack() as encoders:
            appends: dict[int, Append] = {}
            for stem, path in beside.items():
                named = {**(tags or {}), "title": f"{tags['title']} ({stem})"} if tags and "title" in tags else tags
                opened = encoder(path, form, sample_rate, channels, named, str(paths[stem]), mask, cover)
                appends[choice.written.index(stem)] = encoders.enter_context(opened)

            def write(piece: Piece) -> None:
                steps = leveller.take(piece)
                for place, append in appends.items():
                    append(steps[place])

            if form.clips and clip_mode == "rescale":
                with closing(Spool(next(iter(beside.values())).parent)) as spool:
                    yield _keeper(spool, leveller), account
                    leveller.settle()
                    for piece in spool.pieces():
                        write(piece)
            else:
                yield write, account
        account.frames, account.clipped, account.peak = leveller.frames, leveller.clipped, leveller.peaks
        account.gain_db = -leveller.tenths / 10


def _keeper(spool: Spool, leveller: Leveller) -> Callable[[Piece], None]:
    """Keeps pieces until the song has ended and its loudest sample is known."""

    def keep(piece: Piece) -> None:
        leveller.measure(piece)
        spool.put(piece)

    return keep
