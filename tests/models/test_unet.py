"""Spleeter's U-Net: the published procedure without its seams. What all architectures owe is tested elsewhere."""

import dataclasses
import re
from typing import Any

import keras
import numpy as np
import published_spleeter
import pytest
import tensorflow as tf
from published_spleeter import music
from test_conformance import without_chance

from tfwavesep import models
from tfwavesep.config import load_preset
from tfwavesep.errors import ConfigError
from tfwavesep.models.unet import Config
from tfwavesep.release import spleeter

STEMS = {
    2: ("vocals", "accompaniment"),
    4: ("vocals", "drums", "bass", "other"),
    5: ("vocals", "piano", "drums", "bass", "other"),
}
SMALL: dict[str, Any] = {"sample_rate": 8000, "channels": 2, "stems": STEMS[2], "size": 64, "hop": 16, "bins": 16}
SMALL |= {"filters": (4, 6, 8)}


def filled(config: Config, weights: published_spleeter.Variables) -> keras.Model:
    network = models.build("unet", config)
    spleeter.fill(network, config, weights, "weights")
    return network


def around(song: np.ndarray, start: int, stop: int, context: int) -> np.ndarray:
    """What the network needs of a song for these samples."""
    padded = np.pad(song, ((context, context), (0, 0)))
    return padded[np.newaxis, start : stop + 2 * context]


@pytest.mark.parametrize(
    ("stems", "sizes"),
    [
        (2, {}),
        (4, {"activation": "elu"}),
        (5, {"activation": "elu", "masks": "softmax"}),
        (2, {"extension": "average", "bins": 24}),
        (4, {"activation": "elu", "extension": "average", "bins": 24}),
        (2, {"channels": 1}),
    ],
)
def test_in_the_middle_of_a_tile_it_is_the_published_procedure(stems: int, sizes: dict[str, Any]) -> None:
    config = Config(**{**SMALL, "stems": STEMS[stems], **sizes})
    weights = published_spleeter.variables(config)
    song = music(6 * config.context, config.channels)
    published = published_spleeter.separate(song, weights, config, tile=1024)
    start, stop = (place * config.block for place in (6, 14))
    assert config.context < start < stop < len(song) - config.context  # all in one tile, whose ends are far away
    (found,) = filled(config, weights)(around(song, start, stop, config.context)).numpy()
    expected = published[:, start:stop].copy()
    assert min(np.abs(one).max() for one in expected) > 1e-2
    if config.extension == "zeros":
        lost = song[start:stop] - expected.sum(axis=0)
        assert np.abs(lost).max() > 1e-2
        expected[-1] += lost
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.slow
def test_the_published_sizes_see_five_seconds_and_have_the_published_numbers() -> None:
    config: Config = load_preset("spleeter_2stems").model
    assert (config.context, config.block) == (253 * 1024, 64 * 1024)
    weights = published_spleeter.variables(config)
    song = music(512 * 1024, 2)
    published = published_spleeter.separate(song, weights, config, tile=512)
    network = filled(config, weights)
    assert 2 * 9.7e6 < network.count_params() < 2 * 9.9e6
    start = 192 * 1024  # frames 196 to 260 of the tile's 512
    (found,) = network(around(song, start, start + config.block, config.context)).numpy()
    np.testing.assert_allclose(found[0], published[0, start : start + config.block], atol=1e-4)


@pytest.mark.parametrize("sizes", [{}, {"filters": (4, 4)}, {"filters": (2, 2, 2, 2)}, {"hop": 8}])
def test_the_context_is_where_gradients_end(sizes: dict[str, Any]) -> None:
    config = Config(**{**SMALL, **sizes})
    network = filled(config, published_spleeter.variables(config))
    mixture = tf.constant(music(config.input_length(config.block), 2)[np.newaxis])
    with tf.GradientTape() as tape:
        tape.watch(mixture)
        vocals = tf.reduce_sum(without_chance(network)(mixture, training=True)[:, 0] ** 2)
    reached = np.flatnonzero(np.abs(tape.gradient(vocals, mixture)).sum(axis=(0, 2)))
    behind, ahead = (hops * config.hop for hops in config.reach)
    assert max(behind, ahead) == config.context
    assert 0 <= reached[0] - (config.context - behind) < config.hop
    assert 0 <= config.context + config.block + ahead - 1 - reached[-1] < config.hop


@pytest.mark.parametrize("stems", [2, 4, 5])
def test_presets_are_the_published_configurations(stems: int) -> None:
    config: Config = load_preset(f"spleeter_{stems}stems").model
    assert config.stems == STEMS[stems]
    assert (config.activation, config.masks) == (
        "relu" if stems == 2 else "elu",
        "softmax" if stems == 5 else "sigmoid",
    )


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"activation": "relux"}, "unknown activation 'relux': did you mean 'relu'?"),
        ({"masks": "ratio"}, "unknown masks 'ratio'"),
        ({"extension": "zero"}, "unknown extension 'zero': did you mean 'zeros'?"),
        ({"bins": 12}, "bins = 12: a multiple of 2 ** len(filters) = 8, at most size / 2 = 32"),
        ({"bins": 40}, "bins = 40: a multiple of"),
        ({"hop": 32}, "hop = 32: a divisor of size = 64, at most a quarter of it"),
        ({"filters": (4,)}, "filters = (4,): at least two"),
        ({"size": 66}, "size = 66: a multiple of 4"),
        ({"stems": ("vocals",), "residual": "accompaniment"}, "residual = 'accompaniment': null"),
        ({"stems": ("vocals", "piano", "accompaniment")}, "together they must hold"),
    ],
)
def test_sizes_that_cannot_work_are_refused(sizes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        Config(**{**SMALL, **sizes})


def test_a_stem_that_no_track_has_cannot_be_trained() -> None:
    from tfwavesep.stems import weights

    preset = load_preset("spleeter_5stems")
    assert dataclasses.replace(preset.model, masks="sigmoid").targets == STEMS[5]
    with pytest.raises(ConfigError, match="tracks have no piano of its own: it is in their other"):
        weights(preset.model.targets)
