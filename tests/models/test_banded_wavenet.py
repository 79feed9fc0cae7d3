"""The WaveNet on bands: what bands hold, and what masks may do. What every architecture owes is tested for it too."""

import dataclasses
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfwavesep import models
from tfwavesep.config import load_preset
from tfwavesep.errors import ConfigError
from tfwavesep.models.banded_wavenet import BandLevels, Config, Masking, PerBand, StemMasks, StemShares

BANDS, GROUPS = ((2, 1), (1, 2)), 2
"""Two bands of two groups of one bin, one of two groups of two bins: eight bins."""

SMALL = Config(
    sample_rate=8000, channels=2, stems=("vocals", "accompaniment"), size=16, hop=4, groups=GROUPS, bands=BANDS,
    filters=3, stacks=1, dilations=2, mixing=2,
)  # fmt: skip


def levels(real: np.ndarray, imaginary: np.ndarray | None = None) -> np.ndarray:
    imaginary = np.zeros_like(real) if imaginary is None else imaginary
    return np.asarray(BandLevels(BANDS, GROUPS)(real, imaginary))


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def test_each_level_is_the_logarithm_of_its_groups_mean_power() -> None:
    spectrum = noise(1, 1, 3, 8) + 1j * noise(1, 1, 3, 8)
    power = np.abs(spectrum[0, 0]) ** 2
    groups = [*power[:, :4].T, power[:, 4:6].mean(axis=1), power[:, 6:].mean(axis=1)]
    expected = np.log(np.stack(groups, axis=1) + BandLevels.FLOOR) / 4
    found = levels(spectrum.real.astype(np.float32), spectrum.imag.astype(np.float32))
    assert found.shape == (1, 3, 3, 2)  # batch, bands, frames, groups
    np.testing.assert_allclose(found[0].transpose(1, 0, 2).reshape(3, 6), expected, rtol=1e-5, atol=1e-6)


def test_stereo_levels_tell_the_middle_from_the_sides() -> None:
    left = noise(1, 1, 1, 8)
    silent = np.log(BandLevels.FLOOR) / 4
    views = {
        "middle": levels(np.concatenate([left, left], axis=1)),
        "sides": levels(np.concatenate([left, -left], axis=1)),
    }
    shaped = {name: view.reshape(3, 4, GROUPS) for name, view in views.items()}  # bands, views, groups
    np.testing.assert_allclose(shaped["middle"][:, 3], silent, rtol=1e-5)
    np.testing.assert_allclose(shaped["sides"][:, 2], silent, rtol=1e-5)
    np.testing.assert_allclose(shaped["middle"][:, 2], shaped["sides"][:, 3], rtol=1e-5)


def test_swapping_channels_swaps_their_levels_alone() -> None:
    stereo = noise(1, 2, 2, 8)
    found = levels(stereo).reshape(3, 2, 4, GROUPS)
    swapped = levels(stereo[:, ::-1]).reshape(3, 2, 4, GROUPS)
    np.testing.assert_allclose(swapped, found[:, :, [1, 0, 2, 3]], rtol=1e-6)


def test_shares_are_positive_and_leave_the_last_stem_some() -> None:
    stems, channels = 3, 2
    features = noise(1, 3, 4, stems * channels * GROUPS)
    shares = np.asarray(StemShares(GROUPS, stems)(features))
    assert shares.shape == (1, (stems - 1) * channels, 4, 3 * GROUPS)
    assert (shares > 0).all()
    assert (shares.reshape(stems - 1, channels, 4, -1).sum(axis=0) < 1).all()


def test_a_share_comes_from_its_own_bands_features() -> None:
    features = np.zeros((1, 3, 1, 2 * GROUPS), np.float32)
    features[0, 1, 0, 0] = 9  # second band, first stem, first group
    shares = np.asarray(StemShares(GROUPS, 2)(features))[0, 0, 0]
    np.testing.assert_allclose(shares[2], 1, atol=1e-3)
    np.testing.assert_allclose(np.delete(shares, 2), 0.5)


def test_shares_of_features_of_any_size_are_numbers() -> None:
    shares = np.asarray(StemShares(GROUPS, 2)(1e4 * noise(1, 3, 4, 2 * GROUPS)))
    np.testing.assert_array_equal(np.unique(shares), [0, 1])


def test_masking_gives_each_bin_its_groups_share_in_every_stem_and_channel() -> None:
    stems, channels, frames = 3, 2, 4
    shares = noise(2, stems * channels, frames, 3 * GROUPS)
    real, imaginary = noise(2, channels, frames, 8), 2 * noise(2, channels, frames, 8)
    spread = np.concatenate([shares[..., :4], shares[..., 4:].repeat(2, axis=-1)], axis=-1)
    for found, part in zip(Masking(BANDS, GROUPS)(shares, real, imaginary), (real, imaginary), strict=True):
        np.testing.assert_array_equal(found, spread * np.tile(part, (1, stems, 1, 1)))


def test_masks_of_files_from_before_are_shares_at_each_bin() -> None:
    features = noise(1, 3, 4, 2 * GROUPS)
    shares, masks = (np.asarray(layer(features)) for layer in (StemShares(GROUPS, 2), StemMasks(BANDS, GROUPS, 2)))
    np.testing.assert_array_equal(masks[..., :4], shares[..., :4])
    np.testing.assert_array_equal(masks[..., 4:], shares[..., 4:].repeat(2, axis=-1))


def test_each_band_has_a_layer_of_its_own() -> None:
    layer = PerBand(5)
    same = np.tile(noise(1, 1, 2, 4), (1, 3, 1, 1))
    found = np.asarray(layer(same))
    assert found.shape == (1, 3, 2, 5)
    assert not np.allclose(found[:, 0], found[:, 1])
    assert np.asarray(layer.kernel).std() == pytest.approx(np.sqrt(2 / (4 + 5)), rel=0.3)


def test_stems_sum_to_the_mixture_and_silence_stays_silent() -> None:
    keras.utils.set_random_seed(0)
    network = models.build("banded_wavenet", SMALL)
    mixture = noise(2, SMALL.input_length(20), 2)
    stems = np.asarray(network(mixture))
    np.testing.assert_allclose(stems.sum(axis=1), mixture[:, SMALL.context : -SMALL.context], atol=1e-6)
    assert not np.asarray(network(np.zeros_like(mixture))).any()


def reached(config: Config) -> tuple[int, int]:
    """The first and the last sample that one block of output depends on, its mixture's own samples aside."""
    keras.utils.set_random_seed(0)
    network = models.build("banded_wavenet", config)
    mixture = tf.constant(noise(1, config.input_length(config.block), 2))
    with tf.GradientTape() as tape:
        tape.watch(mixture)
        energy = tf.reduce_sum(network(mixture, training=True) ** 2)
    found = np.flatnonzero(np.abs(tape.gradient(energy, mixture)).sum(axis=(0, 2)))
    return found[0] - config.context, found[-1] - config.context


@pytest.mark.parametrize("ahead", [0, 1, 2, 3, None])
def test_it_looks_ahead_as_far_as_it_is_told_and_back_for_the_rest(ahead: int | None) -> None:
    config = dataclasses.replace(SMALL, ahead=ahead)
    frames, transforms = 3 if ahead is None else ahead, SMALL.size - SMALL.hop
    first, last = reached(config)
    assert (config.context, config.lookahead) == (transforms + 4 * (6 - frames), transforms + 4 * frames)
    assert -config.context <= first <= -config.context + 1
    assert config.lookahead + config.block - 2 <= last < config.lookahead + config.block


def test_looking_ahead_as_far_as_behind_is_the_same_network() -> None:
    keras.utils.set_random_seed(0)
    network = models.build("banded_wavenet", SMALL)
    told = models.build("banded_wavenet", dataclasses.replace(SMALL, ahead=3))
    told.set_weights(network.get_weights())
    mixture = noise(1, SMALL.input_length(20), 2)
    np.testing.assert_array_equal(network(mixture), told(mixture))
    blocks = [[layer.get_config() for layer in each.layers if "block" in layer.name] for each in (network, told)]
    assert blocks[0] == blocks[1]
    assert "ahead" not in blocks[0][0]  # so that the files stay as they were


def test_live_is_half_a_tenth_of_a_second_behind_the_music_and_small() -> None:
    preset = load_preset("live")
    assert (preset.model.lookahead + preset.model.block) / preset.model.sample_rate < 0.05
    assert models.build(preset.architecture, preset.model).count_params() < 1_000_000


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 18, "hop": 6}, r"size = 18: a multiple of 4"),
        ({"hop": 5}, r"hop = 5: a divisor of size = 16, at most half of it"),
        ({"hop": 16}, r"hop = 16: a divisor of size = 16"),
        ({"ahead": 4}, r"ahead = 4: from 0 to 3 frames"),
        ({"ahead": -1}, r"ahead = -1: from 0"),
        ({"reach": 2}, r"reach = 2: an odd number"),
        ({"filters": 0}, r"filters = 0: at least 1"),
        ({"dilations": 17}, r"dilations = 17: at most 16"),
        ({"bands": ((2, 1),)}, r"must hold size / 2 = 8 bins; with groups = 2 these hold 4"),
        ({"bands": ((4, 1), (0, 2))}, r"pairs \(how many bands, bins per group\)"),
        ({"bands": ()}, r"pairs"),
        ({"stems": ("vocals",), "residual": "accompaniment"}, r"residual = 'accompaniment': null"),
    ],
)
def test_sizes_that_cannot_work_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        dataclasses.replace(SMALL, **changes)
