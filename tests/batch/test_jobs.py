"""One song, from its file to its stems: whole or not at all, at the song's own rate, channels and length."""

import io
import os
import re
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from doubles import RATE, SEGMENT, Smoother, noise, separator

from tfwavesep.audio import Format, RawFormat, Reader, open_audio
from tfwavesep.batch import jobs, separate_file
from tfwavesep.batch.jobs import STDIN, Job, Settings
from tfwavesep.errors import AudioError, ConfigError, OutputError, OutputExistsError
from tfwavesep.separation import Separator


class Interrupted(Smoother):
    """Somebody presses Ctrl-C when the second segment runs."""

    calls = 0

    def predict(self, mixture: np.ndarray) -> np.ndarray:
        self.calls += 1
        if self.calls == 2:
            raise KeyboardInterrupt
        return super().predict(mixture)


class Unwanted(Smoother):
    """Is not to be asked."""

    def predict(self, mixture: np.ndarray) -> np.ndarray:
        raise AssertionError("there is nothing to separate")


def files(folder: Path) -> list[Path]:
    """All files below a folder, hidden ones too."""
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """0.5 s in stereo at 22.05 kHz."""
    path = tmp_path / "song.wav"
    soundfile.write(path, noise(11025, 2), 22050, "PCM_16")
    return path


@pytest.mark.parametrize(
    ("name", "sample_rate", "channels", "subtype"),
    [
        ("song.wav", 44100, 2, "PCM_16"),
        ("song.flac", 48000, 1, "PCM_24"),
        ("six.wav", 8000, 6, "FLOAT"),
        ("a.b.c.aiff", 22050, 3, "PCM_16"),
        ("Sigur Rós, Ágætis 音楽 🎵.flac", 16000, 2, "PCM_16"),
    ],
)
def test_files_have_the_songs_rate_channels_and_length(
    name: str, sample_rate: int, channels: int, subtype: str, tmp_path: Path
) -> None:
    song = tmp_path / name
    soundfile.write(song, noise(9001, channels), sample_rate, subtype)
    done = separate_file(separator(2), song, tmp_path / "stems")
    assert done.seconds == 9001 / sample_rate
    assert done.stems == {s: tmp_path / "stems" / song.stem / f"{s}.wav" for s in ("vocals", "drums", "bass", "other")}
    stems = [soundfile.read(path, dtype="float32", always_2d=True) for path in done.stems.values()]
    assert {(samples.shape, rate) for samples, rate in stems} == {((9001, channels), sample_rate)}
    mixture = soundfile.read(song, dtype="float32", always_2d=True)[0]
    np.testing.assert_allclose(sum(samples for samples, _ in stems), mixture, atol=1e-6)
    assert sorted(files(tmp_path / "stems")) == sorted(done.stems.values())


def test_only_the_stems_that_were_asked_for(song: Path, tmp_path: Path) -> None:
    everything = separate_file(separator(), song, tmp_path / "all").stems
    some = separate_file(separator(), song, tmp_path / "some", ("other", "drums")).stems
    assert sorted(files(tmp_path / "some")) == sorted(some.values())
    for stem in ("other", "drums"):
        assert some[stem].read_bytes() == everything[stem].read_bytes()


def test_unknown_stem_suggests_the_nearest(song: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'vocals'"):
        separate_file(separator(), song, tmp_path / "stems", ("vocal",))
    assert not (tmp_path / "stems").exists()


def test_stems_that_are_there_are_kept_unless_overwritten(song: Path, tmp_path: Path) -> None:
    there = tmp_path / "song" / "drums.wav"
    there.parent.mkdir()
    there.write_text("mine")
    with pytest.raises(OutputExistsError, match=r"drums\.wav: exists already"):
        separate_file(separator(), song, tmp_path)
    assert there.read_text() == "mine"
    assert files(there.parent) == [there]
    separate_file(separator(), song, tmp_path, overwrite=True)
    assert soundfile.info(there).frames == 11025


def truncated(path: Path) -> None:
    """A FLAC that ends in the middle; its header promises the whole."""
    soundfile.write(path, noise(200_000), RATE, "PCM_16")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])


def with_nan(path: Path) -> None:
    """A float WAV with a NaN after the first blocks, under the name of a FLAC."""
    samples = noise(200_000)
    samples[150_000] = np.nan
    soundfile.write(path, samples, RATE, "FLOAT", format="WAV")


@pytest.mark.parametrize("damage", [truncated, with_nan])
def test_an_error_in_mid_file_leaves_nothing(damage: Callable[[Path], None], tmp_path: Path) -> None:
    song = tmp_path / "song.flac"
    damage(song)
    with pytest.raises(AudioError, match=r"song\.flac"):
        separate_file(separator(), song, tmp_path / "stems")
    assert files(tmp_path / "stems") == []


def test_an_error_keeps_the_stems_that_were_there(tmp_path: Path) -> None:
    song = tmp_path / "song.flac"
    soundfile.write(song, noise(1000), RATE)
    before = {path: path.read_bytes() for path in separate_file(separator(), song, tmp_path / "stems").stems.values()}
    truncated(song)
    with pytest.raises(AudioError):
        separate_file(separator(), song, tmp_path / "stems", overwrite=True)
    assert {path: path.read_bytes() for path in files(tmp_path / "stems")} == before


def test_an_interruption_leaves_nothing(song: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        separate_file(Separator(Interrupted(), SEGMENT), song, tmp_path / "stems")
    assert files(tmp_path / "stems") == []


def test_a_name_too_long_for_the_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="the name is too long"):
        separate_file(separator(), tmp_path / f"{300 * 'y'}.wav", tmp_path / "stems")


def test_a_file_without_samples_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "none.wav", np.zeros((0, 2)), RATE)
    with pytest.raises(AudioError, match="no samples"):
        separate_file(separator(), tmp_path / "none.wav", tmp_path / "stems")
    assert files(tmp_path / "stems") == []


def test_a_pipe_is_not_the_file_that_is_called_so(song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("-").write_text("another")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(song.read_bytes())))
    outcome = jobs.run(separator(2), Job(STDIN, {"bass": tmp_path / "bass.wav"}, Settings()))
    assert (outcome.seconds, outcome.source_sha256) == (0.5, None)


def test_a_file_that_is_standard_input_is_refused_if_its_end_is_missing_too(
    song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    song.write_bytes(song.read_bytes()[:20_000])
    with song.open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        with pytest.raises(AudioError) as caught:
            jobs.open_source(jobs.STDIN, Settings()).__enter__()
    assert str(caught.value).startswith("standard input: is truncated")


@pytest.mark.parametrize(("raw", "told"), [("f32le", (22050, 2)), ("s16le:8000:1", (8000, 1))])
def test_standard_input_has_no_header_if_its_rate_and_channels_are_told(
    raw: str, told: tuple[int, int], song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with song.open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        with jobs.open_source(jobs.STDIN, Settings(raw=RawFormat.parse(raw))) as reader:
            assert (reader.info.sample_rate, reader.info.channels) == told


class Drawn(dict[str, Path]):
    """Stands in for what draws, and remembers what of."""

    def __call__(
        self,
        song: dict[str, Path],
        picture: Path,
        start: float = 0.0,
        title: str = "",
        opened: Callable[[Path], AbstractContextManager[Reader]] = open_audio,
    ) -> None:
        self.update(song)
        with opened(next(iter(song.values()))) as reader:
            picture.write_text(f"{title} from {start} s, {sum(len(block) for block in reader.blocks())} samples")


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    """The files in the picture."""
    drawn = Drawn()
    monkeypatch.setattr(jobs, "plot", drawn)
    return drawn


def pictured(song: Path, folder: Path, *kept: str) -> Job:
    """A job with a picture, for which some stems are there."""
    outputs = {stem: folder / f"{stem}.wav" for stem in ("vocals", "drums", "bass", "other")}
    for stem in kept:
        folder.mkdir(exist_ok=True)
        outputs[stem].write_text("mine")
    return Job(song, outputs, Settings(start_seconds=0.1), picture=folder / "plot.png", kept=frozenset(kept))


def test_a_picture_shows_the_stems_that_were_there_too(song: Path, tmp_path: Path, drawn: Drawn) -> None:
    job = pictured(song, tmp_path / "out", "vocals", "bass")
    outcome = jobs.run(separator(2), job)
    assert drawn == {"mixture": song, **job.outputs}
    assert (list(outcome.outputs), outcome.picture) == (["drums", "other"], str(job.picture))
    assert [path.stem for path in job.outputs.values() if path.read_bytes() == b"mine"] == ["vocals", "bass"]


def test_where_only_the_picture_is_missing_only_it_is_made(song: Path, tmp_path: Path, drawn: Drawn) -> None:
    job = pictured(song, tmp_path / "out", "vocals", "drums", "bass", "other")
    outcome = jobs.run(Separator(Unwanted(), SEGMENT), job)
    assert drawn == {"mixture": song, **job.outputs}
    assert (outcome.status, outcome.outputs, outcome.seconds) == ("done", {}, 0)
    assert outcome.picture == str(job.picture)
    assert {path.read_text() for path in job.outputs.values()} == {"mine"}


def test_a_picture_shows_what_the_stems_were_made_of(song: Path, tmp_path: Path, drawn: Drawn) -> None:
    song.write_bytes(song.read_bytes()[:844])
    job = pictured(song, tmp_path / "out")
    outcome = jobs.run(separator(2), replace(job, settings=Settings(take_damaged=True)))
    shown = round(outcome.seconds * soundfile.info(song).samplerate)
    assert (tmp_path / "out" / "plot.png").read_text() == f"song.wav from 0.0 s, {shown} samples"


def test_a_picture_of_a_pipe_shows_its_stems(song: Path, tmp_path: Path, drawn: Drawn) -> None:
    """What came through a pipe is gone; to open it again would wait for ever."""
    os.mkfifo(tmp_path / "pipe.wav")
    threading.Thread(target=(tmp_path / "pipe.wav").write_bytes, args=(song.read_bytes(),), daemon=True).start()
    job = pictured(tmp_path / "pipe.wav", tmp_path / "out")
    jobs.run(separator(2), job)
    assert drawn == job.outputs
    assert (tmp_path / "out" / "plot.png").read_text() == "pipe.wav from 0.0 s, 8820 samples"


@pytest.mark.parametrize(
    ("extension", "bits", "sample_rate", "channels", "message"),
    [
        ("mp3", None, 8000, 3, ".mp3 cannot hold 3 channels; .wav can"),
        ("mp3", None, 7350, 2, ".mp3 cannot hold 7350 Hz; .wav can"),
        ("flac", "16", 8000, 9, ".flac cannot hold 9 channels of PCM_16 at 8000 Hz; .wav can"),
        ("flac", "24", 8000, 2, "a stem is beyond full scale at 0.000 s, which only float wav can hold: choose that"),
        ("ogg", None, 8000, 2, "a stem is beyond full scale at 0.000 s, which only float wav can hold: choose that"),
    ],
)
def test_what_a_format_cannot_hold_is_told_with_the_songs_name_and_what_can(
    extension: str, bits: str | None, sample_rate: int, channels: int, message: str, tmp_path: Path
) -> None:
    song, form = tmp_path / "song.wav", Format.parse(extension, bits)
    soundfile.write(song, 10 * noise(9001, channels), sample_rate, "FLOAT")
    job = Job(song, {"bass": tmp_path / "out" / f"bass.{extension}"}, Settings(form=form, clip_mode="none"))
    with pytest.raises(AudioError, match=f"^{re.escape(f'{song}: {message}')}"):
        jobs.run(separator(2), job)
    assert files(tmp_path) == [song]
    jobs.run(separator(2), replace(job, settings=Settings(clip_mode="none"), outputs={"bass": tmp_path / "bass.wav"}))
