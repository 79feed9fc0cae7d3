"""A U-Net and a WaveNet on one spectrogram: the U-Net takes the voice out, the WaveNet divides what is left by bands.

Far-reaching convolutions on magnitudes tell a voice from instruments better than anything else here, and instruments
are told apart best where no voice is. As a cascade of two networks the music would go through two Fourier transforms
and back twice. Here both networks see frames of the same one: what is left of a frame's bins behind the first mask is
what the second one looks at.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
from keras import layers, ops

from tfwavesep.errors import require
from tfwavesep.layers import STFT, Cut, FrameByFrame, InverseSTFT, crop
from tfwavesep.models import ModelConfig, banded_wavenet, cascade, ensemble, unet
from tfwavesep.models._shortened import shortened
from tfwavesep.models._sounding import sounding
from tfwavesep.models._weights import take_over
from tfwavesep.models.banded_wavenet import BandLevels, Masking, shares_of
from tfwavesep.models.unet import KERNEL, Doubling, Magnitudes, Span, decoded_from, encoded_from

FIRST_TAPS = 3
"""Frames that the U-Net's first convolution spans; it halves the resolution in frequency alone."""

HALF_TAPS = 2
"""Frames that its last but one spans: it stands half a frame later."""

LAST_ROWS, LAST_TAPS = 5, 4
"""Of the convolution that makes its masks: pairs of bins, and frames."""

PUBLISHED_HOPS = 2
"""Of the network whose weights it can begin with, in one hop here."""

PAIR = 2
"""Bins in a row of the U-Net's finest level."""


@dataclass(frozen=True, kw_only=True)
class Config(banded_wavenet.Config):
    """Sizes of both networks. The first stem is the voice.

    Attributes:
        bins: how many of the lowest bins the U-Net sees; what it makes of those above is the mean of its mask.
        levels: filters of the U-Net's convolutions, from the finest level to the coarsest: each halves the resolution
            in frequency, all but the first in time too.

    Reference:
        U-Net: Jansson et al. 2017, "Singing voice separation with deep U-Net convolutional networks" (ISMIR), section
        2, with the sizes of Hennequin et al. 2020 ("Spleeter", JOSS 5(50) 2154) but for these: four levels instead of
        six; frames twice as far apart, which the first level leaves as they are; no batch normalisation, which at
        inference is but a scale and an offset; one mask, between 0 and 1, instead of a ratio of two stems' estimates.
        WaveNet: see `banded_wavenet.Config`.
    """

    bins: int = 1024
    levels: tuple[int, ...] = (16, 32, 64, 128)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(len(self.levels) > 1 and min(self.levels) >= 1, "levels", self.levels, "at least two, of at least 1")
        step = 2 ** len(self.levels)
        rule = f"a multiple of 2 ** len(levels) = {step}, at most size / 2 = {self.size // 2}"
        require(0 < self.bins <= self.size // 2 and self.bins % step == 0, "bins", self.bins, rule)

    @property
    def block_frames(self) -> int:
        """Frames that the U-Net moves by as a whole: one of its coarsest."""
        return 2 ** (len(self.levels) - 1)

    @property
    def block_end(self) -> int:
        """The last frame that holds a sample of a block; frame 0 is the first."""
        return self.block_frames + self.size // self.hop - 2

    @cached_property
    def decoded(self) -> tuple[Span, ...]:
        """What the decoder makes for the WaveNet to see what it needs for one block, from the finest level to the
        coarsest: which frames."""
        before, after = LAST_TAPS // 2 - 1 + HALF_TAPS - 1, LAST_TAPS // 2
        spans = [(-self.edges[0] - before, self.block_end + self.edges[1] + after)]
        for _ in self.levels[1:]:
            spans.append(decoded_from(spans[-1]))
        return tuple(spans)

    @cached_property
    def encoded(self) -> tuple[Span, ...]:
        """What the encoder makes for that, after the frames themselves."""
        spans = [self.decoded[-1]]
        for _ in self.levels[1:]:
            spans.insert(0, encoded_from(spans[0]))
        first, last = spans[0]
        return ((first - FIRST_TAPS // 2, last + FIRST_TAPS // 2), *spans)

    @property
    def heard(self) -> tuple[int, int]:
        """Frames that the U-Net sees before and after those that the WaveNet sees."""
        first, last = self.encoded[0]
        return -first - self.edges[0], last - self.block_end - self.edges[1]

    @property
    def context(self) -> int:
        """What both Fourier transforms take, and the U-Net for what the WaveNet sees."""
        return self.size - self.hop - self.hop * self.encoded[0][0]

    @property
    def lookahead(self) -> int:
        """Likewise."""
        return self.size - self.hop + self.hop * (self.encoded[0][1] - self.block_end)

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
    spectrum = STFT(config.size, config.hop, name="stft")(mixture)
    heard = Magnitudes(config.bins, config.hop, name="magnitudes")(*spectrum)
    left = VoiceLeft(config.size // 2, name="voice_left")(_unet(heard, config))
    seen = [crop(part, config.heard) for part in spectrum]
    rest = [layers.Multiply(dtype="float32", name=f"rest_{number}")([left, part]) for number, part in enumerate(seen)]
    shares = shares_of(BandLevels(config.bands, config.groups, name="levels")(*rest), config)
    whole, rest = ([crop(part, config.edges) for part in parts] for parts in (seen, rest))
    masked = Masking(config.bands, config.groups, name="masking")(shares, *rest)
    spectra = [_with_voice(*parts) for parts in zip(whole, rest, masked, strict=True)]
    inverse = InverseSTFT(config.size, config.hop, name="inverse_stft")
    return keras.Model(mixture, sounding(config, inverse, mixture, spectra), name="unet_wavenet")


def begin(network: keras.Model, config: Config, other: keras.Model, other_config: ModelConfig) -> list[str]:
    """See `models.begin`. Beside its like this network can begin with a cascade of a U-Net, of which it takes the first
    stem's if it can be shortened, and of a WaveNet on bands, or an ensemble of them, of which it takes the first."""
    if not isinstance(other_config, cascade.Config):
        return take_over(network, other)
    first, second = other_config.parts_in_order
    wavenet = other.get_layer("second")
    if isinstance(second, ensemble.Config):
        wavenet = ensemble.networks(second, wavenet)[0]
    missing = set(take_over(network, wavenet))
    if not _can_be_shortened(first, config):
        return sorted(missing)
    for name, weights in shortened(other.get_layer("first"), first.stems[0], len(config.levels)):
        layer = network.get_layer(name)
        if [each.shape for each in weights] == [tuple(each.shape) for each in layer.weights]:
            layer.set_weights(weights)
            missing -= {each.path for each in layer.weights}
    return sorted(missing)


def _can_be_shortened(other: ModelConfig, config: Config) -> bool:
    """Whether weights of its U-Nets mean the same here: on every second of its frames, in as many levels at least."""
    return (
        isinstance(other, unet.Config)
        and len(other.filters) >= len(config.levels)
        and (other.size, PUBLISHED_HOPS * other.hop) == (config.size, config.hop)
        and other.activation == "relu"
    )


def _with_voice(whole: Any, rest: Any, masked: Any) -> Any:
    """Masked spectra of the rest; to those of the first stem what the rest lacks of the whole is added."""
    channels = whole.shape[1]
    return ops.concatenate([whole - rest + masked[:, :channels], masked[:, channels:]], axis=1)


def _unet(magnitudes: Any, config: Config) -> Any:
    """`(batch, bins, frames, channels)` to what the mask is made of: `(batch, bins / 2, frames, 2 * channels)`, bins in
    pairs.

    "Same" convolutions pad along frequency; along time what they made of zeros is cut off.
    """
    x = _decode(_encode(magnitudes, config), config)
    x = layers.Conv2D(PAIR, (3, HALF_TAPS), padding="same", activation="relu", name="half")(x)
    x = Cut(0, HALF_TAPS - 1, name="half_whole")(x)
    x = layers.Conv2D(PAIR * config.channels, (LAST_ROWS, LAST_TAPS), padding="same", name="last")(x)
    return Cut(LAST_TAPS // 2 - 1, LAST_TAPS // 2, name="last_whole")(x)


def _encode(x: Any, config: Config) -> list[Any]:
    """What each level makes of magnitudes, from the finest to the coarsest."""
    levels: list[Any] = []
    for level, filters in enumerate(config.levels, start=1):
        if levels:
            x = layers.LeakyReLU(negative_slope=0.2, name=f"active{level - 1}")(x)
        taps, strides = (KERNEL, 2) if levels else (FIRST_TAPS, (2, 1))
        x = layers.Conv2D(filters, (KERNEL, taps), strides, padding="same", name=f"conv{level}")(x)
        x = Cut(1, 1, name=f"encoded{level}")(x)
        levels.append(x)
    return levels


def _decode(levels: list[Any], config: Config) -> Any:
    """What the coarsest level makes with each finer one, down to the finest, where both are side by side."""
    x = levels[-1]
    for level in reversed(range(1, len(levels))):
        (first, last), (finer_first, finer_last) = config.decoded[level], config.decoded[level - 1]
        x = Doubling(config.levels[level - 1], name=f"up{level}")(x)
        x = Cut(finer_first - 2 * first, 2 * last + 1 - finer_last, name=f"decoded{level}")(x)
        x = layers.ReLU(name=f"up_active{level}")(x)
        (first, last) = config.encoded[level]
        skip = Cut(finer_first - first, last - finer_last, name=f"skip{level}")(levels[level - 1])
        x = layers.Concatenate(name=f"merged{level}")([skip, x])
    return x


@keras.saving.register_keras_serializable(package="tfwavesep")
class VoiceLeft(FrameByFrame):
    """What each bin keeps when the voice is taken out, in 0..1; above the bins that are known, the mean over these.

    Shape:
        `(batch, known bins / 2, frames, 2 * channels)`, bins in pairs, the more the more voice, to
        `(batch, channels, frames, bins)`.

    Args:
        bins: of the spectrogram.
    """

    def __init__(self, bins: int, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.bins = bins

    def call(self, x: Any) -> Any:
        batch, rows, frames, features = ops.shape(x)
        x = ops.reshape(ops.sigmoid(-x), (batch, rows, frames, PAIR, features // PAIR))
        left = ops.reshape(ops.transpose(x, (0, 4, 2, 1, 3)), (batch, features // PAIR, frames, PAIR * rows))
        missing = self.bins - PAIR * rows
        above = ops.tile(ops.mean(left, axis=-1, keepdims=True), (1, 1, 1, missing))
        return ops.concatenate([left, above], axis=-1) if missing else left

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"bins": self.bins}
