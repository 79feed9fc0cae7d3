"""Whole steps: stems sum to the mixture exactly, at any level."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfwavesep.separation import Piece
from tfwavesep.stemfiles import levels


def piece(seed: int, loudness: float, stems: int, length: int = 50) -> Piece:
    noise = np.random.default_rng(seed)
    return Piece(
        (loudness * noise.standard_normal((length, 2))).astype(np.float32),
        (loudness * noise.standard_normal((stems, length, 2))).astype(np.float32),
    )


@given(st.integers(0, 99), st.floats(0, 30), st.integers(1, 5), st.sampled_from([16, 24]), st.integers(0, 300))
def test_stems_sum_to_the_mixture_exactly(seed: int, loudness: float, stems: int, bits: int, tenths: int) -> None:
    mixture, parts = levels.split(piece(seed, loudness, stems), bits, tenths)
    assert len(parts) == stems + 1
    np.testing.assert_array_equal(parts.sum(axis=0), mixture)


@given(st.integers(0, 99), st.floats(0, 30), st.integers(1, 5), st.sampled_from([16, 24]))
def test_clamped_stems_fit_and_still_sum_to_the_mixture(seed: int, loudness: float, stems: int, bits: int) -> None:
    mixture, parts = levels.split(piece(seed, loudness, stems), bits)
    low, high = levels.bounds(bits)
    clamped = levels.clamp(mixture, parts, bits)
    assert clamped.min() >= low
    assert clamped.max() <= high
    np.testing.assert_array_equal(clamped.sum(axis=0), np.clip(mixture, low, high))


def test_clamping_leaves_alone_what_fits() -> None:
    mixture, parts = levels.split(piece(0, 0.1, 3), 16)
    np.testing.assert_array_equal(levels.clamp(mixture, parts, 16), parts)


@given(st.integers(0, 99), st.floats(0, 30), st.integers(1, 5), st.sampled_from([16, 24]))
def test_the_common_gain_lets_everything_fit_and_is_the_least(
    seed: int, loudness: float, stems: int, bits: int
) -> None:
    some = piece(seed, loudness, stems)
    mixture, parts = levels.split(some, bits)
    peak = max(np.abs(mixture).max(), np.abs(parts).max())
    tenths = levels.tenths_to_fit(float(peak), stems + 1, bits)
    low, high = levels.bounds(bits)
    _, softer = levels.split(some, bits, tenths)
    assert low <= softer.min()
    assert softer.max() <= high
    if tenths:
        assert peak * levels.gain(tenths - 1) > high - stems - 1


@pytest.mark.parametrize("bits", [16, 24])
def test_integers_of_that_depth_are_kept(bits: int) -> None:
    whole = np.random.default_rng(0).integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (1000, 2))
    samples = (whole / 2.0 ** (bits - 1)).astype(np.float32)
    np.testing.assert_array_equal(levels.to_steps(samples.astype(np.float64), bits), whole)


@pytest.mark.parametrize("tenths", [0, 7])
@pytest.mark.parametrize("bits", [16, 24])
def test_steps_of_float32_are_those_of_float64(bits: int, tenths: int) -> None:
    """Halves of a step, what is far below one and what is far beyond full scale among them."""
    noise = np.random.default_rng(0)
    halves = (noise.integers(-(2**17), 2**17, 1000) + 0.5) / 2 ** (bits - 1)
    wide = noise.standard_normal(1000) * 10.0 ** noise.uniform(-40, 6, 1000)
    samples = np.concatenate([halves, wide]).astype(np.float32)
    np.testing.assert_array_equal(
        levels.to_steps(samples, bits, tenths), levels.to_steps(samples.astype(np.float64), bits, tenths)
    )
