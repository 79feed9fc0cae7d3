"""Layers that several architectures are built from."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfwavesep.layers import ProductConv


@pytest.mark.parametrize(("features", "filters"), [(4, 9), (9, 4), (5, 5)])
def test_a_product_is_trained_to_the_convolutions_numbers(features: int, filters: int) -> None:
    layer = ProductConv(filters, 3, activation="tanh", bias_initializer="normal")
    x = tf.random.stateless_normal((2, 1, 20, features), (0, 1))

    def run(training: bool) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=training)
            loss = tf.reduce_sum(tf.square(y) * tf.range(18.0)[:, tf.newaxis])
        return [y, *tape.gradient(loss, [x, *layer.trainable_weights])]

    for convolved, product in zip(run(training=False), run(training=True), strict=True):
        np.testing.assert_allclose(product, convolved, rtol=1e-4, atol=1e-5)


def test_a_product_takes_the_weights_of_a_convolution_and_is_rebuilt_from_its_config() -> None:
    convolution, layer = keras.layers.Conv2D(6, (1, 3)), ProductConv(6, 3, use_bias=True, name="head")
    convolution.build((None, 1, None, 4))
    again = ProductConv.from_config(layer.get_config())
    again.build((None, 1, None, 4))
    again.set_weights(convolution.get_weights())
    x = tf.random.stateless_normal((1, 1, 9, 4), (0, 1))
    np.testing.assert_array_equal(again(x), convolution(x))
    assert again.name == "head"
