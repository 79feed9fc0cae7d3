"""Audio out: the formats that stems are written in. No TensorFlow here.

The same samples give the same bytes, whenever they are written.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from tfwavesep.audio import ogg, speakers, tagging
from tfwavesep.audio.wavfile import WavFile
from tfwavesep.errors import AudioError, ConfigError, one_of
from tfwavesep.places import atomic, disk_errors

Append = Callable[[np.ndarray], None]

SUBTYPES = {
    "wav": {"float": "FLOAT", "24": "PCM_24", "16": "PCM_16"},
    "flac": {"24": "PCM_24", "16": "PCM_16"},
    "ogg": {"": "VORBIS"},
    "mp3": {"": "MPEG_LAYER_III"},
}
"""The formats, each with its sample formats, by depth; the first is what is meant without a word."""

MP3_BIT_RATE = 320_000
HIGHEST_VORBIS_RATE = 200_000
"""Hz; at higher ones libvorbis ends the program."""

VORBIS_QUALITY = 0.2
"""libsndfile's compression level: 0 is the best quality, 1 the smallest file."""


@dataclass(frozen=True)
class Format:
    """How stems are written.

    Attributes:
        extension: of the files.
        subtype: libsndfile's name of the sample format.
    """

    extension: str = "wav"
    subtype: str = "FLOAT"

    @classmethod
    def parse(cls, extension: str, depth: str | None = None) -> "Format":
        """The format with a depth of 16, 24 or float, None for the format's own.

        Raises:
            ConfigError: there is no such format, or not in this depth.
        """
        if extension not in SUBTYPES:
            raise ConfigError(one_of("format", extension, SUBTYPES))
        known = SUBTYPES[extension]
        if depth is None:
            return cls(extension, next(iter(known.values())))
        if depth not in known:
            choice = " or ".join(filter(None, known)) or "none: its samples have no depth"
            raise ConfigError(f"bits '{depth}': {extension} has {choice}")
        return cls(extension, known[depth])

    @property
    def bits(self) -> int:
        """Stems are whole multiples of one step: full scale is `2 ** (bits - 1)` of them."""
        return 16 if self.subtype == "PCM_16" else 24

    @property
    def clips(self) -> bool:
        """Whether what is louder than full scale is lost."""
        return self.subtype != "FLOAT"

    @property
    def lossy(self) -> bool:
        """Whether what is read is not what was written."""
        return self.subtype not in ("FLOAT", "PCM_16", "PCM_24")

    def samples(self, steps: np.ndarray) -> np.ndarray:
        """Whole steps as the samples that are written: int16, int32 with `bits` in use, or float32."""
        if self.subtype.startswith("PCM"):
            return steps.astype(np.int16 if self.bits == 16 else np.int32)
        return np.multiply(steps, 2.0 ** (1 - self.bits), dtype=np.float32)


class FormatError(AudioError):
    """A format cannot hold some audio; which, adds whoever knows its name: see `about`."""


@contextmanager
def about(name: object) -> Iterator[None]:
    """What a format cannot hold inside the block is this song's, or this file's."""
    try:
        yield
    except FormatError as error:
        raise AudioError(f"{name}: {error}") from error


@contextmanager
def encoder(
    path: Path,
    form: Format,
    sample_rate: int,
    channels: int,
    tags: dict[str, str] | None = None,
    name: str = "",
    mask: int | None = None,
    cover: bytes | None = None,
) -> Iterator[Append]:
    """A function that appends blocks of whole steps `(time, channels)` to a file at `path`.

    The file is written where it stands: put it beside (`places.atomic`), and say with `name` what it will be.
    Channels are in WAV's order, of the speakers of `mask`, see `wavfile.WavFile`.

    Raises:
        FormatError: the format cannot hold this rate or number of channels.
        OutputError: the disk is full.
    """
    song = (path, form, sample_rate, channels, tags or {})
    other = _mp3 if form.extension == "mp3" else _sound_file
    opened = _wav(*song, mask, cover) if form.extension == "wav" else other(*song)
    with disk_errors(name or path, soundfile.LibsndfileError):
        with opened as append:
            yield lambda steps: append(form.samples(steps))
        tagging.add(path, form.extension, tags or {}, cover)
        if form.extension == "ogg":
            ogg.set_serial(path)


@contextmanager
def _wav(
    path: Path,
    form: Format,
    sample_rate: int,
    channels: int,
    tags: dict[str, str],
    mask: int | None,
    cover: bytes | None,
) -> Iterator[Append]:
    with path.open("wb") as file:
        wav = WavFile(file, sample_rate, channels, form.subtype, tags, mask, cover)
        yield wav.write
        wav.close()


@contextmanager
def _sound_file(path: Path, form: Format, sample_rate: int, channels: int, tags: dict[str, str]) -> Iterator[Append]:
    frames = 0
    order = np.argsort(speakers.VORBIS[channels]) if form.lossy and channels in speakers.VORBIS else None

    def append(samples: np.ndarray) -> None:
        nonlocal frames
        samples = samples if order is None else samples[:, order]
        file.write(samples << 8 if form.subtype == "PCM_24" else samples)
        frames += len(samples)

    level = VORBIS_QUALITY if form.lossy else None
    with _open_sound_file(path, sample_rate, channels, form.subtype, form.extension, level) as file:
        for tag, text in tags.items():
            if tag in tagging.TAGS:
                setattr(file, tag, text)
        yield append
    if soundfile.info(os.fsencode(path)).frames != frames:  # libsndfile does not say when closing fails
        raise OSError("the end is missing")


@contextmanager
def _mp3(path: Path, form: Format, sample_rate: int, channels: int, tags: dict[str, str]) -> Iterator[Append]:
    import av

    layout = {1: "mono", 2: "stereo"}.get(channels)
    if layout is None:
        raise FormatError(f".mp3 cannot hold {channels} channels; .wav can")
    with path.open("wb") as file, av.open(file, "w", "mp3") as container:
        stream: Any = container.add_stream("libmp3lame", rate=sample_rate, layout=layout)
        stream.bit_rate = MP3_BIT_RATE
        names = {
            **{tag: text for tag, text in tags.items() if tag in tagging.TAGS},
            "track": tags.get("tracknumber", ""),
        }
        container.metadata.update({name: text for name, text in names.items() if text and name != "tracknumber"})
        try:
            container.start_encoding()
        except (av.error.FFmpegError, ValueError) as error:
            raise FormatError(f".mp3 cannot hold {sample_rate} Hz; .wav can") from error

        def append(samples: np.ndarray) -> None:
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), format="fltp", layout=layout)
            frame.sample_rate = sample_rate
            container.mux(stream.encode(frame))

        yield append
        container.mux(stream.encode(None))


def _open_sound_file(
    path: Path, sample_rate: int, channels: int, subtype: str, extension: str, level: float | None = None
) -> soundfile.SoundFile:
    try:
        if extension == "ogg" and sample_rate > HIGHEST_VORBIS_RATE:
            raise ValueError("no such rate")
        return soundfile.SoundFile(
            os.fsencode(path), "w", sample_rate, channels, subtype, format=extension, compression_level=level
        )
    except (soundfile.LibsndfileError, TypeError, ValueError) as error:
        kind = f"{channels} channels of {subtype} at {sample_rate} Hz"
        raise FormatError(f".{extension} cannot hold {kind}{'' if extension == 'wav' else '; .wav can'}") from error


@contextmanager
def writer(path: Path, sample_rate: int, channels: int, subtype: str = "FLOAT") -> Iterator[Append]:
    """A function that appends float blocks `(time, channels)` to a file, which appears whole or not at all; see
    `audio.write`."""
    with about(path), atomic(path) as beside:
        opened = _open_sound_file(beside, sample_rate, channels, subtype, path.suffix[1:])
        with disk_errors(path, soundfile.LibsndfileError), opened as file:
            yield file.write
