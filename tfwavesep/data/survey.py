"""What is in a data root, and what looks wrong with it, before hours are spent on it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfwavesep.data.tracks import Track, find_songs, find_tracks
from tfwavesep.errors import AudioError, DataError
from tfwavesep.stems import PARTS, STEMS, recipes

FULL_SCALE = 1 - 2.0**-14
"""Samples beyond it are taken for clipped."""

CLIPPED = 10
"""So many of them are no accident."""

SUM_DECIBELS = -15.0
"""A mixture that its stems miss by more is not theirs: MUSDB18's, coded each by itself, are 21 to 28 dB apart."""

APART_SECONDS = 1.0
"""Stems whose lengths differ by more do not belong together."""


@dataclass(frozen=True)
class Row:
    """A song.

    Attributes:
        name: of the song, or of the folder that is left out.
        subset: "train", "valid" or "test", or "left out".
        seconds: its length.
        form: its rate and channels, as text.
        stems: what is known of it by itself, by the names in `PARTS`.
        remainder: how much of the mixture its stems leave, in dB of the mixture; NaN without a mixture beside
            them.
        notes: what looks wrong.
    """

    name: str
    subset: str
    seconds: float = 0.0
    form: str = ""
    stems: tuple[str, ...] = ()
    remainder: float = float("nan")
    notes: tuple[str, ...] = ()

    @property
    def is_unreadable(self) -> bool:
        """Whether its files cannot be decoded, at which a training stops."""
        return self.subset != "left out" and not self.seconds


def survey(roots: Sequence[Path]) -> Iterator[Row]:
    """Look at every song of some data roots, one after the other; all of them are decoded.

    Args:
        roots: see `tracks.find_songs`.

    Raises:
        AudioError, DataError: as of `find_songs`.
    """
    left_out: list[Row] = []
    train, valid = find_songs(roots, lambda place, why: left_out.append(Row(place.name, "left out", notes=(why,))))
    subsets = {"train": train, "valid": valid, "test": _test_songs(roots)}
    for subset, songs in subsets.items():
        for track in songs:
            yield look(track, subset)
    yield from left_out


def _test_songs(roots: Sequence[Path]) -> list[Track]:
    found: list[Track] = []
    for root in roots:
        with suppress(DataError):  # it has none
            found += find_tracks(root, "test")
    return found


def look(track: Track, subset: str) -> Row:
    """Decode a song and say what it is like."""
    names = {stem: stem for stem in STEMS if stem not in track.rest}
    if track.rest:
        names[next((name for name, held in PARTS.items() if held == track.rest), "+".join(track.rest))] = track.rest[-1]
    try:
        decoded = {name: track.load_stem[stem]() for name, stem in names.items()}
        mixture = track.load_mixture()
    except (AudioError, DataError) as error:
        return Row(track.name, subset, stems=tuple(names), notes=(str(error),))
    samples, sample_rate = mixture
    remainder = _remainder(samples, [stem for stem, _ in decoded.values()]) if _is_told_twice(track) else float("nan")
    return Row(
        name=track.name,
        subset=subset,
        seconds=len(samples) / sample_rate,
        form=f"{sample_rate} Hz, {samples.shape[1]} ch",
        stems=tuple(names),
        remainder=remainder,
        notes=tuple(_notes(decoded, mixture, remainder)),
    )


def _notes(
    decoded: Mapping[str, tuple[np.ndarray, int]], mixture: tuple[np.ndarray, int], remainder: float
) -> Iterator[str]:
    audible = {name: samples for name, (samples, _) in decoded.items() if samples.any()}
    yield from _which("silent", [name for name in decoded if name not in audible])
    yield from _which("clipped", [name for name, samples in audible.items() if _is_clipped(samples)])
    mono = [name for name, samples in audible.items() if not (samples != samples[:, :1]).any()]
    yield from _which("mono", mono)
    forms = {f"{rate} Hz, {samples.shape[1]} ch" for samples, rate in [*decoded.values(), mixture]}
    if len(forms) > 1:
        yield f"not all alike: {'; '.join(sorted(forms))}"
    seconds = {name: len(samples) / rate for name, (samples, rate) in {**decoded, "mixture": mixture}.items()}
    if max(seconds.values()) - min(seconds.values()) > APART_SECONDS:
        yield f"lengths differ: {', '.join(f'{name} {length:.1f} s' for name, length in seconds.items())}"
    if remainder > SUM_DECIBELS:
        yield f"the stems miss the mixture by {remainder:.0f} dB"


def _which(what: str, names: Sequence[str]) -> Iterator[str]:
    if names:
        yield f"{what}: {', '.join(names)}"


def _is_clipped(samples: np.ndarray) -> bool:
    return bool((np.abs(samples) >= FULL_SCALE).sum() >= CLIPPED)


def _is_told_twice(track: Track) -> bool:
    """Whether a song has a mixture of its own beside stems that sum to one."""
    names = {file.stem.lower() for file in track.files}
    return len(track.files) == 1 or ("mixture" in names and bool(recipes(names - {"mixture"})[0]))


def _remainder(mixture: np.ndarray, stems: Sequence[np.ndarray]) -> float:
    """What is left of a mixture when its stems are taken away, in dB of the mixture: -inf where it is nothing, NaN
    where they cannot be laid over one another."""
    if len({stem.shape[1] for stem in [*stems, mixture]}) > 1 or not mixture.any():
        return float("nan")
    length = min(len(mixture), *map(len, stems))
    left = mixture[:length] - np.sum([stem[:length] for stem in stems], axis=0)
    with np.errstate(divide="ignore"):
        return float(10 * np.log10(np.mean(np.square(left)) / np.mean(np.square(mixture[:length]))))
