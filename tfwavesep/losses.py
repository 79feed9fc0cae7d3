"""What training minimises.

References and estimates are `(batch, stems, time, channels)`. The references sum to the mixture: where a model
has a residual (other, accompaniment), the pipeline appends its reference as the last stem, and the loss makes
its estimate, mixture minus estimates. No loss needs to be handed the mixture.
"""

from typing import Any

import keras
from keras import ops

from tfwavesep.errors import ConfigError, one_of


def with_residual(references: Any, estimates: Any) -> tuple[Any, Any, Any]:
    """Split off what belongs to the residual.

    Returns:
        references and estimates of the stems the network estimates, then the residual's error
        `(batch, 1, time, channels)` (references' sum minus estimates' sum, minus the residual's reference),
        or None where the network estimates all stems.
    """
    estimated = estimates.shape[1]
    kept = references[:, :estimated]
    if references.shape[1] == estimated:
        return kept, estimates, None
    return kept, estimates, ops.sum(kept - estimates, axis=1, keepdims=True)


def _errors_of_all(references: Any, estimates: Any) -> Any:
    """Each stem's error, the residual's last: `(batch, targets, time, channels)`."""
    kept, estimates, residual_error = with_residual(references, estimates)
    errors = kept - estimates
    return errors if residual_error is None else ops.concatenate([errors, residual_error], axis=1)


def _background(references: Any, of: Any) -> Any:
    """Mixture minus each of the stems in `of`."""
    return ops.sum(references, axis=1, keepdims=True) - of


@keras.saving.register_keras_serializable(package="tfwavesep")
class L1(keras.losses.Loss):
    """Mean absolute error of the stems the network estimates; the residual has no term.

    Reference:
        The released multi-instrument configuration of Lluís, Pons & Serra 2018 (arXiv 1810.12187): one L1 term
        for each of vocals, drums and bass. Theirs is the sum over stems, ours the mean.
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        references, estimates, _ = with_residual(y_true, y_pred)
        return ops.mean(ops.abs(references - estimates), axis=(1, 2, 3))


@keras.saving.register_keras_serializable(package="tfwavesep")
class SquaredError(keras.losses.Loss):
    """Mean squared error of all stems, the residual too.

    Reference:
        Stoller, Ewert & Dixon 2018 (Wave-U-Net, arXiv 1806.03185), section 4.2, and their released code: the mean over
        samples and channels, averaged over sources. Their residual is unclipped in training, as is ours.
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return ops.mean(ops.square(_errors_of_all(y_true, y_pred)), axis=(1, 2, 3))


@keras.saving.register_keras_serializable(package="tfwavesep")
class TwoTerm(keras.losses.Loss):
    """Energy-conserving loss: an L1 term for the estimates and one for the background.

    The background is what is left of the mixture when all estimates are taken away. For one stem this is the
    loss of the speech paper, whose two terms are equal because mixture = stem + background holds exactly: it is
    2 x L1. For several stems the background term is the error of the residual, the absolute *sum* of the
    stems' errors, which no other term holds, so that what one stem loses another must gain.

    Reference:
        Rethage, Pons & Serra 2018 (arXiv 1706.07162), section 3.4. The form for several stems is ours: the
        released multi-instrument code has no background term.
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        references, estimates, residual_error = with_residual(y_true, y_pred)
        error = ops.mean(ops.abs(references - estimates), axis=(1, 2, 3))
        if residual_error is None:
            residual_error = ops.sum(references - estimates, axis=1, keepdims=True)
        return error + ops.mean(ops.abs(residual_error), axis=(1, 2, 3))


@keras.saving.register_keras_serializable(package="tfwavesep")
class Dissimilarity(keras.losses.Loss):
    """L1, less a reward for each estimate's distance from its background (mixture minus the true stem).

    Reference:
        Chandna et al. 2017 (DeepConvSep), and the released singing-voice configuration of Lluís, Pons & Serra
        2018 with weight 0.05. Below a weight of 1 the loss stays bounded from below.

    Args:
        weight: of the reward, 0 to below 1.
    """

    def __init__(self, weight: float = 0.05, name: str = "dissimilarity", **kwargs: Any) -> None:
        if not 0 <= weight < 1:
            raise ConfigError(f"loss.weight = {weight}: at least 0 and below 1 (above, the loss has no lower bound)")
        super().__init__(name=name, **kwargs)
        self.weight = weight

    def call(self, y_true: Any, y_pred: Any) -> Any:
        references, estimates, _ = with_residual(y_true, y_pred)
        background = _background(y_true, of=references)
        error = ops.mean(ops.abs(references - estimates), axis=(1, 2, 3))
        return error - self.weight * ops.mean(ops.abs(background - estimates), axis=(1, 2, 3))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"weight": self.weight}


@keras.saving.register_keras_serializable(package="tfwavesep")
class LogError(keras.losses.Loss):
    """Each stem's squared error relative to its energy, in dB: the negative of SDR, with a floor.

    Loud and soft examples count alike, so the loss does not depend on the level of a song. The floor, a share of
    the mixture's energy added above and below, bounds it from below, and lets a silent stem be learnt: there the
    loss is what the estimate lets through, relative to the mixture.

    Reference:
        The thresholded SNR of Wisdom et al. 2020 (MixIT, arXiv 2006.12701), section 3.1; ours adds the threshold
        to the stem's energy as well, so that a silent estimate scores 0 dB whatever the stem.

    Args:
        floor: share of the mixture's energy, above 0; 1e-3 stops rewarding beyond 30 dB.
    """

    def __init__(self, floor: float = 1e-3, name: str = "log_error", **kwargs: Any) -> None:
        if floor <= 0:
            raise ConfigError(f"loss.floor = {floor}: above 0 (it is what keeps silent stems finite)")
        super().__init__(name=name, **kwargs)
        self.floor = floor

    def call(self, y_true: Any, y_pred: Any) -> Any:
        errors = _errors_of_all(y_true, y_pred)
        mixture = ops.sum(y_true, axis=1, keepdims=True)
        floor = self.floor * _energy(mixture) + 1e-8
        ratio = (_energy(errors) + floor) / (_energy(y_true) + floor)
        return ops.mean(10 * ops.log10(ratio), axis=1)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"floor": self.floor}


def _energy(x: Any) -> Any:
    """Mean square over time and channels: `(batch, stems)`."""
    return ops.mean(ops.square(x), axis=(2, 3))


LOSSES: dict[str, type[keras.losses.Loss]] = {
    "l1": L1,
    "squared_error": SquaredError,
    "two_term": TwoTerm,
    "dissimilarity": Dissimilarity,
    "log_error": LogError,
}
"""The losses by the name a preset gives them."""


def make(name: str, options: dict[str, Any]) -> keras.losses.Loss:
    """The loss of a preset.

    Raises:
        ConfigError: there is no such loss, or it does not take these options.
    """
    if name not in LOSSES:
        raise ConfigError(one_of("loss", name, LOSSES))
    try:
        return LOSSES[name](**options)
    except TypeError as error:
        raise ConfigError(f"loss '{name}' does not take these options: {error}") from error
