"""The separator: whatever goes in, its rate, channels and length come out, and the stems sum to it."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from tfwavesep import audio
from tfwavesep.backends import Backend
from tfwavesep.errors import AudioError, ConfigError, OutputExistsError
from tfwavesep.models import ModelConfig
from tfwavesep.separator import Separator, separate_file

RATE = 8000
SEGMENT = 0.05
TARGET = 399
"""Samples of a segment of 0.05 s at 8 kHz, in blocks of 3."""

TAPS = np.array([0.05, 0.1, 0.3, 0.35, 0.15, 0.05, 0.02], np.float32)
SHARES = (0.5, 0.3, 0.1)


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """Blocks of 3 samples, 3 samples of context."""

    context: int = 3
    block: int = 3


class Smoother(Backend):
    """Each stem is a share of the mixture, smoothed by a filter that is not symmetric: every neighbour counts."""

    name = "smoother"

    def __init__(self, channels: int = 1) -> None:
        self.config = Config(sample_rate=RATE, channels=channels, stems=("vocals", "drums", "bass"), residual="other")

    def predict(self, mixture: np.ndarray) -> np.ndarray:
        assert mixture.dtype == np.float32
        assert mixture.shape[2] == self.config.channels
        target_length = mixture.shape[1] - 2 * self.config.context
        smooth = sum(tap * mixture[:, i : i + target_length] for i, tap in enumerate(TAPS))
        return np.stack([np.float32(share) * smooth for share in SHARES], axis=1)


class Interrupted(Smoother):
    """Somebody presses Ctrl-C when the second segment runs."""

    calls = 0

    def predict(self, mixture: np.ndarray) -> np.ndarray:
        self.calls += 1
        if self.calls == 2:
            raise KeyboardInterrupt
        return super().predict(mixture)


class FarAway(Smoother):
    """Has three segments under way before the first comes back."""

    def predict_many(self, mixtures: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        mixtures = iter(mixtures)
        waiting = deque(islice(mixtures, 3))
        while waiting:
            yield self.predict(waiting.popleft())
            waiting.extend(islice(mixtures, 1))


def noise(length: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (length, channels)).astype(np.float32)


def separator(channels: int = 1) -> Separator:
    return Separator(Smoother(channels), SEGMENT)


def test_segment_is_whole_blocks() -> None:
    assert separator().target_length == TARGET


@pytest.mark.parametrize("length", [0, 1, 2, TARGET - 1, TARGET, TARGET + 1, 2 * TARGET, int(3.7 * TARGET)])
def test_segments_are_as_one_pass_over_the_whole(length: int) -> None:
    """Zeros stand beyond the ends of the song only; nothing is lost or doubled where segments meet."""
    mixture = noise(length)
    stems = separator().separate(mixture, RATE)
    whole = Smoother().predict(np.pad(mixture, [(3, 3), (0, 0)])[np.newaxis])[0]
    assert list(stems) == ["vocals", "drums", "bass", "other"]
    for stem, expected in zip(stems, [*whole, mixture - whole.sum(axis=0)], strict=True):
        np.testing.assert_array_equal(stems[stem], expected)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 1500), max_size=8), st.sampled_from([8000, 11025, 48000]), st.integers(1, 3))
def test_any_cuts_give_the_same_samples(cuts: list[int], sample_rate: int, channels: int) -> None:
    mixture = noise(1500, channels)
    with mock.patch.object(audio, "BLOCK_LENGTH", 256):
        whole = np.stack(list(separator().separate(mixture, sample_rate).values()))
        pieces = np.split(mixture, sorted(cuts))
        joined = np.concatenate(list(separator().stream(pieces, sample_rate)), axis=1)
    np.testing.assert_array_equal(joined, whole)


@pytest.mark.parametrize("sample_rate", [8000, 11025, 48000])
@pytest.mark.parametrize("length", [1, TARGET, 4321])
def test_segments_under_way_change_nothing(sample_rate: int, length: int) -> None:
    mixture = noise(length, 2)
    expected = separator().separate(mixture, sample_rate)
    for stem, estimate in Separator(FarAway(), SEGMENT).separate(mixture, sample_rate).items():
        np.testing.assert_array_equal(estimate, expected[stem])


def test_a_segment_is_put_out_as_soon_as_it_is_there() -> None:
    taken = count()
    blocks = (noise(TARGET, seed=next(taken)) for _ in range(100))
    next(separator().stream(blocks, RATE))
    assert next(taken) == 2


@pytest.mark.parametrize("sample_rate", [8000, 11025, 16000, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize("channels", [1, 2, 3, 6])
@pytest.mark.parametrize("model_channels", [1, 2])
@pytest.mark.parametrize("length", [1, 7, 4321])
def test_length_and_channels_are_kept_and_stems_sum_to_the_mixture(
    sample_rate: int, channels: int, model_channels: int, length: int
) -> None:
    mixture = noise(length, channels)
    stems = separator(model_channels).separate(mixture, sample_rate)
    assert {stem.shape for stem in stems.values()} == {mixture.shape}
    assert {stem.dtype for stem in stems.values()} == {np.dtype(np.float32)}
    np.testing.assert_allclose(sum(stems.values()), mixture, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 2, 3, 6])
@pytest.mark.parametrize("model_channels", [1, 2])
def test_every_channel_stays_in_its_place(channels: int, model_channels: int) -> None:
    mixture = noise(1000, channels)
    together = separator(model_channels).separate(mixture, RATE)
    for channel in range(channels):
        alone = separator().separate(mixture[:, channel], RATE)
        for stem, samples in alone.items():
            np.testing.assert_allclose(together[stem][:, [channel]], samples, atol=1e-7)


@pytest.mark.parametrize("sample_rate", [11025, 44100, 96000])
def test_resampling_does_not_shift_the_stems(sample_rate: int) -> None:
    """A tone comes out with the filter's own gain and phase at its pitch."""
    phases = 2j * np.pi * 100 * np.arange(sample_rate) / sample_rate
    response = TAPS @ np.exp(2j * np.pi * 100 * (np.arange(len(TAPS)) - 3) / RATE)
    vocals = separator().separate(np.exp(phases).imag, sample_rate)["vocals"][:, 0]
    inner = slice(sample_rate // 4, -sample_rate // 4)
    np.testing.assert_allclose(vocals[inner], (0.5 * response * np.exp(phases)).imag[inner], atol=1e-5)


@pytest.mark.parametrize("sample_rate", [8000, 11025, 44100])
def test_segments_of_any_length_give_the_same_stems(sample_rate: int) -> None:
    """Also at the song's end, beyond which a segment may reach."""
    mixture = noise(3001)
    whole = Separator(Smoother(), 10).separate(mixture, sample_rate)
    for seconds in (0.001, 0.05, 0.07, 1):
        stems = Separator(Smoother(), seconds).separate(mixture, sample_rate)
        for stem, samples in stems.items():
            np.testing.assert_array_equal(samples, whole[stem])


@pytest.mark.parametrize("sample_rate", [8000, 44100])
def test_silence_in_exact_silence_out(sample_rate: int) -> None:
    stems = separator().separate(np.zeros((5000, 2)), sample_rate)
    assert not any(np.any(stem) for stem in stems.values())


def test_stems_come_while_the_song_goes_on() -> None:
    endless = (noise(1000, seed=number) for number in count())
    stream = separator().stream(endless, RATE)
    assert [next(stream).shape for _ in range(5)] == [(4, TARGET, 1)] * 5


@pytest.mark.parametrize(
    ("mixture", "message"),
    [
        (np.array([0, np.nan, 0]), "NaN or infinite"),
        (np.array([[0, -np.inf]]), "NaN or infinite"),
        (np.zeros((2, 3, 1)), r"shape \(2, 3, 1\)"),
    ],
)
def test_samples_that_cannot_be_used_are_refused(mixture: np.ndarray, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        separator().separate(mixture, RATE)


@pytest.mark.parametrize("seconds", [0, -1, 3601, float("nan")])
def test_segments_that_cannot_work_are_refused(seconds: float) -> None:
    with pytest.raises(ConfigError, match="segment"):
        Separator(Smoother(), seconds)


def test_a_real_model_gives_the_same_stems_with_any_segment(model: Path) -> None:
    mixture = noise(20011, 2)
    whole = Separator.load(str(model)).separate(mixture, 16000)
    for seconds in (0.01, 0.1, 0.37, 0.5, 30):
        stems = Separator.load(str(model), seconds).separate(mixture, 16000)
        for stem, samples in stems.items():
            np.testing.assert_allclose(samples, whole[stem], atol=1e-5)


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


def test_a_file_without_samples_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "none.wav", np.zeros((0, 2)), RATE)
    with pytest.raises(AudioError, match="no samples"):
        separate_file(separator(), tmp_path / "none.wav", tmp_path / "stems")
    assert files(tmp_path / "stems") == []
