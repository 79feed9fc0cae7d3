"""Audio files as arrays, and what is done to them on the way. No TensorFlow here.

Audio is float32 `(time, channels)`, full scale 1.0.
"""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soxr

from tfwavesep.audio import decoding, encoding
from tfwavesep.errors import AudioError
from tfwavesep.places import Place, place

SUFFIXES = {
    *(".wav", ".rf64", ".w64", ".flac", ".aif", ".aiff", ".aifc", ".au", ".caf"),
    *(".ogg", ".oga", ".opus", ".spx", ".mp3", ".mp2", ".mpga", ".m4a", ".m4b", ".m4r", ".aac", ".wma", ".mka"),
    *(".ac3", ".eac3", ".dts", ".wv", ".tta", ".ape", ".tak", ".mpc", ".shn", ".dsf", ".amr", ".ra", ".snd", ".voc"),
    *(".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".ogv", ".avi", ".wmv", ".asf", ".flv"),
    *(".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".vob"),
}
"""File name endings that are taken for audio when a folder is searched."""


def read(path: Place) -> tuple[np.ndarray, int]:
    """A whole file.

    Returns:
        float32 `(time, channels)` and the sample rate in Hz.

    Raises:
        AudioError: the file cannot be decoded to its end, or holds NaN or infinite samples.
    """
    return read_stream(path, None)


def read_stream(path: Place, stream: int | None) -> tuple[np.ndarray, int]:
    """One of several audio streams of a container, such as a `.stem.mp4`; None for its default one.

    Returns:
        float32 `(time, channels)` and the sample rate in Hz.

    Raises:
        AudioError: the file cannot be decoded.
    """
    with decoding.open_audio(path, stream=stream) as reader:
        blocks = [np.zeros((0, reader.info.channels), np.float32), *reader.blocks()]
        return np.concatenate(blocks), reader.info.sample_rate


def write(path: Place, audio: np.ndarray, sample_rate: int, subtype: str = "FLOAT") -> None:
    """Write `(time, channels)` to a file, which appears whole or not at all.

    Args:
        path: its ending says the format.
        audio: to write.
        sample_rate: Hz.
        subtype: soundfile's name of the sample format; "FLOAT" never clips.

    Raises:
        AudioError: the format cannot hold this rate, number of channels or sample format.
        OutputError: the folder cannot be written to, or the disk is full.
    """
    with encoding.writer(place(path), sample_rate, audio.shape[1], subtype) as append:
        append(audio)


def resample(audio: np.ndarray, sample_rate: int, to_rate: int) -> np.ndarray:
    """Change the rate of `(time, channels)`; the same array if the rates are equal."""
    if sample_rate == to_rate:
        return audio
    return np.asarray(soxr.resample(audio, sample_rate, to_rate), np.float32)


def to_channels(audio: np.ndarray, channels: int) -> np.ndarray:
    """Mono from the mean of all channels, stereo from mono by doubling, else the first two.

    Args:
        audio: `(time, any)`.
        channels: 1 or 2.

    Returns:
        `(time, channels)`.
    """
    if audio.shape[1] == channels:
        return audio
    if channels == 1:
        return audio.mean(axis=1, keepdims=True)
    return audio[:, [0, 0]] if audio.shape[1] == 1 else audio[:, :2]


def find(folder: Path, closed: Callable[[OSError], None] | None = None) -> list[Path]:
    """All audio files below a folder, by their names' endings, sorted; hidden ones, and what is in hidden folders, are
    left out. Folders that are linked to are searched too, each once.

    Args:
        folder: to search.
        closed: is told of each folder that cannot be searched; it is left out.
    """
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()
    for parent, folders, files in os.walk(folder, onerror=closed, followlinks=True):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        here = _identity(parent, closed)
        if here is None or here in seen:
            folders.clear()
            continue
        seen.add(here)
        paths = (Path(parent, name) for name in files)
        found += [path for path in paths if is_named_so(path) and os.path.isfile(path)]
    return sorted(found)


def named(folder: Path, name: str) -> Path | None:
    """The audio file in a folder that is called so, in letters of either case, before its one ending: `vocals.wav` and
    `Vocals.FLAC` are "vocals", `vocals.backup.wav` is not.

    Raises:
        AudioError: two files are called so, or the folder cannot be read.
    """
    try:
        alike = sorted(path for path in folder.iterdir() if path.stem.lower() == name.lower())
    except OSError as error:
        raise AudioError(f"{folder}: cannot be read: {error.strerror}") from error
    found = [path for path in alike if is_named_so(path) and not path.is_dir()]
    if len(found) > 1:
        raise AudioError(f"{folder}: {' and '.join(path.name for path in found)} are both '{name}'; keep one of them")
    return found[0] if found else None


def _identity(folder: str, closed: Callable[[OSError], None] | None) -> tuple[int, int] | None:
    """What tells a folder from others, whichever way leads to it; None if no way leads to what is in it."""
    try:
        status = os.stat(os.path.join(folder, "."))  # the dot is found by those only who may find its files
    except OSError as error:
        if closed:
            closed(error)
        return None
    return status.st_dev, status.st_ino


def is_named_so(path: Path) -> bool:
    """Whether a file's name is that of audio, and not hidden."""
    return path.suffix.lower() in SUFFIXES and not is_hidden(path.name)


def is_hidden(name: str) -> bool:
    """Whether listings leave out files and folders of this name."""
    return name.startswith(".")
