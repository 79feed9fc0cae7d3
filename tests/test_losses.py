"""Losses: their definitions on numbers small enough to check by hand, and what they reward."""

import numpy as np
import pytest

from tfwavesep import losses
from tfwavesep.errors import ConfigError

noise = np.random.default_rng(0)
REFERENCES = noise.standard_normal((2, 3, 50, 1)).astype(np.float32)
"""Two estimated stems and a residual."""

PERFECT = REFERENCES[:, :2]


def value(name: str, references: np.ndarray, estimates: np.ndarray, **options: float) -> float:
    return float(losses.make(name, options)(references, estimates))


@pytest.mark.parametrize("name", losses.LOSSES)
def test_perfect_estimates_are_best(name: str) -> None:
    worse = PERFECT + 0.1 * noise.standard_normal(PERFECT.shape).astype(np.float32)
    assert value(name, REFERENCES, PERFECT) < value(name, REFERENCES, worse)


def test_l1_by_hand() -> None:
    references = np.zeros((1, 2, 4, 1), np.float32)
    estimates = np.full((1, 2, 4, 1), 0.5, np.float32)
    assert value("l1", references, estimates) == pytest.approx(0.5)


def test_two_term_of_one_stem_is_twice_l1() -> None:
    references, estimates = REFERENCES[:, 1:], 0.3 * REFERENCES[:, 1:2]
    assert value("two_term", references, estimates) == pytest.approx(2 * value("l1", references, estimates), rel=1e-5)


def test_two_term_of_several_stems_adds_the_residuals_error() -> None:
    errors = noise.standard_normal(PERFECT.shape).astype(np.float32)
    expected = np.abs(errors).mean() + np.abs(errors.sum(axis=1)).mean()
    assert value("two_term", REFERENCES, PERFECT + errors) == pytest.approx(expected, rel=1e-5)


def test_two_term_is_not_redundant_for_several_stems() -> None:
    """Errors that cancel leave the residual right, errors that add up do not; L1 cannot tell them apart."""
    error = np.ones((2, 1, 50, 1), np.float32)
    cancel = np.concatenate([PERFECT[:, :1] + error, PERFECT[:, 1:] - error], axis=1)
    add = PERFECT + error
    assert value("l1", REFERENCES, cancel) == pytest.approx(value("l1", REFERENCES, add))
    assert value("two_term", REFERENCES, cancel) < value("two_term", REFERENCES, add)


def test_dissimilarity_rewards_distance_from_the_background() -> None:
    mixture = REFERENCES.sum(axis=1, keepdims=True)
    estimates = 0.5 * PERFECT
    expected = np.abs(PERFECT - estimates).mean() - 0.05 * np.abs(mixture - PERFECT - estimates).mean()
    assert value("dissimilarity", REFERENCES, estimates) == pytest.approx(expected, rel=1e-5)


def test_log_error_is_minus_sdr() -> None:
    estimates = REFERENCES * 0.9  # an error of -20 dB in every stem
    assert value("log_error", REFERENCES, estimates, floor=1e-9) == pytest.approx(-20, abs=1e-3)


@pytest.mark.parametrize("scale", [1e-2, 1e2])
def test_log_error_does_not_depend_on_the_level(scale: float) -> None:
    estimates = PERFECT * 0.7
    expected = value("log_error", REFERENCES, estimates)
    assert value("log_error", scale * REFERENCES, scale * estimates) == pytest.approx(expected, abs=0.02)


def test_log_error_of_a_silent_stem_is_finite_and_falls_with_the_leak() -> None:
    references = REFERENCES.copy()
    references[:, 0] = 0
    loud, soft, silent = (
        value("log_error", references, np.concatenate([leak * references[:, 1:2], references[:, 1:2]], axis=1))
        for leak in (0.5, 0.05, 0.0)
    )
    assert np.isfinite([loud, soft, silent]).all()
    assert loud > soft > silent


@pytest.mark.parametrize("name", losses.LOSSES)
def test_all_silent_is_finite(name: str) -> None:
    silence = np.zeros_like(REFERENCES)
    assert np.isfinite(value(name, silence, silence[:, :2]))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("two_terms", {}, "did you mean 'two_term'"),
        ("l1", {"weight": 1}, "does not take these options"),
        ("dissimilarity", {"weight": 1.5}, "below 1"),
        ("log_error", {"floor": 0.0}, "above 0"),
    ],
)
def test_bad_losses_are_refused(name: str, options: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        losses.make(name, options)


@pytest.mark.parametrize("name", losses.LOSSES)
def test_config_round_trip(name: str) -> None:
    loss = losses.make(name, {})
    again = type(loss).from_config(loss.get_config())
    assert again.get_config() == loss.get_config()
