"""The cache: what the model needs, decoded once, whole or not at all; and where somebody sings."""

import dataclasses
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import write_track

from tfwavesep import audio
from tfwavesep.config import Preset
from tfwavesep.data import Track, cache, tracks
from tfwavesep.data.cache import Prepared
from tfwavesep.errors import AudioError
from tfwavesep.models import ModelConfig
from tfwavesep.stems import STEMS


@pytest.fixture
def model(tiny: Preset) -> ModelConfig:
    """8 kHz mono."""
    return tiny.model


@pytest.fixture
def found(tmp_path: Path) -> list[Track]:
    """Two songs of 0.5 s at 16 kHz, stereo."""
    for number in range(2):
        write_track(tmp_path / "data" / "train" / f"song {number} ü", seconds=0.5, seed=number)
    write_track(tmp_path / "data" / "valid" / "song", seconds=0.1)
    return tracks.find_tracks(tmp_path / "data", "train")


def track_of(name: str, file: Path) -> Track:
    """A track with vocals alone."""
    return Track(name, (file,), lambda: audio.read(file), {"vocals": lambda: audio.read(file)})


@pytest.mark.parametrize(("sample_rate", "channels"), [(8000, 1), (8000, 2), (16000, 1), (16000, 2), (44100, 2)])
@pytest.mark.parametrize("stem", STEMS)
def test_stems_are_kept_as_the_model_wants_them(
    found: list[Track], model: ModelConfig, tmp_path: Path, stem: str, sample_rate: int, channels: int
) -> None:
    model = dataclasses.replace(model, sample_rate=sample_rate, channels=channels)
    prepared = cache.prepare(found, stem, model, tmp_path / "cache")
    assert prepared.lengths == [sample_rate // 2] * 2
    for track, file in zip(found, prepared.files, strict=True):
        info = soundfile.info(file)
        assert (info.samplerate, info.channels, info.format, info.subtype) == (sample_rate, channels, "WAV", "PCM_16")
        samples, rate = track.load_stem[stem]()
        expected = audio.to_channels(audio.resample(samples, rate, sample_rate), channels)
        np.testing.assert_allclose(soundfile.read(file, always_2d=True)[0], expected, atol=2**-15)


def test_loud_stems_are_clipped_not_wrapped(model: ModelConfig, tmp_path: Path) -> None:
    loud = tmp_path / "loud.wav"
    audio.write(loud, np.repeat([[1.5], [-1.5]], 100, axis=0).astype(np.float32), model.sample_rate)
    prepared = cache.prepare([track_of("loud", loud)], "vocals", model, tmp_path / "cache")
    samples, _ = soundfile.read(prepared.files[0])
    np.testing.assert_allclose(samples, np.repeat([1, -1], 100), atol=2**-14)


def test_what_is_there_is_not_made_again(
    found: list[Track], model: ModelConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cache.prepare(found, "bass", model, tmp_path / "cache")
    before = [file.stat().st_mtime_ns for file in first.files]
    monkeypatch.setattr(audio, "read", lambda path: pytest.fail(f"{path} is decoded again"))
    again = cache.prepare(found, "bass", model, tmp_path / "cache")
    assert again == first
    assert [file.stat().st_mtime_ns for file in again.files] == before


def test_a_stem_that_was_edited_in_place_is_decoded_anew_and_no_other(
    found: list[Track], model: ModelConfig, tmp_path: Path
) -> None:
    """Also if it has the same name and size as before."""
    first = cache.prepare(found, "bass", model, tmp_path / "cache")
    bass = next(file for file in found[1].files if file.name == "bass.wav")
    samples, sample_rate = soundfile.read(bass)
    size = bass.stat().st_size
    soundfile.write(bass, samples / 2, sample_rate, "PCM_16")
    assert bass.stat().st_size == size
    again = cache.prepare(found, "bass", model, tmp_path / "cache")
    assert again.files[0] == first.files[0]
    before, after = (soundfile.read(prepared.files[1])[0] for prepared in (first, again))
    assert np.abs(after).max() == pytest.approx(np.abs(before).max() / 2, rel=0.01)


def test_a_failure_leaves_nothing_half_written(found: list[Track], model: ModelConfig, tmp_path: Path) -> None:
    vocals = found[1].files[0]
    vocals.write_bytes(vocals.read_bytes()[:1000])
    with pytest.raises(AudioError, match=str(vocals)):
        cache.prepare(found, "vocals", model, tmp_path / "cache")
    left = [p for p in (tmp_path / "cache").rglob("*") if p.is_file()]
    assert [p.name for p in left] == [f"{found[0].name}.wav"]
    assert soundfile.info(left[0]).frames == model.sample_rate // 2


@pytest.mark.parametrize("error", [AudioError("one bad file"), KeyboardInterrupt()])
def test_a_failure_does_not_wait_for_the_others(error: BaseException, model: ModelConfig, tmp_path: Path) -> None:
    def fail() -> tuple[np.ndarray, int]:
        raise error

    def decode() -> tuple[np.ndarray, int]:
        decoded.append(True)
        time.sleep(0.02)
        return np.zeros((100, 1), np.float32), model.sample_rate

    decoded: list[bool] = []
    found = [Track(f"{number}", (), decode, {"vocals": decode if number else fail}) for number in range(100)]
    with pytest.raises(type(error)):
        cache.prepare(found, "vocals", model, tmp_path)
    assert len(decoded) < 50


def test_different_settings_and_stems_do_not_share_files(
    found: list[Track], model: ModelConfig, tmp_path: Path
) -> None:
    stereo, fast = dataclasses.replace(model, channels=2), dataclasses.replace(model, sample_rate=16000)
    prepared = [cache.prepare(found, stem, m, tmp_path) for m in (model, stereo, fast) for stem in STEMS]
    files = [file for p in prepared for file in p.files]
    assert len(set(files)) == len(files) == 3 * 4 * 2
    assert cache.prepare(found[:1], "vocals", model, tmp_path).files == files[:1]


def test_tracks_of_one_name_are_kept_apart(model: ModelConfig, tmp_path: Path) -> None:
    """Extra material from two folders may well have an `01.wav` in each."""
    found = []
    for number in (1, 2, 3):
        file = tmp_path / str(number) / "01.wav"
        file.parent.mkdir()
        audio.write(file, np.full((100, 1), number / 4, np.float32), model.sample_rate)
        found.append(track_of("01", file))
    prepared = cache.prepare(found, "vocals", model, tmp_path / "cache")
    assert [soundfile.read(file)[0].max() for file in prepared.files] == [0.25, 0.5, 0.75]


def prepared_of(tmp_path: Path, *songs: np.ndarray) -> Prepared:
    """Songs at 8 kHz, so that a chunk is 400 samples, as if they had been prepared."""
    files = [tmp_path / f"{number}.wav" for number in range(len(songs))]
    for file, song in zip(files, songs, strict=True):
        soundfile.write(file, song, 8000, "PCM_16")
    return Prepared(files, [len(song) for song in songs])


def burst(first: int, last: int, level: float = 0.5, length: int = 8000) -> np.ndarray:
    """Silence but for the samples from `first` to `last`."""
    song = np.zeros(length)
    song[first:last] = level
    return song


@pytest.mark.parametrize(("first", "last"), [(0, 400), (400, 800), (2000, 3600), (7600, 8000), (0, 8000)])
@pytest.mark.parametrize("level", [0.5, -0.5, 0.001])
def test_voice_is_found_exactly_where_it_is(tmp_path: Path, first: int, last: int, level: float) -> None:
    chunks = cache.voiced_chunks(prepared_of(tmp_path, burst(first, last, level)))
    np.testing.assert_array_equal(chunks, [[0, start] for start in range(first, last, 400)])
    assert chunks.dtype == np.int64


@pytest.mark.parametrize(("level", "found"), [(0.051, True), (0.049, False)])
def test_a_tenth_of_the_loudest_is_voice(tmp_path: Path, level: float, found: bool) -> None:
    chunks = cache.voiced_chunks(prepared_of(tmp_path, burst(0, 400, 0.5) + burst(4000, 4400, level)))
    assert ([0, 4000] in chunks.tolist()) == found


def test_each_song_is_measured_by_itself_and_silence_has_no_voice(tmp_path: Path) -> None:
    songs = [burst(400, 800), burst(0, 0), burst(0, 399, length=399), burst(800, 1200, 0.01)]
    chunks = cache.voiced_chunks(prepared_of(tmp_path, *songs))
    np.testing.assert_array_equal(chunks, [[0, 400], [3, 800]])


def test_no_songs_have_no_voice() -> None:
    assert cache.voiced_chunks(Prepared([], [])).shape == (0, 2)
