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
from tfwavesep.layers.steps import FrameByFrame, state_shapes, step
from tfwavesep.layers.stft import MEAN_SQUARE, STFT, InverseSTFT, magnitude, transformable

__all__ = [
    "MEAN_SQUARE",
    "STFT",
    "Cut",
    "FrameByFrame",
    "InverseSTFT",
    "ProductConv",
    "convolve",
    "crop",
    "cut",
    "gated_stacks",
    "magnitude",
    "share_what_is_missing",
    "state_shapes",
    "step",
    "transformable",
]
