"""DeepConvSep: its size, its patches, and the form with one patch after the other that it must equal."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfwavesep import config, models
from tfwavesep.errors import ConfigError
from tfwavesep.models import deepconvsep
from tfwavesep.models.deepconvsep import SCALE, SILENCE, Config
from tfwavesep.stems import STEMS

SMALL = Config(
    sample_rate=8000, channels=1, stems=STEMS, window=16, filters=3, taps=4, bottleneck=5, patch_frames=15, patch_hop=3
)  # fmt: skip


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_parameters_are_the_released_networks_with_a_decoder_for_each_stem() -> None:
    preset = config.load_preset("deepconvsep")
    assert models.build(preset.architecture, preset.model).count_params() == 578_682


def network_with_all_weights(sizes: Config) -> keras.Model:
    """A network in which no bias is zero."""
    keras.utils.set_random_seed(0)
    network = deepconvsep.build(sizes)
    for number, weight in enumerate(network.weights):
        weight.assign(weight + 0.1 * noise(*weight.shape, seed=number))
    return network


def patch_by_patch(network: keras.Model, sizes: Config, mixture: np.ndarray) -> np.ndarray:
    """Separate `(time,)` as the released network does, one patch of frames after the other, but for the mean over
    patches before the masks; `(stems, time - 2 * window)`, silent where no patch reaches."""
    w = {layer.name: [x.numpy() for x in layer.weights] for layer in network.layers}
    window, hop, stems = sizes.window, sizes.hop, len(sizes.stems)
    shape = np.sin(np.pi * np.arange(window) / window)
    starts = range(0, len(mixture) - window + 1, hop)
    spectrum = np.stack([np.fft.rfft(mixture[start : start + window] * shape) for start in starts])
    spectrum[:, -1] = 0
    frames = len(spectrum)
    bins_kernel, frames_kernel = w["across_bins"][0][0, 0], w["across_frames"][0][0]
    total, count = np.zeros((stems, frames, window // 2 + 1)), np.zeros((frames, 1))
    for first in range(0, frames - sizes.patch_frames + 1, sizes.patch_hop):
        patch = SCALE / window**0.5 * np.abs(spectrum[first : first + sizes.patch_frames])
        x = patch @ bins_kernel + w["across_bins"][1] + w["across_bins_bias"][0].ravel()
        x = [np.einsum("tf,tfg->g", x[i : i + sizes.taps], frames_kernel) for i in range(sizes.positions)]
        x = np.array(x) + w["across_frames"][1] + w["across_frames_bias"][0].ravel()
        x = np.maximum(x.ravel() @ w["bottleneck"][0].reshape(-1, sizes.bottleneck) + w["bottleneck"][1], 0)
        x = np.maximum(x @ w["decoders"][0][0, 0] + w["decoders"][1], 0)
        for stem, units in enumerate(x.reshape(stems, sizes.positions, sizes.filters)):
            decoded = np.zeros((sizes.patch_frames, sizes.filters))
            for i, position in enumerate(units):
                decoded[i : i + sizes.taps] += np.einsum("g,tfg->tf", position, frames_kernel)
            total[stem, first : first + sizes.patch_frames] += decoded @ bins_kernel.T
        count[first : first + sizes.patch_frames] += 1
    full = count == sizes.patch_frames // sizes.patch_hop
    magnitudes = np.maximum(total / np.maximum(count, 1) + w["magnitudes_bias"][0][0], 0) + SILENCE
    masked = magnitudes / magnitudes.sum(axis=0) * spectrum * full
    out = np.zeros((stems, len(mixture)))
    for frame, start in enumerate(starts):
        out[:, start : start + window] += np.fft.irfft(masked[:, frame], window) * shape
    return out


def without_nyquist(mixture: np.ndarray, sizes: Config) -> np.ndarray:
    """What the transform there and back leaves of the mixture."""
    identity = np.zeros(len(mixture))
    shape = np.sin(np.pi * np.arange(sizes.window) / sizes.window)
    for start in range(0, len(mixture) - sizes.window + 1, sizes.hop):
        spectrum = np.fft.rfft(mixture[start : start + sizes.window] * shape)
        spectrum[-1] = 0
        identity[start : start + sizes.window] += np.fft.irfft(spectrum, sizes.window) * shape
    return identity


def test_it_equals_the_form_with_one_patch_after_the_other() -> None:
    network = network_with_all_weights(SMALL)
    mixture = noise(SMALL.input_length(4 * SMALL.block))
    inner = slice(SMALL.context, -SMALL.context)
    nyquist = (mixture - without_nyquist(mixture, SMALL))[inner]
    expected = patch_by_patch(network, SMALL, mixture)[:, inner] + nyquist / len(STEMS)
    found = network(mixture[np.newaxis, :, np.newaxis])[0, :, :, 0]
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_stems_sum_to_the_mixture() -> None:
    network = network_with_all_weights(SMALL)
    mixture = noise(2, SMALL.input_length(80 * SMALL.block), 1)
    inner = mixture[:, SMALL.context : -SMALL.context]
    np.testing.assert_allclose(np.sum(network(mixture), axis=1), inner, atol=1e-5)


def test_silence_in_silence_out() -> None:
    assert not np.any(network_with_all_weights(SMALL)(np.zeros((1, SMALL.input_length(SMALL.block), 1), np.float32)))


def test_all_patches_that_overlap_a_frame_are_heard_and_no_more() -> None:
    """Of one block, the frames before and after it that share a patch with it, and half the surplus hops on the way."""
    network = network_with_all_weights(SMALL)
    length = SMALL.input_length(SMALL.block)
    mixture = tf.constant(noise(1, length, 1))
    with tf.GradientTape() as tape:
        tape.watch(mixture)
        first_stem = tf.reduce_sum(network(mixture)[:, 0] ** 2)
    heard = np.flatnonzero(tape.gradient(first_stem, mixture)[0, :, 0])
    assert heard[0] == 1  # the window's first sample is zero
    assert heard[-1] == length - 1


def test_segments_of_any_number_of_blocks_give_the_same_samples() -> None:
    network = network_with_all_weights(SMALL)
    blocks, block = 12, SMALL.block
    mixture = noise(1, SMALL.input_length(blocks * block), 1)
    whole = network(mixture).numpy()
    for cut in (1, 2, 3, 4, 6):
        starts = range(0, blocks * block, cut * block)
        pieces = [network(mixture[:, start : start + SMALL.input_length(cut * block)]).numpy() for start in starts]
        np.testing.assert_allclose(np.concatenate(pieces, axis=2), whole, atol=1e-5)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("channels", 2, "1: a mono network"),
        ("filters", 0, "at least 1"),
        ("taps", 0, "at least 1"),
        ("bottleneck", 0, "at least 1"),
        ("window", 1022, "nearest: 1024"),
        ("window", 0, "nearest: 8"),
        ("patch_frames", 14, "at least taps = 15"),
        ("patch_hop", 6, r"odd divisor of patch_frames, at most patch_frames - taps \+ 1 = 16 \(nearest: 5\)"),
        ("patch_hop", 30, "nearest: 15"),
        ("patch_hop", 0, "nearest: 1"),
    ],
)
def test_sizes_that_cannot_work_are_refused(field: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=f"{field} = {value}: .*{message}"):
        Config(**{"sample_rate": 44100, "channels": 1, "stems": STEMS, field: value})


def test_a_residual_is_refused() -> None:
    with pytest.raises(ConfigError, match="residual = 'other': null"):
        Config(sample_rate=44100, channels=1, stems=STEMS[:3], residual="other")
