"""Mono voices get a place in a room, and a share of the examples is narrow."""

import numpy as np
import pytest
import tensorflow as tf
from doubles import noise

from tfwavesep.data import width

RATE = 44100
SEED = tf.constant([3, 4], tf.int64)


def spread(samples: np.ndarray, *draw: float) -> np.ndarray:
    return np.asarray(width.spread(tf.constant(samples), tf.constant(draw), SEED, RATE))


def correlation(samples: np.ndarray) -> float:
    return float(np.corrcoef(samples.T)[0, 1])


@pytest.fixture
def voice() -> np.ndarray:
    return np.repeat(noise(30_000), 2, axis=1)


def test_what_is_mono_is_told_from_what_is_not(voice: np.ndarray) -> None:
    assert width.is_mono(tf.constant(voice))
    voice[-1, 1] += 1e-4
    assert not width.is_mono(tf.constant(voice))


def test_a_voice_in_the_middle_of_a_dry_room_stays_as_it_is(voice: np.ndarray) -> None:
    np.testing.assert_allclose(spread(voice, 0.5, 0, 0.5), voice, atol=1e-5)


@pytest.mark.parametrize(("place", "louder"), [(0.0, 0), (1.0, 1)])
def test_a_place_has_a_side_and_keeps_the_power(voice: np.ndarray, place: float, louder: int) -> None:
    power = (spread(voice, place, 0, 0.5) ** 2).sum(axis=0)
    assert power[louder] > 4 * power[1 - louder] > 0
    assert power.sum() == pytest.approx((voice**2).sum(), rel=1e-4)


def test_the_wetter_the_less_alike_are_both_ears(voice: np.ndarray) -> None:
    alike = [correlation(spread(voice, 0.5, wet, 0.5)) for wet in (0, 0.5, 1)]
    assert alike[0] == pytest.approx(1)
    assert alike[0] > alike[1] > alike[2] > 0.5


@pytest.mark.parametrize("long", [0.0, 1.0])
def test_a_room_sounds_on_for_its_time_and_adds_its_share_of_power(long: float) -> None:
    click = np.zeros((30_000, 2), np.float32)
    click[1000] = 1
    heard = spread(click, 0.5, 1, long)
    assert not np.abs(heard[:1000]).max() > 1e-5  # nothing sounds before its cause
    room = heard[1001:]
    decay = int(RATE * width.DECAY_SECONDS[int(long)])
    assert (room**2).sum() / 2 == pytest.approx(width.WETTEST**2, rel=0.3)
    assert (room[:decay] ** 2).sum() / (room**2).sum() == pytest.approx(1 - np.exp(-2), abs=0.1)


def test_silence_stays_silent() -> None:
    assert not spread(np.zeros((5000, 2), np.float32), 0.1, 1, 1).any()


def test_half_of_the_narrow_ones_are_mono_and_all_keep_their_middle() -> None:
    sources = tf.constant(np.stack([noise(100, 2, seed) for seed in range(4)]))
    for draw in np.linspace(0, 1, 11, dtype=np.float32):
        narrowed = np.asarray(width.narrow(sources, tf.constant(draw)))
        np.testing.assert_allclose(narrowed.mean(axis=-1), sources.numpy().mean(axis=-1), atol=1e-6)
        side, before = np.ptp(narrowed, axis=-1), np.ptp(sources.numpy(), axis=-1)
        np.testing.assert_allclose(side, max(2 * draw - 1, 0) * before, atol=1e-6)
