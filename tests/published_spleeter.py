"""Spleeter's published procedure, written plainly: a song in tiles, each with zeros around it."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfwavesep.models.unet import Config

Variables = Mapping[str, np.ndarray]


def variables(config: Config, seed: int = 0) -> dict[str, np.ndarray]:
    """Weights by the names of the published checkpoints, of a size that makes masks differ."""
    noise = np.random.default_rng(seed)

    def kernel(name: str, *shape: int, inputs: int) -> Iterator[tuple[str, np.ndarray]]:
        yield f"{name}/kernel", (noise.standard_normal(shape) * (2 / inputs / shape[0] / shape[1]) ** 0.5)
        yield f"{name}/bias", 0.1 * noise.standard_normal(shape[2] if "transpose" in name else shape[3])

    def normalisation(name: str, filters: int) -> Iterator[tuple[str, np.ndarray]]:
        for variable, least in (("gamma", 0.5), ("beta", -0.5), ("moving_mean", -0.5), ("moving_variance", 0.5)):
            yield f"{name}/{variable}", least + noise.random(filters)

    made: dict[str, np.ndarray] = {}
    for stem in range(len(config.stems)):
        names = _Names(stem, len(config.filters))
        ahead = config.channels
        for filters in config.filters:
            made |= kernel(names("conv2d"), 5, 5, ahead, filters, inputs=ahead)
            made |= normalisation(names("batch_normalization"), filters)
            ahead = filters
        for filters in (*config.filters[-2::-1], 1):
            made |= kernel(names("conv2d_transpose"), 5, 5, filters, ahead, inputs=ahead)
            made |= normalisation(names("batch_normalization"), filters)
            ahead = 2 * filters
        made |= kernel(names("conv2d"), 4, 4, 1, config.channels, inputs=1)
    return {name: np.float32(value) for name, value in made.items()}


def music(length: int, channels: int) -> np.ndarray:
    """Noise with nothing at the Nyquist frequency, which our transform leaves out."""
    noise = np.random.default_rng(3).standard_normal((length + 8, channels))
    for _ in range(4):
        noise = (noise[:-2] + 2 * noise[1:-1] + noise[2:]) / 4
    return 0.3 * noise.astype(np.float32)


class _Names:
    """Names of one stem's layers: those of each kind are counted over all stems."""

    def __init__(self, stem: int, levels: int) -> None:
        self._next = {
            "conv2d": stem * (levels + 1),
            "conv2d_transpose": stem * levels,
            "batch_normalization": stem * 2 * levels,
        }

    def __call__(self, kind: str) -> str:
        number = self._next[kind]
        self._next[kind] += 1
        return f"{kind}_{number}" if number else kind


def separate(mixture: np.ndarray, weights: Variables, config: Config, tile: int) -> np.ndarray:
    """The published stems `(stems, time, channels)` of a mixture `(time, channels)`.

    Args:
        mixture: the whole song.
        weights: as `variables` makes them.
        config: of the network.
        tile: frames that go through the network together.
    """
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(config.size) / config.size)
    count = -(-(len(mixture) + config.size) // config.hop)
    count = -(-count // tile) * tile
    padded = np.zeros((count * config.hop + config.size, config.channels))
    padded[config.size : config.size + len(mixture)] = mixture
    places = np.arange(count)[:, np.newaxis] * config.hop + np.arange(config.size)
    spectrum = np.fft.rfft(padded[places] * window[:, np.newaxis], axis=1)
    masks = np.concatenate(
        [_masks(np.abs(part), weights, config) for part in np.split(spectrum, count // tile)], axis=1
    )
    stems = np.zeros((len(config.stems), *padded.shape))
    frames = np.fft.irfft(masks * spectrum, axis=2) * window[:, np.newaxis] * 2 / 3
    for frame in range(count):
        stems[:, frame * config.hop : frame * config.hop + config.size] += frames[:, frame]
    return stems[:, config.size : config.size + len(mixture)]


def _masks(magnitudes: np.ndarray, weights: Variables, config: Config) -> np.ndarray:
    """`(frames, all bins, channels)` to `(stems, frames, all bins, channels)`."""
    seen = magnitudes[:, : config.bins]
    logits = np.stack([_unet(np.float32(seen), weights, stem, config) for stem in range(len(config.stems))])
    exponentials = np.exp(logits)
    others = exponentials.sum(axis=0) - exponentials if config.masks == "softmax" else 1
    shares = exponentials / (exponentials + others)
    powers = (shares * seen) ** 2
    masks = (powers + 1e-10 / len(powers)) / (powers.sum(axis=0) + 1e-10)
    missing = ((0, 0), (0, 0), (0, magnitudes.shape[1] - config.bins), (0, 0))
    if config.extension == "zeros":
        return np.pad(masks, missing)
    return np.pad(masks, missing, mode="mean")


def _unet(seen: np.ndarray, weights: Variables, stem: int, config: Config) -> np.ndarray:
    names = _Names(stem, len(config.filters))

    def normalised(x: Any) -> Any:
        gamma, beta, mean, variance = (weights[f"{name}/{kind}"] for kind in
            ("gamma", "beta", "moving_mean", "moving_variance"))  # fmt: skip
        return gamma * (x - mean) / np.sqrt(variance + 1e-3) + beta

    def encoder_activation(x: Any) -> Any:
        return tf.nn.elu(x) if config.activation == "elu" else tf.nn.leaky_relu(x, 0.2)

    def decoder_activation(x: Any) -> Any:
        return tf.nn.elu(x) if config.activation == "elu" else tf.nn.relu(x)

    x, skips = seen[np.newaxis], []
    for _ in config.filters:
        layer, name = names("conv2d"), names("batch_normalization")
        skips.append(tf.nn.conv2d(x, weights[f"{layer}/kernel"], 2, "SAME") + weights[f"{layer}/bias"])
        x = encoder_activation(normalised(skips[-1]))
    x = skips.pop()
    for _ in config.filters:
        layer, name = names("conv2d_transpose"), names("batch_normalization")
        kernel = weights[f"{layer}/kernel"]
        shape = (1, 2 * x.shape[1], 2 * x.shape[2], kernel.shape[2])
        x = tf.nn.conv2d_transpose(x, kernel, shape, 2, "SAME") + weights[f"{layer}/bias"]
        x = normalised(decoder_activation(x))
        x = tf.concat([skips.pop(), x], axis=-1) if skips else x
    layer = names("conv2d")
    x = tf.nn.convolution(x, weights[f"{layer}/kernel"], padding="SAME", dilations=2) + weights[f"{layer}/bias"]
    return np.asarray(x)[0].astype(np.float64)
