"""WAV as we write it: every reader agrees on it, of any size, and into a pipe."""

import io
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from doubles import noise

from tfwavesep.audio import wavfile
from tfwavesep.audio.wavfile import WavFile, read_header

DTYPES = {"PCM_16": (np.int16, 2**15), "PCM_24": (np.int32, 2**23), "FLOAT": (np.float32, 1)}


class OneWay(io.BytesIO):
    """A file that cannot go back."""

    def seekable(self) -> bool:
        return False


def written(file: io.BytesIO, subtype: str, channels: int = 2, length: int = 1001) -> tuple[bytes, np.ndarray]:
    dtype, scale = DTYPES[subtype]
    samples = (noise(length, channels) * scale).astype(dtype)
    wav = WavFile(file, 44100, channels, subtype, {"title": "Für 音楽", "artist": "A"})
    for piece in np.array_split(samples, 3):
        wav.write(piece)
    wav.close()
    return file.getvalue(), samples / scale


def by_ffmpeg(data: bytes) -> np.ndarray:
    with av.open(io.BytesIO(data)) as container:
        frames = [frame.to_ndarray().reshape(-1, frame.layout.nb_channels) for frame in container.decode(audio=0)]
    return np.concatenate(frames)


@pytest.mark.parametrize("limit", [2**32 - 1, 1000], ids=["RIFF", "RF64"])
@pytest.mark.parametrize("channels", [1, 2, 3, 8])
@pytest.mark.parametrize("subtype", DTYPES)
def test_libsndfile_and_ffmpeg_read_what_was_written(
    subtype: str, channels: int, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wavfile, "RIFF_LIMIT", limit)
    data, samples = written(io.BytesIO(), subtype, channels)
    assert data[:4] == (b"RIFF" if limit > 1000 else b"RF64")
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        assert (file.samplerate, file.channels, file.subtype, file.frames) == (44100, channels, subtype, 1001)
        assert "(should be" not in file.extra_info
        assert (file.title, file.artist) == ("Für 音楽", "A")
        np.testing.assert_array_equal(file.read(always_2d=True), samples)
    decoded = by_ffmpeg(data)
    if subtype == "PCM_24":
        decoded = decoded >> 8
    np.testing.assert_array_equal(decoded / DTYPES[subtype][1], samples)


@pytest.mark.parametrize("length", [0, 1, 1000])
@pytest.mark.parametrize("subtype", DTYPES)
def test_a_pipe_gets_the_same_samples_and_a_length_that_nobody_knows(subtype: str, length: int) -> None:
    data, samples = written(OneWay(), subtype, 1, length)
    frames = read_header(io.BytesIO(data).read)[1]
    assert frames is None
    if length:
        np.testing.assert_array_equal(soundfile.read(io.BytesIO(data), always_2d=True)[0], samples)


@pytest.mark.parametrize("before", [b"", b"mine"])
def test_a_file_that_is_appended_to_gets_what_a_pipe_gets(before: bytes, tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    path.write_bytes(before)
    with path.open("ab") as file:
        wav = WavFile(file, 44100, 1, "PCM_16")
        wav.write(np.ones((3, 1), np.int16))
        wav.close()
    pipe = OneWay()
    wav = WavFile(pipe, 44100, 1, "PCM_16")
    wav.write(np.ones((3, 1), np.int16))
    wav.close()
    assert path.read_bytes() == before + pipe.getvalue()


def test_a_file_is_written_from_where_it_stands() -> None:
    alone, _ = written(io.BytesIO(), "PCM_16")
    file = io.BytesIO(b"mine" + b"old" * 10_000)
    file.seek(4)
    data, _ = written(file, "PCM_16")
    assert data[:4] == b"mine"
    assert data[4:].startswith(alone)
    assert file.tell() == 4 + len(alone)


@pytest.mark.parametrize("limit", [2**32 - 1, 1000])
@pytest.mark.parametrize("subtype", DTYPES)
def test_the_header_tells_how_much_follows(subtype: str, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wavfile, "RIFF_LIMIT", limit)
    data, _ = written(io.BytesIO(), subtype)
    monkeypatch.setattr(wavfile, "RIFF_LIMIT", 2**32 - 1)
    header, frames = read_header(io.BytesIO(data).read)
    assert frames == 1001
    assert len(data) - len(header) in (1001 * 2 * np.dtype(DTYPES[subtype][0]).itemsize, 1001 * 2 * 3)


@pytest.mark.parametrize("data", [b"", b"RIFF", b"fLaC" + b"\0" * 99, b"RIFF\0\0\0\0WAVEdata\1\0\0\0"])
def test_what_is_no_header_promises_nothing(data: bytes) -> None:
    header, frames = read_header(io.BytesIO(data).read)
    assert frames is None
    assert data.startswith(header)


def test_of_what_is_no_wav_only_the_beginning_is_read() -> None:
    """An AVI begins as a WAV does; looking for its samples would take all of it."""
    data = b"RIFF" + bytes(4) + b"AVI LIST" + (1000).to_bytes(4, "little") + bytes(1000)
    assert read_header(io.BytesIO(data).read) == (data[:12], None)


def test_beyond_4_gib_the_real_limit_holds(tmp_path: Path) -> None:
    """A file with a hole stands in for hours of audio."""
    path = tmp_path / "long.wav"
    with path.open("wb") as file:
        wav = WavFile(file, 44100, 2, "FLOAT")
        wav.write(np.full((1, 2), 0.5, np.float32))
        hole = 2**32 // 8 * 8
        file.seek(hole, 1)
        wav._bytes += hole
        wav.write(np.full((1, 2), 0.25, np.float32))
        wav.close()
    with soundfile.SoundFile(path) as sound:
        assert (sound.format, sound.frames) == ("RF64", hole // 8 + 2)
        sound.seek(hole // 8)
        np.testing.assert_array_equal(sound.read(), [[0, 0], [0.25, 0.25]])
