"""A picture of a separated song: waveform and spectrogram of the mixture and of each stem, on one time axis."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from tfwavesep.audio import Reader, open_audio
from tfwavesep.errors import OutputError
from tfwavesep.places import atomic, disk_errors
from tfwavesep.separation import Grid, Segmenter

COLUMNS = 1000
"""Points in time at most; each stands for an equal part of the song."""

SHORTEST = 256
"""Samples that a point stands for at least."""

WINDOW = 2048
"""Samples of a spectrum, Hann-weighted, in the middle of each part."""

FLOOR_DB = -90
"""What is softer is black."""


@dataclass(frozen=True)
class Outline:
    """What a picture needs of a song of any length.

    Attributes:
        low, high: the extreme samples of each part, `(columns,)`.
        spectra: decibels relative to a sine at full scale, `(frequencies, columns)`.
        seconds: the length.
        sample_rate: Hz.
    """

    low: np.ndarray
    high: np.ndarray
    spectra: np.ndarray
    seconds: float
    sample_rate: int


def require_matplotlib() -> None:
    """Make sure that pictures can be drawn.

    Raises:
        OutputError: matplotlib is not installed.
    """
    if find_spec("matplotlib") is None:
        raise OutputError("pictures need matplotlib: pip install 'tfwavesep[plot]'")


def outline(blocks: Iterable[np.ndarray], frames: int, sample_rate: int) -> Outline:
    """Condense audio, block by block.

    Args:
        blocks: `(time, channels)`.
        frames: samples per channel of all blocks.
        sample_rate: Hz.
    """
    length = max(SHORTEST, -(-frames // COLUMNS))
    around = max(0, -(-(WINDOW - length) // 2))
    segmenter = Segmenter(Grid(length, around, around))
    columns = [_column(segment, length) for block in blocks for segment in segmenter.feed(_mono(block))]
    columns += [_column(segment, length) for segment in segmenter.flush()]
    low, high, spectra = zip(*columns, strict=True)
    seconds = len(columns) * length / sample_rate
    return Outline(np.array(low), np.array(high), np.stack(spectra, axis=1), seconds, sample_rate)


def _mono(block: np.ndarray) -> np.ndarray:
    return block.mean(axis=1, keepdims=True)


def _column(segment: np.ndarray, length: int) -> tuple[float, float, np.ndarray]:
    """The extremes of a segment's middle `length` samples, and the spectrum of its middle `WINDOW`."""
    part, windowed = (segment[(len(segment) - size) // 2 :][:size, 0] for size in (length, WINDOW))
    window = np.hanning(WINDOW)
    magnitudes = np.abs(np.fft.rfft(windowed * window)) / (window.sum() / 2)
    return part.min(), part.max(), 20 * np.log10(np.maximum(magnitudes, 10 ** (FLOOR_DB / 20)))


def plot(
    song: Mapping[str, Path],
    picture: Path,
    start: float = 0.0,
    title: str = "",
    opened: Callable[[Path], AbstractContextManager[Reader]] = open_audio,
) -> None:
    """Draw files below one another into a PNG.

    Args:
        song: the files by name: the mixture and its stems. All are cut to the last one's length.
        picture: where the PNG goes; one that is there is replaced.
        start: where in the first file, the mixture, the stems begin, in seconds.
        title: of the picture.
        opened: how the first file is opened.

    Raises:
        AudioError: a file cannot be read.
        OutputError: matplotlib is not installed, or the picture cannot be written.
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    outlines = _outlines(song, start, opened)
    figure = Figure(figsize=(12, 2.2 * len(outlines) + 0.6), dpi=100, layout="constrained")
    axes = figure.subplots(2 * len(outlines), 1, sharex=True, squeeze=False, height_ratios=[1, 2] * len(outlines))
    for number, (name, drawn) in enumerate(outlines.items()):
        _draw(axes[2 * number, 0], axes[2 * number + 1, 0], name, drawn)
    axes[-1, 0].set_xlabel("seconds")
    figure.suptitle(title)
    with disk_errors(picture), atomic(picture) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})


def _outlines(
    song: Mapping[str, Path], start: float, opened: Callable[[Path], AbstractContextManager[Reader]]
) -> dict[str, Outline]:
    outlines: dict[str, Outline] = {}
    frames = 0
    for number, (name, path) in enumerate(reversed(list(song.items()))):
        is_first = number == len(song) - 1
        with opened(path) if is_first else open_audio(path) as reader:
            first = round(start * reader.info.sample_rate) if is_first else 0
            frames = frames or reader.info.frames or _count(path)
            outlines[name] = outline(_cut(reader, first, frames), frames, reader.info.sample_rate)
    return dict(reversed(list(outlines.items())))


def _count(path: Path) -> int:
    with open_audio(path) as reader:
        return sum(len(block) for block in reader.blocks())


def _cut(reader: Reader, first: int, frames: int) -> Iterator[np.ndarray]:
    for block in reader.blocks(first):
        yield block[:frames]
        frames -= len(block)
        if frames <= 0:
            return


def _draw(wave: Any, spectrogram: Any, name: str, drawn: Outline) -> None:
    times = (np.arange(len(drawn.low)) + 0.5) * drawn.seconds / len(drawn.low)
    wave.fill_between(times, drawn.low, drawn.high, linewidth=0.5, step="mid")
    wave.set_ylim(-1, 1)
    wave.set_ylabel(name, rotation=0, ha="right", va="center")
    extent = (0, drawn.seconds, 0, drawn.sample_rate / 2000)
    spectrogram.imshow(drawn.spectra, origin="lower", aspect="auto", extent=extent, cmap="magma", vmin=FLOOR_DB, vmax=0)
    spectrogram.set_ylabel("kHz")
