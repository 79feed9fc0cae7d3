"""Audio files in and out, and their rates. No TensorFlow here.

Audio is float32 `(time, channels)`, full scale 1.0. soundfile reads WAV, FLAC, Ogg and MP3; PyAV, whose wheels
bring FFmpeg along, reads the rest (m4a, mp4, opus, ...), so that nothing has to be installed on the system.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from tfwavesep.errors import AudioError
from tfwavesep.files import atomic

BLOCK_LENGTH = 65536
"""Samples per channel that files are read in."""

SUFFIXES = {
    *(".wav", ".rf64", ".w64", ".flac", ".aif", ".aiff", ".aifc", ".au", ".caf"),
    *(".ogg", ".oga", ".opus", ".mp3", ".m4a", ".mp4", ".aac", ".webm", ".wma", ".mka"),
}
"""File name endings that are taken for audio when a folder is searched."""

UNKNOWN_LENGTHS = (0xFFFFFFFF, 0x7FFFF000)
"""What FFmpeg and SoX write for the length of a WAV into a pipe, where nobody can go back and fill it in."""


@dataclass(frozen=True)
class AudioInfo:
    """What is known of a file before it is decoded.

    Attributes:
        sample_rate: Hz.
        channels: how many.
        frames: samples per channel, or None where only decoding tells.
    """

    sample_rate: int
    channels: int
    frames: int | None


def probe(path: Path) -> AudioInfo:
    """Look at a file's header.

    Raises:
        AudioError: there is no such file, it is empty, truncated, or not audio.
    """
    _check_is_file(path)
    try:
        info = soundfile.info(str(path), verbose=True)
    except soundfile.LibsndfileError:
        return _probe_with_av(path)
    _refuse_truncated(path, str(info.extra_info))
    return AudioInfo(info.samplerate, info.channels, None if info.format == "MP3" else info.frames)


def _check_is_file(path: Path) -> None:
    if path.is_dir():
        raise AudioError(f"{path}: is a folder, not an audio file")
    if not path.exists():
        raise AudioError(f"{path}: no such file")
    if path.is_file() and path.stat().st_size == 0:
        raise AudioError(f"{path}: is empty (0 bytes)")
    if not os.access(path, os.R_OK):
        raise AudioError(f"{path}: may not be read (check its permissions)")


def _refuse_truncated(path: Path, log: str) -> None:
    """libsndfile reads a WAV or AIFF that ends early as if it were whole, and says so only in its log."""
    for line in log.splitlines():
        name, _, rest = line.partition(":")
        if name.strip() in ("data", "SSND") and "should be" in rest:
            told, real = (int(word) for word in rest.replace("(should be", "").rstrip(") ").split())
            if real < told and told not in UNKNOWN_LENGTHS:
                raise AudioError(f"{path}: is truncated: its header promises {told} bytes of audio, {real} are there")


def read_blocks(path: Path, block_length: int = BLOCK_LENGTH) -> Iterator[np.ndarray]:
    """Decode a file piece by piece.

    Args:
        path: of the file.
        block_length: samples per channel in each piece; the last may be shorter.

    Yields:
        float32 `(time, channels)`.

    Raises:
        AudioError: the file cannot be decoded to its end, or holds NaN or infinite samples.
    """
    info = probe(path)
    blocks = _soundfile_blocks(path, block_length) if _soundfile_reads(path) else _av_blocks(path, 0)
    position = 0
    for block in blocks:
        _check_finite(path, block, position, info.sample_rate)
        position += len(block)
        yield block
    if info.frames is not None and position < info.frames:
        raise AudioError(f"{path}: is truncated: {position} of {info.frames} samples could be decoded")


def _soundfile_reads(path: Path) -> bool:
    try:
        soundfile.info(str(path))
    except soundfile.LibsndfileError:
        return False
    return True


def _soundfile_blocks(path: Path, block_length: int) -> Iterator[np.ndarray]:
    try:
        with soundfile.SoundFile(str(path)) as file:
            while len(block := file.read(block_length, dtype="float32", always_2d=True)):
                yield block
    except soundfile.LibsndfileError as error:
        raise AudioError(f"{path}: is damaged: {error.error_string}") from error


def _check_finite(path: Path, block: np.ndarray, position: int, sample_rate: int) -> None:
    bad = np.flatnonzero(~np.isfinite(block).all(axis=1))
    if len(bad):
        seconds = (position + int(bad[0])) / sample_rate
        raise AudioError(f"{path}: has a NaN or infinite sample at {seconds:.3f} s; repair the file first")


def _probe_with_av(path: Path) -> AudioInfo:
    import av

    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise AudioError(f"{path}: has no audio stream")
            stream = container.streams.audio[0]
            if not stream.rate or not stream.channels:  # FFmpeg went by the name's ending alone
                raise AudioError(f"{path}: is not an audio file this program can read")
            return AudioInfo(stream.rate, stream.channels, None)
    except (av.error.FFmpegError, ValueError) as error:
        raise AudioError(f"{path}: is not an audio file this program can read") from error


def _av_blocks(path: Path, stream: int) -> Iterator[np.ndarray]:
    import av

    try:
        with av.open(str(path)) as container:
            source = container.streams.audio[stream]
            to_float = av.AudioResampler(format="flt", layout=source.layout, rate=source.rate)
            for frame in container.decode(source):
                for piece in to_float.resample(frame):
                    yield piece.to_ndarray().reshape(-1, source.channels)
            for piece in to_float.resample(None):
                yield piece.to_ndarray().reshape(-1, source.channels)
    except av.error.FFmpegError as error:
        raise AudioError(f"{path}: is damaged: {error.strerror}") from error


def read(path: Path) -> tuple[np.ndarray, int]:
    """A whole file.

    Returns:
        float32 `(time, channels)` and the sample rate in Hz.

    Raises:
        AudioError: as `read_blocks`.
    """
    info = probe(path)
    blocks = list(read_blocks(path))
    return (np.concatenate(blocks) if blocks else np.zeros((0, info.channels), np.float32)), info.sample_rate


def read_stream(path: Path, stream: int) -> tuple[np.ndarray, int]:
    """One of several audio streams of a container, such as a `.stem.mp4`.

    Returns:
        float32 `(time, channels)` and the sample rate in Hz.

    Raises:
        AudioError: the file cannot be decoded.
    """
    info = _probe_with_av(path)
    return np.concatenate(list(_av_blocks(path, stream))), info.sample_rate


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


def find(folder: Path) -> list[Path]:
    """All audio files below a folder, by their names' endings, sorted; hidden ones are left out."""
    return sorted(
        p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file() and not p.name.startswith(".")
    )


@contextmanager
def writer(
    path: Path, sample_rate: int, channels: int, subtype: str = "FLOAT"
) -> Iterator[Callable[[np.ndarray], None]]:
    """A function that appends blocks `(time, channels)` to a file, which appears whole or not at all.

    Args:
        path: its ending says the format.
        sample_rate: Hz.
        channels: of the blocks.
        subtype: soundfile's name of the sample format; "FLOAT" never clips.

    Raises:
        AudioError: the format cannot hold this rate, number of channels or sample format, or the disk is full.
        OutputError: the folder cannot be written to.
    """
    with atomic(path) as temporary, _open_for_writing(temporary, sample_rate, channels, subtype) as file:

        def append(block: np.ndarray) -> None:
            try:
                file.write(block)
            except soundfile.LibsndfileError as error:
                raise AudioError(f"{path}: cannot be written (is the disk full?): {error.error_string}") from error

        yield append


def _open_for_writing(path: Path, sample_rate: int, channels: int, subtype: str) -> soundfile.SoundFile:
    try:
        return soundfile.SoundFile(str(path), "w", sample_rate, channels, subtype)
    except (soundfile.LibsndfileError, TypeError, ValueError) as error:
        raise AudioError(
            f"{path.suffix} cannot hold {channels} channels of {subtype} at {sample_rate} Hz: {error}"
        ) from error


def write(path: Path, audio: np.ndarray, sample_rate: int, subtype: str = "FLOAT") -> None:
    """Write `(time, channels)` to a file; see `writer`."""
    with writer(path, sample_rate, audio.shape[1], subtype) as append:
        append(audio)
