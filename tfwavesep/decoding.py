"""Audio in: files and pipes of any kind, decoded block by block. No TensorFlow here.

soundfile reads WAV, FLAC, AIFF and their like, and Ogg; PyAV, whose wheels bring FFmpeg along, reads pipes and all the
rest (MP3, m4a, mp4, ...), so that nothing has to be installed on the system. A file whose end is
missing is refused; where its middle is damaged, silence takes the place of what is lost, and the reader says where.
"""

import os
import stat
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
import soundfile

from tfwavesep import ogg
from tfwavesep.errors import AudioError, one_of
from tfwavesep.files import local
from tfwavesep.wavfile import is_unknown, read_header

BLOCK_LENGTH = 65536
"""Samples per channel that files are read in."""

TAGS = ("title", "artist", "album", "date", "tracknumber", "genre", "comment", "copyright", "license")
"""What of a song's tags its stems carry."""

RAW_TYPES = {"s16le": ("<i2", 2**15), "s24le": ("s24", 2**23), "f32le": ("<f4", 1)}
"""Sample types of audio without a header, by FFmpeg's names: the type and what full scale is in it."""

INTEGER_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
"""Depths of integer samples, by libsndfile's names."""

MALFORMED = 3
"""libsndfile's code for a file of a kind it knows, but damaged."""

COUNT_MAX = 2**63 - 1
"""libsndfile's number of frames where it does not know."""

MAGIC = (b"RIFF", b"RIFX", b"RF64", b"FORM", b"riff", b".snd", b"caff", b"fLaC", b"OggS")
"""How the files begin that libsndfile reads to the sample. It reads MP3 too, but prints what it thinks of it."""

LOUDEST = 2.0**30
"""Larger samples are no audio: the steps that stems are counted in would not suffice."""

GAP_SECONDS = 0.05
"""Time stamps may be this far from where the samples decoded so far have led; webm's are whole milliseconds."""

LONGEST_GAP_SECONDS = 600
"""Time stamps that are farther ahead tell of another clock, not of lost samples."""


@dataclass(frozen=True)
class AudioInfo:
    """What is known of audio before it is decoded.

    Attributes:
        sample_rate: Hz.
        channels: how many.
        frames: samples per channel, or None where only decoding tells.
        seconds: about how long it is, or None where nothing tells.
        bits: depth of integer samples, or None for others.
        tags: those of `TAGS` that it has.
        lossless: whether what is decoded is known to be what was encoded.
    """

    sample_rate: int
    channels: int
    frames: int | None
    seconds: float | None = None
    bits: int | None = None
    tags: dict[str, str] = field(default_factory=dict)
    lossless: bool = False


@dataclass(frozen=True)
class RawFormat:
    """Audio without a header.

    Attributes:
        type: of a sample, one of `RAW_TYPES`.
        sample_rate: Hz, or None.
        channels: how many, or None.
    """

    type: str
    sample_rate: int | None = None
    channels: int | None = None

    @classmethod
    def parse(cls, text: str) -> "RawFormat":
        """`TYPE` or `TYPE:RATE:CHANNELS`, such as `s16le:44100:2`.

        Raises:
            AudioError: it is neither.
        """
        name, *numbers = text.split(":")
        if name not in RAW_TYPES:
            raise AudioError(one_of("raw format", name, RAW_TYPES))
        if not numbers:
            return cls(name)
        if len(numbers) != 2 or not all(number.isdecimal() and int(number) for number in numbers):
            raise AudioError(f"raw format '{text}': must be TYPE or TYPE:RATE:CHANNELS, such as s16le:44100:2")
        return cls(name, int(numbers[0]), int(numbers[1]))

    def decode(self, data: bytes, channels: int) -> np.ndarray:
        """Whole frames as float32 `(time, channels)`."""
        dtype, scale = RAW_TYPES[self.type]
        if dtype == "s24":
            padded = np.zeros((len(data) // 3, 4), np.uint8)
            padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
            samples: np.ndarray = padded.view("<i4")[:, 0] >> 8
        else:
            samples = np.frombuffer(data, dtype)
        return (samples.astype(np.float32) / np.float32(scale)).reshape(-1, channels)

    @property
    def width(self) -> int:
        """Bytes of a sample."""
        return int(self.type[1:3]) // 8


class Decoder(Protocol):
    """One way to decode.

    Attributes:
        info: what is known of the audio.
        damages: lines about what was lost on the way, in the order they were met.
    """

    info: AudioInfo
    damages: list[str]

    def blocks(self, start: int, block_length: int) -> Iterator[np.ndarray]:
        """float32 `(time, channels)` from the sample `start` on."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


class Reader:
    """Audio that is being read.

    Args:
        name: of the file, for messages.
        decoder: to read with.
        zero_bad_samples: whether NaN and infinite samples become zeros; else they are an error.

    Attributes:
        info: what is known of the audio.
    """

    def __init__(self, name: str, decoder: Decoder, zero_bad_samples: bool = False) -> None:
        self.info = decoder.info
        self.name = name
        self._decoder = decoder
        self._zero = zero_bad_samples
        self._zeroed_from = 0.0
        self._count = 0

    def blocks(self, start: int = 0, block_length: int = BLOCK_LENGTH) -> Iterator[np.ndarray]:
        """Decode piece by piece.

        Args:
            start: the first sample that is wanted.
            block_length: samples per channel in each piece at most.

        Yields:
            float32 `(time, channels)`, none of them empty.

        Raises:
            AudioError: the end is missing, the audio cannot be decoded, or holds NaN or infinite samples.
        """
        place = start
        for block in self._decoder.blocks(start, block_length):
            for first in range(0, len(block), block_length):
                yield self._checked(block[first : first + block_length], place + first)
            place += len(block)
        frames = self.info.frames
        if frames is not None and place < frames and start < frames:
            raise AudioError(f"{self.name}: is truncated: {place} of {frames} samples could be decoded")

    @property
    def warnings(self) -> list[str]:
        """What was wrong with what has been read so far."""
        lines = list(self._decoder.damages)
        if self._count:
            lines.append(f"{self._count} NaN or infinite samples from {self._zeroed_from:.3f} s on were set to zero")
        return lines

    def _checked(self, block: np.ndarray, place: int) -> np.ndarray:
        if np.abs(block).max() <= LOUDEST:  # not of NaN
            return block
        bad = ~np.isfinite(block)
        if bad.any():
            block = self._zeroed(block, bad, self._seconds(bad, place))
        loud = np.abs(block) > LOUDEST
        if loud.any():
            text = f"has a sample of {np.abs(block[loud][0]):.0e} at {self._seconds(loud, place):.3f} s"
            raise AudioError(f"{self.name}: {text}; full scale is 1")
        return block

    def _zeroed(self, block: np.ndarray, bad: np.ndarray, seconds: float) -> np.ndarray:
        if not self._zero:
            text = f"has a NaN or infinite sample at {seconds:.3f} s; repair the file"
            raise AudioError(f"{self.name}: {text} (separate --nan zero takes it as it is)")
        self._zeroed_from = self._zeroed_from if self._count else seconds
        self._count += int(bad.sum())
        return np.where(bad, np.float32(0), block)

    def _seconds(self, found: np.ndarray, place: int) -> float:
        """Where the first of some samples of a block is."""
        return (place + int(found.any(axis=1).argmax())) / self.info.sample_rate


@contextmanager
def open_audio(
    source: Path | BinaryIO, raw: RawFormat | None = None, zero_bad_samples: bool = False, stream: int = 0
) -> Iterator[Reader]:
    """Open a file or a pipe.

    Args:
        source: a path, which may be a named pipe's; or a URL's place, see `files.place`, of which a copy is read; or an
            open binary file that need not be seekable.
        raw: what it holds if it has no header.
        zero_bad_samples: whether NaN and infinite samples become zeros; else they are an error.
        stream: which of a container's audio streams. The first of a `.stem.mp4` is the mixture.

    Raises:
        AudioError: there is no such file, it is empty, truncated, or not audio.
        StoreError: a URL's store does not answer.
    """
    with ExitStack() as stack:
        if hasattr(source, "read"):
            name, opened = "standard input", _reopened(source)
        else:
            name, opened = str(source), stack.enter_context(local(source))
        decoder = _decoder(opened, name, raw, stream)
        stack.callback(decoder.close)
        yield Reader(name, decoder, zero_bad_samples)


def _reopened(file: Any) -> Path | BinaryIO:
    """A regular file by its path, if it is at its beginning, so that all is known of it that is known of files."""
    with suppress(OSError):  # not a file of the system, or a pipe
        path = Path(f"/proc/self/fd/{file.fileno()}")
        if file.tell() == 0 and path.is_file() and os.access(path, os.R_OK):
            return path
    return file


def _decoder(source: Path | BinaryIO, name: str, raw: RawFormat | None, stream: int) -> Decoder:
    if isinstance(source, Path):
        _check_is_file(source, name)
        if raw is None and not stream and stat.S_ISREG(source.stat().st_mode) and _suits_soundfile(source, name):
            return SoundfileDecoder(source, name)
        source = source.open("rb", buffering=0)
    if raw:
        return RawDecoder(source, name, raw)
    return AvDecoder(source, name, stream)


def _check_is_file(path: Path, name: str) -> None:
    if os.path.isdir(path):
        raise AudioError(f"{name}: is a folder, not an audio file")
    try:
        mode = path.stat()
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
        raise AudioError(f"{name}: {reason}") from error
    if stat.S_ISREG(mode.st_mode) and mode.st_size == 0:
        raise AudioError(f"{name}: is empty (0 bytes)")
    if not os.access(path, os.R_OK):
        raise AudioError(f"{name}: may not be read (check its permissions)")


def _suits_soundfile(path: Path, name: str) -> bool:
    """Damaged Ogg does not, nor do chains of streams: libsndfile hides what is missing."""
    with path.open("rb") as file:
        magic = file.read(4)
    if magic == b"OggS":
        ended, sound = ogg.inspect(path)
        if not ended:
            raise AudioError(f"{name}: is truncated: its last page is missing")
        return sound
    return magic in MAGIC and _opens(path, name, magic)


def _opens(path: Path, name: str, magic: bytes) -> bool:
    try:
        frames = soundfile.info(os.fsencode(path)).frames
    except soundfile.LibsndfileError as error:
        if error.code == MALFORMED and magic == b"caff":
            raise AudioError(f"{name}: is truncated or damaged: {error.error_string}") from error
        return False
    return frames != COUNT_MAX and not (frames == 0 and magic == b"RIFF" and _has_uncounted_data(path))


def _has_uncounted_data(path: Path) -> bool:
    """Whether bytes follow a WAV's header that tells of none: its recorder stopped before it filled in the length."""
    with path.open("rb") as file:
        header, _ = read_header(file.read)
    return len(header) < path.stat().st_size


class SoundfileDecoder:
    """libsndfile, for files of a known length."""

    def __init__(self, path: Path, name: str) -> None:
        self.damages: list[str] = []
        self._path, self._name = path, name
        self._file = soundfile.SoundFile(os.fsencode(path))
        _refuse_by_log(name, self._file.extra_info)
        bits = INTEGER_BITS.get(self._file.subtype)
        tags = {key: value for key, value in self._file.copy_metadata().items() if key in TAGS}
        self.info = AudioInfo(
            self._file.samplerate,
            self._file.channels,
            self._file.frames,
            self._file.frames / self._file.samplerate,
            bits,
            tags,
            bits is not None or self._file.subtype in ("FLOAT", "DOUBLE"),
        )

    def blocks(self, start: int, block_length: int) -> Iterator[np.ndarray]:
        place = min(start, self._file.frames)
        try:
            self._file.seek(place)
            while len(block := self._file.read(block_length, dtype="float32", always_2d=True)):
                yield block
                place += len(block)
        except soundfile.LibsndfileError as error:
            about = f"about {place / self.info.sample_rate:.1f} s"
            how = f"damaged at {about}" if self._has_end() else f"truncated: its end is missing, from {about} on"
            raise AudioError(f"{self._name}: is {how}") from error

    def _has_end(self) -> bool:
        """Whether the last sample is there. Nothing can be asked any more of a file that could not be read."""
        try:
            with soundfile.SoundFile(os.fsencode(self._path)) as file:
                file.seek(file.frames - 1)
                return len(file.read(1)) == 1
        except soundfile.LibsndfileError:
            return False

    def close(self) -> None:
        self._file.close()


def _refuse_by_log(name: str, log: str) -> None:
    """libsndfile reads most files that end early as if they were whole, and says so only in its log."""
    for line in log.splitlines():
        chunk, _, rest = line.partition(":")
        if chunk.strip() in ("data", "SSND", "Data Size", "BODY", "riff", "Riff size") and "should be" in rest:
            told, real = (int(word) for word in rest.replace("(should be", "").rstrip(") ").split())
            if real < told and not is_unknown(told):
                raise AudioError(f"{name}: is truncated: its header promises {told} bytes of audio, {real} are there")


class RawDecoder:
    """Samples without a header."""

    def __init__(self, file: BinaryIO, name: str, raw: RawFormat) -> None:
        self.damages: list[str] = []
        if not raw.sample_rate or not raw.channels:
            raise AudioError(f"{name}: raw audio needs its rate and channels: --raw-format {raw.type}:RATE:CHANNELS")
        self.info = AudioInfo(raw.sample_rate, raw.channels, None)
        self._file, self.name, self._raw = file, name, raw
        self._read = _read_what_is_there(file)

    def blocks(self, start: int, block_length: int) -> Iterator[np.ndarray]:
        frame = self._raw.width * self.info.channels
        skip, rest = start * frame, b""
        while data := self._read(block_length * frame):
            skipped = min(skip, len(data))
            skip -= skipped
            data = rest + data[skipped:]
            whole = len(data) // frame * frame
            rest = data[whole:]
            if whole:
                yield self._raw.decode(data[:whole], self.info.channels)
        if rest:
            raise AudioError(f"{self.name}: is truncated: it ends within a sample ({len(rest)} of {frame} bytes)")

    def close(self) -> None:
        self._file.close()


def _read_what_is_there(file: BinaryIO) -> Callable[[int], bytes]:
    """A pipe's reading without waiting for as many bytes as are asked for."""
    return getattr(file, "read1", file.read)


class _Pipe:
    """What FFmpeg needs of a pipe, which looks at a WAV's header itself.

    Attributes:
        head: what was read already.
        frames: samples per channel that a WAV promises, or None.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._read = _read_what_is_there(file)
        self.head, self.frames = read_header(self._read_all)
        self._left = self.head

    def _read_all(self, size: int) -> bytes:
        data = b""
        while len(data) < size and (more := self._read(size - len(data))):
            data += more
        return data

    def read(self, size: int) -> bytes:
        if self._left:
            given, self._left = self._left[:size], self._left[size:]
            return given
        return self._read(size)


class AvDecoder:
    """FFmpeg, for pipes, for what is compressed with loss, and for containers.

    The first audio is decoded at once: some codecs know their rate and channels only then.
    """

    def __init__(self, file: BinaryIO, name: str, stream: int = 0) -> None:
        self.damages: list[str] = []
        self._file, self.name = file, name
        self._frames: int | None = None
        self._start: float | None = None
        self._origin = 0.0
        self._seekable = file.seekable()
        try:
            self._open(stream)
        except AudioError:
            self.close()
            raise

    def _open(self, stream: int) -> None:
        import av

        self._counted = self._seekable and _has_frame_count(self._file)
        try:
            if self._seekable:
                self._container = av.open(self._file, metadata_errors="replace")
            else:
                self._container = self._open_pipe()
            if len(self._container.streams.audio) <= stream:
                raise AudioError(f"{self.name}: has no audio stream")
            self._stream = self._container.streams.audio[stream]
            if self._stream.codec_context is None:
                raise AudioError(f"{self.name}: is not an audio file this program can read (unknown codec)")
            self._decoded = self._decode()
            self._first = next(self._decoded, None)
        except (av.error.FFmpegError, ValueError) as error:
            raise AudioError(f"{self.name}: is not an audio file this program can read") from error
        self.info = self._describe()

    def _open_pipe(self) -> Any:
        """FFmpeg would read seconds of a WAV to see whether its samples are something else in disguise."""
        import av

        pipe = _Pipe(self._file)
        if not pipe.head:
            raise AudioError(f"{self.name}: is empty (0 bytes)")
        self._frames = pipe.frames
        options = {"probesize": "4096"} if pipe.head[8:12] == b"WAVE" else {}
        return av.open(pipe, options=options, metadata_errors="replace")

    def _describe(self) -> AudioInfo:
        context = self._stream.codec_context
        if self._first is None and not (context.sample_rate and context.channels):  # FFmpeg went by the name alone
            raise AudioError(f"{self.name}: is not an audio file this program can read")
        rate, channels = (context.sample_rate, context.channels) if self._first is None else self._form(self._first[0])
        if self._frames:
            return AudioInfo(rate, channels, self._frames, self._frames / rate, None, self._tags())
        seconds, exact = self._promise()
        frames = round(seconds * rate) if seconds and exact else None
        return AudioInfo(rate, channels, frames, seconds, None, self._tags())

    def _promise(self) -> tuple[float | None, bool]:
        """How long the audio should be by its header, and whether that is to the sample."""
        kind, stream = self._container.format.name, self._stream
        if stream.duration is None:
            whole = self._container.duration
            return (whole / 1e6 if whole and whole > 0 else None), False
        seconds = float(stream.duration * stream.time_base)
        return seconds, kind == "flac"

    def _tags(self) -> dict[str, str]:
        given = {**self._container.metadata, **self._stream.metadata}
        names = {key.lower(): text for key, text in given.items() if text}
        names.setdefault("tracknumber", names.get("track", ""))
        return {tag: names[tag] for tag in TAGS if names.get(tag)}

    @staticmethod
    def _form(frame: Any) -> tuple[int, int]:
        return frame.sample_rate, frame.layout.nb_channels

    def blocks(self, start: int, block_length: int) -> Iterator[np.ndarray]:
        import av

        place = 0
        try:
            for samples in self._placed():
                yield from (samples[max(0, start - place) :],) if place + len(samples) > start else ()
                place += len(samples)
        except av.error.PatchWelcomeError as error:
            about = f"{place / self.info.sample_rate:.3f} s"
            raise AudioError(f"{self.name}: changes at {about} to what FFmpeg cannot decode, another rate?") from error
        except av.error.FFmpegError as error:
            raise AudioError(f"{self.name}: is damaged: {error.strerror}") from error
        self._refuse_truncated(place)

    def _refuse_truncated(self, place: int) -> None:
        seconds, promised = place / self.info.sample_rate, self._promised_seconds()
        if promised is None or seconds >= promised - GAP_SECONDS * 2:
            return
        if self.damages:
            self.damages.append(f"{promised - seconds:.3f} s shorter than its header promises")
        else:
            raise AudioError(
                f"{self.name}: is truncated: its header promises {promised:.3f} s, {seconds:.3f} s could be decoded"
            )

    def _promised_seconds(self) -> float | None:
        """What a header promises that can be relied on; others guess from the size of the file, or count the pictures
        too."""
        kind = self._container.format.name
        if kind == "mp3" and not self._counted:
            return None
        if not self._stream.duration or not any(name in kind for name in ("mp3", "mp4", "asf", "caf")):
            return None
        return float(self._stream.duration * self._stream.time_base)

    def _placed(self) -> Iterator[np.ndarray]:
        """Decoded samples, with silence where some are missing by their time stamps."""
        rate, place = self.info.sample_rate, 0
        for frame, lost in chain([self._first] if self._first else [], self._decoded):
            if self._form(frame) != (rate, self.info.channels):
                raise AudioError(f"{self.name}: changes its rate or channels at {place / rate:.3f} s")
            gap = self._gap(frame, place)
            if lost or gap > GAP_SECONDS * rate:
                gap = max(gap, lost)
                self.damages.append(f"damaged at {place / rate:.3f} s: {gap / rate:.3f} s became silence")
                yield np.zeros((gap, self.info.channels), np.float32)
                place += gap
            samples = _to_float(frame)
            place += len(samples)
            yield samples

    def _gap(self, frame: Any, place: int) -> int:
        """Samples that are missing before a frame by its time stamp. Where time stamps begin again, as in the next
        stream of a chain, or jump far ahead, they count from there on."""
        if frame.pts is None:
            return 0
        time, rate = float(frame.pts * frame.time_base), self.info.sample_rate
        if self._start is None:
            self._start = self._origin = time
        gap = round((time - self._origin) * rate) - place
        if gap >= LONGEST_GAP_SECONDS * rate:
            self.damages.append(f"time stamps jump by {gap / rate:.0f} s at {place / rate:.3f} s: taken for no gap")
        elif gap > -rate or time > self._start:
            return gap
        self._origin = time - place / rate
        return 0

    def _decode(self) -> Iterator[tuple[Any, int]]:
        """Frames, each with the number of samples that could not be decoded before it."""
        import av

        lost, samples, size = 0.0, 0, 1
        for packet in self._container.demux(self._stream):
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:  # as long as sound packets of its size
                lost += max(1.0, packet.size * samples / size)
                continue
            size += packet.size
            for frame in frames:
                yield frame, round(lost)
                lost, samples = 0.0, samples + frame.samples
        if lost and self._container.format.name == "flac" and self._stream.duration is None:
            raise AudioError(f"{self.name}: is truncated: it ends within a block of samples")

    def close(self) -> None:
        with suppress(AttributeError):
            self._container.close()
        self._file.close()


def _to_float(frame: Any) -> np.ndarray:
    """A frame of any sample format as float32 `(time, channels)`."""
    samples = frame.to_ndarray()
    samples = samples.T if frame.format.is_planar else samples.reshape(-1, frame.layout.nb_channels)
    if samples.dtype == np.uint8:
        samples, scale = samples.astype(np.int16) - 128, 128
    else:
        scale = 1 if samples.dtype.kind == "f" else 1 << (8 * samples.dtype.itemsize - 1)
    return np.ascontiguousarray(samples.astype(np.float32) / np.float32(scale))


def _has_frame_count(file: BinaryIO) -> bool:
    """Whether an MP3 tells how many frames it has, in the tag of Xing or LAME within its first frame."""
    head = file.read(10)
    skip = 0
    if head[:3] == b"ID3" and len(head) == 10:
        skip = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
    file.seek(skip)
    start = file.read(4096)
    file.seek(0)
    tag = max(start.find(b"Xing"), start.find(b"Info"))
    return tag >= 0 and len(start) >= tag + 8 and bool(struct.unpack_from(">I", start, tag + 4)[0] & 1)
