"""A picture of a song: what is condensed is what is in it, for any length, without holding it."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from doubles import noise

from tfwavesep.audio import open_audio
from tfwavesep.errors import AudioError, OutputError
from tfwavesep.stemfiles import picture


def tone(frames: int, pitch: float, loudness: float, rate: int = 44100) -> np.ndarray:
    return (loudness * np.sin(2 * np.pi * pitch * np.arange(frames) / rate))[:, np.newaxis].astype(np.float32)


@pytest.mark.parametrize("frames", [1, 255, 256, 2048, 44100, 3_000_000])
def test_an_outline_has_the_songs_extremes_and_length(frames: int) -> None:
    music = 0.9 * noise(frames)
    drawn = picture.outline(np.array_split(music, 3), frames, 44100)
    assert len(drawn.low) == len(drawn.high) == drawn.spectra.shape[1] <= picture.COLUMNS
    assert drawn.low.min() in (music.min(), min(0, music.min()))  # the last part may hold zeros beyond the end
    assert drawn.high.max() in (music.max(), max(0, music.max()))
    assert frames / 44100 <= drawn.seconds <= max(frames + 256, frames * 1.01) / 44100


@pytest.mark.parametrize("frames", [30_000, 3_000_000])
def test_a_tone_is_at_its_pitch_and_level(frames: int) -> None:
    drawn = picture.outline([tone(frames, 4410, 0.1)], frames, 44100)
    middle = drawn.spectra[:, drawn.spectra.shape[1] // 2]
    assert middle.argmax() == round(4410 / 44100 * picture.WINDOW)
    assert middle.max() == pytest.approx(-20, abs=1.5)


def test_time_runs_from_left_to_right() -> None:
    music = np.concatenate([tone(100_000, 1000, 0.1), tone(100_000, 1000, 0.8)])
    drawn = picture.outline([music], len(music), 44100)
    half = len(drawn.high) // 2
    assert drawn.high[: half - 2].max() < 0.2 < 0.7 < drawn.high[half + 2 :].min()


def test_the_picture(tmp_path: Path) -> None:
    for name in ("mixture", "vocals"):
        soundfile.write(tmp_path / f"{name}.wav", noise(30000, 2), 8000)
    song = {name: tmp_path / f"{name}.wav" for name in ("mixture", "vocals")}
    pictures = [tmp_path / "new" / f"{number}.png" for number in range(2)]
    for path in pictures:
        picture.plot(song, path, title="ä song")
    assert pictures[0].read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert pictures[0].read_bytes() == pictures[1].read_bytes()


def test_no_picture_of_what_cannot_be_read_or_written(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.wav", noise(3000), 8000)
    (tmp_path / "text.wav").write_text("text")
    with pytest.raises(AudioError, match=r"text\.wav"):
        picture.plot({"mixture": tmp_path / "song.wav", "vocals": tmp_path / "text.wav"}, tmp_path / "plot.png")
    with pytest.raises(OutputError, match="is a file, not a folder"):
        picture.plot({"mixture": tmp_path / "song.wav"}, tmp_path / "song.wav" / "plot.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["song.wav", "text.wav"]


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "find_spec", lambda _: None)
    with pytest.raises(OutputError, match=r"pip install 'tfwavesep\[plot\]'"):
        picture.require_matplotlib()


def test_what_is_not_a_number_is_drawn_as_silence_if_it_was_separated_so(tmp_path: Path) -> None:
    song, drawing = tmp_path / "song.wav", tmp_path / "plot.png"
    soundfile.write(song, np.full(3000, np.nan), 8000, "FLOAT")
    with pytest.raises(AudioError, match="NaN"):
        picture.plot({"mixture": song}, drawing)
    picture.plot({"mixture": song}, drawing, opened=partial(open_audio, zero_bad_samples=True))
    assert drawing.exists()
