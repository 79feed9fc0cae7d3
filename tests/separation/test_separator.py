"""The separator: whatever goes in, its rate, channels and length come out, and the stems sum to it."""

import multiprocessing
import pickle
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import count, islice
from multiprocessing.connection import Connection
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from doubles import RATE, SEGMENT, TAPS, TARGET, Smoother, noise, separator
from hypothesis import given, settings
from hypothesis import strategies as st

from tfwavesep.errors import AudioError, ConfigError, ModelError
from tfwavesep.separation import Separator, streaming


class FarAway(Smoother):
    """Has three segments under way before the first comes back."""

    def predict_many(self, mixtures: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        mixtures = iter(mixtures)
        waiting = deque(islice(mixtures, 3))
        while waiting:
            yield self.predict(waiting.popleft())
            waiting.extend(islice(mixtures, 1))


def test_segment_is_whole_blocks() -> None:
    assert separator().target_length == TARGET


@pytest.mark.parametrize("length", [0, 1, 2, TARGET - 1, TARGET, TARGET + 1, 2 * TARGET, int(3.7 * TARGET)])
def test_segments_are_as_one_pass_over_the_whole(length: int) -> None:
    """Zeros stand beyond the ends of the song only; nothing is lost or doubled where segments meet."""
    mixture = noise(length)
    stems = separator().separate(mixture, RATE)
    whole = Smoother().predict(np.pad(mixture, [(4, 2), (0, 0)])[np.newaxis])[0]
    assert list(stems) == ["vocals", "drums", "bass", "other"]
    for stem, expected in zip(stems, [*whole, mixture - whole.sum(axis=0)], strict=True):
        np.testing.assert_array_equal(stems[stem], expected)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 1500), max_size=8), st.sampled_from([8000, 11025, 48000]), st.integers(1, 3))
def test_any_cuts_give_the_same_samples(cuts: list[int], sample_rate: int, channels: int) -> None:
    mixture = noise(1500, channels)
    with mock.patch.object(streaming, "RESAMPLED_LENGTH", 64):
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
    response = TAPS @ np.exp(2j * np.pi * 100 * (np.arange(len(TAPS)) - 4) / RATE)
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
        (np.zeros((2, 1000)), r"shape \(2, 1000\): must be .* \(time, channels\)"),
    ],
)
def test_samples_that_cannot_be_used_are_refused(mixture: np.ndarray, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        separator().separate(mixture, RATE)


@pytest.mark.parametrize("sample_rate", [0, -44100])
def test_a_rate_that_is_none_is_refused(sample_rate: int) -> None:
    with pytest.raises(AudioError, match=f"a sample rate of {sample_rate}: must be a whole number above 0"):
        separator().separate(np.zeros((10, 2)), sample_rate)


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


def test_an_array_in_place_of_blocks_is_refused() -> None:
    """Its rows would be taken for blocks of mono."""
    with pytest.raises(AudioError, match="an array in place of blocks"):
        list(separator(2).stream(noise(1000, 2), RATE))
    with pytest.raises(AudioError, match="an array in place of blocks"):
        list(separator(2).separate_range(lambda _: noise(1000, 2), RATE))
    with pytest.raises(AudioError, match="samples are float64 of shape"):
        list(separator(2).stream([0.1, 0.2], RATE))


@pytest.mark.parametrize("sample_rate", [8000.0, 48000.0, np.float32(44100), np.int16(8000)])
def test_whole_rates_of_any_type_are_rates(sample_rate: float) -> None:
    mixture = noise(1000)
    for stem, samples in separator().separate(mixture, sample_rate).items():
        np.testing.assert_array_equal(samples, separator().separate(mixture, int(sample_rate))[stem])


@pytest.mark.parametrize("sample_rate", ["44100", 44100.5, float("nan"), float("inf"), None])
def test_other_rates_are_refused(sample_rate: object) -> None:
    with pytest.raises(AudioError, match=r"a sample rate of .*: must be a whole number above 0, in Hz"):
        separator().separate(noise(10), sample_rate)


def test_a_pickled_separator_loads_itself_again(model: Path) -> None:
    loaded = Separator.load(str(model), 0.1)
    again = pickle.loads(pickle.dumps(loaded))
    mixture = noise(5000, 2)
    assert again.target_length == loaded.target_length
    for stem, samples in again.separate(mixture, RATE).items():
        np.testing.assert_array_equal(samples, loaded.separate(mixture, RATE)[stem])
    assert type(pickle.loads(pickle.dumps(separator(2))).backend) is Smoother


@pytest.mark.parametrize(("form", "ends"), [("", "stems"), ("model.keras", "error"), ("1", "error")])
def test_a_model_loaded_before_a_fork_is_loaded_again_or_refused_but_never_hangs(
    model: Path, form: str, ends: str
) -> None:
    loaded, mixture = Separator.load(str(model / form), 0.1), noise(5000)
    expected = loaded.separate(mixture, RATE)["vocals"] if ends == "stems" else None
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    child = context.Process(target=_separate, args=(loaded, mixture, theirs), daemon=True)
    child.start()
    theirs.close()
    try:
        assert ours.poll(60)
        said = ours.recv()
    finally:
        child.kill()
        child.join()
    if expected is None:
        assert said.startswith(f"{model / form}: was loaded before this process was forked, which ")
        assert "\n" not in said
    else:
        np.testing.assert_array_equal(said, expected)


def _separate(loaded: Separator, mixture: np.ndarray, pipe: "Connection") -> None:
    try:
        pipe.send(loaded.separate(mixture, RATE)["vocals"])
    except ModelError as error:
        pipe.send(str(error))
