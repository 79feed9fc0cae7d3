"""Arrays and files: written whole or not at all, resampled, and found."""

import errno
import itertools
import os
from pathlib import Path

import numpy as np
import pytest
from doubles import tone

from tfwavesep.audio import arrays
from tfwavesep.errors import AudioError


@pytest.mark.parametrize(("sample_rate", "to_rate"), [(44100, 16000), (8000, 44100), (44100, 48000), (16000, 8000)])
def test_resampling_keeps_the_duration_and_the_tone(sample_rate: int, to_rate: int) -> None:
    resampled = arrays.resample(tone(sample_rate, length=sample_rate), sample_rate, to_rate)
    assert (resampled.shape, resampled.dtype) == ((to_rate, 2), np.float32)
    inner = slice(to_rate // 10, -to_rate // 10)
    np.testing.assert_allclose(resampled[inner], tone(to_rate, length=to_rate)[inner], atol=1e-3)


def test_resampling_lets_nothing_fold_over() -> None:
    assert np.abs(arrays.resample(tone(44100, pitch=15000), 44100, 16000)[500:-500]).max() < 1e-3


def test_resampling_to_the_same_rate_is_free() -> None:
    samples = tone()
    assert arrays.resample(samples, 44100, 44100) is samples


@pytest.mark.parametrize(
    ("given", "channels", "expected"),
    [
        ([[1, 3]], 1, [[2]]),
        ([[1]], 2, [[1, 1]]),
        ([[1, 3]], 2, [[1, 3]]),
        ([[1, 3, 8]], 2, [[1, 3]]),
        ([[1, 3, 8]], 1, [[4]]),
        ([[5]], 1, [[5]]),
    ],
)
def test_to_channels(given: list[list[float]], channels: int, expected: list[list[float]]) -> None:
    converted = arrays.to_channels(np.array(given, np.float32), channels)
    assert converted.dtype == np.float32
    np.testing.assert_array_equal(converted, expected)


def test_find_lists_audio_at_any_depth_in_order(tmp_path: Path) -> None:
    wanted = [tmp_path / name for name in ("a/deep/x.FLAC", "b.wav", "c.m4a")]
    others = [tmp_path / name for name in ("notes.txt", ".hidden.wav", "folder.wav/notes", ".Trash/files/d.wav")]
    for path in [*wanted, *others]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert arrays.find(tmp_path) == wanted


NAMES = ("vocals.wav", "Vocals.FLAC", "VOCALS.ogg")


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_found_whatever_its_case_and_ending(tmp_path: Path, name: str) -> None:
    for other in ("vocals.backup.wav", "vocals.txt", "vocals", "backing vocals.wav", "._vocals.wav", ".vocals.wav"):
        (tmp_path / other).touch()
    (tmp_path / "vocals.aiff").mkdir()
    assert arrays.named(tmp_path, "vocals") is None
    (tmp_path / name).touch()
    assert arrays.named(tmp_path, "vocals") == tmp_path / name


def test_where_no_names_can_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="nowhere: cannot be read: No such file"):
        arrays.named(tmp_path / "nowhere", "vocals")


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(NAMES, 2)))
def test_two_of_one_name_are_refused(tmp_path: Path, one: str, other: str) -> None:
    for name in (one, other):
        (tmp_path / name).touch()
    with pytest.raises(AudioError, match=f"{tmp_path}: {' and '.join(sorted((one, other)))} are both 'vocals'"):
        arrays.named(tmp_path, "vocals")


@pytest.mark.parametrize(("function", "seen"), [("scandir", "{}"), ("stat", "{}/.")])
def test_folders_that_cannot_be_searched_are_told(
    tmp_path: Path, function: str, seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether they cannot be listed, or only their files not be got at."""
    for name in ("a.wav", "closed/b.wav", "closed/deep/c.wav", "open/d.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    original, closed = getattr(os, function), seen.format(tmp_path / "closed")

    def refused(path: str, *rest: object, **options: object) -> object:
        if str(path) == closed:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return original(path, *rest, **options)

    monkeypatch.setattr(os, function, refused)
    errors: list[OSError] = []
    assert (
        arrays.find(tmp_path, errors.append) == arrays.find(tmp_path) == [tmp_path / "a.wav", tmp_path / "open/d.wav"]
    )
    assert [(Path(error.filename), error.strerror) for error in errors] == [(tmp_path / "closed", "Permission denied")]


def test_float_is_written_exactly_and_never_clips(tmp_path: Path) -> None:
    samples = 4 * np.random.default_rng(0).standard_normal((1000, 2)).astype(np.float32)
    arrays.write(tmp_path / "song.wav", samples, 44100)
    decoded, sample_rate = arrays.read(tmp_path / "song.wav")
    assert sample_rate == 44100
    np.testing.assert_array_equal(decoded, samples)


@pytest.mark.parametrize(
    ("name", "subtype", "message"),
    [
        ("song.xyz", "FLOAT", ".xyz cannot hold"),
        ("song", "FLOAT", ". cannot hold"),
        ("song.flac", "FLOAT", ".flac cannot hold 2 channels of FLOAT at 44100 Hz"),
        ("new folder/song.wav", "VORBIS", ".wav cannot hold 2 channels of VORBIS"),
    ],
)
def test_what_a_format_cannot_hold_is_refused_and_leaves_nothing(
    tmp_path: Path, name: str, subtype: str, message: str
) -> None:
    with pytest.raises(AudioError, match=message):
        arrays.write(tmp_path / name, tone(), 44100, subtype)
    assert not list(tmp_path.iterdir())
