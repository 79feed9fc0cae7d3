"""What may have happened to a recording happens to all its stems alike, and as often as asked."""

import numpy as np
import pytest
import tensorflow as tf
from doubles import noise, tone

from tfwavesep.data import wear

RATE = 44100
NEVER = 1.0


def worn(sources: np.ndarray, *draw: float, chance: float = 0.5) -> np.ndarray:
    return np.asarray(wear.worn(tf.constant(sources), tf.constant(draw), chance, RATE))


@pytest.fixture
def sources() -> np.ndarray:
    return np.stack([noise(20_000, 2, seed) for seed in range(4)])


def test_nothing_happens_to_most(sources: np.ndarray) -> None:
    np.testing.assert_array_equal(worn(sources, NEVER, 0, NEVER, 0, NEVER), sources)
    np.testing.assert_array_equal(worn(sources, 0.01, 0, 0.01, 0, 0.01, chance=0.0), sources)


@pytest.mark.parametrize(("place", "level"), [(0.0, -36.0), (0.8, 0.0), (1.0, 9.0)])
def test_another_level(sources: np.ndarray, place: float, level: float) -> None:
    np.testing.assert_allclose(worn(sources, 0.4, place, NEVER, 0, NEVER), sources * 10 ** (level / 20), rtol=1e-4)


@pytest.mark.parametrize(("pitch", "place", "left"), [(1000, 0.0, 1.0), (5000, 0.0, 0.0), (5000, 1.0, 1.0)])
def test_less_treble(pitch: float, place: float, left: float) -> None:
    music = np.stack([tone(pitch=pitch, length=RATE // 2)] * 4)
    dull = worn(music, NEVER, 0, 0.4, place, NEVER)
    assert np.sqrt((dull**2).mean() / (music**2).mean()) == pytest.approx(left, abs=0.02)


def test_one_channel_upside_down_but_rarely(sources: np.ndarray) -> None:
    rare = wear.INVERTED * 0.5
    np.testing.assert_array_equal(worn(sources, NEVER, 0, NEVER, 0, rare - 0.01), sources * np.float32([1, -1]))
    np.testing.assert_array_equal(worn(sources, NEVER, 0, NEVER, 0, rare + 0.01), sources)
