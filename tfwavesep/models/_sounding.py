"""From masked spectrograms to stems."""

from collections.abc import Sequence
from typing import Any

from keras import layers, ops

from tfwavesep.layers import InverseSTFT
from tfwavesep.models._config import ModelConfig


def sounding(config: ModelConfig, inverse: InverseSTFT, mixture: Any, spectra: Sequence[Any]) -> Any:
    """Stems of spectra: all that are given, and as the last one what they leave of the mixture.

    Args:
        config: says the stems, and how much of the mixture lies before and after them.
        inverse: the Fourier transform back.
        mixture: `(batch, time, channels)`.
        spectra: real and imaginary part, each `(batch, (stems - 1) * channels, frames, bins)`.

    Returns:
        `(batch, stems, time - context - lookahead, channels)`.
    """
    estimates = inverse(*spectra)
    estimates = layers.Reshape((len(config.stems) - 1, config.channels, -1), dtype="float32", name="by_stem")(estimates)
    estimates = layers.Permute((1, 3, 2), dtype="float32", name="estimates")(estimates)
    sides = (config.context, config.lookahead)
    kept = layers.Cropping1D(sides, dtype="float32", name="kept_mixture")(mixture)
    kept = layers.Reshape((1, -1, config.channels), dtype="float32", name="kept_row")(kept)
    rest = kept - ops.sum(estimates, axis=1, keepdims=True)
    return layers.Concatenate(axis=1, dtype="float32", name="stems")([estimates, rest])
