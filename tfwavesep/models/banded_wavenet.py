"""A WaveNet on the bands of a spectrogram: the paper's gated blocks between a Fourier transform and its inverse.

With minutes of music to learn from, a network does better if it need not learn first what a tone is. Here the
waveform is seen as a spectrogram, its bins gathered to bands that widen with frequency as those of hearing do. The
gated blocks run along time over all bands with the same kernels, which also reach to neighbouring bands. What they put
out are masks, one for each stem, channel and group of bins, which divide the mixture's spectrogram among the stems.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from tfwavesep.errors import require
from tfwavesep.layers import STFT, FrameByFrame, InverseSTFT, convolve, crop, gated_stacks, transformable
from tfwavesep.models._config import ModelConfig
from tfwavesep.models._sounding import sounding

Bands = Sequence[Sequence[int]]
"""From the lowest bin up: (how many bands, how many bins each of a band's groups has)."""


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """Sizes of the network.

    Attributes:
        size: samples per frame of the spectrogram.
        hop: samples from one frame to the next.
        groups: groups of neighbouring bins in each band; one group has one level and one mask.
        bands: from the lowest bin up, (how many bands, how many bins each of their groups has); together they hold
            `size / 2` bins.
        filters: channels of the residual and the skip branches.
        stacks: how often the row of dilations restarts.
        dilations: dilated convolutions per stack, with dilations 1, 2, 4, ... frames.
        reach: bands that a kernel spans, odd.
        mixing: units through which every band sees all others between two blocks.
        ahead: frames that the dilated convolutions look ahead, all together; None for as many as they look behind.
            What they see remains as long: the less ahead, the more behind.

    Reference:
        Blocks: Lluís, Pons & Serra 2018 (arXiv 1810.12187), section 2. Bands that widen with frequency, each with a
        dense layer of its own before and after what they share: Luo & Yu 2023 (Band-Split RNN, arXiv 2209.15174),
        section III; ours sees levels, not phases, and has convolutions where theirs has recurrences, so that the
        context is finite. Mixing along frequency: Choi et al. 2020 (arXiv 1912.02591), section 3.2.
    """

    size: int = 2048
    hop: int = 1024
    groups: int = 8
    bands: tuple[tuple[int, int], ...] = ((24, 1), (20, 2), (12, 4), (1, 16))
    filters: int = 48
    stacks: int = 2
    dilations: int = 4
    reach: int = 3
    mixing: int = 16
    ahead: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in ("hop", "groups", "filters", "stacks", "dilations", "mixing"):
            require(getattr(self, field) >= 1, field, getattr(self, field), "at least 1")
        require(self.dilations <= 16, "dilations", self.dilations, "at most 16 per stack")
        require(self.reach >= 1 and self.reach % 2 == 1, "reach", self.reach, "an odd number of bands")
        require(
            self.ahead is None or 0 <= self.ahead <= sum(self.schedule),
            "ahead",
            self.ahead,
            f"from 0 to {sum(self.schedule)} frames, which are half of what the dilated convolutions see, or null",
        )
        require(transformable(self.size), "size", self.size, "a multiple of 4")
        require(
            self.size % self.hop == 0 and self.size > self.hop,
            "hop",
            self.hop,
            f"a divisor of size = {self.size}, at most half of it",
        )
        self._check_bands()
        require(self.residual is None, "residual", self.residual, "null: the estimates sum to the mixture")
        require(len(self.stems) > 1, "stems", self.stems, "at least two: what is not one of them needs a name")

    def _check_bands(self) -> None:
        pairs = all(len(band) == 2 and min(band) >= 1 for band in self.bands)
        require(bool(self.bands) and pairs, "bands", self.bands, "pairs (how many bands, bins per group)")
        bins = self.groups * sum(count * width for count, width in self.bands)
        require(
            bins == self.size // 2,
            "bands",
            self.bands,
            f"must hold size / 2 = {self.size // 2} bins; with groups = {self.groups} these hold {bins}",
        )

    @property
    def schedule(self) -> list[int]:
        """The dilation of each residual block, in frames, in order."""
        return [2**power for power in range(self.dilations)] * self.stacks

    @property
    def edges(self) -> tuple[int, int]:
        """Frames that the dilated convolutions take from the beginning and from the end."""
        ahead = sum(self.schedule) if self.ahead is None else self.ahead
        return 2 * sum(self.schedule) - ahead, ahead

    @property
    def context(self) -> int:
        """What both Fourier transforms take from each end, and the dilations."""
        return self.size - self.hop + self.hop * self.edges[0]

    @property
    def lookahead(self) -> int:
        """Likewise."""
        return self.size - self.hop + self.hop * self.edges[1]

    @property
    def block(self) -> int:
        """Whole frames."""
        return self.hop


def build(config: Config) -> keras.Model:
    """The network as a Keras functional model.

    Shape:
        `mixture (batch, time, channels)` to `stems (batch, stems, time - context - lookahead, channels)`; the stems sum
        to the mixture's central part, because the last one is what the others leave of it.
    """
    mixture = keras.Input((None, config.channels), name="mixture")
    spectrum = STFT(config.size, config.hop, name="stft")(mixture)
    x = BandLevels(config.bands, config.groups, name="levels")(*spectrum)
    shares = shares_of(x, config)
    return keras.Model(mixture, _divided(config, mixture, spectrum, shares), name="banded_wavenet")


def shares_of(levels: Any, config: Config) -> Any:
    """The WaveNet itself.

    Shape:
        levels, see `BandLevels`, to shares, see `StemShares`, of the frames that `config.edges` leave.
    """
    x = PerBand(config.filters, name="encoder")(levels)
    x = gated_stacks(
        x,
        config.filters,
        config.schedule,
        margin=0,
        height=config.reach,
        between=lambda: BandMixing(config.mixing),
        ahead=config.ahead,
    )
    x = layers.ReLU(name="skip_relu")(x)
    x = PerBand(len(config.stems) * config.channels * config.groups, name="decoder")(x)
    return StemShares(config.groups, len(config.stems), name="shares")(x)


def mean(config: Config, networks: Sequence[keras.Model]) -> keras.Model:
    """Several networks as one with the mean of their masks, and so of their stems, since stems are linear in masks: one
    Fourier transform and one inverse serve them all.

    Args:
        config: of each of them.
        networks: as `build` makes them; the one shares their weights.
    """
    mixture = keras.Input((None, config.channels), name="mixture")
    spectrum = STFT(config.size, config.hop, name="stft")(mixture)
    levels = BandLevels(config.bands, config.groups, name="levels")(*spectrum)
    estimators = [
        keras.Model(network.get_layer("levels").output, network.get_layer("shares").output, name=f"network_{number}")
        for number, network in enumerate(networks)
    ]
    shares = layers.Average(dtype="float32", name="shares")([estimator(levels) for estimator in estimators])
    return keras.Model(mixture, _divided(config, mixture, spectrum, shares), name="banded_wavenets")


def _divided(config: Config, mixture: Any, spectrum: Sequence[Any], shares: Any) -> Any:
    """The mixture's spectrum divided by the shares of its groups of bins; the last stem is what the others leave."""
    centres = [crop(part, config.edges) for part in spectrum]
    spectra = Masking(config.bands, config.groups, name="masking")(shares, *centres)
    return sounding(config, InverseSTFT(config.size, config.hop, name="inverse_stft"), mixture, spectra)


def _split_bins(x: Any, bands: Bands, groups: int, by_group: bool) -> list[Any]:
    """Cut the last axis, bins or groups of bins, where the width of the groups changes."""
    lengths = [count * groups * (1 if by_group else width) for count, width in bands]
    parts: list[Any] = ops.split(x, list(accumulate(lengths))[:-1], axis=-1)
    return parts


@keras.saving.register_keras_serializable(package="tfwavesep")
class BandLevels(FrameByFrame):
    """Levels of the groups of bins: the logarithm of their mean power, of each channel and, in stereo, of the channels'
    sum and difference, which tell where in the panorama something is.

    Shape:
        real and imaginary part `(batch, channels, frames, bins)` to `(batch, bands, frames, views * groups)`, views
        being 1 in mono and 4 in stereo.

    Args:
        bands: see `Config`.
        groups: per band.
    """

    FLOOR = 1e-4
    """Power added to all, so that silence has a level: 31 dB above that of 16-bit rounding noise."""

    def __init__(self, bands: Bands, groups: int, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.bands = bands
        self.groups = groups

    def call(self, real: Any, imaginary: Any) -> Any:
        power = _power(real, imaginary)
        batch, views, _, bins = ops.shape(power)
        parts = _split_bins(ops.reshape(power, (-1, bins)), self.bands, self.groups, by_group=False)
        means = [
            _by_band(part, np.kron(np.eye(self.groups), np.full((width, 1), 1 / width))) if width > 1 else part
            for part, (_, width) in zip(parts, self.bands, strict=True)
        ]
        num_bands = sum(count for count, _ in self.bands)
        means = ops.reshape(ops.concatenate(means, axis=-1), (batch, views, -1, num_bands * self.groups))
        levels = ops.log(means * _shares_of_power(views) + self.FLOOR) / 4
        levels = ops.reshape(levels, (batch, views, -1, num_bands, self.groups))
        levels = ops.transpose(levels, (0, 3, 2, 1, 4))
        return ops.reshape(levels, (batch, num_bands, -1, views * self.groups))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"bands": self.bands, "groups": self.groups}


def _power(real: Any, imaginary: Any) -> Any:
    """Of each channel and, in stereo, of their sum and their difference."""
    power = ops.square(real) + ops.square(imaginary)
    if real.shape[1] == 1:
        return power
    (left, right), (turned_left, turned_right) = (ops.split(part, 2, axis=1) for part in (real, imaginary))
    middle = ops.square(left + right) + ops.square(turned_left + turned_right)
    sides = ops.square(left - right) + ops.square(turned_left - turned_right)
    return ops.concatenate([power, middle, sides], axis=1)


def _shares_of_power(views: int) -> np.ndarray:
    """Half of the sum's and of the difference's: so they have the power of both channels together."""
    return np.array([1.0] if views == 1 else [1.0, 1.0, 0.5, 0.5], np.float32).reshape(-1, 1, 1)


def _by_band(x: Any, matrix: np.ndarray) -> Any:
    """Every band's features times a matrix: `(rows, bands * features)` to `(rows, bands * units)`. A product, since
    runtimes are slow at means of a few numbers and at repeating single ones."""
    features, units = matrix.shape
    y = ops.matmul(ops.reshape(x, (-1, features)), matrix.astype(np.float32))
    return ops.reshape(y, (-1, x.shape[-1] // features * units))


@keras.saving.register_keras_serializable(package="tfwavesep")
class PerBand(FrameByFrame):
    """A dense layer for each band.

    Shape:
        `(batch, bands, frames, features)` to `(batch, bands, frames, units)`.

    Args:
        units: features that come out.
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape: Any) -> None:
        _, bands, _, features = input_shape
        # Glorot's rule counts a leading axis as a width of the kernel; here it is a number of kernels.
        glorot = keras.initializers.VarianceScaling(bands, "fan_avg", "uniform")
        self.kernel = self.add_weight(shape=(bands, features, self.units), initializer=glorot, name="kernel")
        self.bias = self.add_weight(shape=(bands, 1, self.units), initializer="zeros", name="bias")

    def call(self, x: Any) -> Any:
        return ops.matmul(x, self.kernel) + self.bias

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"units": self.units}


@keras.saving.register_keras_serializable(package="tfwavesep")
class BandMixing(FrameByFrame):
    """Adds to every band what a small network makes of all bands, for each frame and feature alike.

    Shape:
        `(batch, bands, frames, features)` in and out.

    Args:
        units: of the hidden layer.
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape: Any) -> None:
        bands = input_shape[1]
        self.down = self.add_weight(shape=(bands, self.units), initializer="glorot_uniform", name="down")
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")
        self.up = self.add_weight(shape=(self.units, bands), initializer="glorot_uniform", name="up")

    def call(self, x: Any) -> Any:
        hidden = ops.relu(convolve(ops.transpose(x, (0, 2, 3, 1)), self.down[None, None]) + self.bias)
        return x + ops.transpose(convolve(hidden, self.up[None, None]), (0, 3, 1, 2))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"units": self.units}


@keras.saving.register_keras_serializable(package="tfwavesep")
class StemShares(FrameByFrame):
    """Shares of the mixture that the stems have in each group of bins: positive, and 1 together.

    Shape:
        `(batch, bands, frames, stems * channels * groups)` to `(batch, (stems - 1) * channels, frames,
        bands * groups)`: the last stem's share is what the others leave.

    Args:
        groups: per band.
        stems: how many share.
    """

    def __init__(self, groups: int, stems: int, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.groups = groups
        self.stems = stems

    def call(self, x: Any) -> Any:
        batch, num_bands, features = ops.shape(x)[0], x.shape[1], x.shape[3]
        masks = features // self.groups
        x = ops.reshape(x, (batch, num_bands, -1, masks, self.groups))
        x = ops.transpose(x, (0, 3, 2, 1, 4))
        x = ops.reshape(x, (batch, self.stems, -1, num_bands * self.groups))
        # A softmax over stems; as such runtimes would put these last and take them one by one.
        parts = ops.exp(x - ops.stop_gradient(ops.max(x, axis=1, keepdims=True)))
        shares = parts[:, :-1] / ops.sum(parts, axis=1, keepdims=True)
        return ops.reshape(shares, (batch, masks // self.stems * (self.stems - 1), -1, num_bands * self.groups))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"groups": self.groups, "stems": self.stems}


@keras.saving.register_keras_serializable(package="tfwavesep")
class Masking(FrameByFrame):
    """Divides a spectrogram by the shares that stems have in its groups of bins.

    Shape:
        shares `(batch, stems * channels, frames, bands * groups)`, real and imaginary part
        `(batch, channels, frames, bins)`, to real and imaginary part `(batch, stems * channels, frames, bins)`.

    Args:
        bands: see `Config`.
        groups: per band.
    """

    def __init__(self, bands: Bands, groups: int, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.bands = bands
        self.groups = groups

    def call(self, shares: Any, real: Any, imaginary: Any) -> tuple[Any, Any]:
        batch, channels, _, bins = ops.shape(real)
        masks = shares.shape[1]
        spread = ops.reshape(_spread(shares, self.bands, self.groups), (batch, masks // channels, -1, bins))
        parts = [ops.reshape(part, (batch, 1, -1, bins)) for part in (real, imaginary)]
        masked_real, masked_imaginary = (ops.reshape(spread * part, (batch, masks, -1, bins)) for part in parts)
        return masked_real, masked_imaginary

    def compute_output_shape(self, shares_shape: Any, real_shape: Any, imaginary_shape: Any) -> Any:
        spectrum = (*shares_shape[:3], real_shape[3])
        return spectrum, spectrum

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"bands": self.bands, "groups": self.groups}


def _spread(shares: Any, bands: Bands, groups: int) -> Any:
    """Each group's share to each of its bins: `(..., bands * groups)` to `(rows, bins)`."""
    parts = _split_bins(ops.reshape(shares, (-1, shares.shape[-1])), bands, groups, by_group=True)
    spread = [
        _by_band(part, np.kron(np.eye(groups), np.ones((1, width)))) if width > 1 else part
        for part, (_, width) in zip(parts, bands, strict=True)
    ]
    return ops.concatenate(spread, axis=-1)


@keras.saving.register_keras_serializable(package="tfwavesep")
class StemMasks(StemShares):
    """What `StemShares` gives, spread to bins: in networks that were written before `Masking` was.

    Args:
        bands: see `Config`.
        groups: per band.
        stems: how many share.
    """

    def __init__(self, bands: Bands, groups: int, stems: int, **kwargs: Any) -> None:
        super().__init__(groups, stems, **kwargs)
        self.bands = bands

    def call(self, x: Any) -> Any:
        shares = super().call(x)
        batch, masks, _, _ = ops.shape(shares)
        return ops.reshape(_spread(shares, self.bands, self.groups), (batch, masks, -1, self._bins))

    @property
    def _bins(self) -> int:
        return self.groups * sum(count * width for count, width in self.bands)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"bands": self.bands}
