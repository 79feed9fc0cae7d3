"""Pipes: the same samples as from a file, put out while the song still comes in, with a clean end at either side."""

import io
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
import soundfile
from conftest import Run
from doubles import noise, separator

from tfwavesep.audio import Format, RawFormat, WavFile, open_audio
from tfwavesep.batch import Settings, separate_file
from tfwavesep.batch.pipes import separate_into
from tfwavesep.errors import AudioError, ConfigError, OutputError
from tfwavesep.separation import Separator

VOCALS = Settings(stems=("vocals",), clip_mode="clamp")
RATE = 44100


class Dripping(io.RawIOBase):
    """A pipe that gives a few bytes at a time."""

    def __init__(self, data: bytes, drops: int) -> None:
        self._data, self._drops = io.BytesIO(data), drops

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(size, self._drops) if size > 0 else self._drops)

    read1 = read


def through(data: bytes, settings: Settings = VOCALS, drops: int = 5000) -> bytes:
    sink = io.BytesIO()
    with open_audio(Dripping(data, drops), settings.raw) as reader:  # type: ignore[arg-type]
        separate_into(sink, separator(2), reader, settings)
    return sink.getvalue()


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """A second and a bit of 16-bit stereo."""
    soundfile.write(tmp_path / "song.wav", noise(50021, 2), RATE, "PCM_16")
    return tmp_path / "song.wav"


@pytest.fixture
def vocals(song: Path, tmp_path: Path) -> np.ndarray:
    """The stem of the file."""
    done = separate_file(separator(2), song, tmp_path / "stems", ("vocals",))
    return soundfile.read(done.stems["vocals"], dtype="float32")[0]


@pytest.mark.parametrize("drops", [1, 7, 4096, 1 << 20])
def test_a_wav_from_a_pipe_gives_the_samples_of_the_file(song: Path, vocals: np.ndarray, drops: int) -> None:
    samples, rate = soundfile.read(io.BytesIO(through(song.read_bytes(), drops=drops)), dtype="float32")
    assert rate == RATE
    np.testing.assert_array_equal(samples, vocals)


@pytest.mark.parametrize(
    ("form", "subtype"),
    [("WAV", "PCM_24"), ("WAV", "PCM_U8"), ("WAV", "FLOAT"), ("WAV", "DOUBLE"), ("FLAC", "PCM_24"), ("RF64", "PCM_16"),
     ("AIFF", "PCM_16"), ("AU", "PCM_24")],
)  # fmt: skip
def test_other_formats_from_a_pipe_do_too(form: str, subtype: str, tmp_path: Path) -> None:
    path = tmp_path / f"song.{form.lower()}"
    soundfile.write(path, noise(20011, 2), RATE, subtype, format=form)
    done = separate_file(separator(2), path, tmp_path / "stems", ("vocals",))
    samples, _ = soundfile.read(io.BytesIO(through(path.read_bytes())), dtype="float32")
    np.testing.assert_array_equal(samples, soundfile.read(done.stems["vocals"], dtype="float32")[0])


@pytest.mark.parametrize(("name", "dtype", "scale"), [("s16le", "<i2", 2**15), ("f32le", "<f4", 1)])
def test_raw_samples_in_and_out(song: Path, vocals: np.ndarray, name: str, dtype: str, scale: int) -> None:
    samples, _ = soundfile.read(song, dtype="float32")
    raw = (samples * scale).astype(dtype).tobytes()
    settings = replace(VOCALS, raw=RawFormat.parse(f"{name}:44100:2"))
    out = np.frombuffer(through(raw, settings, drops=1001), dtype).reshape(-1, 2).astype(np.float64) / scale
    np.testing.assert_allclose(out, vocals, atol=0.51 / scale if scale > 1 else 0)


def test_24_bit_raw_samples(song: Path, vocals: np.ndarray) -> None:
    samples, _ = soundfile.read(song, dtype="int32")
    raw = (samples >> 8).reshape(-1, 1).view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    out = through(raw, replace(VOCALS, raw=RawFormat.parse("s24le:44100:2")))
    padded = np.zeros((len(out) // 3, 4), np.uint8)
    padded[:, 1:] = np.frombuffer(out, np.uint8).reshape(-1, 3)
    np.testing.assert_array_equal((padded.view("<i4") >> 8).reshape(-1, 2) / 2**23, vocals)


@pytest.mark.parametrize("told", [0xFFFFFFFF, 0xFFFFFFD3, 0x80000000, 0x7FFFFF00, 0x7FFFF000, 0x7FFFEFFC, 0])
def test_lengths_that_nobody_knew_mean_until_the_end(song: Path, vocals: np.ndarray, told: int) -> None:
    data = song.read_bytes()
    place = data.index(b"data") + 4
    out = through(data[:place] + struct.pack("<I", told) + data[place + 4 :])
    np.testing.assert_array_equal(soundfile.read(io.BytesIO(out), dtype="float32")[0], vocals)


@pytest.mark.parametrize("told", [50021, 750_000_000])
def test_a_promised_length_that_does_not_come_is_told(song: Path, told: int) -> None:
    data = song.read_bytes()
    place = data.index(b"data") + 4
    data = data[:place] + struct.pack("<I", 4 * told) + data[place + 4 : 100_000]
    with pytest.raises(AudioError, match=f"standard input: is truncated: 24989 of {told}"):
        through(data)


def test_what_would_clip_is_told_of_whom(song: Path) -> None:
    settings = replace(VOCALS, form=Format.parse("wav", "16"), clip_mode="none")
    soundfile.write(song, 10 * noise(50021, 2), RATE, "FLOAT")
    with pytest.raises(AudioError, match=r"^standard input: a stem is beyond full scale at 0\.000 s"):
        through(song.read_bytes(), settings)


@pytest.mark.parametrize("data", [b"", b"RIFF", b"no audio" * 99])
def test_what_is_no_audio_is_refused(data: bytes) -> None:
    with pytest.raises(AudioError, match=r"standard input: is (empty|not an audio file)"):
        through(data)


def test_raw_audio_ends_with_a_whole_sample() -> None:
    with pytest.raises(AudioError, match=r"ends within a sample \(3 of 4 bytes\)"):
        through(b"\0" * 4003, replace(VOCALS, raw=RawFormat.parse("s16le:44100:2")))


@pytest.mark.parametrize("text", ["s16", "s16le:44100", "s16le:a:2", "s16le:0:2", "s16le:44100:2:1", ""])
def test_raw_formats_that_cannot_be_meant(text: str) -> None:
    with pytest.raises(AudioError, match="raw format"):
        RawFormat.parse(text)


def test_raw_input_needs_its_rate() -> None:
    with pytest.raises(AudioError, match="needs its rate and channels: --raw-format s16le:RATE:CHANNELS"):
        through(b"\0" * 400, replace(VOCALS, raw=RawFormat.parse("s16le")))


@pytest.mark.parametrize(
    ("settings", "message"),
    [(Settings(), "a pipe takes one stem"), (replace(VOCALS, form=Format.parse("flac")), "a pipe takes wav"),
     (replace(VOCALS, form=Format.parse("wav", "16"), clip_mode="rescale"), "takes no clip mode rescale: the gain"),
     (replace(VOCALS, raw=RawFormat.parse("s16le:44100:2"), clip_mode="rescale"), "takes no clip mode rescale")],
)  # fmt: skip
def test_what_a_pipe_cannot_take(song: Path, settings: Settings, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        through(song.read_bytes(), settings)


@contextmanager
def playing(model: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], Any, Any]]:
    """The program in the middle of a pipe."""
    command = [sys.executable, "-m", "tfwavesep_cli", "separate", "-", "-m", str(model), "--stems", "vocals", "-o", "-"]
    pipe = subprocess.PIPE
    process = subprocess.Popen([*command, *options], stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        yield process, process.stdin, process.stdout
    finally:
        process.kill()
        process.wait()


def keep_writing(stdin: BinaryIO, seconds: int) -> None:
    """Feeds a song of that length, and leaves the pipe open."""

    def write() -> None:
        with suppress(BrokenPipeError):
            wav = WavFile(stdin, 16000, 1, "PCM_16")
            for second in range(seconds):
                wav.write((noise(16000, seed=second) * 10000).astype(np.int16))
            stdin.flush()

    threading.Thread(target=write, daemon=True).start()


def test_the_stem_comes_while_the_song_is_still_being_written(model: Path) -> None:
    """Nothing more is written, and the pipe not closed, until what is due has come."""
    with playing(model, "--segment", "0.5") as (process, stdin, stdout):
        keep_writing(stdin, 5)
        latency = Separator.load(str(model), 0.5).course(16000).latency
        due = int((5 - latency - 0.3) * 16000) * 4  # FFmpeg holds some samples of a pipe back
        got = stdout.read(due)
        assert len(got) == due
        assert process.poll() is None
        stdin.close()
        rest = stdout.read()
        assert process.wait() == 0
        samples, _ = soundfile.read(io.BytesIO(got + rest))
        assert len(samples) == 5 * 16000


def test_a_listener_who_leaves_ends_the_program_cleanly(model: Path) -> None:
    with playing(model, "--segment", "0.1") as (process, stdin, stdout):
        keep_writing(stdin, 30)
        stdout.read(10_000)
        stdout.close()
        assert process.wait() == 0
        assert process.stderr
        assert b"Error" not in process.stderr.read()


def test_a_full_disk_behind_the_pipe_is_one_line(song: Path) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("needs /dev/full")
    with open("/dev/full", "wb") as sink, open_audio(song) as reader:
        with pytest.raises(OutputError, match="standard output: cannot be written to: No space left"):
            separate_into(sink, separator(2), reader, VOCALS)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sink.fileno())  # for what Python still wants to flush


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-", "song.wav"], "cannot be separated together with other songs"),
        (["a.wav", "b.wav", "-o", "-"], "standard output takes one song"),
        (["a.wav", "-o", "-"], "a pipe takes one stem: choose it with --stems, of vocals, drums, bass, other"),
        (["a.wav", "-o", "-", "--stems", "bass", "--clip-mode", "rescale", "--bits", "16"], "no clip mode rescale"),
        (["-", "--raw-format", "s16"], "unknown raw format 's16': did you mean 's16le'?"),
    ],
)
def test_pipes_that_cannot_be_meant(arguments: list[str], message: str, model: Path, run: Run) -> None:
    result = run("separate", *arguments, "-m", model)
    assert result.exit_code != 0
    assert message in result.output


@pytest.mark.parametrize(
    ("options", "told"),
    [(["--bits", "16"], "samples cut to full scale"), (["--bits", "16", "--clip-mode", "none"], "beyond full scale"),
     (["--bits", "float"], "")],
)  # fmt: skip
def test_what_would_clip_in_a_pipe_is_cut_and_told(
    options: list[str], told: str, model: Path, tmp_path: Path, run: Run
) -> None:
    song = tmp_path / "song.wav"
    soundfile.write(song, 6 * noise(8000, 2), 8000, "FLOAT")
    result = run("separate", song, "-m", model, "--stems", "other", "-o", "-", *options)
    assert told in result.stderr
    assert bool(result.stderr) == bool(told)


@pytest.mark.parametrize(("descriptor", "name"), [(0, "input"), (1, "output")])
def test_a_pipe_that_is_closed_is_one_line(descriptor: int, name: str, model: Path) -> None:
    command = [sys.executable, "-m", "tfwavesep_cli", "separate", "-", "-m", str(model), "--stems", "bass", "-o", "-"]
    shell = ["sh", "-c", f'exec "$@" {descriptor}>&-', "sh", *command]
    done = subprocess.run(shell, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, f"Error: standard {name}: is closed\n")


def test_a_named_song_goes_into_a_pipe_without_a_header(song: Path, model: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tfwavesep_cli", "separate", str(song), "-m", str(model), "--stems", "vocals"]
    done = subprocess.run([*command, "-o", "-", "--raw-format", "s16le"], capture_output=True, check=True)
    assert len(done.stdout) == 50021 * 2 * 2


def test_live_the_stem_is_the_files_and_no_later_than_told(song: Path, vocals: np.ndarray) -> None:
    """Fed at the pace of the music, and much faster than what reads it."""
    separator_, arrived = separator(2), []

    class Sink(io.BytesIO):
        def write(self, data: Any) -> int:
            arrived.append((pipe.given, len(data) // 8))
            return super().write(data)

    class Counting(Dripping):
        given = 0

        def read(self, size: int = -1) -> bytes:
            data = super().read(size)
            self.given += len(data) // 8
            return data

        read1 = read

    samples, _ = soundfile.read(song, dtype="float32")
    pipe = Counting(samples.tobytes(), 800)
    settings = replace(VOCALS, live=True, raw=RawFormat.parse("f32le:44100:2"))
    sink = Sink()
    with open_audio(pipe, settings.raw) as reader:  # type: ignore[arg-type]
        separate_into(sink, separator_, reader, settings)
    out = np.frombuffer(sink.getvalue(), "<f4").reshape(-1, 2)
    np.testing.assert_allclose(out, vocals, atol=1e-5)
    late, written = separator_.course(RATE, live=True).latency * RATE, 0
    for given, length in arrived[:-50]:
        written += length
        assert given - written <= late + 100
