"""The null depth tells exact sums from others."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import Run
from doubles import noise, separator

from tfwavesep import jobs
from tfwavesep.check import null_depth
from tfwavesep.encoding import Format
from tfwavesep.errors import AudioError
from tfwavesep.jobs import Job, Settings

STEMS = ("vocals", "drums", "bass", "other")


def separated(song: Path, folder: Path, form: Format, clip_mode: str = "rescale") -> list[Path]:
    outputs = {stem: folder / f"{stem}.{form.extension}" for stem in STEMS}
    jobs.run(separator(2, 1), Job(song, outputs, Settings(form=form, clip_mode=clip_mode)))
    return list(outputs.values())


@pytest.fixture(params=["PCM_16", "PCM_24", "MP3", "loud"])
def song(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Two seconds of noise, the loud one far beyond full scale."""
    music = 0.8 * noise(88200, 2)
    if request.param == "loud":
        soundfile.write(tmp_path / "song.wav", 7 * music, 44100, "FLOAT")
        return tmp_path / "song.wav"
    form = ("MP3", "MPEG_LAYER_III") if request.param == "MP3" else ("FLAC", request.param)
    soundfile.write(tmp_path / "song", music, 44100, form[1], format=form[0])
    return tmp_path / "song"


@pytest.mark.parametrize("clip_mode", ["rescale", "clamp"])
@pytest.mark.parametrize(("extension", "bits"), [("wav", "16"), ("wav", "24"), ("flac", "16"), ("flac", "24")])
def test_integer_stems_leave_nothing(song: Path, extension: str, bits: str, clip_mode: str, tmp_path: Path) -> None:
    stems = separated(song, tmp_path / "stems", Format.parse(extension, bits), clip_mode)
    found = null_depth(song, stems)
    assert (found.depth_db, found.worst, found.exact, found.passed) == (-np.inf, 0, True, True)
    assert (found.gain_db < 0) == (song.suffix == ".wav" and clip_mode == "rescale")


def test_float_stems_leave_nothing_of_integer_mixtures_and_little_of_others(song: Path, tmp_path: Path) -> None:
    found = null_depth(song, separated(song, tmp_path / "stems", Format()))
    assert found.depth_db < -120
    assert found.passed
    assert not found.exact


def test_lossy_stems_are_measured_and_pass(song: Path, tmp_path: Path) -> None:
    found = null_depth(song, separated(song, tmp_path / "stems", Format.parse("ogg")))
    assert -60 < found.depth_db < -3
    assert found.passed


def test_one_wrong_sample_is_found(tmp_path: Path) -> None:
    song = tmp_path / "song.wav"
    soundfile.write(song, 0.5 * noise(88200, 2), 44100, "PCM_16")
    stems = separated(song, tmp_path / "stems", Format.parse("wav", "16"))
    samples, _ = soundfile.read(stems[1], dtype="int16")
    samples[66150, 1] += 1
    soundfile.write(stems[1], samples, 44100, "PCM_16")
    found = null_depth(song, stems)
    assert not found.passed
    assert (found.worst, found.worst_seconds) == (2.0**-15, 1.5)
    assert -130 < found.depth_db < -90


@pytest.mark.parametrize(
    ("length", "channels", "rate", "message"),
    [(88199, 2, 44100, "is not as long"), (88200, 1, 44100, "1 channels, but"), (88200, 2, 48000, "48000 Hz")],
)  # fmt: skip
def test_stems_of_another_kind_are_refused(tmp_path: Path, length: int, channels: int, rate: int, message: str) -> None:
    soundfile.write(tmp_path / "song.wav", noise(88200, 2), 44100)
    soundfile.write(tmp_path / "stem.wav", noise(length, channels), rate)
    with pytest.raises(AudioError, match=message):
        null_depth(tmp_path / "song.wav", [tmp_path / "stem.wav"])


def test_silence_has_a_depth(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.wav", np.zeros((100, 1)), 44100)
    assert null_depth(tmp_path / "song.wav", [tmp_path / "song.wav"]).depth_db == -np.inf


def test_the_command(run: Run, tmp_path: Path) -> None:
    song = tmp_path / "song.wav"
    soundfile.write(song, 0.5 * noise(88200, 2), 44100, "PCM_16")
    separated(song, tmp_path / "stems", Format.parse("flac", "16"))
    result = run("check", song, tmp_path / "stems")
    assert (result.exit_code, result.output) == (0, "null depth -inf dB\n")
    (tmp_path / "stems" / "bass.flac").unlink()
    result = run("check", song, tmp_path / "stems")
    assert result.exit_code == 1
    assert "do not sum to it" in result.output
    (tmp_path / "empty").mkdir()
    assert "folder without audio files" in run("check", song, tmp_path / "empty").output
