"""A zoo of files that people have: good ones, odd ones, broken ones and things that are no audio, each with what must
come of it. `python tests/zoo.py` separates them all and prints a table of the outcomes.
"""

import contextlib
import io
import math
import os
import re
import struct
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soundfile

from tfwavesep.audio import ogg

RATE = 44100
LENGTH = 88200
DONE = ""
"""The outcome of a file that is separated without a word."""


@dataclass(frozen=True)
class Animal:
    """One file.

    Attributes:
        name: of the file.
        make: writes it to a path.
        error: a pattern for the text of the refusal, or None if it is separated.
        warning: a pattern for what is said though it is separated.
        frames: samples per channel of the stems, or None where the codec fills its last frame.
        seconds: about how long the stems are then.
    """

    name: str
    make: Callable[[Path], object]
    error: str | None = None
    warning: str = DONE
    frames: int | None = LENGTH
    seconds: float = LENGTH / RATE


def tone(length: int = LENGTH, channels: int = 2, rate: int = RATE, pitch: float = 330) -> np.ndarray:
    wave = 0.4 * np.sin(2 * np.pi * pitch * np.arange(length) / rate) * (0.7 + 0.3 * np.sin(np.arange(length) / 3000))
    return (wave[:, np.newaxis] / np.arange(1, channels + 1)).astype(np.float32)


def sound(
    subtype: str | None, form: str | None = None, rate: int = RATE, channels: int = 2, length: int = LENGTH
) -> Callable[[Path], None]:
    """A file by libsndfile."""

    def make(path: Path) -> None:
        soundfile.write(os.fsencode(path), tone(length, channels, rate), rate, subtype, format=form or path.suffix[1:])

    return make


def samples(values: Callable[[np.ndarray], object], subtype: str = "FLOAT") -> Callable[[Path], None]:
    """A WAV of a tone that was tampered with."""

    def make(path: Path) -> None:
        audio = tone()
        values(audio)
        soundfile.write(str(path), audio, RATE, subtype, format="WAV")

    return make


def put(place: object, value: float) -> Callable[[np.ndarray], object]:
    return lambda audio: audio.__setitem__(place, value)


def encoded(
    codec: str, form: str | None = None, rate: int = RATE, streams: int = 1, picture: bool = False, **options: str
) -> Callable[[Path], None]:
    """A file by FFmpeg, with several streams of different pitches, or with moving pictures."""

    def make(path: Path) -> None:
        with path.open("wb") as file, av.open(file, "w", form, options=options) as container:
            video = container.add_stream("mpeg4", rate=25, width=32, height=32, pix_fmt="yuv420p") if picture else None
            audio = [container.add_stream(codec, rate=rate, layout="stereo") for _ in range(streams)]
            if video:
                still = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
                container.mux([*video.encode(still), *video.encode(None)])
            for number, stream in enumerate(audio):
                stream.bit_rate = 128000
                music = np.ascontiguousarray(tone(rate * 2, 2, rate, 330 * (number + 1)).T)
                frame = av.AudioFrame.from_ndarray(music, format="fltp", layout="stereo")
                frame.sample_rate, frame.pts = rate, 0
                container.mux([*stream.encode(frame), *stream.encode(None)])

    return make


def surround(channels: str, codec: str, form: str, rate: int = 48000) -> Callable[[Path], None]:
    """Two seconds of more channels, by FFmpeg, each softer than the one before."""

    def make(path: Path) -> None:
        with path.open("wb") as file, av.open(file, "w", form) as container:
            stream = container.add_stream(codec, rate=rate, layout=channels)
            music = tone(2 * rate, stream.layout.nb_channels, rate, 330).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(music, format="flt", layout=channels)
            frame.sample_rate, frame.pts = rate, 0
            container.mux([*stream.encode(frame), *stream.encode(None)])

    return make


def late(form: str) -> Callable[[Path], None]:
    """A film of two and a half seconds whose sound starts after half a second."""

    def make(path: Path) -> None:
        with path.open("wb") as file, av.open(file, "w", form) as container:
            video = container.add_stream("mpeg4", rate=25, width=32, height=32, pix_fmt="yuv420p")
            stream = container.add_stream("aac", rate=RATE, layout="stereo")
            for number in range(63):
                still = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
                still.pts = number
                container.mux(video.encode(still))
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(tone().T), format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = RATE, RATE // 2 + 1024  # the encoder begins with 1024 of its own
            container.mux([*video.encode(None), *stream.encode(frame), *stream.encode(None)])

    return make


def as_samples(data: bytes) -> bytes:
    """Bytes as what they say they are: samples of 16 bits."""
    head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, 2, 48000, 192000, 4, 16)
    return head + struct.pack("<4sI", b"data", len(data)) + data


def then(make: Callable[[Path], object], change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """A file whose bytes were changed afterwards."""

    def made(path: Path) -> None:
        make(path)
        path.write_bytes(change(path.read_bytes()))

    return made


def first(share: float) -> Callable[[bytes], bytes]:
    return lambda data: data[: int(len(data) * share)]


def noise_in(start: float, stop: float) -> Callable[[bytes], bytes]:
    """Random bytes in the place of a part of the file."""

    def change(data: bytes) -> bytes:
        a, b = int(len(data) * start), int(len(data) * stop)
        return data[:a] + np.random.default_rng(0).bytes(b - a) + data[b:]

    return change


def promises(more: int) -> Callable[[bytes], bytes]:
    """Another end on the last page of an Ogg."""

    def change(data: bytes) -> bytes:
        *_, last = ogg.pages(io.BytesIO(data))
        end = int.from_bytes(last.data[6:14], "little") + more
        page = last.data[:6] + end.to_bytes(8, "little") + last.data[14:]
        return data[: last.place] + page[:22] + ogg.checksum(page).to_bytes(4, "little") + page[26:]

    return change


def field(name: bytes, offset: int, code: str, value: int) -> Callable[[bytes], bytes]:
    """Another number at some bytes after the first `name`."""

    def change(data: bytes) -> bytes:
        place = data.index(name) + offset
        size = struct.calcsize(code)
        return data[:place] + struct.pack(code, value) + data[place + size :]

    return change


def extra_chunks(data: bytes) -> bytes:
    """A bext before the samples; an id3 and a LIST behind them."""
    before = data[:12] + b"bext" + struct.pack("<I", 602) + b"x" * 602
    after = b"id3 " + struct.pack("<I", 10) + b"ID3\3\0\0\0\0\0\0" + b"LIST" + struct.pack("<I", 4) + b"adtl"
    return before + data[12:] + after


def sized(size: int, picture: bytes = b"\xff\xd8") -> bytes:
    """A tag with a picture of so many bytes."""
    lengths = bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0))
    tag = b"ID3\3\0\0" + lengths + b"APIC" + struct.pack(">I", size - 10) + b"\0\0" + picture * (size // len(picture))
    return tag[: 10 + size]


WAV, FLAC, OGG = sound("PCM_16", "WAV"), sound("PCM_16", "FLAC"), sound("VORBIS", "OGG", length=20 * RATE)
AIFF = sound("PCM_16", "AIFF")
MP3, M4A = encoded("libmp3lame", "mp3"), encoded("aac", "mp4")
LONG_MP3 = sound("MPEG_LAYER_III", "MP3", length=10 * RATE)


def joined(make: Callable[[Path], object], *changes: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """The same file again and again, as `cat` joins them, each changed beforehand."""

    def made(path: Path) -> None:
        make(path)
        data = path.read_bytes()
        path.write_bytes(b"".join(change(data) for change in changes))

    return made


def same(data: bytes) -> bytes:
    return data


def tagged(data: bytes) -> bytes:
    """A picture in front, and two more tags behind: of APE and of ID3's first version."""
    ape = b"APETAGEX" + struct.pack("<IIII8x", 2000, 1032, 1, 1 << 29) + b"\xff\xfb\x90\x64" * 250 + bytes(32)
    return sized(30_000, b"\xff\xfb\x90\x64") + data + ape + b"TAG".ljust(128)


def broadcast(*starts: float) -> Callable[[Path], None]:
    """MPEG transport streams of two seconds each, joined, with clocks that begin at these seconds."""

    def make(path: Path) -> None:
        data = b""
        for start in starts:
            encoded("mp2", "mpegts", output_ts_offset=str(start))(path)
            data += path.read_bytes()
        path.write_bytes(data)

    return make


def link(to: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(to)


def fifo(path: Path) -> None:
    """A named pipe into which somebody writes a WAV."""
    os.mkfifo(path)
    with tempfile.TemporaryDirectory() as folder:
        WAV(Path(folder) / "a.wav")
        data = (Path(folder) / "a.wav").read_bytes()

    def write() -> None:
        with contextlib.suppress(BrokenPipeError), path.open("wb") as file:
            file.write(data)

    threading.Thread(target=write, daemon=True).start()


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("song.wav", b"0" * 1000)


def still_picture(path: Path) -> None:
    with path.open("wb") as file, av.open(file, "w", "mp4") as container:
        stream = container.add_stream("mpeg4", rate=25, width=32, height=32, pix_fmt="yuv420p")
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        container.mux([*stream.encode(frame), *stream.encode(None)])


def two_rates(path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for rate in (44100, 22050):
            encoded("libmp3lame", "mp3", rate, write_xing="0", id3v2_version="0")(Path(folder) / f"{rate}")
        path.write_bytes(b"".join((Path(folder) / f"{rate}").read_bytes() for rate in (44100, 22050)))


def two_rates_in_a_chain(path: Path) -> None:
    data = b""
    for rate in (44100, 22050):
        sound("VORBIS", "OGG", rate, length=2 * rate)(path)
        data += path.read_bytes()
    path.write_bytes(data)


NOT_AUDIO = "is not an audio file this program can read|has no audio stream"
TRUNCATED = "is truncated"

ZOO = [
    # samples of every kind
    Animal("16 bit.wav", WAV),
    Animal("8 bit.wav", sound("PCM_U8")),
    Animal("24 bit.wav", sound("PCM_24")),
    Animal("32 bit.wav", sound("PCM_32")),
    Animal("float.wav", sound("FLOAT")),
    Animal("double.wav", sound("DOUBLE")),
    Animal("mu-law.wav", sound("ULAW")),
    Animal("a-law.wav", sound("ALAW")),
    Animal("ima adpcm.wav", sound("IMA_ADPCM"), frames=None),
    Animal("ms adpcm.wav", sound("MS_ADPCM"), frames=None),
    Animal("mono.wav", sound("PCM_16", channels=1)),
    Animal("6 channels.wav", sound("PCM_16", channels=6)),
    Animal("8 channels.wav", sound("PCM_24", channels=8)),
    Animal("192 kHz.wav", sound("PCM_24", rate=192000)),
    Animal("8 kHz.wav", sound("PCM_16", rate=8000)),
    Animal("44101 Hz.wav", sound("PCM_16", rate=44101)),
    Animal("extensible.wav", sound("PCM_24", "WAVEX")),
    Animal("big-endian.aiff", sound("PCM_16")),
    Animal("float.aifc", sound("FLOAT", "AIFF")),
    Animal("sun.au", sound("PCM_16")),
    Animal("apple.caf", sound("PCM_24")),
    Animal("sony.w64", sound("PCM_16")),
    Animal("broadcast.rf64", sound("PCM_16")),
    Animal("16 bit.flac", FLAC),
    Animal("24 bit, 96 kHz.flac", sound("PCM_24", rate=96000)),
    Animal("vorbis.ogg", sound("VORBIS")),
    Animal("opus.opus", sound("OPUS", "OGG", 48000)),
    Animal("layer 3.mp3", sound("MPEG_LAYER_III")),
    Animal("aac.m4a", M4A, frames=None),
    Animal("adts.aac", encoded("aac", "adts"), frames=None),
    Animal("alac.m4a", encoded("alac", "ipod"), frames=None),
    Animal("opus.webm", encoded("libopus", "webm", 48000), frames=None),
    Animal("vorbis or so.mka", encoded("flac", "matroska"), frames=None),
    Animal("windows.wma", encoded("wmav2", "asf"), frames=None),
    Animal("five streams.stem.mp4", encoded("aac", "mp4", streams=5), frames=None),
    Animal("with a picture.mp4", encoded("aac", "mp4", picture=True), frames=None),
    # what else people call their music, films among it
    Animal("wavpack.wv", encoded("wavpack", "wv")),
    Animal("true audio.tta", encoded("tta", "tta")),
    Animal("book.m4b", encoded("aac", "ipod"), frames=None),
    Animal("film.mkv", encoded("aac", "matroska", picture=True), frames=None),
    Animal("film.mov", encoded("aac", "mov", picture=True), frames=None),
    Animal("film.avi", encoded("libmp3lame", "avi", picture=True), frames=None),
    Animal("film.flv", encoded("libmp3lame", "flv"), frames=None),
    Animal("broadcast.ts", encoded("mp2", "mpegts"), frames=None),
    Animal("layer 2.mp2", encoded("mp2", "mp2"), frames=None),
    Animal("dolby.eac3", encoded("eac3", "eac3"), frames=None),
    Animal("half.wv", then(encoded("wavpack", "wv"), first(0.5)), "is damaged|" + TRUNCATED),
    Animal("half.tta", then(encoded("tta", "tta"), first(0.5)), TRUNCATED),
    Animal("two thirds.tta", then(encoded("tta", "tta"), first(0.7)), TRUNCATED),
    Animal("half.mka", then(encoded("flac", "matroska"), first(0.5)), TRUNCATED),
    Animal("half.webm", then(encoded("libopus", "webm", 48000), first(0.5)), TRUNCATED),
    Animal("sound comes late.mkv", late("matroska"), None, r"the sound starts 0\.5\d+ s after the pictures", None),
    Animal("sound comes late.mp4", late("mp4"), None, r"the sound starts 0\.5\d+ s after the pictures", None),
    Animal("for a receiver.wav", then(encoded("ac3", "spdif", 48000), as_samples), frames=None),
    # many channels
    Animal("5.1.ogg", sound("VORBIS", channels=6)),
    Animal("7.1.ogg", sound("VORBIS", channels=8)),
    Animal("5.0.opus", surround("5.0", "libopus", "opus"), frames=None),
    Animal("5.1.opus", surround("5.1", "libopus", "opus"), frames=None),
    Animal("7.1.opus", surround("7.1", "libopus", "opus"), frames=None),
    Animal("5.1.m4a", surround("5.1", "aac", "ipod"), frames=None),
    Animal("7.1.m4a", surround("7.1", "aac", "ipod"), frames=None),
    Animal("7.1.mka", surround("7.1", "flac", "matroska"), frames=None),
    Animal("5.1.ac3", surround("5.1(side)", "ac3", "ac3"), frames=None),
    Animal("16 channels.wav", sound("PCM_16", channels=16)),
    # what libsndfile does not open though it knows how it begins
    Animal("flac.ogg", encoded("flac", "ogg"), frames=None),
    Animal("flac, 5.1.oga", surround("5.1", "flac", "ogg"), frames=None),
    Animal("half flac.ogg", then(encoded("flac", "ogg"), first(0.5)), TRUNCATED),
    Animal("alac.caf", encoded("alac", "caf"), frames=None),
    Animal("adpcm.aiff", surround("stereo", "adpcm_ima_qt", "aiff"), frames=None),
    Animal("ac3.wav", encoded("ac3", "wav"), frames=None),
    Animal("windows.wav", encoded("wmav2", "wav"), frames=None),
    Animal("big-endian.caf", surround("stereo", "pcm_s16be", "caf"), frames=None),
    # lengths and levels
    Animal("one sample.wav", sound("PCM_16", length=1), frames=1),
    Animal("seven samples.flac", sound("PCM_16", length=7), frames=7),
    Animal("silence.wav", samples(put(slice(None), 0))),
    Animal("direct current.wav", samples(put(slice(None), 0.5))),
    Animal("square at full scale.wav", samples(lambda audio: np.copyto(audio, np.sign(audio)))),
    Animal("far too loud.wav", samples(lambda audio: np.copyto(audio, audio * 30000))),
    Animal("denormal.wav", samples(put(slice(None), 1e-40))),
    Animal("no samples.wav", sound("PCM_16", length=0), "holds no samples"),
    Animal("no samples.flac", sound("PCM_16", length=0), "holds no samples|is empty"),
    Animal("not a number.wav", samples(put((44100, 0), math.nan)), r"NaN or infinite sample at 1\.000 s"),
    Animal("infinite.wav", samples(put((88199, 1), -math.inf)), r"NaN or infinite sample at 2\.000 s"),
    Animal("beyond all measure.wav", samples(put((0, 0), 1e38)), r"a sample of 1e\+38 at 0\.000 s"),
    # odd headers
    Animal("unknown length.wav", then(WAV, field(b"data", 4, "<I", 0xFFFFFFFF))),
    Animal("length of sox.wav", then(WAV, field(b"data", 4, "<I", 0x7FFFF000))),
    Animal("length of arecord.wav", then(WAV, field(b"data", 4, "<I", 0x80000000))),
    Animal("length 0.wav", then(WAV, field(b"data", 4, "<I", 0))),
    Animal("wrong riff length.wav", then(WAV, field(b"RIFF", 4, "<I", 1))),
    Animal("more chunks.wav", then(WAV, extra_chunks)),
    Animal("noise behind.wav", then(WAV, lambda data: data + b"\0noise" * 99)),
    Animal("wrong byte rate.wav", then(WAV, field(b"fmt ", 16, "<I", 1))),
    Animal("picture in front.mp3", then(sound("MPEG_LAYER_III", "MP3"), lambda data: sized(300_000) + data)),
    Animal("no length.mp3", encoded("libmp3lame", "mp3", write_xing="0"), frames=None),
    Animal("noise in front.mp3", then(sound("MPEG_LAYER_III", "MP3"), lambda data: b"\1" * 999 + data), frames=None),
    Animal("tag in front.flac", then(FLAC, lambda data: sized(2000) + data)),
    Animal("wrong ending.mp3", WAV),
    Animal("no ending", WAV),
    Animal("no channels.wav", then(WAV, field(b"fmt ", 10, "<H", 0)), NOT_AUDIO),
    Animal("0 Hz.wav", then(WAV, field(b"fmt ", 12, "<I", 0)), NOT_AUDIO),
    Animal("unknown codec.wav", then(WAV, field(b"fmt ", 8, "<H", 0x1234)), NOT_AUDIO),
    # what is missing
    Animal("empty.wav", lambda path: path.touch(), r"is empty \(0 bytes\)"),
    Animal("empty.mp3", lambda path: path.touch(), r"is empty \(0 bytes\)"),
    Animal("half a header.wav", then(WAV, lambda data: data[:20]), NOT_AUDIO),
    Animal("half.wav", then(WAV, first(0.5)), TRUNCATED),
    Animal("one byte short.wav", then(WAV, lambda data: data[:-1]), frames=LENGTH - 1),
    Animal("one byte short.aiff", then(sound("PCM_24"), lambda data: data[:-1]), frames=LENGTH - 1),
    Animal("a frame short.wav", then(WAV, lambda data: data[:-4]), TRUNCATED),
    Animal("layer 3 in riff.wav", encoded("libmp3lame", "wav"), frames=None),
    Animal("last page promises more.ogg", then(OGG, promises(1000)), frames=None, seconds=20),
    Animal("last page promises far more.ogg", then(OGG, promises(10_000)), TRUNCATED),
    Animal("promises more.wav", then(WAV, field(b"data", 4, "<I", 999_999)), TRUNCATED),
    Animal("promises 3 GB.wav", then(WAV, field(b"data", 4, "<I", 3_000_000_000)), TRUNCATED),
    Animal("half.aiff", then(sound("PCM_16"), first(0.5)), TRUNCATED),
    Animal("half.au", then(sound("PCM_16"), first(0.5)), TRUNCATED),
    Animal("half.caf", then(sound("PCM_16"), first(0.5)), TRUNCATED + "|" + NOT_AUDIO),
    Animal("half.w64", then(sound("PCM_16"), first(0.5)), TRUNCATED),
    Animal("half.rf64", then(sound("PCM_16"), first(0.5)), TRUNCATED),
    Animal("half.flac", then(FLAC, first(0.5)), TRUNCATED + "|is damaged"),
    Animal("half.ogg", then(OGG, first(0.5)), TRUNCATED),
    Animal("half.opus", then(sound("OPUS", "OGG", 48000), first(0.5)), TRUNCATED),
    Animal("half.mp3", then(sound("MPEG_LAYER_III", "MP3"), first(0.5)), TRUNCATED),
    Animal("half.m4a", then(M4A, first(0.5)), TRUNCATED + "|" + NOT_AUDIO),
    Animal("half, header first.m4a", then(encoded("aac", "mp4", movflags="faststart"), first(0.5)), TRUNCATED),
    Animal("half.wma", then(encoded("wmav2", "asf"), first(0.5)), None, "damaged at|shorter than", None, 1),
    # what is damaged
    Animal("damaged.mp3", then(LONG_MP3, noise_in(0.4, 0.45)), None, r"damaged at [34]\.\d+ s", None, 10),
    Animal("damaged.ogg", then(OGG, noise_in(0.4, 0.45)), None, r"damaged at \d\.\d+ s", None, 20),
    Animal("damaged.flac", then(FLAC, noise_in(0.4, 0.6)), "is damaged|" + TRUNCATED),
    Animal("two rates.mp3", two_rates, "changes its rate or channels at 2"),
    Animal("two rates.ogg", two_rates_in_a_chain, r"changes at 2\.000 s to what FFmpeg cannot decode, another rate\?"),
    # what was joined
    Animal("two, with pictures.mp3", joined(MP3, tagged, tagged), frames=None, seconds=4),
    Animal("three.mp3", joined(MP3, same, same, same), frames=None, seconds=6),
    Animal("two.aac", joined(encoded("aac", "adts"), same, same), frames=None, seconds=4),
    Animal("two with tags.aac", joined(encoded("aac", "adts"), tagged, tagged), frames=None, seconds=4),
    Animal(
        "damaged.aac", then(encoded("aac", "adts"), noise_in(0.4, 0.55)), None, r"damaged at 0\.8\d+ s: 0\.3\d+", None
    ),
    Animal(
        "noise behind.aac", then(encoded("aac", "adts"), noise_in(0.9, 1)), None, "damaged at its end: 0.2", None, 1.8
    ),
    Animal("two.ac3", joined(encoded("ac3", "ac3"), same, same), frames=None, seconds=4),
    Animal("damaged.ac3", then(encoded("ac3", "ac3"), noise_in(0.4, 0.6)), None, r"damaged at 0\.[78]", None),
    Animal("two.ogg", joined(OGG, same, same), frames=None, seconds=40),
    Animal("clock begins again.ts", broadcast(0, 0), frames=None, seconds=4),
    Animal("clock begins a bit later.ts", broadcast(0, 0.5), frames=None, seconds=4),
    Animal("clock jumps.ts", broadcast(0, 300), None, r"time stamps jump by 298 s at 2\.\d+ s", None, 4),
    Animal("clock jumps back.ts", broadcast(300, 0), None, r"time stamps jump by 95142 s", None, 4),
    Animal("clock begins again.webm", joined(encoded("libopus", "webm", 48000), same, same), frames=None, seconds=4),
    *(
        Animal(f"two.{form}", joined(sound("PCM_16", form.upper()), same, same), frames=2 * LENGTH)
        for form in ("wav", "rf64", "w64", "aiff", "au", "caf", "flac")
    ),
    *(
        Animal(f"two.{ending}", joined(encoded(codec, form), same, same), frames=None, seconds=4)
        for ending, codec, form in (
            *(("m4a", "aac", "ipod"), ("mov", "aac", "mov"), ("wma", "wmav2", "asf"), ("flv", "libmp3lame", "flv")),
            *(("tta", "tta", "tta"), ("wv", "wavpack", "wv")),
        )
    ),
    Animal("one and a half.wav", joined(WAV, same, first(0.5)), TRUNCATED),
    Animal("one and a half.flac", joined(FLAC, same, first(0.5)), TRUNCATED),
    Animal("one and a half.m4a", joined(M4A, same, first(0.5)), "part 2 of 2: is not an audio file"),
    Animal("three, the second damaged.aiff", joined(AIFF, same, first(0.5), same), TRUNCATED),
    # no audio
    Animal("text.wav", lambda path: path.write_text("These are no samples.\n" * 99), NOT_AUDIO),
    Animal("page.flac", lambda path: path.write_text("<!DOCTYPE html><html>404</html>" * 9), NOT_AUDIO),
    Animal("noise.mp3", lambda path: path.write_bytes(np.random.default_rng(1).bytes(20000)), NOT_AUDIO),
    Animal("zeros.wav", lambda path: path.write_bytes(b"\0" * 20000), NOT_AUDIO),
    Animal("picture.mp3", lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20), NOT_AUDIO),
    Animal("archive.wav", zipped, NOT_AUDIO),
    Animal("silent film.mp4", still_picture, "has no audio stream"),
    # names and places
    Animal("folder.wav", lambda path: path.mkdir(), "is a folder"),
    Animal("missing.wav", lambda path: None, "no such file"),
    Animal("link to nowhere.wav", link("nowhere"), "no such file"),
    Animal("link in a circle.wav", link("link in a circle.wav"), "cannot be read: Too many levels"),
    Animal("link.wav", lambda path: (WAV(path.parent / "other"), path.symlink_to("other"))),
    Animal("nothing.wav", link("/dev/null"), NOT_AUDIO),
    Animal("pipe.wav", fifo),
    Animal("Für Elise 音楽 🎵 'x' \"y\" %d {z} [0].wav", WAV),
    Animal("two\nlines.wav", WAV),
    Animal(os.fsdecode(b"caf\xe9.wav"), WAV),
    Animal(os.fsdecode(b"caf\xe9.mp3"), MP3, frames=None),
    Animal("l" * 251 + ".wav", WAV),
]


def describe(animal: Animal, folder: Path) -> str:
    """A row of the table of outcomes."""
    from doubles import separator

    from tfwavesep.batch import separate_file
    from tfwavesep.errors import TfwavesepError

    path = folder / animal.name
    animal.make(path)
    try:
        outcome = separate_file(separator(2, 1), path, folder / "stems")
        text = "; ".join([f"separated, {outcome.seconds:.3f} s", *outcome.warnings])
    except TfwavesepError as error:
        text = "refused: " + str(error).replace(str(path), "…")
    return f"| {ascii(animal.name)[1:-1][:60]} | {re.sub(r'[|]', '/', text)} |"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        print("| file | outcome |\n|---|---|")
        for number, each in enumerate(ZOO):
            (Path(home) / str(number)).mkdir()
            print(describe(each, Path(home) / str(number)))
    sys.exit()
