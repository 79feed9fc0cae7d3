"""What networks, and losses that look at spectra, are built from."""

from tfwavesep.layers.convolutions import (
    Cut,
    ProductConv,
    convolve,
    crop,
    cut,
    gated_stacks,
    share_what_is_missing,
)
from tfwavesep.layers.stft import MEAN_SQUARE, STFT, InverseSTFT, magnitude, transformable

__all__ = [
    "MEAN_SQUARE",
    "STFT",
    "Cut",
    "InverseSTFT",
    "ProductConv",
    "convolve",
    "crop",
    "cut",
    "gated_stacks",
    "magnitude",
    "share_what_is_missing",
    "transformable",
]
