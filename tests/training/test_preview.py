"""What a network makes of a song while it is trained: what it would make of it afterwards, in the song's own order."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from conftest import Run

from tfwavesep.training.preview import spectrogram


def test_a_preview_is_what_the_model_makes_of_a_song(run: Run, data_root: Path, tmp_path: Path) -> None:
    """Of the song to validate on, as it is, with the averages that are validated; every second epoch."""
    settings = ("--set", "training.epochs=3", "--set", "training.steps_per_epoch=2", "--set", "training.average=0.5")
    result = run("train", "tiny", "--data", data_root, "-o", tmp_path / "run", "--preview", 2, *settings)
    assert result.exit_code == 0, result.output
    (folder,) = (tmp_path / "run" / "preview").iterdir()
    assert folder.name == "epoch-002"
    sound = {file.stem: soundfile.read(file, dtype="float32", always_2d=True) for file in folder.iterdir()}
    assert {rate for _, rate in sound.values()} == {8000}
    stems = {name: samples for name, (samples, _) in sound.items()}
    mixture = stems.pop("mixture")
    assert set(stems) == {"vocals", "drums", "bass", "other"}
    np.testing.assert_allclose(sum(stems.values()), mixture, atol=1e-5)
    song = sum(soundfile.read(file)[0].mean(axis=1) for file in (data_root / "valid" / "valid 0").glob("[vdbo]*.wav"))
    middle = slice(1000, -1000)  # at half the rate, and padded to whole fragments
    heard = mixture[: len(song) // 2, 0][middle]
    assert np.corrcoef(heard, song[::2][: len(mixture)][middle])[0, 1] > 0.6
    events = next((tmp_path / "run" / "logs" / "preview").iterdir())
    tags = {v.tag for record in tf.compat.v1.train.summary_iterator(str(events)) for v in record.summary.value}
    assert {"vocals", "mixture"} <= {tag.split("/")[0] for tag in tags}


@pytest.mark.parametrize("decibels", [0, -20, -200])
def test_a_spectrogram_shows_a_tone_where_it_is(decibels: float) -> None:
    time = np.arange(8000) / 8000
    tone = 10 ** (decibels / 20) * np.sin(2 * np.pi * 1000 * time)[:, np.newaxis].astype(np.float32)
    picture = spectrogram(tone)
    assert picture.shape[0] == 513
    assert (picture >= 0).all()
    assert (picture <= 1).all()
    column = picture[:, picture.shape[1] // 2]
    assert column.max() == pytest.approx(max(0, 1 + decibels / 80), abs=0.02)
    assert decibels == -200 or 512 - column.argmax() == 128
