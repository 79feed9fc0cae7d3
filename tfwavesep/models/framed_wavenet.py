"""A WaveNet on frames: the paper's gated blocks between a learned analysis and a learned synthesis.

On samples, nearly all the work goes into features that change slowly. Here a strided convolution first turns
the waveform into frames of learned filters, the dilated blocks run on frames, and what they put out are masks,
one for each stem, on the filters; a transposed convolution makes them sound again.
"""

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from tfwavesep.errors import require
from tfwavesep.layers import crop, gated_stacks, share_what_is_missing
from tfwavesep.models._config import ModelConfig


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """Sizes of the network.

    Attributes:
        stride: samples per frame.
        window: frames that one analysis (and one synthesis) filter spans; 2 is half overlap.
        analysis_filters: learned filters; their outputs are what the masks weigh.
        filters: channels of the residual and the skip branches.
        stacks: how often the row of dilations restarts.
        dilations: dilated convolutions per stack, with dilations 1, 2, 4, ... frames.

    Reference:
        Blocks: Lluís, Pons & Serra 2018 (arXiv 1810.12187), section 2. Masks on a learned analysis:
        Luo & Mesgarani 2019 (Conv-TasNet, arXiv 1809.07454), sections II.B and II.C. We normalise each frame by
        itself, never over time, so that the context stays finite and any chunking gives the same samples.
    """

    stride: int = 64
    window: int = 2
    analysis_filters: int = 256
    filters: int = 64
    stacks: int = 3
    dilations: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in ("stride", "window", "analysis_filters", "filters", "stacks", "dilations"):
            require(getattr(self, field) >= 1, field, getattr(self, field), "at least 1")
        require(self.dilations <= 16, "dilations", self.dilations, "at most 16 per stack")
        require(self.residual is None, "residual", self.residual, "null: the estimates sum to the mixture")

    @property
    def schedule(self) -> list[int]:
        """The dilation of each residual block, in frames, in order."""
        return [2**power for power in range(self.dilations)] * self.stacks

    @property
    def context(self) -> int:
        """The analysis window reaches to the right, the synthesis window as far to the left; then the dilations."""
        return self.stride * (self.window - 1 + sum(self.schedule))

    @property
    def block(self) -> int:
        """Whole frames."""
        return self.stride


def build(config: Config) -> keras.Model:
    """The network as a Keras functional model.

    Shape:
        `mixture (batch, time, channels)` to `stems (batch, stems, time - context - lookahead, channels)`; the stems sum
        to the mixture's central part.
    """
    num_stems = len(config.stems)
    mixture = keras.Input((None, config.channels), name="mixture")
    frames = layers.Reshape((1, -1, config.stride * config.channels), dtype="float32", name="frames")(mixture)
    analysis = layers.Conv2D(config.analysis_filters, (1, config.window), use_bias=False, name="analysis")(frames)
    x = layers.LayerNormalization(name="frame_norm")(analysis)
    x = layers.Conv2D(config.filters, 1, name="bottleneck")(x)
    x = gated_stacks(x, config.filters, config.schedule, margin=0)
    x = layers.ReLU(name="skip_relu")(x)
    masks = _masks(x, num_stems, config.analysis_filters)
    masked = layers.Multiply(name="masked")([masks, crop(analysis, sum(config.schedule), name="kept_analysis")])
    synthesis = layers.Conv2D(
        config.stride * config.channels, (1, config.window), use_bias=False, dtype="float32", name="synthesis"
    )
    by_stem = layers.Reshape((num_stems, -1, config.channels), dtype="float32", name="estimates")
    kept = crop(frames, config.context // config.stride, name="kept_frames")
    kept = layers.Reshape((1, -1, config.channels), dtype="float32", name="kept_mixture")(kept)
    return keras.Model(mixture, share_what_is_missing(by_stem(synthesis(masked)), kept), name="framed_wavenet")


def _masks(x: Any, num_stems: int, analysis_filters: int) -> Any:
    """`(batch, 1, frames, filters)` to masks `(batch, stems, frames, analysis_filters)` in 0..1."""
    x = layers.Conv2D(num_stems * analysis_filters, 1, activation="sigmoid", name="masks")(x)
    x = layers.Reshape((-1, num_stems, analysis_filters), name="masks_by_stem")(x)
    return layers.Permute((2, 1, 3), name="stem_masks")(x)
