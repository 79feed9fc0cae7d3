"""Whether stems sum to their mixture: the null depth."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np

from tfwavesep import audio
from tfwavesep.audio import AudioInfo, Reader, open_audio
from tfwavesep.errors import AudioError
from tfwavesep.stemfiles import levels
from tfwavesep.stems import PARTS, STEMS

FLOAT32_BITS = 24
"""Steps that stems without integer samples are counted in, as `stemfiles` writes them: what float32 holds exactly."""

UNIT_ROUNDOFF = 2.0**-FLOAT32_BITS
"""The most that rounding to float32 changes a sample, as a share of it."""


@dataclass(frozen=True)
class NullDepth:
    """What is left of a mixture when its stems are taken from it.

    Attributes:
        depth_db: energy of what is left relative to the mixture's; minus infinity if nothing is.
        gain_db: the common gain of the stems, which the mixture was given too.
        lossy: whether a stem is stored with loss, so that any depth is as good as it gets.
        worst: an absolute sample that is left, full scale 1.0: the one that exceeds most what rounding accounts for.
        worst_seconds: where it is.
        excess: by how much it does; not above 0 if rounding accounts for all that is left.
        rounded: bits of the steps that the mixture was rounded to, if its own samples are finer, else 0.
    """

    depth_db: float
    gain_db: float
    lossy: bool
    worst: float
    worst_seconds: float
    excess: float
    rounded: int = 0

    @property
    def passed(self) -> bool:
        """Whether the stems sum to the mixture as closely as the way they are stored allows."""
        return self.lossy or self.excess <= 0

    def __str__(self) -> str:
        gain = f", after a common gain of {self.gain_db:.1f} dB" if self.gain_db else ""
        worst = f"; most is left at {self.worst_seconds:.3f} s: {self.worst:.2e}" if self.worst else ""
        rounded = f" of the song in steps of {self.rounded} bits" if self.rounded else ""
        return f"null depth {self.depth_db:.1f} dB{rounded}{gain}{worst}{' (stems with loss: no verdict)' * self.lossy}"


@dataclass(frozen=True)
class _Storage:
    """How stems are stored, and so how closely they can sum to the mixture.

    Attributes:
        bits: of the coarsest samples.
        exact: whether all of them are integers of one depth that decoding keeps.
        lossy: whether one of them is stored with loss.
    """

    bits: int
    exact: bool
    lossy: bool

    @classmethod
    def of(cls, infos: Sequence[AudioInfo]) -> "_Storage":
        depths = {info.bits or FLOAT32_BITS for info in infos}
        integers = all(info.bits and info.bits <= FLOAT32_BITS for info in infos)
        return cls(min(depths), integers and len(depths) == 1, not all(info.lossless for info in infos))

    def left(self, song: np.ndarray, parts: np.ndarray, tenths: int) -> np.ndarray:
        """What is left of a song when its stems are taken from it, absolute; of integers also where a stem was cut to
        full scale, and the song with it."""
        steps, full = levels.to_steps(song, self.bits, tenths), 2.0 ** (self.bits - 1)
        found = parts.sum(axis=0)
        left = np.abs(found - steps / full)
        cut = np.clip(steps, *levels.bounds(self.bits)) / full
        return np.minimum(left, np.abs(found - cut)) if self.exact else left

    def rounds(self, song: np.ndarray) -> bool:
        """Whether samples of a song are no whole steps."""
        return bool((levels.to_steps(song, self.bits) / 2.0 ** (self.bits - 1) != song).any())

    def rounding(self, magnitudes: np.ndarray, terms: int) -> np.ndarray | float:
        """The most that may be left of a mixture and its stems that were each rounded, and summed in float32.

        Args:
            magnitudes: sum of the absolute samples of all of them.
            terms: how many they are.

        Reference:
            Higham 2002, "Accuracy and stability of numerical algorithms", section 4.2: a sum of n terms is off by
            (n - 1) unit roundoffs of their magnitudes at most. The half steps are ours.
        """
        return 0.0 if self.exact else terms * 2.0**-self.bits + (terms - 1) * UNIT_ROUNDOFF * magnitudes


def stems_in(folder: Path, mixture: Path) -> tuple[list[Path], list[Path]]:
    """The audio files below a folder that should sum to a mixture; and those that are left out, because they are sums
    of stems that are there too.

    Raises:
        AudioError: there are none, or a stem is there twice.
    """
    files = [file for file in audio.find(folder) if not mixture.exists() or not file.samefile(mixture)]
    if not files:
        raise AudioError(f"{folder}: is a folder without audio files")
    name, count = Counter(file.stem for file in files).most_common(1)[0]
    if count > 1:
        twice = ", ".join(str(file) for file in files if file.stem == name)
        raise AudioError(f"{folder}: holds {name} {count} times ({twice}); name the files that belong together")
    complete = {file.stem for file in files}.issuperset(STEMS)
    sums = [file for file in files if complete and file.stem not in STEMS and file.stem in PARTS]
    return [file for file in files if file not in sums], sums


def null_depth(mixture: Path, stems: Sequence[Path]) -> NullDepth:
    """Take stems from their mixture and measure what is left.

    The mixture is rounded to the steps of the stems' samples, cut to their full scale where they were cut, and given
    their common gain, which is found from the files: a whole number of tenths of a decibel.

    Args:
        mixture: its file, as it was separated.
        stems: all of its stems.

    Raises:
        AudioError: a file cannot be read, or a stem has another rate, length or number of channels.
    """
    storage = _Storage.of(_matching(mixture, stems))
    found = _measure(mixture, stems, storage, 0)
    tenths = _common_gain(mixture, stems) if found.depth_db > -np.inf else 0
    softer = _measure(mixture, stems, storage, tenths) if tenths else found
    return min(found, softer, key=lambda each: each.depth_db)


def _measure(mixture: Path, stems: Sequence[Path], storage: _Storage, tenths: int) -> NullDepth:
    left = energy = worst = worst_seconds = 0.0
    excess, place, is_finer = -np.inf, 0, False
    with open_audio(mixture) as reader:
        sample_rate, bits = reader.info.sample_rate, reader.info.bits
    may_be_finer = bits is None or bits > storage.bits
    for song, parts in _side_by_side(mixture, stems):
        rest = storage.left(song, parts, tenths)
        is_finer = is_finer or (may_be_finer and storage.rounds(song))
        magnitudes = np.abs(song) + np.abs(parts).sum(axis=0)
        beyond = (rest - storage.rounding(magnitudes, 1 + len(stems))).max(axis=1)
        row = int(beyond.argmax())
        if beyond[row] > excess:
            excess, worst, worst_seconds = float(beyond[row]), float(rest[row].max()), (place + row) / sample_rate
        left, energy = left + float((rest**2).sum()), energy + float((song**2).sum())
        place += len(song)
    depth = 10 * np.log10(left / max(energy, 1e-30)) if left else -np.inf
    return NullDepth(float(depth), -tenths / 10, storage.lossy, worst, worst_seconds, excess, is_finer * storage.bits)


def _matching(mixture: Path, stems: Sequence[Path]) -> list[AudioInfo]:
    """What is known of the stems, if they are of one kind."""
    with open_audio(mixture) as reader:
        song = reader.info
    infos = []
    for stem in stems:
        with open_audio(stem) as reader:
            info = reader.info
        if (info.sample_rate, info.channels) != (song.sample_rate, song.channels):
            theirs = f"{info.sample_rate} Hz, {info.channels} channels"
            raise AudioError(f"{stem}: {theirs}, but {mixture}: {song.sample_rate} Hz, {song.channels} channels")
        infos.append(info)
    return infos


def _common_gain(mixture: Path, stems: Sequence[Path]) -> int:
    """By how many tenths of a decibel the stems' sum is softer than the mixture."""
    product = energy = 0.0
    for song, parts in _side_by_side(mixture, stems):
        product, energy = product + float((song * parts.sum(axis=0)).sum()), energy + float((song**2).sum())
    if not energy or product <= 0:
        return 0
    return max(0, round(-levels.GAIN_STEPS * np.log10(product / energy)))


def _side_by_side(mixture: Path, stems: Sequence[Path]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The mixture `(time, channels)` and the stems `(stems, time, channels)`, float64, block by block."""
    paths, place = (mixture, *stems), 0
    with ExitStack() as stack:
        readers = [stack.enter_context(open_audio(path)) for path in paths]
        for blocks in zip_longest(*(_even(reader) for reader in readers)):
            lengths = [0 if block is None else len(block) for block in blocks]
            for stem, length in zip(stems, lengths[1:], strict=True):
                if length != lengths[0]:
                    how = "ends before" if length < lengths[0] else "goes on after"
                    end = place + min(length, lengths[0])
                    raise AudioError(f"{stem}: {how} {mixture}, at {end} samples; a stem is as long as its mixture")
            yield blocks[0].astype(np.float64), np.stack(blocks[1:]).astype(np.float64)
            place += lengths[0]


def _even(reader: Reader, length: int = 65536) -> Iterator[np.ndarray]:
    """A file's samples in pieces of one length."""
    held = np.zeros((0, reader.info.channels), np.float32)
    for block in reader.blocks():
        held = np.concatenate([held, block])
        while len(held) >= length:
            yield held[:length]
            held = held[length:]
    if len(held):
        yield held
