"""The survey of a data root: everything that is wrong is told, and nothing that is right."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import Run, write_track

from tfwavesep.data.survey import Row, survey
from tfwavesep.stems import STEMS

RATE = 16000


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """A song as it should be, and one to validate on."""
    write_track(tmp_path / "train" / "song", seconds=2)
    write_track(tmp_path / "valid" / "other song", seconds=0.1)
    return tmp_path / "train" / "song"


def look(song: Path) -> Row:
    (row,) = [row for row in survey([song.parent.parent]) if row.name == song.name]
    return row


def change(song: Path, name: str, by: Callable[[np.ndarray], np.ndarray], rate: int = RATE) -> None:
    samples, _ = soundfile.read(song / f"{name}.wav", dtype="float32")
    soundfile.write(song / f"{name}.wav", by(samples), rate, "FLOAT")


def test_what_is_right_has_no_notes(song: Path) -> None:
    row = look(song)
    assert (row.subset, row.seconds, row.form, row.stems, row.notes) == ("train", 2, "16000 Hz, 2 ch", STEMS, ())
    assert row.remainder < -60


@pytest.mark.parametrize(
    ("name", "by", "told"),
    [
        ("vocals", lambda x: 0 * x, ("silent: vocals", "the stems miss the mixture by")),
        ("bass", lambda x: x[:, [0, 0]], ("mono: bass",)),
        ("drums", lambda x: np.clip(50 * x, -1, 1), ("clipped: drums", "the stems miss the mixture by")),
        ("mixture", lambda x: x[::-1], ("the stems miss the mixture by [35] dB",)),
        ("other", lambda x: x[: RATE // 2], ("lengths differ: .*other 0.5 s, mixture 2.0 s",)),
        ("other", lambda x: x[:, 0], ("mono: other", "not all alike: 16000 Hz, 1 ch; 16000 Hz, 2 ch")),
        ("other", lambda x: x[:0], (r"other\.wav: holds no samples",)),
        ("other", lambda x: np.nan * x, (r"other\.wav: .*NaN",)),
    ],
)
def test_what_is_wrong_is_told(
    song: Path, name: str, by: Callable[[np.ndarray], np.ndarray], told: tuple[str, ...]
) -> None:
    change(song, name, by)
    notes = look(song).notes
    assert len(notes) == len(told)
    for note, expected in zip(notes, told, strict=True):
        assert re.search(expected, note), note


def test_what_is_known_of_a_song_with_some_stems_is_told(song: Path) -> None:
    for stem in ("drums", "bass", "other"):
        (song / f"{stem}.wav").unlink()
    row = look(song)
    assert (row.stems, row.notes) == (("vocals", "accompaniment"), ())
    assert np.isnan(row.remainder)  # the accompaniment is what the vocals leave of it


def test_the_command(song: Path, run: Run) -> None:
    (song.parent / "part").mkdir()
    soundfile.write(song.parent / "part" / "vocals.wav", np.zeros((10, 2)), RATE)
    result = run("data", song.parent.parent)
    assert result.exit_code == 0, result.output
    assert "1 song to train on, 0:02\n1 song to validate on, 0:00\n1 folder left out\n" in result.output
    (line,) = [line for line in result.output.splitlines() if line.startswith("│ part")]
    assert "lacks drums, bass, other, or a mixture" in line


def test_a_song_that_cannot_be_read_is_not_counted_as_one_to_train_on(song: Path, run: Run) -> None:
    write_track(song.parent / "another", seconds=0.1)
    change(song.parent / "another", "bass", lambda x: x[:0])
    shown = run("data", song.parent.parent).output
    assert "1 song to train on, 0:02\n1 song to validate on, 0:00\n1 song at which a training stops: mend" in shown


def test_no_songs_are_one_line(tmp_path: Path, run: Run) -> None:
    result = run("data", tmp_path)
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: {tmp_path}: holds no tracks")
