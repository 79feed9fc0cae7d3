"""The paper's WaveNet: non-causal, discriminative, on samples of raw audio."""

from dataclasses import dataclass

import keras
from keras import layers

from tfwavesep.errors import require
from tfwavesep.layers import ProductConv, gated_stacks
from tfwavesep.models._config import ModelConfig


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """Sizes of the network; the defaults are the paper's.

    Attributes:
        filters: channels of the residual and the skip branches.
        stacks: how often the row of dilations restarts.
        dilations: dilated convolutions per stack, with dilations 1, 2, 4, ... `2 ** (dilations - 1)`.
        head: filters of the two 3-tap convolutions after the skip sum.

    Reference:
        Lluís, Pons & Serra 2018 (arXiv 1810.12187), section 2, and the released configuration.
    """

    filters: int = 64
    stacks: int = 4
    dilations: int = 10
    head: tuple[int, int] = (2048, 256)

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in ("filters", "stacks", "dilations"):
            require(getattr(self, field) >= 1, field, getattr(self, field), "at least 1")
        require(self.dilations <= 16, "dilations", self.dilations, "at most 16 per stack")
        require(len(self.head) == 2 and min(self.head) >= 1, "head", self.head, "two numbers of at least 1")

    @property
    def schedule(self) -> list[int]:
        """The dilation of each residual block, in order."""
        return [2**power for power in range(self.dilations)] * self.stacks

    @property
    def context(self) -> int:
        """One sample for the input convolution, the dilations, two for the head.

        >>> Config(sample_rate=16000, channels=1, stems=("vocals",), residual="accompaniment").context
        4095
        """
        return 1 + sum(self.schedule) + 2

    @property
    def block(self) -> int:
        """Any output length works."""
        return 1

    @property
    def receptive_field(self) -> int:
        """Input samples that one output sample depends on."""
        return 2 * self.context + 1


def build(config: Config) -> keras.Model:
    """The network as a Keras functional model.

    The released code pads with zeros and emits a fixed field of 1603 samples, of which the first and the last
    are wrong because two 3-tap convolutions follow a crop that leaves one sample. Here every convolution is
    valid and the field has any length, so that each output sample sees only real input.

    Shape:
        `mixture (batch, time, channels)` to `stems (batch, stems, time - context - lookahead, channels)`.
    """
    outputs = len(config.stems) * config.channels
    mixture = keras.Input((None, config.channels), name="mixture")
    x = layers.Reshape((1, -1, config.channels), name="row")(mixture)
    x = layers.Conv2D(config.filters, (1, 3), use_bias=False, name="input_conv")(x)
    x = gated_stacks(x, config.filters, config.schedule, margin=0)
    x = layers.ReLU(name="skip_relu")(x)
    x = ProductConv(config.head[0], 3, use_bias=False, activation="relu", name="head1")(x)
    x = ProductConv(config.head[1], 3, use_bias=False, name="head2")(x)
    x = layers.Conv2D(outputs, 1, dtype="float32", name="output_conv")(x)
    x = layers.Reshape((-1, len(config.stems), config.channels), dtype="float32", name="by_stem")(x)
    stems = layers.Permute((2, 1, 3), dtype="float32", name="stems")(x)
    return keras.Model(mixture, stems, name="wavenet")
