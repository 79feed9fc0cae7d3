"""The null depth tells exact sums from others."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import Run
from doubles import noise, separator

from tfwavesep import audio
from tfwavesep.audio import Format
from tfwavesep.batch import Job, Settings, jobs
from tfwavesep.errors import AudioError
from tfwavesep.stemfiles import null_depth, stems_in

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
    assert (found.depth_db, found.worst, found.lossy, found.passed) == (-np.inf, 0, False, True)
    assert (found.gain_db < 0) == (song.suffix == ".wav" and clip_mode == "rescale")


def test_stems_that_fit_may_sum_to_more_than_full_scale(tmp_path: Path) -> None:
    """Cut to it, the song would not be what they sum to."""
    stem = np.rint(32768 * 0.6 * noise(44100, 2)) / 32768
    soundfile.write(tmp_path / "song.wav", 4 * stem, 44100, "FLOAT")
    stems = [tmp_path / f"{name}.wav" for name in STEMS]
    for path in stems:
        soundfile.write(path, stem, 44100, "PCM_16")
    found = null_depth(tmp_path / "song.wav", stems)
    assert np.abs(4 * stem).max() > 1.1
    assert (found.depth_db, found.passed) == (-np.inf, True)


def test_float_stems_leave_nothing_of_integer_mixtures_and_little_of_others(song: Path, tmp_path: Path) -> None:
    found = null_depth(song, separated(song, tmp_path / "stems", Format()))
    assert found.depth_db < -120
    is_finer = song.suffix == ".wav" or soundfile.info(song).format == "MP3"
    assert (found.rounded, "of the song in steps of 24 bits" in str(found)) == (24 * is_finer, is_finer)
    assert found.passed


def change(stem: Path, sample: int, by: float) -> None:
    """Add to one sample of a float stem."""
    samples, rate = soundfile.read(stem, dtype="float32")
    samples[sample, 1] += np.float32(by)
    soundfile.write(stem, samples, rate, "FLOAT")


@pytest.mark.parametrize("share", [0.5, 2])
def test_float_stems_may_leave_what_rounding_accounts_for_and_no_more(song: Path, share: float, tmp_path: Path) -> None:
    stems = separated(song, tmp_path / "stems", Format())
    magnitudes = sum(np.abs(audio.read(path)[0][50_000, 1]) for path in (song, *stems))
    change(stems[1], 50_000, share * 2.0**-24 * (5 + 4 * float(magnitudes)))
    found = null_depth(song, stems)
    assert found.passed == (share < 1)
    assert found.passed or found.worst_seconds == pytest.approx(50_000 / 44100)


@pytest.mark.parametrize("seed", range(3))
def test_float_stems_of_another_program_pass(seed: int, tmp_path: Path) -> None:
    """Summed in float32, in whatever order, without any steps."""
    noise = np.random.default_rng(seed)
    stems = (noise.standard_normal((4, 44100, 2)) * [[[1]], [[0.1]], [[3]], [[1e-3]]]).astype(np.float32)
    for number, samples in enumerate(stems):
        soundfile.write(tmp_path / f"{number}.wav", samples, 44100, "FLOAT")
    soundfile.write(tmp_path / "song.wav", np.add.reduce(stems, dtype=np.float32), 44100, "FLOAT")
    found = null_depth(tmp_path / "song.wav", sorted(tmp_path.glob("[0-3].wav")))
    assert found.passed
    assert found.depth_db > -np.inf


def test_stems_of_mixed_formats_may_leave_the_coarsest_ones_rounding(tmp_path: Path) -> None:
    song = tmp_path / "song.wav"
    soundfile.write(song, 0.5 * noise(88200, 2), 44100, "PCM_16")
    stems = separated(song, tmp_path / "float", Format())
    stems[2] = separated(song, tmp_path / "16", Format.parse("flac", "16"))[2]
    found = null_depth(song, stems)
    assert found.passed
    assert -100 < found.depth_db < -80
    change(stems[1], 50_000, 2e-4)
    assert not null_depth(song, stems).passed
    assert not null_depth(song, stems[:3]).passed


def test_lossy_stems_are_measured_without_a_verdict(song: Path, tmp_path: Path) -> None:
    found = null_depth(song, separated(song, tmp_path / "stems", Format.parse("ogg")))
    assert -60 < found.depth_db < -3
    assert found.passed
    assert str(found).endswith("(stems with loss: no verdict)")


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
    [
        (88199, 2, 44100, r"stem\.wav: ends before .*song\.wav, at 88199 samples"),
        (65536, 2, 44100, r"stem\.wav: ends before .*song\.wav, at 65536 samples"),
        (88201, 2, 44100, r"stem\.wav: goes on after .*song\.wav, at 88200 samples"),
        (88200, 1, 44100, "1 channels, but"),
        (88200, 2, 48000, "48000 Hz"),
    ],
)
def test_stems_of_another_kind_are_refused(tmp_path: Path, length: int, channels: int, rate: int, message: str) -> None:
    soundfile.write(tmp_path / "song.wav", noise(88200, 2), 44100)
    soundfile.write(tmp_path / "stem.wav", noise(length, channels), rate)
    with pytest.raises(AudioError, match=message) as caught:
        null_depth(tmp_path / "song.wav", [tmp_path / "song.wav", tmp_path / "stem.wav"])
    assert str(caught.value).count("song.wav") == 1


def test_silence_has_a_depth(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.wav", np.zeros((100, 1)), 44100)
    assert null_depth(tmp_path / "song.wav", [tmp_path / "song.wav"]).depth_db == -np.inf


def empty(folder: Path, *names: str) -> list[Path]:
    folder.mkdir()
    for name in names:
        (folder / name).touch()
    return [folder / name for name in names]


def test_of_a_folder_those_are_taken_that_sum_to_the_mixture(tmp_path: Path) -> None:
    """Not the mixture itself, and no sums of stems that are there too."""
    four, sums = ("bass.wav", "drums.wav", "other.wav", "vocals.wav"), ("accompaniment.wav", "no_bass.wav")
    *paths, song = empty(tmp_path / "all", *four, *sums, "mixture.wav")
    assert stems_in(song.parent, song) == (paths[:4], paths[4:])
    paths = empty(tmp_path / "room", "bass.wav", "drums.wav", "no_reverb.wav", "other.wav", "vocals.wav")
    assert stems_in(tmp_path / "room", song) == (paths, [])
    paths = empty(tmp_path / "two", "accompaniment.wav", "vocals.wav")
    assert stems_in(tmp_path / "two", song) == (paths, [])
    paths = empty(tmp_path / "six", "bass.wav", "drums.wav", "guitar.wav", "other.wav", "piano.wav", "vocals.wav")
    assert stems_in(tmp_path / "six", song) == (paths, [])


def test_a_stem_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    paths = empty(tmp_path / "stems", "bass.flac", "bass.wav", "vocals.wav")
    with pytest.raises(AudioError, match="holds bass 2 times") as caught:
        stems_in(tmp_path / "stems", tmp_path / "song.wav")
    assert all(str(path) in str(caught.value) for path in paths[:2])


def test_the_command(run: Run, tmp_path: Path) -> None:
    song = tmp_path / "song.wav"
    soundfile.write(song, 0.5 * noise(88200, 2), 44100, "PCM_16")
    separated(song, tmp_path / "stems", Format.parse("flac", "16"))
    result = run("check", song, tmp_path / "stems")
    assert (result.exit_code, result.output) == (0, "null depth -inf dB\n")
    shutil.copy(tmp_path / "stems" / "bass.flac", tmp_path / "stems" / "accompaniment.flac")
    result = run("check", song, tmp_path / "stems")
    assert (result.exit_code, result.stdout) == (0, "null depth -inf dB\n")
    assert "accompaniment.flac: left out" in result.stderr
    (tmp_path / "stems" / "accompaniment.flac").unlink()
    (tmp_path / "stems" / "bass.flac").unlink()
    result = run("check", song, tmp_path / "stems")
    assert result.exit_code == 1
    assert f"{song}: its stems do not sum to it: null depth -" in result.output
    (tmp_path / "empty").mkdir()
    assert "folder without audio files" in run("check", song, tmp_path / "empty").output
