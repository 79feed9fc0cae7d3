"""A song cut into parts gives the same bytes as in one go, whoever made the parts, in whatever order, and when."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from doubles import noise, separator

from tfwavesep.audio import Format
from tfwavesep.batch import Job, Settings, jobs, parts
from tfwavesep.errors import AudioError, OutputExistsError

STEMS = ("vocals", "drums", "bass", "other")


def job(folder: Path, settings: Settings, samples: np.ndarray, rate: int = 8000, name: str = "song.wav") -> Job:
    soundfile.write(folder / name, samples, rate)
    outputs = {stem: folder / "stems" / f"{stem}.{settings.form.extension}" for stem in STEMS}
    return Job(folder / name, outputs, settings)


def by_parts(job: Job, seconds: float = 0.2) -> jobs.Outcome:
    cut = parts.cut(job, separator(), seconds)
    assert len(cut) > 3
    separated = [parts.separate(separator(), part) for part in reversed(cut)]
    return parts.join(separator(), cut, separated[::-1])


def taken(outcome: jobs.Outcome) -> dict[str, bytes]:
    """The files' bytes; they are removed."""
    found = {stem: path.read_bytes() for stem, path in outcome.stems.items()}
    for path in outcome.stems.values():
        path.unlink()
    return found


@pytest.mark.parametrize("rate", [8000, 11025])
@pytest.mark.parametrize(
    ("form", "changes"),
    [
        (("wav", None), {}),
        (("wav", "16"), {}),
        (("flac", None), {"two_stems": "vocals"}),
        (("mp3", None), {"stems": ("vocals",)}),
        (("ogg", None), {"start_seconds": 0.33}),
        (("wav", None), {"start_seconds": 0.1, "duration_seconds": 1.234}),
    ],
)
def test_parts_join_to_the_bytes_of_one_go(form: tuple[str, str], changes: dict, rate: int, tmp_path: Path) -> None:
    settings = Settings(form=Format.parse(*form), **changes)
    rate = 44100 if form[0] == "mp3" else rate
    song = job(tmp_path, settings, 3 * noise(int(1.9 * rate), 2), rate)
    song = replace(song, outputs={s: tmp_path / f"{s}.{form[0]}" for s in settings.choice(STEMS).written})
    whole = jobs.run(separator(), song)
    expected = taken(whole)
    joined = by_parts(song)
    assert taken(joined) == expected
    assert replace(joined, took_seconds=0) == replace(whole, took_seconds=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["song.wav"]


def test_cuts_are_on_the_grid_of_the_network(tmp_path: Path) -> None:
    cut = parts.cut(job(tmp_path, Settings(), noise(16000)), separator(), 0.2)
    assert [part.start for part in cut] == [k * 4 * 399 for k in range(11)]
    assert [part.stop for part in cut] == [*(part.start for part in cut[1:]), None]


def test_a_short_song_stays_whole(tmp_path: Path) -> None:
    assert parts.cut(job(tmp_path, Settings(), noise(3199)), separator(), 0.2) == []


def test_parts_of_an_earlier_run_are_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    song = job(tmp_path, Settings(), noise(16000))
    expected = taken(jobs.run(separator(), song))
    first, *others = parts.cut(song, separator(), 0.2)
    parts.separate(separator(), first)
    again = parts.separate(separator(), first)
    assert (again.seconds, again.took_seconds) == (4 * 399 / 8000, 0)
    separated = [again, *(parts.separate(separator(), part) for part in others)]
    assert taken(parts.join(separator(), [first, *others], separated)) == expected


@pytest.mark.parametrize("change", [{"model_sha256": "other"}, {"settings": Settings(zero_bad_samples=True)}])
def test_parts_of_other_models_settings_and_songs_are_not(change: dict, tmp_path: Path) -> None:
    song = job(tmp_path, Settings(), noise(16000))
    (first, *_), (other, *_) = (parts.cut(j, separator(), 0.2) for j in (song, replace(song, **change)))
    assert first.path != other.path
    changed, *_ = parts.cut(job(tmp_path, Settings(), noise(16000, seed=1)), separator(), 0.2)
    assert changed.path != first.path


def test_a_bad_sample_is_told_with_its_place_in_the_song(tmp_path: Path) -> None:
    samples = noise(16000)
    samples[12000] = np.nan
    soundfile.write(tmp_path / "bad.wav", samples, 8000, "FLOAT")
    song = replace(job(tmp_path, Settings(), noise(10)), source=tmp_path / "bad.wav")
    with pytest.raises(AudioError, match=r"bad\.wav: has a NaN or infinite sample at 1\.500 s"):
        by_parts(song)


def test_stems_that_are_there_are_kept(tmp_path: Path) -> None:
    song = job(tmp_path, Settings(), noise(16000))
    jobs.run(separator(), song)
    with pytest.raises(OutputExistsError, match="exists already"):
        by_parts(song)


def test_a_long_song_whose_stems_are_there_is_not_cut(tmp_path: Path) -> None:
    """Only its picture is missing."""
    song = job(tmp_path, Settings(), noise(16000))
    assert len(parts.cut(replace(song, kept=frozenset(["vocals"])), separator(), 0.2)) > 3
    assert parts.cut(replace(song, kept=frozenset(STEMS)), separator(), 0.2) == []
