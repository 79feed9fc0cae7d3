"""Wave-U-Net: a U-Net on samples of raw audio, with valid convolutions ("context")."""

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers, ops

from tfwavesep.errors import ConfigError, one_of, require
from tfwavesep.layers import Cut, crop, cut
from tfwavesep.models._config import ModelConfig

UPSAMPLING = ("linear", "learned")


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """Sizes of the network; the defaults are the paper's.

    Attributes:
        levels: how often the time axis is halved, and doubled again.
        filters: of the first level; level `n` has `n` times as many.
        kernel: taps of each convolution on the way down, odd.
        merge_kernel: taps of each convolution on the way up, odd.
        upsampling: "linear", or "learned": each channel learns where between its neighbours a new sample lies.

    Reference:
        Stoller, Ewert & Dixon 2018 (Wave-U-Net, arXiv 1806.03185), section 3; sizes from their released code, where
        these are the models M4 (linear, two sources), M5 (learned) and M6 (four sources). As there, the last source is
        the mixture minus the others ("difference output"): our residual. Ours differs in that no residual is
        clipped, in that any multiple of the block can come out in one run and not only 16389 samples, and in the
        training: no gain is drawn for the stems of one song, and no second run with a smaller step follows the first.
    """

    levels: int = 12
    filters: int = 24
    kernel: int = 15
    merge_kernel: int = 5
    upsampling: str = "linear"

    def __post_init__(self) -> None:
        super().__post_init__()
        require(1 <= self.levels <= 16, "levels", self.levels, "from 1 to 16 (input doubles with each)")
        require(self.filters >= 1, "filters", self.filters, "at least 1")
        for field in ("kernel", "merge_kernel"):
            taps = getattr(self, field)
            nearest = max(1, taps + 1)
            require(taps >= 1 and taps % 2 == 1, field, taps, f"odd, so that it has a centre (nearest: {nearest})")
        if self.upsampling not in UPSAMPLING:
            raise ConfigError(one_of("upsampling", self.upsampling, UPSAMPLING))
        require(self.residual is not None, "residual", self.residual, "the stem that is the mixture minus the others")

    @property
    def margins(self) -> list[int]:
        """For each level, from the first on, how much more its features hold at each end than what comes back up to
        meet them, in samples of that level.

        Going up one level, the margin grows by half the taps of the convolution that the deeper level made on its
        way up, by half those it made on its way down, and then doubles with the rate.
        """
        margins = [self.kernel // 2 * 2]
        for _ in range(self.levels - 1):
            margins.append((margins[-1] + self.merge_kernel // 2 + self.kernel // 2) * 2)
        return margins[::-1]

    @property
    def reach(self) -> int:
        """How far before its own position the first sample that the bare network puts out begins to hear."""
        return self.margins[0] + self.merge_kernel // 2 + self.kernel // 2

    @property
    def context(self) -> int:
        """The reach, and half of the `merge_kernel` samples by which the bare network puts out more than whole blocks.

        >>> Config(sample_rate=22050, channels=1, stems=("accompaniment",), residual="vocals").context
        65530
        """
        return self.reach + (self.merge_kernel + 1) // 2

    @property
    def block(self) -> int:
        """Decimation keeps every `block`-th sample at the bottom, so that a sample's value depends on its place
        within a block: blocks must lie on one grid."""
        return int(2**self.levels)


def build(config: Config) -> keras.Model:
    """The network as a Keras functional model.

    Without its two ends the network turns `block * n + merge_kernel + 2 * reach` samples into
    `block * n + merge_kernel`; 147443 into 16389 are the released code's. The first crop and the last make of this
    whole blocks with the same context on both sides.

    Shape:
        `mixture (batch, time, channels)` to `stems (batch, stems, time - context - lookahead, channels)`.
    """
    mixture = keras.Input((None, config.channels), name="mixture")
    heard = layers.Cropping1D((1, 0), dtype="float32", name="whole_grid")(mixture)
    row = x = layers.Reshape((1, -1, config.channels), dtype="float32", name="row")(heard)
    features = []
    for level, margin in enumerate(config.margins, start=1):
        x = _convolve(x, level * config.filters, config.kernel, f"down{level:02d}")
        features.append(crop(x, margin, name=f"down{level:02d}_kept"))
        # The mean of one sample is the sample. A slice with a step would do the same, with a slow gradient.
        x = layers.AveragePooling2D(1, strides=(1, 2), name=f"down{level:02d}_decimated")(x)
    x = _convolve(x, (config.levels + 1) * config.filters, config.kernel, "bottom")
    for level in range(config.levels, 0, -1):
        x = Upsampling(learned=config.upsampling == "learned", name=f"up{level:02d}_upsampled")(x)
        x = layers.Concatenate(name=f"up{level:02d}_merged")([features.pop(), x])
        x = _convolve(x, level * config.filters, config.merge_kernel, f"up{level:02d}")
    kept = crop(row, config.reach, name="kept_mixture")
    x = layers.Concatenate(dtype="float32", name="with_mixture")([kept, x])
    outputs = len(config.stems) * config.channels
    x = layers.Conv2D(outputs, 1, activation="tanh", dtype="float32", name="output_conv")(x)
    x = Cut(config.merge_kernel // 2, config.merge_kernel // 2 + 1, dtype="float32", name="whole_blocks")(x)
    x = layers.Reshape((-1, len(config.stems), config.channels), dtype="float32", name="by_stem")(x)
    stems = layers.Permute((2, 1, 3), dtype="float32", name="stems")(x)
    return keras.Model(mixture, stems, name="waveunet")


def _convolve(x: Any, filters: int, taps: int, name: str) -> Any:
    x = layers.Conv2D(filters, (1, taps), name=name)(x)
    return layers.LeakyReLU(0.2, name=f"{name}_relu")(x)


@keras.saving.register_keras_serializable(package="tfwavesep")
class Upsampling(layers.Layer):
    """Puts a new sample between every two neighbours.

    Shape:
        `(batch, 1, time, channels)` to `(batch, 1, 2 * time - 1, channels)`.

    Reference:
        Stoller, Ewert & Dixon 2018 (arXiv 1806.03185), section 3.2: the new sample is `w * left + (1 - w) * right`, for
        each channel with a learned `w` in 0..1, or with 0.5.

    Args:
        learned: whether `w` is learned.
    """

    def __init__(self, learned: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.learned = learned

    def build(self, input_shape: Any) -> None:
        if self.learned:
            self.weight = self.add_weight(shape=(input_shape[-1],), initializer="glorot_uniform", name="weight")

    def call(self, x: Any) -> Any:
        batch, rows, time, channels = ops.shape(x)
        left, right = cut(x, 0, 1), cut(x, 1, 0)
        share = ops.sigmoid(self.weight) if self.learned else 0.5
        pairs = ops.concatenate([left, share * left + (1 - share) * right], axis=-1)
        last = ops.slice(x, (0, 0, time - 1, 0), (batch, rows, 1, channels))
        return ops.concatenate([ops.reshape(pairs, (batch, rows, 2 * (time - 1), channels)), last], axis=2)

    def compute_output_shape(self, input_shape: Any) -> Any:
        batch, height, time, channels = input_shape
        return batch, height, time and 2 * time - 1, channels

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"learned": self.learned}
