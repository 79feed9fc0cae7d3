"""Whether stems sum to their mixture: the null depth."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np

from tfwavesep import levels
from tfwavesep.decoding import AudioInfo, Reader, open_audio
from tfwavesep.errors import AudioError

DEFAULT_BITS = 24
"""Steps that stems without integer samples are counted in, as `stemfiles` writes them."""


@dataclass(frozen=True)
class NullDepth:
    """What is left of a mixture when its stems are taken from it.

    Attributes:
        depth_db: energy of what is left relative to the mixture's; minus infinity if nothing is.
        gain_db: the common gain of the stems, which the mixture was given too.
        exact: whether the stems hold integers, so that nothing may be left.
        worst: the largest absolute sample that is left, full scale 1.0.
        worst_seconds: where it is.
    """

    depth_db: float
    gain_db: float
    exact: bool
    worst: float
    worst_seconds: float

    @property
    def passed(self) -> bool:
        """Whether nothing is left of stems that can sum to the mixture exactly."""
        return not self.exact or self.worst == 0


def null_depth(mixture: Path, stems: Sequence[Path]) -> NullDepth:
    """Take stems from their mixture and measure what is left.

    The mixture is rounded to the steps of the stems' samples, cut to their full scale, and given their common gain,
    which is found from the files: a whole number of tenths of a decibel.

    Args:
        mixture: its file, as it was separated.
        stems: all of its stems.

    Raises:
        AudioError: a file cannot be read, or a stem has another rate, length or number of channels.
    """
    infos = _matching(mixture, stems)
    found = _measure(mixture, stems, infos, 0)
    tenths = _common_gain(mixture, stems) if found.worst else 0
    softer = _measure(mixture, stems, infos, tenths) if tenths else found
    return min(found, softer, key=lambda each: each.depth_db)


def _measure(mixture: Path, stems: Sequence[Path], infos: Sequence[AudioInfo], tenths: int) -> NullDepth:
    bits = min((info.bits for info in infos if info.bits), default=DEFAULT_BITS)
    clips = all(info.bits for info in infos)
    left = energy = worst = 0.0
    worst_place = place = 0
    for song, total in _sums(mixture, stems):
        steps = levels.to_steps(song, bits, tenths)
        expected = np.clip(steps, *levels.bounds(bits)) if clips else steps
        rest = np.abs(total - expected / 2.0 ** (bits - 1))
        left, energy = left + float((rest**2).sum()), energy + float((song**2).sum())
        if rest.size and rest.max() > worst:
            worst, worst_place = float(rest.max()), place + int(rest.max(axis=1).argmax())
        place += len(song)
    depth = 10 * np.log10(left / max(energy, 1e-30)) if left else -np.inf
    return NullDepth(float(depth), -tenths / 10, clips, worst, worst_place / infos[0].sample_rate)


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
    for song, total in _sums(mixture, stems):
        product, energy = product + float((song * total).sum()), energy + float((song**2).sum())
    if not energy or product <= 0:
        return 0
    return max(0, round(-levels.GAIN_STEPS * np.log10(product / energy)))


def _sums(mixture: Path, stems: Sequence[Path]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The mixture and the stems' sum, float64 `(time, channels)`, side by side."""
    with ExitStack() as stack:
        readers = [stack.enter_context(open_audio(path)) for path in (mixture, *stems)]
        for blocks in zip_longest(*(_even(reader) for reader in readers)):
            if any(block is None or len(block) != len(blocks[0]) for block in blocks):
                names = ", ".join(str(path) for path in stems)
                raise AudioError(f"{mixture}: is not as long as all of its stems: {names}")
            yield blocks[0].astype(np.float64), np.sum(blocks[1:], axis=0, dtype=np.float64)


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
