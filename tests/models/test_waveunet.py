"""Wave-U-Net: its sizes, its lengths, and the grid its blocks must lie on."""

import dataclasses
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfwavesep import config, models
from tfwavesep.errors import ConfigError
from tfwavesep.models import waveunet
from tfwavesep.models.waveunet import Config

SMALL = Config(
    sample_rate=8000, channels=2, stems=("vocals",), residual="accompaniment", levels=3, filters=3, kernel=7
)  # fmt: skip


@pytest.fixture(autouse=True)
def same_weights() -> None:
    """Networks start from the same random weights in every run."""
    keras.utils.set_random_seed(0)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("waveunet_m4", 10_263_390), ("waveunet_m5_highsr", 10_265_550), ("waveunet_m6", 10_263_498)],
)
def test_parameters_are_the_papers(name: str, parameters: int) -> None:
    preset = config.load_preset(name)
    assert models.build(preset.architecture, preset.model).count_params() == parameters


def test_lengths_are_the_released_codes() -> None:
    """There 147443 samples go in and 16389 come out, the last 5 of which begin the next block."""
    released = config.load_preset("waveunet_m4").model
    assert isinstance(released, Config)
    assert 16389 + 2 * released.reach == 147443
    assert released.block == 4096
    assert 16389 - 4 * released.block == released.merge_kernel
    assert released.input_length(16384) == 147443 + 1


def direct_form(network: keras.Model, sizes: Config, mixture: np.ndarray) -> np.ndarray:
    """The network as the released code computes it: features are cropped to the length of what meets them, and
    the bare network's length is whatever comes out."""
    weights = {layer.name: [w.numpy() for w in layer.weights] for layer in network.layers}

    def convolve(x: tf.Tensor, name: str) -> tf.Tensor:
        kernel, bias = weights[name]
        return tf.nn.conv1d(x, kernel[0], 1, "VALID") + bias

    def centre(x: tf.Tensor, length: int) -> tf.Tensor:
        return x[:, (x.shape[1] - length) // 2 :][:, :length]

    x, features = tf.constant(mixture), []
    for level in range(1, sizes.levels + 1):
        features.append(tf.nn.leaky_relu(convolve(x, f"down{level:02d}"), 0.2))
        x = features[-1][:, ::2]
    x = tf.nn.leaky_relu(convolve(x, "bottom"), 0.2)
    for level in range(sizes.levels, 0, -1):
        w = tf.sigmoid(weights[f"up{level:02d}_upsampled"][0]) if sizes.upsampling == "learned" else 0.5
        doubled = np.empty((x.shape[0], 2 * x.shape[1] - 1, x.shape[2]), np.float32)
        doubled[:, ::2], doubled[:, 1::2] = x, w * x[:, :-1] + (1 - w) * x[:, 1:]
        joined = tf.concat([centre(features.pop(), doubled.shape[1]), doubled], axis=-1)
        x = tf.nn.leaky_relu(convolve(joined, f"up{level:02d}"), 0.2)
    out = tf.tanh(convolve(tf.concat([centre(tf.constant(mixture), x.shape[1]), x], axis=-1), "output_conv"))
    return out.numpy()


@pytest.mark.parametrize("upsampling", waveunet.UPSAMPLING)
def test_it_equals_the_released_form(upsampling: str) -> None:
    """The released form's output begins `merge_kernel // 2` samples before ours."""
    sizes = dataclasses.replace(SMALL, upsampling=upsampling)
    network = waveunet.build(sizes)
    for weight in network.weights:  # no bias is left at zero
        weight.assign(weight + 0.1 * noise(*weight.shape))
    mixture = noise(2, sizes.input_length(5 * sizes.block), 2)
    released = direct_form(network, sizes, mixture[:, 1:])
    ours = network(mixture)[:, 0]
    assert released.shape[1] == ours.shape[1] + sizes.merge_kernel
    np.testing.assert_allclose(ours, released[:, 2:-3], atol=1e-5)


def test_context_is_used_to_its_ends() -> None:
    """All but one sample of what goes in is heard: the two margins' sum is odd."""
    network = waveunet.build(SMALL)
    length = SMALL.input_length(SMALL.block)
    mixture = tf.constant(noise(1, length, 2))
    with tf.GradientTape() as tape:
        tape.watch(mixture)
        total = tf.reduce_sum(network(mixture))
    heard = np.flatnonzero(np.abs(tape.gradient(total, mixture)).sum(axis=(0, 2)))
    assert (heard[0], heard[-1], len(heard)) == (1, length - 1, length - 1)


def test_a_shift_off_the_grid_is_not_a_shift_of_the_output() -> None:
    """Why blocks have a grid: decimation keeps other samples."""
    network = waveunet.build(SMALL)
    length = SMALL.input_length(SMALL.block)
    mixture = noise(1, length + 1, 2)
    first, second = network(mixture[:, :-1]).numpy(), network(mixture[:, 1:]).numpy()
    assert np.abs(first[:, :, 1:] - second[:, :, :-1]).max() > 1e-3


def test_segments_of_any_number_of_blocks_give_the_same_samples() -> None:
    network = waveunet.build(SMALL)
    blocks, block = 12, SMALL.block
    mixture = noise(1, SMALL.input_length(blocks * block), 2)
    whole = network(mixture).numpy()
    for cut in (1, 2, 3, 4, 6):
        starts = range(0, blocks * block, cut * block)
        pieces = [network(mixture[:, start : start + SMALL.input_length(cut * block)]).numpy() for start in starts]
        np.testing.assert_allclose(np.concatenate(pieces, axis=2), whole, atol=1e-6)


def test_a_constant_stays_a_constant_between_its_neighbours() -> None:
    upsampling = waveunet.Upsampling(learned=True)
    constant = np.full((1, 1, 5, 4), 3, np.float32)
    np.testing.assert_allclose(upsampling(constant), np.full((1, 1, 9, 4), 3), rtol=1e-6)


def test_linear_upsampling_lies_half_way() -> None:
    x = np.array([0, 1, 4], np.float32).reshape(1, 1, 3, 1)
    assert np.ravel(waveunet.Upsampling(learned=False)(x)).tolist() == [0, 0.5, 1, 2.5, 4]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("levels", 0, "from 1 to 16"),
        ("levels", 17, "from 1 to 16"),
        ("filters", 0, "at least 1"),
        ("kernel", 14, "nearest: 15"),
        ("merge_kernel", 0, "nearest: 1"),
        ("upsampling", "linaer", "did you mean 'linear'"),
        ("residual", None, "mixture minus the others"),
        ("channels", 3, "mono"),
    ],
)
def test_sizes_that_cannot_work_are_refused(field: str, value: Any, message: str) -> None:
    stems = ("vocals", "drums", "bass", "other") if field == "residual" else ("vocals",)
    with pytest.raises(ConfigError, match=f"{field}.*{message}"):
        Config(**{"sample_rate": 22050, "channels": 2, "stems": stems, "residual": "accompaniment", field: value})


def test_a_length_off_the_grid_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"target_length = 16389: a positive multiple of 4096.*nearest: 16384"):
        config.override(config.load_preset("waveunet_m4"), ["data.target_length=16389"])
