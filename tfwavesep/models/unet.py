"""Spleeter's network: a U-Net on magnitudes for each stem, whose estimates divide the mixture's spectrogram.

Its published weights run in it, see `release.spleeter`. There a song is cut into tiles of 512 frames with zeros around
each; here every frame has its real neighbours, so that there are no seams.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
from keras import layers, ops

from tfwavesep.errors import ConfigError, one_of, require
from tfwavesep.layers import MEAN_SQUARE, STFT, Cut, InverseSTFT, crop, magnitude, transformable
from tfwavesep.models._config import ModelConfig
from tfwavesep.models._sounding import sounding

KERNEL = 5
"""Taps of the convolutions that halve and double the resolution, along time and along frequency."""

LAST_TAPS, LAST_DILATION = 4, 2
"""Of the convolution that makes the masks."""

SILENCE = 1e-10
"""Added to the sum of squared estimates, so that silence is divided too."""

DROPPED = 3
"""Levels of the decoder that are trained with dropout, from the coarsest on."""

ACTIVATIONS = ("relu", "elu")
MASKS = ("sigmoid", "softmax")
EXTENSIONS = ("zeros", "average")

Span = tuple[int, int]
"""The first and the last frame of a tensor."""


def decoded_from(span: Span) -> Span:
    """The frames of half the resolution that a convolution which doubles it needs: it puts `KERNEL` frames, from
    `2 i - 1` on, where frame i was."""
    first, last = span
    return -((KERNEL - 2 - first) // 2), (last + 1) // 2


def encoded_from(span: Span) -> Span:
    """The frames of twice the resolution that a convolution which halves it needs: it makes frame i of `KERNEL` frames,
    from `2 i - 1` on."""
    first, last = span
    return 2 * first - 1, 2 * last + KERNEL - 2


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """Sizes of the network.

    Attributes:
        size: samples per frame of the spectrogram.
        hop: samples from one frame to the next.
        bins: how many of the lowest bins the network sees.
        filters: of the convolutions of the encoder, each of which halves the resolution in time and frequency.
        activation: "relu" (leaky in the encoder) or "elu".
        masks: "sigmoid", each stem by itself, or "softmax" over stems.
        extension: what masks the bins above `bins`: "zeros", with which they are left to the last stem, or the
            "average" of the bins below.

    Reference:
        Jansson et al. 2017, "Singing voice separation with deep U-Net convolutional networks" (ISMIR), section 2;
        Hennequin et al. 2020, "Spleeter" (JOSS 5(50) 2154), and the configurations of its release. Ours differ in what
        stands beyond the tile's ends (there zeros, here music), and in the last stem, which is what the others leave of
        the mixture: with "zeros" it has what is above `bins`, which is lost there.
    """

    size: int = 4096
    hop: int = 1024
    bins: int = 1024
    filters: tuple[int, ...] = (16, 32, 64, 128, 256, 512)
    activation: str = "relu"
    masks: str = "sigmoid"
    extension: str = "zeros"

    def __post_init__(self) -> None:
        super().__post_init__()
        for field, known in (("activation", ACTIVATIONS), ("masks", MASKS), ("extension", EXTENSIONS)):
            if getattr(self, field) not in known:
                raise ConfigError(one_of(field, getattr(self, field), known))
        require(
            len(self.filters) > 1 and min(self.filters) >= 1, "filters", self.filters, "at least two, of at least 1"
        )
        require(transformable(self.size), "size", self.size, "a multiple of 4")
        rule = f"a divisor of size = {self.size}, at most a quarter of it"
        require(self.hop >= 1 and self.size % self.hop == 0 and self.size >= 4 * self.hop, "hop", self.hop, rule)
        step = 2 ** len(self.filters)
        rule = f"a multiple of 2 ** len(filters) = {step}, at most size / 2 = {self.size // 2}"
        require(0 < self.bins <= self.size // 2 and self.bins % step == 0, "bins", self.bins, rule)
        require(self.residual is None, "residual", self.residual, "null: the estimates sum to the mixture")
        require(len(self.stems) > 1, "stems", self.stems, "at least two: what is not one of them needs a name")

    @property
    def overlap(self) -> int:
        """Frames that hold a sample."""
        return self.size // self.hop

    @property
    def block_frames(self) -> int:
        """Frames that the network moves by as a whole: one of its coarsest."""
        return 2 ** len(self.filters)

    @cached_property
    def decoded(self) -> tuple[Span, ...]:
        """What the decoder makes for one block of samples, from the finest level to the coarsest: which frames.

        Frame 0 begins a grid of frames, of pairs of frames, of pairs of these and so on. As published it stands one
        frame's length before the song. So one block's first sample is that of frame `overlap`, and is in the
        `overlap - 1` frames before it too.
        """
        around = LAST_DILATION * (LAST_TAPS - 1) // 2
        spans = [(1 - around, self.block_frames + self.overlap - 1 + around)]
        for _ in self.filters:
            spans.append(decoded_from(spans[-1]))
        return tuple(spans)

    @cached_property
    def encoded(self) -> tuple[Span, ...]:
        """What the encoder makes for that."""
        spans = [self.decoded[-1]]
        for _ in self.filters:
            spans.insert(0, encoded_from(spans[0]))
        return tuple(spans)

    @property
    def reach(self) -> tuple[int, int]:
        """Hops that are seen behind and ahead of a block."""
        first, last = self.encoded[0]
        return self.overlap - first, last - self.block_frames

    @property
    def context(self) -> int:
        """The farther of what is seen behind and ahead.

        >>> Config(sample_rate=44100, channels=2, stems=("vocals", "accompaniment")).context / 1024
        253.0
        """
        return self.hop * max(self.reach)

    @property
    def block(self) -> int:
        """Frames of the coarsest level."""
        return self.hop * self.block_frames


def build(config: Config) -> keras.Model:
    """The network as a Keras functional model.

    Shape:
        `mixture (batch, time, channels)` to `stems (batch, stems, time - context - lookahead, channels)`; the stems sum
        to the mixture's central part, because the last one is what the others leave of it.
    """
    mixture = keras.Input((None, config.channels), name="mixture")
    spectrum = STFT(config.size, config.hop, power=2, name="stft")(mixture)
    heard = Magnitudes(config.bins, config.hop, name="magnitudes")(*spectrum)
    begin, end = (max(config.reach) - hops for hops in config.reach)
    seen = Cut(begin, end, dtype="float32", name="seen")(heard)
    masks = [_unet(seen, stem, config) for stem in config.stems]
    surplus = max(config.reach) - config.overlap + 1
    divided = Divided(config.masks, config.extension, config.size // 2, name="divided")
    masks = divided(masks, crop(heard, surplus, name="heard"))
    return keras.Model(mixture, _masked(config, mixture, spectrum, masks, surplus), name="unet")


def _unet(x: Any, stem: str, config: Config) -> Any:
    """One stem's U-Net: `(batch, bins, frames, channels)` to what its masks are made of, of the same shape but for the
    frames that only served as neighbours.

    "Same" convolutions pad along frequency as published; along time what they made of zeros is cut off.
    """
    skips: list[Any] = []
    for level, filters in enumerate(config.filters, start=1):
        if skips:
            x = layers.BatchNormalization(epsilon=1e-3, name=f"{stem}_normalised{level - 1}")(x)
            x = _activation(config, f"{stem}_active{level - 1}", leaky=True)(x)
        x = layers.Conv2D(filters, KERNEL, 2, padding="same", name=f"{stem}_conv{level}")(x)
        x = Cut(1, 1, name=f"{stem}_encoded{level}")(x)
        skips.append(x)
    for level in reversed(range(len(config.filters))):
        x = _doubled(x, stem, level, config)
        if level:
            x = layers.Concatenate(name=f"{stem}_merged{level}")([_skip(skips[level - 1], stem, level, config), x])
    x = Dilated(config.channels, name=f"{stem}_last")(x)
    return crop(x, LAST_DILATION * (LAST_TAPS - 1) // 2, name=f"{stem}_whole")


def _doubled(x: Any, stem: str, level: int, config: Config) -> Any:
    """From one level of the decoder to the next finer one."""
    (first, last), (next_first, next_last) = config.decoded[level + 1], config.decoded[level]
    filters = config.filters[level - 1] if level else 1
    x = Doubling(filters, name=f"{stem}_up{level}")(x)
    x = Cut(next_first - 2 * first, 2 * last + 1 - next_last, name=f"{stem}_decoded{level}")(x)
    x = _activation(config, f"{stem}_up_active{level}", leaky=False)(x)
    x = layers.BatchNormalization(epsilon=1e-3, name=f"{stem}_up_normalised{level}")(x)
    if level >= len(config.filters) - DROPPED:
        x = layers.Dropout(0.5, name=f"{stem}_dropout{level}")(x)
    return x


def _skip(x: Any, stem: str, level: int, config: Config) -> Any:
    """The encoder's frames that the decoder has too."""
    (first, last), (kept_first, kept_last) = config.encoded[level], config.decoded[level]
    return Cut(kept_first - first, last - kept_last, name=f"{stem}_skip{level}")(x)


def _activation(config: Config, name: str, leaky: bool) -> layers.Layer:
    if config.activation == "elu":
        return layers.ELU(name=name)
    return layers.LeakyReLU(negative_slope=0.2, name=name) if leaky else layers.ReLU(name=name)


def _masked(config: Config, mixture: Any, spectrum: Sequence[Any], masks: Any, surplus: int) -> Any:
    """The mixture divided by masks on its spectrum; the last stem is what the others leave of it."""
    masked = len(config.stems) - 1
    spectra = [masks * ops.tile(crop(part, surplus), (1, masked, 1, 1)) for part in spectrum]
    return sounding(config, InverseSTFT(config.size, config.hop, power=2, name="inverse_stft"), mixture, spectra)


@keras.saving.register_keras_serializable(package="tfwavesep")
class Doubling(layers.Conv2DTranspose):
    """A "same" transposed convolution with stride 2; without `training` as two convolutions, one for the even rows of
    what comes out and one for the odd ones, which on CPUs take a quarter of the time.

    Shape:
        `(batch, rows, columns, features)` to `(batch, 2 * rows, 2 * columns, filters)`.

    Args:
        filters: features that come out.
    """

    def __init__(self, filters: int, **kwargs: Any) -> None:
        super().__init__(filters, KERNEL, 2, padding="same", **kwargs)

    def call(self, x: Any, training: bool = False) -> Any:
        if training:
            return super().call(x)
        batch, rows = ops.shape(x)[0], x.shape[1]
        even, odd = self._kernels()
        padded = ops.pad(x, [[0, 0], [1, 0], [1, 1], [0, 0]])
        by_parity = [ops.conv(padded, even, padding="valid"), ops.conv(x, odd, padding="same")]
        y = ops.concatenate([ops.reshape(part, (batch, rows, 1, -1)) for part in by_parity], axis=2)
        return ops.reshape(y, (batch, 2 * rows, -1, self.filters)) + ops.cast(self.bias, y.dtype)

    def _kernels(self) -> tuple[Any, Any]:
        """Of the rows that come out even, `(2, 3, features, 2 * filters)`, and odd, `(3, 3, features, 2 * filters)`;
        the first half of the filters makes the even columns, the second the odd ones.

        Tap 4 of the whole kernel falls on the odd place after the neighbour before, tap 3 on the even one at hand, and
        so on in pairs; there is no tap for the last even one.
        """
        features = self.kernel.shape[-1]
        taps = ops.pad(ops.flip(self.kernel, axis=(0, 1)), [[0, 1], [0, 1], [0, 0], [0, 0]])
        pairs = ops.flip(ops.reshape(taps, (3, 2, 3, 2, self.filters, features)), axis=(1, 3))
        kernels = ops.reshape(ops.transpose(pairs, (1, 0, 2, 5, 3, 4)), (2, 3, 3, features, 2 * self.filters))
        return kernels[0, :2], kernels[1]

    def get_config(self) -> dict[str, Any]:
        return _own(super().get_config())


@keras.saving.register_keras_serializable(package="tfwavesep")
class Dilated(layers.Conv2D):
    """The last convolution; without `training` with TensorFlow's own dilation, see `layers.convolve`.

    Args:
        filters: features that come out.
    """

    def __init__(self, filters: int, **kwargs: Any) -> None:
        super().__init__(filters, LAST_TAPS, padding="same", dilation_rate=LAST_DILATION, **kwargs)

    def call(self, x: Any, training: bool = False) -> Any:
        if training or keras.backend.backend() != "tensorflow":
            return super().call(x)
        import tensorflow as tf

        y = tf.nn.conv2d(x, ops.cast(self.kernel, x.dtype), 1, "SAME", dilations=LAST_DILATION)
        return y + ops.cast(self.bias, y.dtype)

    def get_config(self) -> dict[str, Any]:
        return _own(super().get_config())


def _own(config: dict[str, Any]) -> dict[str, Any]:
    """What is left to choose of a convolution whose sizes are fixed."""
    return {name: config[name] for name in ("name", "trainable", "dtype", "filters")}


@keras.saving.register_keras_serializable(package="tfwavesep")
class Magnitudes(layers.Layer):
    """The magnitudes that a Hann window of height 1 gives, of the lowest bins.

    Shape:
        real and imaginary part, each `(batch, channels, frames, size / 2)`, to `(batch, bins, frames, channels)`.

    Args:
        bins: how many.
        hop: of the spectrogram, whose window is scaled so that applied twice its overlapping frames sum to 1.
    """

    def __init__(self, bins: int, hop: int, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.bins = bins
        self.hop = hop

    def call(self, real: Any, imaginary: Any) -> Any:
        overlap = 2 * real.shape[-1] // self.hop
        heard = (overlap * MEAN_SQUARE[2]) ** 0.5 * magnitude(real[..., : self.bins], imaginary[..., : self.bins])
        return ops.transpose(heard, (0, 3, 2, 1))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"bins": self.bins, "hop": self.hop}


@keras.saving.register_keras_serializable(package="tfwavesep")
class Divided(layers.Layer):
    """Each stem's share of the squares of all stems' estimates; the last stem's is not worked out.

    Shape:
        for each stem `(batch, bins, frames, channels)` of what its masks are made of, and magnitudes of the same shape,
        to `(batch, (stems - 1) * channels, frames, size / 2)`, in 0..1.

    Args:
        masks: see `Config`.
        extension: see `Config`.
        bins: of the spectrogram.
    """

    def __init__(self, masks: str, extension: str, bins: int, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.masks = masks
        self.extension = extension
        self.bins = bins

    def call(self, stems: list[Any], magnitudes: Any) -> Any:
        powers = [ops.square(mask * magnitudes) for mask in self._masks(stems)]
        total = sum(powers) + SILENCE
        shares = ops.concatenate([(power + SILENCE / len(stems)) / total for power in powers[:-1]], axis=-1)
        shares = ops.transpose(shares, (0, 3, 2, 1))
        missing = self.bins - magnitudes.shape[1]
        if not missing:
            return shares
        above = ops.mean(shares, axis=-1, keepdims=True) if self.extension == "average" else 0 * shares[..., :1]
        return ops.concatenate([shares, ops.tile(above, (1, 1, 1, missing))], axis=-1)

    def _masks(self, stems: list[Any]) -> list[Any]:
        if self.masks == "sigmoid":
            return [ops.sigmoid(stem) for stem in stems]
        highest = stems[0]
        for stem in stems[1:]:
            highest = ops.maximum(highest, stem)
        exponentials = [ops.exp(stem - highest) for stem in stems]
        total = sum(exponentials)
        return [exponential / total for exponential in exponentials]

    def compute_output_shape(self, stems_shape: Any, magnitudes_shape: Any) -> Any:
        batch, _, frames, channels = magnitudes_shape
        return batch, (len(stems_shape) - 1) * channels, frames, self.bins

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"masks": self.masks, "extension": self.extension, "bins": self.bins}
