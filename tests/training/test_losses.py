"""Losses: their definitions on numbers small enough to check by hand, and what they reward."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tfwavesep.errors import ConfigError
from tfwavesep.training import losses

noise = np.random.default_rng(0)
REFERENCES = noise.standard_normal((2, 3, 50, 1)).astype(np.float32)
"""Two estimated stems and a residual."""

PERFECT = REFERENCES[:, :2]

FOUR = noise.standard_normal((2, 4, 1024, 1)).astype(np.float32)
"""Four estimated stems and no residual, long enough for a spectrogram."""


def value(name: str, references: np.ndarray, estimates: np.ndarray, **options: float) -> float:
    return float(losses.make(name, options)(references, estimates))


def example(name: str) -> tuple[np.ndarray, np.ndarray]:
    """References that a loss can be asked about, and perfect estimates."""
    return (FOUR, FOUR) if hasattr(losses.LOSSES[name], "TARGETS") else (REFERENCES, PERFECT)


@pytest.mark.parametrize("name", losses.LOSSES)
def test_perfect_estimates_are_best(name: str) -> None:
    references, perfect = example(name)
    worse = perfect + 0.5 * noise.standard_normal(perfect.shape).astype(np.float32)
    assert value(name, references, perfect) < value(name, references, worse)


def test_l1_by_hand() -> None:
    references = np.zeros((1, 2, 4, 1), np.float32)
    estimates = np.full((1, 2, 4, 1), 0.5, np.float32)
    assert value("l1", references, estimates) == pytest.approx(0.5)


def test_squared_error_counts_the_residual_as_one_more_stem() -> None:
    errors = noise.standard_normal(PERFECT.shape).astype(np.float32)
    everyones = np.concatenate([errors, errors.sum(axis=1, keepdims=True)], axis=1)
    assert value("squared_error", REFERENCES, PERFECT + errors) == pytest.approx((everyones**2).mean(), rel=1e-5)


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


def magnitudes(stems: np.ndarray, window: int) -> np.ndarray:
    """Scaled magnitudes as the network hears them, `(batch, stems, frames, bins)`, one frame after the other."""
    hop = window // 2
    padded = np.pad(stems[..., 0], [(0, 0), (0, 0), (hop, hop + -stems.shape[2] % hop)])
    shape = np.sin(np.pi * np.arange(window) / window)
    starts = range(0, padded.shape[2] - window + 1, hop)
    frames = np.stack([padded[:, :, start : start + window] * shape for start in starts], axis=2)
    return 0.3 / np.sqrt(window) * np.abs(np.fft.rfft(frames))[..., :-1]


@pytest.mark.parametrize("time", [1024, 1000, 90])
def test_deepconvsep_by_its_formula(time: int) -> None:
    """Vocals, drums, bass, other; from whole hops, from other lengths, and from less than a window."""
    references = FOUR[:, :, :time]
    estimates = references[:, ::-1] * 0.5 + 0.1 * references
    v, d, b, o = np.moveaxis(magnitudes(references, 128), 1, 0)
    estimated_v, estimated_d, estimated_b, _ = np.moveaxis(magnitudes(estimates, 128), 1, 0)

    def distance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return ((x - y) ** 2).sum(axis=(1, 2))

    near = distance(estimated_v, v) + distance(estimated_d, d) + distance(estimated_b, b)
    among = (
        distance(estimated_v, d) + distance(estimated_v, b) + distance(estimated_d, v)
        + distance(estimated_d, b) + distance(estimated_b, v) + distance(estimated_b, d)
    )  # fmt: skip
    from_other = distance(estimated_d, o) + distance(estimated_b, o)
    expected = np.abs(near - 0.1 * among - 0.2 * from_other - 0.3 * distance(estimated_v, o)).mean()
    found = value("deepconvsep", references, estimates, alpha=0.1, beta=0.2, beta_voc=0.3, window=128)
    assert found == pytest.approx(expected, rel=1e-4)


def test_deepconvsep_hears_both_channels() -> None:
    """The sum over channels: by default the rewards are too small to change the sign of what is within."""
    stereo = np.concatenate([FOUR, FOUR[:, ::-1]], axis=-1)
    estimates = stereo * np.float32([0.5, 0.2])
    sides = [value("deepconvsep", stereo[..., [c]], estimates[..., [c]], window=128) for c in (0, 1)]
    assert value("deepconvsep", stereo, estimates, window=128) == pytest.approx(sum(sides), rel=1e-4)


def test_a_loss_for_certain_stems_is_refused_for_others() -> None:
    with pytest.raises(ConfigError, match="vocals, drums, bass, other in this order; the model has bass, drums"):
        losses.make("deepconvsep", {}, ("bass", "drums", "other", "vocals"))
    assert losses.make("deepconvsep", {}, ("vocals", "drums", "bass", "other"))
    assert losses.make("l1", {}, ("vocals", "accompaniment"))


def masked(name: str, references: np.ndarray, estimates: np.ndarray, known: np.ndarray) -> float:
    return float(losses.make(name, {})(references, estimates, sample_weight=known))


@pytest.mark.parametrize("name", losses.LOSSES)
def test_to_know_all_stems_is_to_be_told_nothing(name: str) -> None:
    references, perfect = example(name)
    estimates = perfect + 0.5 * noise.standard_normal(perfect.shape).astype(np.float32)
    known = np.ones(references.shape[:2], np.float32)
    assert masked(name, references, estimates, known) == pytest.approx(value(name, references, estimates), rel=1e-6)


@pytest.mark.parametrize("name", losses.LOSSES)
def test_what_is_not_known_has_no_term(name: str) -> None:
    """However two stems of which only the sum is known share it out, and whatever is estimated for one of them."""
    references = FOUR
    estimates = 0.7 * references + 0.1 * references[:, ::-1]
    known = np.float32([[1, 0, 0, 1], [1, 1, 1, 1]])
    shared = references.copy()
    shared[0, 1], shared[0, 2] = 0, references[0, 1] + references[0, 2]
    moved = estimates.copy()
    step = noise.standard_normal(references.shape[2:]).astype(np.float32)
    moved[0, 1] += step
    moved[0, 2] -= step  # their sum is what the loss of two terms knows
    before = masked(name, references, estimates, known)
    assert masked(name, shared, estimates, known) == pytest.approx(before, rel=1e-5)
    assert masked(name, references, moved, known) == pytest.approx(before, rel=1e-5)
    assert masked(name, references, moved, np.ones((2, 4), np.float32)) != pytest.approx(before, rel=1e-3)


@pytest.mark.parametrize(("name", "size"), [("l1", np.abs), ("squared_error", np.square)])
def test_a_stem_that_is_known_alone_counts_as_all_do_together(
    name: str, size: Callable[[np.ndarray], np.ndarray]
) -> None:
    known = np.float32([[0, 1, 0, 0], [1, 1, 1, 1]])
    expected = (size(0.3 * FOUR[0, 1]).mean() + size(0.3 * FOUR[1]).mean()) / 2
    assert masked(name, FOUR, 0.7 * FOUR, known) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", losses.LOSSES)
def test_all_silent_is_finite(name: str) -> None:
    references, perfect = example(name)
    assert np.isfinite(value(name, np.zeros_like(references), np.zeros_like(perfect)))


@pytest.mark.parametrize("name", losses.LOSSES)
def test_gradient_of_silence_is_finite(name: str) -> None:
    import tensorflow as tf

    references, perfect = example(name)
    silence = tf.zeros_like(perfect)
    with tf.GradientTape() as tape:
        tape.watch(silence)
        loss = losses.make(name, {})(references, silence)
    assert np.isfinite(tape.gradient(loss, silence)).all()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("two_terms", {}, "did you mean 'two_term'"),
        ("l1", {"weight": 1}, "does not take 'weight'; it takes no options"),
        ("l1", {"reduction": "foo"}, "does not take 'reduction'; it takes no options"),
        ("log_error", {"name": "mine"}, "does not take 'name'; it takes floor"),
        ("deepconvsep", {"dtype": "foo"}, "does not take 'dtype'; it takes alpha, beta, beta_voc, window"),
        ("deepconvsep", {"alpha": "much"}, "does not take these options: '<='"),
        ("dissimilarity", {"weight": 1.5}, "below 1"),
        ("log_error", {"floor": 0.0}, "above 0"),
        ("deepconvsep", {"beta_voc": -0.1}, r"loss\.beta_voc = -0\.1: at least 0"),
        ("deepconvsep", {"window": 1022}, r"loss\.window = 1022: a multiple of 4"),
    ],
)
def test_bad_losses_are_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        losses.make(name, options)


@pytest.mark.parametrize("name", losses.LOSSES)
def test_config_round_trip(name: str) -> None:
    loss = losses.make(name, {})
    again = type(loss).from_config(loss.get_config())
    assert again.get_config() == loss.get_config()
