"""FFmpeg, by PyAV: pipes, what is compressed with loss, and containers."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from typing import Any, BinaryIO

import numpy as np

from tfwavesep.audio import adts, mpeg, speakers
from tfwavesep.audio.decoding import _disguise as disguise
from tfwavesep.audio.decoding._clock import GAP_SECONDS, UNTIMED, Clock
from tfwavesep.audio.decoding._damages import Damages
from tfwavesep.audio.decoding._decoder import AudioInfo, read_what_is_there
from tfwavesep.audio.decoding._ending import Ending
from tfwavesep.audio.decoding._joined import LONGEST_START, Watch
from tfwavesep.audio.tagging import TAGS
from tfwavesep.audio.wavfile import read_header
from tfwavesep.errors import AudioError

RELIABLE = ("mp4", "asf", "aiff", "au", "caf", "tta", "wv", "ape", "tak")
"""Kinds of files, by FFmpeg's names, whose header tells how long a stream is; of others it is a guess."""

NEEDS_A_FILE = "has its index at its end, where a pipe cannot be read first: name the file itself, or move the index"
"""Of an m4a or mp4."""

FRAMES = (b"\xff", b"\x0b\x77", b"\x77\x0b", b"\x7f\xfe")
"""How frames of MPEG, AC-3 and DTS begin. A parser leaves tags behind the frame that they follow, or by themselves."""

FOLLOWED = "another file follows the first, which alone was read from the pipe: name the file itself for both"
"""Of most kinds of files that were joined."""

PLANES = 8
"""Channels in places of their own that a frame has room for: PyAV reads past it to see whether there are more."""


class _Pipe:
    """What FFmpeg needs of a pipe, which looks at a WAV's header itself.

    Attributes:
        head: a WAV's header, of others the first bytes.
        start: what was read already, the head and more.
        frames: samples per channel that a WAV promises, or None.
        disguised: whether a WAV's samples are none, see `disguise`.
        followed: whether another file begins in what was read so far.
        ending: what it says of its end.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._read = read_what_is_there(file)
        self.head, self.frames = read_header(self._read_all)
        start = disguise.enough_of(self.head, self._read_all)
        self.disguised = disguise.is_compressed(start)
        start = self.head + start + self._read_all(max(0, LONGEST_START - len(self.head)))
        self.start = self._left = start + self._read_all(mpeg.start_length(start) - len(start))
        self.followed, self._watch, self.ending = False, Watch(self._left), Ending(self._left)

    def _read_all(self, size: int) -> bytes:
        data = b""
        while len(data) < size and (more := self._read(size - len(data))):
            data += more
        return data

    def read(self, size: int) -> bytes:
        if self._left:
            given, self._left = self._left[:size], self._left[size:]
        else:
            given = self._read(size)
            self.followed = self._watch.sees(given) or self.followed
        self.ending.passes(given)
        return given


class AvDecoder:
    """FFmpeg, for pipes, for what is compressed with loss, and for containers.

    The first audio is decoded at once: some codecs know their rate and channels only then.
    """

    def __init__(self, file: BinaryIO, damages: Damages, stream: int | None = None, keep_offset: bool = False) -> None:
        self.damages = damages
        self._file, self.name = file, damages.name
        self._keep_offset = keep_offset
        self._frames: int | None = None
        self._counted: mpeg.Counted | None = None
        self._seekable = file.seekable()
        self._jumped = False
        self._disguised = False
        self._pipe: _Pipe | None = None
        self._frames_alone: adts.Frames | None = None
        try:
            self._open(stream)
        except AudioError:
            self.close()
            raise

    def _open(self, stream: int | None) -> None:
        import av

        self._look_at_start()
        try:
            if not self._seekable:
                self._container = self._open_pipe()
            else:
                if adts.begins(self._file):
                    self._frames_alone = adts.Frames(self._file.read)
                self._container = av.open(self._frames_alone or self._file, metadata_errors="replace")
            self._stream = self._choose(stream)
            if self._stream.codec_context is None:
                raise AudioError(f"{self.name}: is not an audio file this program can read (unknown codec)")
            self._check_samples(self._stream.codec_context.name)
            self._decoded = self._decode()
            self._first = next(self._decoded, None)
        except (av.error.FFmpegError, ValueError) as error:
            if self._pipe and self._pipe.head[4:8] == b"ftyp":
                raise AudioError(f"{self.name}: {NEEDS_A_FILE}") from error
            raise AudioError(f"{self.name}: is not an audio file this program can read") from error
        self._offset = self._late()
        self.info = self._describe()

    def _look_at_start(self) -> None:
        """How many samples per channel a WAV in a file promises, and whether they are none; what an MP3 tells."""
        if self._seekable:
            _, self._frames = read_header(self._file.read)
            self._disguised = disguise.is_compressed(self._file.read(disguise.LOOKED_AT))
            self._file.seek(0)
            length = mpeg.start_length(self._file.read(LONGEST_START))
            self._file.seek(0)
            self._counted = mpeg.counted(self._file.read(length))
            self._file.seek(0)

    def _check_samples(self, codec: str) -> None:
        if not codec.startswith("pcm_"):
            self._frames = None
        elif self._disguised:
            text = (
                "its samples are a stream for a receiver, in which FFmpeg finds no beginning: cut the silence before it"
            )
            raise AudioError(f"{self.name}: {text}")

    def _choose(self, stream: int | None) -> Any:
        """The stream of a number, or the default one, or the first."""
        import av

        streams = self._container.streams.audio
        if not streams:
            raise AudioError(f"{self.name}: has no audio stream")
        if stream is None:
            default = av.stream.Disposition.default
            return next((one for one in streams if one.disposition & default), streams[0])
        if stream >= len(streams):
            raise AudioError(f"{self.name}: has no audio stream {stream + 1}, only {len(streams)}")
        return streams[stream]

    def _late(self) -> int:
        """How many samples of silence stand for what a film's pictures are ahead of its sound."""
        streams = [one for one in (*self._container.streams.video, self._stream) if one.start_time is not None]
        starts = [float(one.start_time * one.time_base) for one in streams]
        if self._stream not in streams or starts[-1] - min(starts) < GAP_SECONDS:
            return 0
        if not self._keep_offset:
            late = f"{starts[-1] - min(starts):.3f} s"
            self.damages.lines.append(
                f"the sound starts {late} after the pictures (--keep-offset keeps that as silence)"
            )
            return 0
        return round((starts[-1] - min(starts)) * self._stream.rate)

    def _open_pipe(self) -> Any:
        """FFmpeg would read seconds of a WAV to see whether its samples are something else in disguise."""
        import av

        self._pipe = pipe = _Pipe(self._file)
        if not pipe.head:
            raise AudioError(f"{self.name}: is empty (0 bytes)")
        self._frames, self._disguised = pipe.frames, pipe.disguised
        self._counted = mpeg.counted(pipe.start)
        options = {"probesize": "4096"} if pipe.head[8:12] == b"WAVE" and not pipe.disguised else {}
        if adts.length(pipe.start):
            self._frames_alone = adts.Frames(pipe.read)
        return av.open(self._frames_alone or pipe, options=options, metadata_errors="replace")

    def _describe(self) -> AudioInfo:
        context = self._stream.codec_context
        if self._first is None and not (context.sample_rate and context.channels):  # FFmpeg went by the name alone
            raise AudioError(f"{self.name}: is not an audio file this program can read")
        rate, channels = (context.sample_rate, context.channels) if self._first is None else self._form(self._first[0])
        mask = speakers.mask(_names(self._first[0].layout if self._first else context.layout))
        if self._frames:
            return AudioInfo(rate, channels, self._frames, self._frames / rate, None, self._tags(), slack=1, mask=mask)
        seconds, exact = self._promise()
        frames = round(seconds * rate) if seconds and exact else None
        return AudioInfo(rate, channels, frames, seconds, None, self._tags(), mask=mask)

    def _promise(self) -> tuple[float | None, bool]:
        """How long the audio should be by its header, and whether that is to the sample."""
        kind, stream = self._container.format.name, self._stream
        if stream.duration is None:
            whole = self._container.duration
            return (whole / 1e6 if whole and whole > 0 else None), False
        seconds = float(stream.duration * stream.time_base) + self._offset / stream.rate
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
            for samples in self._unfilled():
                yield from (samples[max(0, start - place) :],) if place + len(samples) > start else ()
                place += len(samples)
        except av.error.PatchWelcomeError as error:
            about = f"{place / self.info.sample_rate:.3f} s"
            raise AudioError(f"{self.name}: changes at {about} to what FFmpeg cannot decode, another rate?") from error
        except av.error.FFmpegError as error:
            if not self._is_complete(place):  # tags may follow, which FFmpeg takes for sound in a pipe
                self.damages.refuse(f"is damaged: {error.strerror}", error)
                return
        self._refuse_truncated(place)
        if self._pipe and self._pipe.followed:
            self.damages.lines.append(FOLLOWED)

    def _is_complete(self, place: int) -> bool:
        promised = self._promised_seconds()
        return promised is not None and place - self._offset >= round(promised * self.info.sample_rate)

    def _refuse_truncated(self, place: int) -> None:
        if self._pipe and self._pipe.ending.missing:
            self.damages.refuse(f"is truncated: {self._pipe.ending.missing}")
            return
        seconds, promised = (place - self._offset) / self.info.sample_rate, self._promised_seconds()
        if promised is None or seconds >= promised - GAP_SECONDS * 2:
            return
        if self.damages.lines:
            self.damages.lines.append(f"{promised - seconds:.3f} s shorter than its header promises")
        else:
            self.damages.refuse(f"is truncated: its header promises {promised:.3f} s, {seconds:.3f} s could be decoded")

    def _promised_seconds(self) -> float | None:
        """What a header promises that can be relied on; others guess from the size of the file, or count the pictures
        too."""
        kind = self._container.format.name
        if "matroska" in kind and not self._jumped and len(self._container.streams) == 1 and self._container.duration:
            return float(self._container.duration - max(0, self._container.start_time or 0)) / 1e6
        seconds = float(self._stream.duration * self._stream.time_base) if self._stream.duration else None
        if kind == "mp3":
            told = self._counted.frames * self._mp3_frame / self.info.sample_rate if self._counted else None
            return min(seconds, told) if seconds and told else told
        return seconds if any(name in kind for name in RELIABLE) else None

    @property
    def _mp3_frame(self) -> int:
        """Samples of a frame."""
        return 1152 if self.info.sample_rate >= 32000 else 576

    def _unfilled(self) -> Iterator[np.ndarray]:
        """Decoded samples, without those with which an MP3's encoder filled up its last frame: of a file FFmpeg leaves
        them out, of a pipe it does not."""
        filling = self._counted.filling if self._counted and self._container.format.name == "mp3" else 0
        place, held = 0, np.zeros((0, self.info.channels), np.float32)
        for samples in self._placed():
            place += len(samples)
            held = np.concatenate([held, samples]) if filling else samples
            given = len(held) - filling
            if given > 0:
                yield held[:given]
                held = held[given:]
        if self._counted and filling and place != self._counted.decoded(self._mp3_frame):
            yield held

    def _placed(self) -> Iterator[np.ndarray]:
        """Decoded samples, with silence in the place of what could not be decoded, or lies between time stamps."""
        rate, place = self.info.sample_rate, self._offset
        if place:
            yield np.zeros((place, self.info.channels), np.float32)
        clock = Clock(self._container.format.name, rate)
        for frame, lost in chain([self._first] if self._first else [], self._decoded):
            if self._form(frame) != (rate, self.info.channels):
                raise AudioError(f"{self.name}: changes its rate or channels at {place / rate:.3f} s")
            gap = max(clock.gap(frame, place), lost)
            self.damages.lines += clock.jumps
            self._jumped = self._jumped or bool(clock.jumps)
            clock.jumps.clear()
            if gap:
                self.damages.lines.append(f"damaged at {place / rate:.3f} s: {gap / rate:.3f} s became silence")
                yield np.zeros((gap, self.info.channels), np.float32)
                place += gap
            samples = _to_float(frame)
            place += len(samples)
            yield samples

    def _decode(self) -> Iterator[tuple[Any, int]]:
        """Frames, each with the number of samples that could not be decoded before it."""
        import av

        lost, samples, size = 0.0, 0, 1
        for number, packet in enumerate(self._sounding()):
            lost += self._noise(number) * samples / size
            try:
                frames = packet.decode()
            except av.error.PatchWelcomeError:
                raise
            except av.error.FFmpegError:  # as long as sound packets of its size
                lost += max(1.0, packet.size * samples / size)
                continue
            size += packet.size
            for frame in frames:
                yield frame, round(lost)
                lost, samples = 0.0, samples + frame.samples
        if self._frames_alone and lost > GAP_SECONDS * self._stream.rate:
            self.damages.lines.append(f"damaged at its end: {lost / self._stream.rate:.3f} s are missing")
        if lost and self._container.format.name == "flac" and self._stream.duration is None:
            self.damages.refuse("is truncated: it ends within a block of samples")

    def _noise(self, number: int) -> int:
        """Bytes before a packet of which FFmpeg was not told, as they are no frame."""
        return self._frames_alone.noise.pop(number, 0) if self._frames_alone else 0

    def _sounding(self) -> Iterator[Any]:
        """The stream's packets, without those that hold tags: of files that were joined, one may be anywhere."""
        end, untimed = 0, self._container.format.name in UNTIMED
        for packet in self._container.demux(self._stream):
            if untimed and packet.pos is not None:
                data, within = bytes(packet), packet.pos < end
                tags = mpeg.tags(data, max(0, end - packet.pos))
                end = packet.pos + tags[1] if tags else end
                if within or (tags and (tags[0] == 0 or not data.startswith(FRAMES))):
                    continue
            yield packet

    def close(self) -> None:
        with suppress(AttributeError):
            self._container.close()
        self._file.close()


def _to_float(frame: Any) -> np.ndarray:
    """A frame of any sample format as float32 `(time, channels)`."""
    frame = _packed(frame) if frame.format.is_planar and frame.layout.nb_channels >= PLANES else frame
    samples = frame.to_ndarray()
    samples = samples.T if frame.format.is_planar else samples.reshape(-1, frame.layout.nb_channels)
    order = speakers.order(_names(frame.layout)) if frame.layout.nb_channels > 2 else None
    samples = samples if order is None else samples[:, order]
    if samples.dtype == np.uint8:
        samples, scale = samples.astype(np.int16) - 128, 128
    else:
        scale = 1 if samples.dtype.kind == "f" else 1 << (8 * samples.dtype.itemsize - 1)
    return np.ascontiguousarray(samples.astype(np.float32) / np.float32(scale))


def _packed(frame: Any) -> Any:
    import av

    frame.pts = None
    (packed,) = av.AudioResampler(frame.format.packed, frame.layout, frame.sample_rate).resample(frame)
    return packed


def _names(layout: Any) -> list[str]:
    """Of the speakers of some channels."""
    return [channel.name for channel in layout.channels]
