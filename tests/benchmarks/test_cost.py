"""What a network costs, counted in its graph."""

import keras
import pytest
import tensorflow as tf
from keras import layers, ops

from benchmarks import cost
from tfwavesep import config, models


def test_products_are_counted_whatever_layer_they_are_in() -> None:
    class Product(layers.Layer):
        def build(self, shape: tuple[int, ...]) -> None:
            self.table = self.add_weight(shape=(5, 7))

        def call(self, x: tf.Tensor) -> tf.Tensor:
            return ops.matmul(x, self.table)

    mixture = keras.Input((None, 2))
    x = layers.Conv1D(5, 3, strides=2)(mixture)
    x = Product()(x)
    network = keras.Model(mixture, layers.Dense(4)(layers.ReLU()(x)))
    frames = (21 - 3) // 2 + 1
    assert cost.multiply_accumulates(network, 21) == frames * (5 * 3 * 2 + 7 * 5 + 4 * 7)


def test_the_papers_wavenet_costs_what_its_layers_say() -> None:
    """52.4 thousand million per second of audio at 16 kHz, and the context's share of the blocks."""
    preset = config.load_preset("wavenet_multi_instrument")
    network = models.build(preset.architecture, preset.model)
    schedule = preset.model.schedule  # type: ignore[attr-defined]
    time, expected = 1000 + 4 + 2 * sum(schedule), 0
    expected += time * 3 * 64
    for dilation in schedule:
        time -= 2 * dilation
        expected += time * (3 * 64 * 128 + 64 * 64) + 1004 * 64 * 64
    expected += 1002 * 3 * 64 * 2048 + 1000 * (3 * 2048 * 256 + 256 * 3)
    assert cost.multiply_accumulates(network, preset.model.input_length(1000)) == expected


def test_a_product_of_unknown_kind_is_not_left_out_silently() -> None:
    mixture = keras.Input((None, 1))
    upsampled = layers.Conv1DTranspose(2, 4, strides=2)(mixture)
    with pytest.raises(ValueError, match="is not counted yet"):
        cost.multiply_accumulates(keras.Model(mixture, upsampled), 10)


@pytest.mark.parametrize("name", ["wavenet_singing_voice", "deepconvsep", "framed_wavenet_mono"])
def test_receptive_field_is_the_contexts(name: str) -> None:
    preset = config.load_preset(name)
    network = models.build(preset.architecture, preset.model)
    length = preset.model.input_length(preset.model.block)
    assert cost.receptive_field(network, length) == 2 * preset.model.context + 1
