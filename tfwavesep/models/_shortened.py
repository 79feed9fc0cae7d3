"""Weights of Spleeter's U-Net for the shorter one of `unet_wavenet`.

The shorter one has every second of the published one's frames, so that its finest level is as fine in time as the
second one there; what is between two frames its first convolution takes for their mean. Its last convolutions make
masks for the frames that it has. Batch normalisation is a scale and an offset, and goes into the convolutions around
it; the coarsest levels are left out. Offsets are not told apart by the place they fall on, and of the levels that are
left out remains what they give on average: a training has to mend that.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import keras
import numpy as np

Weights = list[np.ndarray]

ROWS = ((3, 1, None), (4, 2, 0))
"""Taps of a kernel that doubles the resolution which fall on an even and on an odd row: those of the row before, the
one at hand, and the one after."""

BETWEEN = (3, 1)
"""Taps that fall half way between two frames: those of the frame before and of the one after."""

SPREAD = 4
"""A kernel that doubles the resolution both ways puts a quarter of its taps on each place."""

LAST_ROWS = (-3, -1, 1, 3)
"""Rows that the taps of the last convolution stand on."""

SHARPENED = 2
"""Of two stems' estimates, of which one is what the other leaves, the shares of the squares are the sigmoid of twice
what the one's mask is made of."""


class Part(NamedTuple):
    """Features that come into a convolution: what the published one has of them is `scale * x + offset`; nothing comes
    of those that are left out."""

    scale: np.ndarray
    offset: np.ndarray
    is_kept: bool = True


def shortened(published: keras.Model, stem: str, levels: int) -> Iterator[tuple[str, Weights]]:
    """The weights of each layer of the shorter U-Net, by the layer's name.

    Args:
        published: as `unet.build` makes it.
        stem: which of its U-Nets.
        levels: of the shorter one, at most as many as the published one has.
    """
    source = _Published(published, stem)
    encoded = [source.normalised(f"normalised{level}") for level in range(1, levels)]
    encoded.append(_as_it_is(levels, source))
    for level, (scale, offset, _) in enumerate(encoded, start=1):
        kernel, bias = source.weights(f"conv{level}")
        kernel = _on_every_second_frame(kernel) if level == 1 else kernel
        yield f"conv{level}", [kernel * scale, bias * scale + offset]
    for level in reversed(range(1, levels)):
        kernel, bias = source.weights(f"up{level}")
        yield f"up{level}", _folded(kernel, bias, _merged(encoded, level, source), 1 / SPREAD)
    kernel, bias = source.weights("up0")
    kernel, bias = _folded(_between_frames(kernel), np.repeat(bias, len(ROWS)), _merged(encoded, 0, source), 1.0)
    yield "half", [np.swapaxes(kernel, 2, 3), bias]
    kernel, bias = source.weights("last")
    yield "last", _last(kernel, bias, source.normalised("up_normalised0"))


@dataclass(frozen=True)
class _Published:
    """One stem's U-Net in a published network."""

    network: keras.Model
    stem: str

    def weights(self, name: str) -> Weights:
        return [np.asarray(each) for each in self.network.get_layer(f"{self.stem}_{name}").get_weights()]

    def normalised(self, name: str) -> Part:
        gamma, beta, mean, variance = self.weights(name)
        scale = gamma / np.sqrt(variance + self.network.get_layer(f"{self.stem}_{name}").epsilon)
        return Part(scale, beta - mean * scale)


def _as_it_is(level: int, source: _Published) -> Part:
    """The coarsest level's features, which are decoded as its convolution makes them."""
    _, bias = source.weights(f"conv{level}")
    return Part(np.ones_like(bias), np.zeros_like(bias))


def _merged(encoded: Sequence[Part], level: int, source: _Published) -> list[Part]:
    """What comes into the convolution that makes a level of the decoder: the encoder's features, and those of the
    coarser level of the decoder, if there is one here or there."""
    parts = [_undone(encoded[level])]
    if level + 1 < len(encoded):
        parts.append(source.normalised(f"up_normalised{level + 1}"))
    elif source.weights(f"up{level}")[0].shape[-1] > len(encoded[level].scale):
        _, beta, *_ = source.weights(f"up_normalised{level + 1}")
        parts.append(Part(0 * beta, beta, is_kept=False))
    return parts


def _undone(part: Part) -> Part:
    return Part(1 / part.scale, -part.offset / part.scale)


def _folded(kernel: np.ndarray, bias: np.ndarray, parts: Sequence[Part], share: float) -> Weights:
    """Of a kernel `(rows, taps, filters, features)`: for features as the shorter U-Net has them."""
    ends = np.cumsum([len(part.scale) for part in parts])
    cut = np.split(kernel, ends[:-1], axis=-1)
    added = sum((each @ part.offset).sum((0, 1)) for each, part in zip(cut, parts, strict=True))
    kept = [each * part.scale for each, part in zip(cut, parts, strict=True) if part.is_kept]
    return [np.concatenate(kept, axis=-1), bias + share * added]


def _on_every_second_frame(kernel: np.ndarray) -> np.ndarray:
    """Five taps on three frames, the second and the fourth being half way between."""
    first, second, third, fourth, fifth = np.moveaxis(kernel, 1, 0)
    taps = (first + second / 2, second / 2 + third + fourth / 2, fourth / 2 + fifth)
    return np.stack(taps, axis=1)


def _between_frames(kernel: np.ndarray) -> np.ndarray:
    """`(3, 2, 2, features)`: what a kernel that doubles the resolution puts half way between two frames, on even rows
    and on odd ones."""
    missing = np.zeros_like(kernel[0, 0, 0])
    return np.stack(
        [
            [[missing if row is None else kernel[row, tap, 0] for row in (even, odd)] for tap in BETWEEN]
            for even, odd in zip(*ROWS, strict=True)
        ]
    )


def _last(kernel: np.ndarray, bias: np.ndarray, part: Part) -> Weights:
    """`(5, 4, 2, 2 * channels)`: the last convolution on rows in pairs."""
    rows, taps, _, channels = 5, *kernel.shape[1:]
    paired = np.zeros((rows, taps, 2, 2, channels), kernel.dtype)
    for tap, distance in zip(kernel, LAST_ROWS, strict=True):
        for row in (0, 1):
            pair, place = divmod(row + distance, 2)
            paired[rows // 2 + pair, :, place, row] += tap[:, 0] * part.scale
    bias = bias + kernel.sum((0, 1))[0] * part.offset
    return [SHARPENED * paired.reshape(rows, taps, 2, 2 * channels), SHARPENED * np.tile(bias, 2)]
