"""What training minimises.

References and estimates are `(batch, stems, time, channels)`. The references sum to the mixture: where a model
has a residual (other, accompaniment), the pipeline appends its reference as the last stem, and the loss makes
its estimate, mixture minus estimates. No loss needs to be handed the mixture.

Of some songs not all stems are known. Which are, `(batch, stems)`, comes with the references as Keras' weights of
samples do; what is not known has no term. The references of a song's unknown stems sum to what is left of its mixture.
"""

from collections.abc import Sequence
from inspect import signature
from typing import Any

import keras
import numpy as np
from keras import ops

from tfwavesep.errors import ConfigError, one_of
from tfwavesep.layers import STFT, magnitude
from tfwavesep.stems import STEMS


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


def _mean(values: Any, known: Any) -> Any:
    """The mean of `(batch, stems)` over the stems that are known; 0 where none is."""
    return ops.sum(values * known, axis=1) / ops.maximum(ops.sum(known, axis=1), 1)


class StemLoss(keras.losses.Loss):
    """A loss that is told which stems are known; see `call`."""

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The mean over a batch.

        Args:
            y_true: references `(batch, targets, time, channels)`.
            y_pred: estimates `(batch, stems, time, channels)`.
            sample_weight: 1 for each target that is known, else 0: `(batch, targets)`; all if it is not given.
        """
        known = ops.ones(ops.shape(y_true)[:2]) if sample_weight is None else sample_weight
        return super().__call__((y_true, known), y_pred)


@keras.saving.register_keras_serializable(package="tfwavesep")
class L1(StemLoss):
    """Mean absolute error of the stems the network estimates; the residual has no term.

    Reference:
        The released multi-instrument configuration of Lluís, Pons & Serra 2018 (arXiv 1810.12187): one L1 term
        for each of vocals, drums and bass. Theirs is the sum over stems, ours the mean.
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        references, known = y_true
        references, estimates, _ = with_residual(references, y_pred)
        error = ops.mean(ops.abs(references - estimates), axis=(2, 3))
        return _mean(error, known[:, : error.shape[1]])


@keras.saving.register_keras_serializable(package="tfwavesep")
class SquaredError(StemLoss):
    """Mean squared error of all stems, the residual too.

    Reference:
        Stoller, Ewert & Dixon 2018 (Wave-U-Net, arXiv 1806.03185), section 4.2, and their released code: the mean over
        samples and channels, averaged over sources. Their residual is unclipped in training, as is ours.
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        references, known = y_true
        return _mean(_energy(_errors_of_all(references, y_pred)), known)


@keras.saving.register_keras_serializable(package="tfwavesep")
class TwoTerm(StemLoss):
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
        references, known = y_true
        references, estimates, residual_error = with_residual(references, y_pred)
        error = ops.mean(ops.abs(references - estimates), axis=(2, 3))
        background = 1.0 if residual_error is None else known[:, -1]
        if residual_error is None:  # the mixture is always known, and with it what should be left: nothing
            residual_error = ops.sum(references - estimates, axis=1, keepdims=True)
        return _mean(error, known[:, : error.shape[1]]) + background * ops.mean(ops.abs(residual_error), axis=(1, 2, 3))


@keras.saving.register_keras_serializable(package="tfwavesep")
class Dissimilarity(StemLoss):
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
        everything, known = y_true
        references, estimates, _ = with_residual(everything, y_pred)
        background = _background(everything, of=references)
        error = ops.mean(ops.abs(references - estimates), axis=(2, 3))
        reward = ops.mean(ops.abs(background - estimates), axis=(2, 3))
        return _mean(error - self.weight * reward, known[:, : error.shape[1]])

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"weight": self.weight}


@keras.saving.register_keras_serializable(package="tfwavesep")
class LogError(StemLoss):
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
        references, known = y_true
        errors = _errors_of_all(references, y_pred)
        mixture = ops.sum(references, axis=1, keepdims=True)
        floor = self.floor * _energy(mixture) + 1e-8
        ratio = (_energy(errors) + floor) / (_energy(references) + floor)
        return _mean(10 * ops.log10(ratio), known)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"floor": self.floor}


@keras.saving.register_keras_serializable(package="tfwavesep")
class DeepConvSep(StemLoss):
    """DeepConvSep's: squared errors of magnitudes, less rewards for distance from the other stems.

    With `E(i, j)` the squared difference between the magnitudes of estimate i and of stem j, summed over channels,
    frames and bins, it is the absolute value of the sum of `E(i, i) - alpha * E(i, j) - beta * E(i, other)` over i and
    j != i among vocals, drums and bass, with `beta_voc` in place of `beta` for the vocals. Other has no term of its
    own: it is what the masks leave.

    Reference:
        Chandna, Miron, Janer & Gómez 2017 (DeepConvSep, doi:10.1007/978-3-319-53547-0_25), section 3.3, with the
        released four-source configuration's weights. There the estimates are the mixture's magnitudes under the masks;
        here they are taken from the waveforms that come out, so that overlapping frames have to agree. Magnitudes
        are scaled as in the network.

    Args:
        alpha: of the distances among vocals, drums and bass, at least 0.
        beta: of the distance of drums and bass from other, at least 0.
        beta_voc: of the distance of vocals from other, at least 0.
        window: samples per frame; frames overlap by half.
    """

    TARGETS = STEMS
    SCALE = 0.3

    def __init__(
        self,
        alpha: float = 0.001,
        beta: float = 0.01,
        beta_voc: float = 0.03,
        window: int = 1024,
        name: str = "deepconvsep",
        **kwargs: Any,
    ) -> None:
        for field, weight in {"alpha": alpha, "beta": beta, "beta_voc": beta_voc}.items():
            if not 0 <= weight < 1:
                raise ConfigError(f"loss.{field} = {weight}: at least 0 and below 1")
        if window < 8 or window % 4:
            raise ConfigError(f"loss.window = {window}: a multiple of 4 from 8 on")
        super().__init__(name=name, **kwargs)
        self.options = {"alpha": alpha, "beta": beta, "beta_voc": beta_voc, "window": window}
        self.weights = np.full((3, 4), -alpha, np.float32)
        self.weights[:, 3] = -beta_voc, -beta, -beta
        np.fill_diagonal(self.weights, 1)
        self.stft = STFT(window, window // 2)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        references, known = y_true
        estimates, references = self._magnitudes(y_pred)[:, :3], self._magnitudes(references)
        errors = ops.sum(ops.square(estimates[:, :, None] - references[:, None]), axis=(3, 4))
        told = known[:, :3, None] * known[:, None]
        return ops.abs(ops.sum(self.weights * told * errors, axis=(1, 2)))

    def _magnitudes(self, stems: Any) -> Any:
        """`(batch, stems, time, channels)` to `(batch, stems, channels * frames, bins)`; zeros stand at both ends, so
        that all samples are in two frames."""
        hop = self.stft.hop
        batch, count, time, channels = ops.shape(stems)
        audio = ops.reshape(ops.transpose(stems, (0, 2, 1, 3)), (batch, time, count * channels))
        audio = ops.pad(audio, [[0, 0], [hop, hop + -time % hop], [0, 0]])
        spectra = self.SCALE / self.stft.size**0.5 * magnitude(*self.stft(audio, training=True))
        return ops.reshape(spectra, (batch, count, -1, self.stft.size // 2))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | self.options


def _energy(x: Any) -> Any:
    """Mean square over time and channels: `(batch, stems)`."""
    return ops.mean(ops.square(x), axis=(2, 3))


LOSSES: dict[str, type[keras.losses.Loss]] = {
    "l1": L1,
    "squared_error": SquaredError,
    "two_term": TwoTerm,
    "dissimilarity": Dissimilarity,
    "log_error": LogError,
    "deepconvsep": DeepConvSep,
}
"""The losses by the name a preset gives them."""


def make(name: str, options: dict[str, Any], targets: Sequence[str] | None = None) -> keras.losses.Loss:
    """The loss of a preset.

    Args:
        name: a key of `LOSSES`.
        options: its arguments.
        targets: of the model; some losses are for certain ones only.

    Raises:
        ConfigError: there is no such loss, it does not take these options, or it is not for these targets.
    """
    if name not in LOSSES:
        raise ConfigError(one_of("loss", name, LOSSES))
    needed: Sequence[str] | None = getattr(LOSSES[name], "TARGETS", None)
    if needed and targets and tuple(targets) != tuple(needed):
        raise ConfigError(
            f"loss '{name}': is for {', '.join(needed)} in this order; the model has {', '.join(targets)}"
        )
    taken = _options(LOSSES[name])
    for option in options:
        if option not in taken:
            raise ConfigError(f"loss '{name}' does not take '{option}'; it takes {', '.join(taken) or 'no options'}")
    try:
        return LOSSES[name](**options)
    except TypeError as error:
        raise ConfigError(f"loss '{name}' does not take these options: {error}") from error


def _options(loss: type[keras.losses.Loss]) -> list[str]:
    """The arguments that are a loss's own, not Keras'."""
    of_keras = {*signature(keras.losses.Loss.__init__).parameters, "kwargs"}
    return [name for name in signature(loss.__init__).parameters if name not in of_keras]
