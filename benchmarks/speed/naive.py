"""The paper's network as it was written in 2018, to measure ours against; no part of the package.

One convolution makes filter and gate, which are then split; dilation is what Keras' Conv1D makes of it; every
convolution pads with zeros, so that all of the input is computed in every layer.

Reference:
    Lluís, Pons & Serra 2018 (arXiv 1810.12187), and their released configuration.
"""

import keras
from keras import layers, ops

from tfwavesep.models.wavenet import Config


def build(config: Config, target_length: int) -> keras.Model:
    """The network.

    Shape:
        `mixture (batch, config.input_length(target_length), channels)` to `stems (batch, stems, target_length,
        channels)`, as ours, though it looks at six samples less and gets the first and the last of its output wrong.
    """
    mixture = keras.Input((config.input_length(target_length), config.channels), name="mixture")
    heard = layers.Cropping1D(config.context - sum(config.schedule))(mixture)
    x = layers.Conv1D(config.filters, 3, padding="same", use_bias=False)(heard)
    edge, skips = sum(config.schedule) - 1, []
    for dilation in config.schedule:
        x, skip = _block(x, config.filters, dilation)
        skips.append(layers.Cropping1D(edge)(skip))
    x = layers.ReLU()(layers.Add()(skips))
    x = layers.Conv1D(config.head[0], 3, padding="same", use_bias=False, activation="relu")(x)
    x = layers.Conv1D(config.head[1], 3, padding="same", use_bias=False)(x)
    x = layers.Conv1D(len(config.stems) * config.channels, 1, dtype="float32")(x)
    x = layers.Reshape((-1, len(config.stems), config.channels))(layers.Cropping1D(1)(x))
    return keras.Model(mixture, layers.Permute((2, 1, 3), name="stems")(x), name="naive_wavenet")


def _block(x: keras.KerasTensor, filters: int, dilation: int) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    both = layers.Conv1D(2 * filters, 3, padding="same", dilation_rate=dilation, use_bias=False)(x)
    filtered, gate = ops.split(both, 2, axis=-1)
    gated = ops.tanh(filtered) * ops.sigmoid(gate)
    residual, skip = ops.split(layers.Conv1D(2 * filters, 1, use_bias=False)(gated), 2, axis=-1)
    return x + residual, skip
