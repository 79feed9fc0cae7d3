"""DeepConvSep: a convolutional encoder and decoder on spectrograms, with ratio masks on the mixture's."""

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers, ops

from tfwavesep.errors import require
from tfwavesep.layers import STFT, InverseSTFT, convolve, crop, cut, magnitude, share_what_is_missing
from tfwavesep.models._config import ModelConfig

SCALE = 0.3
"""What magnitudes are multiplied with, after division by the root of the window."""

SILENCE = 1e-6
"""Added to each stem's magnitude in the masks; where all are silent, each stem gets an equal share. In the released
code it is random and up to 1e-8: less than what float32 rounds, so that two runtimes would disagree on such masks."""


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """Sizes of the network; the defaults are the paper's.

    Attributes:
        window: samples per frame of the spectrogram; frames overlap by half.
        filters: of both convolutions.
        taps: frames that the second convolution spans.
        bottleneck: units that all decoders start from.
        patch_frames: frames that the network looks at together.
        patch_hop: frames from one patch to the next.

    Reference:
        Chandna, Miron, Janer & Gómez 2017 (DeepConvSep, LVA/ICA, doi:10.1007/978-3-319-53547-0_25), section 3; sizes
        from their released four-source network for DSD100. Ours differs as follows. Each stem has a decoder of
        its own; in the released code the fourth reads the second's units. Patches stand on one grid over the whole
        song and are averaged where they overlap before the masks are made, in training too; there they are separated
        one by one and cross-faded. The window is the root of Hann's, twice; there it is Blackman-Harris' in training
        and Hann's in separation. The masks' floor is higher and not random. The Nyquist frequency's bin is heard as
        silence, and what it holds is shared equally.
    """

    window: int = 1024
    filters: int = 50
    taps: int = 15
    bottleneck: int = 128
    patch_frames: int = 30
    patch_hop: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.channels == 1, "channels", self.channels, "1: a mono network; stereo is separated side by side")
        require(self.residual is None, "residual", self.residual, "null: the masks sum to one")
        for field in ("filters", "taps", "bottleneck"):
            require(getattr(self, field) >= 1, field, getattr(self, field), "at least 1")
        nearest = max(8, round(self.window / 4) * 4)
        require(self.window == nearest, "window", self.window, f"a multiple of 4 from 8 on (nearest: {nearest})")
        require(self.patch_frames >= self.taps, "patch_frames", self.patch_frames, f"at least taps = {self.taps}")
        hops = [n for n in range(1, self.positions + 1, 2) if self.patch_frames % n == 0]
        nearest = min(hops, key=lambda n: abs(n - self.patch_hop))
        rule = (
            f"an odd divisor of patch_frames, at most patch_frames - taps + 1 = {self.positions} (nearest: {nearest})"
        )
        require(self.patch_hop in hops, "patch_hop", self.patch_hop, rule)

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        return self.window // 2

    @property
    def positions(self) -> int:
        """Places of the second convolution within a patch."""
        return self.patch_frames - self.taps + 1

    @property
    def surplus(self) -> int:
        """Hops at each end that come out beyond whole blocks: a frame spans two hops, so that one more frame than hops
        is needed, and frames come `patch_hop` at a time."""
        return self.patch_hop // 2

    @property
    def context(self) -> int:
        """The patches that overlap a frame, the frame before (each hop is in two), and the surplus.

        >>> Config(sample_rate=44100, channels=1, stems=("vocals", "drums", "bass", "other")).context
        14336
        """
        return self.hop * (self.patch_frames - self.patch_hop + 1 + self.surplus)

    @property
    def block(self) -> int:
        """Patches stand on one grid."""
        return self.hop * self.patch_hop


def build(config: Config) -> keras.Model:
    """The network as a Keras functional model.

    Shape:
        `mixture (batch, time, 1)` to `stems (batch, stems, time - context - lookahead, 1)`; the stems sum to the
        mixture's central part.
    """
    mixture = keras.Input((None, 1), name="mixture")
    real, imaginary = STFT(config.window, config.hop, name="stft")(mixture)
    heard = Magnitude(SCALE / config.window**0.5, name="magnitude")([real, imaginary])
    masks = _masks(heard, config)
    margin = config.patch_frames - config.patch_hop
    masked = [
        layers.Multiply(dtype="float32", name=f"masked_{name}")([masks, crop(part, margin, name=f"kept_{name}")])
        for name, part in (("real", real), ("imaginary", imaginary))
    ]
    sound = InverseSTFT(config.window, config.hop, name="inverse_stft")(*masked)
    sound = layers.Reshape((len(config.stems), -1, 1), dtype="float32", name="by_stem")(sound)
    estimates = crop(sound, config.surplus * config.hop, name="whole_blocks")
    kept = layers.Cropping1D(config.context, dtype="float32", name="kept_mixture")(mixture)
    kept = layers.Reshape((1, -1, 1), dtype="float32", name="row")(kept)
    return keras.Model(mixture, share_what_is_missing(estimates, kept), name="deepconvsep")


def _masks(x: Any, config: Config) -> Any:
    """`(batch, 1, frames, bins)` to masks `(batch, stems, frames - 2 * (patch_frames - patch_hop), window / 2)`."""
    across_bins = TiedConvolution(config.filters, 1, name="across_bins")
    across_frames = TiedConvolution(config.filters, config.taps, name="across_frames")
    x = Bias(name="across_bins_bias")(across_bins(x))
    x = Bias(name="across_frames_bias")(across_frames(x))
    patch = (1, config.positions)
    x = layers.Conv2D(config.bottleneck, patch, (1, config.patch_hop), activation="relu", name="bottleneck")(x)
    size = config.positions * config.filters
    x = layers.Conv2D(len(config.stems) * size, 1, activation="relu", name="decoders")(x)
    x = layers.Reshape((-1, len(config.stems), size), name="decoders_by_stem")(x)
    x = layers.Permute((2, 1, 3), name="patches")(x)
    x = OverlapMean(config.positions, config.patch_hop, config.patch_frames, name="overlapping_patches")(x)
    x = across_bins(across_frames(x, transposed=True), transposed=True)
    x = layers.ReLU(dtype="float32", name="magnitudes")(Bias(axis=1, name="magnitudes_bias")(x))
    return RatioMasks(name="masks")(x)


@keras.saving.register_keras_serializable(package="tfwavesep")
class Magnitude(layers.Layer):
    """Scaled magnitudes of a spectrogram, with a silent bin for the Nyquist frequency, which the transform leaves out.

    Shape:
        real and imaginary part, each `(batch, channels, frames, window / 2)`, to
        `(batch, channels, frames, window / 2 + 1)`.

    Args:
        scale: factor.
    """

    def __init__(self, scale: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = scale

    def call(self, parts: list[Any]) -> Any:
        real, imaginary = parts
        heard = self.scale * magnitude(real, imaginary)
        # Not ops.pad: oneDNN's graph rewriting takes any padding before a convolution for one of time.
        return ops.concatenate([heard, ops.zeros_like(heard[..., :1])], axis=-1)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"scale": self.scale}


@keras.saving.register_keras_serializable(package="tfwavesep")
class TiedConvolution(layers.Layer):
    """A valid convolution over frames and, called with `transposed`, the way back with the same kernel.

    Shape:
        `(batch, rows, frames, features)` to `(batch, rows, frames - taps + 1, filters)`; transposed,
        `(batch, rows, frames, filters)` to `(batch, rows, frames - taps + 1, features)`: only frames that all taps
        reach.

    Args:
        filters: number of them.
        taps: frames that the kernel spans.
    """

    def __init__(self, filters: int, taps: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.taps = taps

    def build(self, input_shape: Any) -> None:
        shape = (1, self.taps, input_shape[-1], self.filters)
        self.kernel = self.add_weight(shape=shape, initializer="glorot_uniform", name="kernel")
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")

    def call(self, x: Any, transposed: bool = False) -> Any:
        if transposed:
            return convolve(x, ops.transpose(ops.flip(self.kernel, axis=1), (0, 1, 3, 2)))
        return convolve(x, self.kernel) + self.bias

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"filters": self.filters, "taps": self.taps}


@keras.saving.register_keras_serializable(package="tfwavesep")
class Bias(layers.Layer):
    """Adds a number to each place of one axis. The released network has one after each convolution, whose own bias it
    only repeats: kept, so that the numbers of parameters agree.

    Args:
        axis: of a tensor of four.
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def build(self, input_shape: Any) -> None:
        shape = [1, 1, 1, 1]
        shape[self.axis] = input_shape[self.axis]
        self.bias = self.add_weight(shape=shape, initializer="zeros", name="bias")

    def call(self, x: Any) -> Any:
        return x + self.bias

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"axis": self.axis}


@keras.saving.register_keras_serializable(package="tfwavesep")
class OverlapMean(layers.Layer):
    """Patches added where they overlap, over the number of patches that a frame is in.

    Shape:
        `(batch, rows, patches, positions * features)` to
        `(batch, rows, patches * patch_hop - positions + patch_hop, features)`. At each end those are left out that no
        frame is made of which all `patch_frames / patch_hop` patches hold.

    Args:
        positions: per patch.
        patch_hop: positions from one patch to the next.
        patch_frames: frames that the positions of one patch make.
    """

    def __init__(self, positions: int, patch_hop: int, patch_frames: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.positions = positions
        self.patch_hop = patch_hop
        self.patch_frames = patch_frames

    def call(self, patches: Any) -> Any:
        rows, features = patches.shape[1], patches.shape[3] // self.positions
        count = -(-self.positions // self.patch_hop)
        missing = (count * self.patch_hop - self.positions) * features
        patches = ops.pad(patches * (self.patch_hop / self.patch_frames), [[0, 0], [0, 0], [0, 0], [0, missing]])
        pieces = ops.split(patches, count, axis=-1)
        total = sum(ops.pad(piece, [[0, 0], [0, 0], [i, count - 1 - i], [0, 0]]) for i, piece in enumerate(pieces))
        total = ops.reshape(total, (ops.shape(patches)[0], rows, -1, features))
        return cut(total, self.positions - self.patch_hop, (count - 1) * self.patch_hop)

    def compute_output_shape(self, patches_shape: Any) -> Any:
        batch, rows, patches, features = patches_shape
        frames = patches and patches * self.patch_hop - self.positions + self.patch_hop
        return batch, rows, frames, features // self.positions

    def get_config(self) -> dict[str, Any]:
        sizes = {"positions": self.positions, "patch_hop": self.patch_hop, "patch_frames": self.patch_frames}
        return super().get_config() | sizes


@keras.saving.register_keras_serializable(package="tfwavesep")
class RatioMasks(layers.Layer):
    """Each stem's share of all stems' magnitudes, without the Nyquist frequency's bin.

    Shape:
        `(batch, stems, frames, window / 2 + 1)` to `(batch, stems, frames, window / 2)`, in 0..1, stems summing to 1.
    """

    def call(self, magnitudes: Any) -> Any:
        heard = magnitudes[..., :-1] + SILENCE
        return heard / ops.sum(heard, axis=1, keepdims=True)
