import dataclasses
from typing import Any

import keras
import numpy as np
import pytest

from tfwavesep import models
from tfwavesep.config import load_preset
from tfwavesep.errors import ConfigError
from tfwavesep.models import cascade, ensemble, unet
from tfwavesep.models._shortened import shortened
from tfwavesep.models.ensemble import Member
from tfwavesep.models.unet_wavenet import Config, VoiceLeft

STEMS = ("vocals", "drums", "bass", "other")
BANDS: dict[str, Any] = {"size": 64, "hop": 32, "groups": 2, "bands": ((4, 2), (4, 2)), "filters": 4, "stacks": 1}
SMALL = Config(sample_rate=8000, channels=2, stems=STEMS, dilations=2, bins=16, levels=(2, 3), **BANDS)


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    length = SMALL.input_length(4 * SMALL.block)
    return np.random.default_rng(0).normal(0, 0.1, (1, length, 2)).astype(np.float32)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"levels": (2, 2, 3)},
        {"levels": (2, 2, 2, 3)},
        {"hop": 16},
        {"ahead": 1},
    ],
    ids=str,
)
def test_the_context_is_where_gradients_end(changed: dict[str, Any]) -> None:
    """Blocks at both ends of what is put out depend on all of the input that the config tells, and on no more."""
    import tensorflow as tf

    config = dataclasses.replace(SMALL, **changed)
    keras.utils.set_random_seed(1)
    network = models.build("unet_wavenet", config)
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D):  # of the U-Net: what is negative would be cut off
            scale = 0.01 if layer.name == "last" else 1  # nor may the mask be all or nothing
            layer.set_weights([scale * np.abs(each) for each in layer.get_weights()])
    length = config.input_length(3 * config.block)
    mixture = tf.constant(np.random.default_rng(1).normal(0, 0.3, (1, length, 2)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(mixture)
        stems = network(mixture, training=True)
        middle = tf.reduce_sum(stems[:, :, config.block : 2 * config.block] ** 2)
    seen = np.flatnonzero(np.abs(tape.gradient(middle, mixture)).max((0, 2)))
    # What lies further than a hop within may weigh too little to be seen: a window's ends.
    assert config.block <= seen[0] < config.block + config.hop
    behind = length - 1 - seen[-1]
    assert config.block <= behind < config.block + config.hop


def test_any_cut_on_the_grid_gives_the_same_samples(noise: np.ndarray) -> None:
    network = models.build("unet_wavenet", SMALL)
    whole = np.asarray(network(noise))
    for block in range(4):
        begin = block * SMALL.block
        part = np.asarray(network(noise[:, begin : begin + SMALL.input_length(SMALL.block)]))
        np.testing.assert_allclose(part, whole[:, :, begin : begin + SMALL.block], atol=1e-6)


def test_stems_sum_to_the_mixture_and_silence_stays_silent(noise: np.ndarray) -> None:
    network = models.build("unet_wavenet", SMALL)
    kept = noise[:, SMALL.context : noise.shape[1] - SMALL.lookahead]
    np.testing.assert_allclose(np.asarray(network(noise)).sum(1), kept, atol=1e-6)
    assert not np.asarray(network(0 * noise)).any()


def test_the_default_model_is_small_and_sees_three_seconds_at_most() -> None:
    preset = load_preset("default")
    assert models.build(preset.architecture, preset.model).count_params() < 1_500_000
    assert max(preset.model.context, preset.model.lookahead) <= 3 * preset.model.sample_rate
    assert preset.model.block == 8 * 2048


def test_all_of_a_full_mask_is_voice_and_nothing_of_an_empty_one(noise: np.ndarray) -> None:
    """What the first network takes is the first stem's, what it leaves is divided among all."""
    network = models.build("unet_wavenet", SMALL)
    kept = noise[:, SMALL.context : noise.shape[1] - SMALL.lookahead]
    kernel, bias = network.get_layer("last").get_weights()
    network.get_layer("last").set_weights([0 * kernel, 0 * bias + 50])
    vocals, *others = np.asarray(network(noise))[0]
    np.testing.assert_allclose(others[:2], 0, atol=1e-6)
    nyquist = kept[0] - vocals  # which no transform here holds is the last stem's
    np.testing.assert_allclose(others[2], nyquist, atol=1e-6)
    assert np.abs(nyquist).max() < 0.2 * np.abs(kept).max()
    network.get_layer("last").set_weights([0 * kernel, 0 * bias - 50])
    shares = np.asarray(network(noise))[0]
    wavenet = models.build("banded_wavenet", _wavenet(SMALL))
    models.begin("banded_wavenet", wavenet, _wavenet(SMALL), network, SMALL)
    spare = SMALL.context - wavenet_context(SMALL), SMALL.lookahead - wavenet_context(SMALL)
    alone = np.asarray(wavenet(noise[:, spare[0] : noise.shape[1] - spare[1]]))[0]
    np.testing.assert_allclose(shares, alone, atol=1e-5)


def _wavenet(config: Config) -> Any:
    fields = {each.name for each in dataclasses.fields(models.config_class("banded_wavenet"))}
    values = {name: value for name, value in vars(config).items() if name in fields}
    return models.config_class("banded_wavenet")(**values)


def wavenet_context(config: Config) -> int:
    return int(_wavenet(config).context)


def test_bins_come_in_pairs_and_those_above_get_the_mean() -> None:
    logits = np.random.default_rng(2).normal(size=(1, 3, 4, 2 * 2)).astype(np.float32)
    left = np.asarray(VoiceLeft(8)(logits))
    assert left.shape == (1, 2, 4, 8)
    for row in range(3):
        for place in range(2):
            expected = 1 / (1 + np.exp(logits[0, row, :, 2 * place : 2 * place + 2].T))
            np.testing.assert_allclose(left[0, :, :, 2 * row + place], expected, rtol=1e-5)
    np.testing.assert_allclose(left[..., 6:], left[..., :6].mean(-1, keepdims=True).repeat(2, -1), rtol=1e-5)


def _published(levels: int, offsets: bool) -> tuple[unet.Config, keras.Model]:
    """A U-Net with normalisations that were trained, without the random weights' symmetry."""
    filters = (2, 3, 4, 5)[:levels]
    config = unet.Config(
        sample_rate=8000, channels=2, stems=("vocals", "accompaniment"), size=64, hop=16, bins=16, filters=filters
    )
    network = models.build("unet", config)
    rng = np.random.default_rng(4)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            beta, mean = (rng.normal(0, 0.3 * offsets, beta.shape) for _ in range(2))
            layer.set_weights([rng.uniform(0.3, 2, gamma.shape), beta, mean, rng.uniform(0.3, 2, variance.shape)])
        elif layer.weights:
            layer.set_weights([rng.normal(0, 0.3, each.shape) for each in layer.weights])
    return config, network


def test_a_published_network_of_as_many_levels_is_the_same_on_frames_that_change_slowly() -> None:
    """Where every frame between two is their mean, the shorter network makes of every second frame what the published
    one makes of all."""
    config, published = _published(3, offsets=False)
    shorter = dataclasses.replace(SMALL, levels=(2, 3, 4))
    network = models.build("unet_wavenet", shorter)
    for name, weights in shortened(published, "vocals", 3):
        network.get_layer(name).set_weights(weights)
    frames = shorter.encoded[0][1] - shorter.encoded[0][0] + 1 + 2 * shorter.block_frames
    coarse = np.random.default_rng(5).uniform(0, 1, (1, 16, frames, 2)).astype(np.float32)
    fine = np.zeros((1, 16, 2 * frames + 1, 2), np.float32)
    fine[:, :, 1::2] = coarse
    fine[:, :, 2:-1:2] = (coarse[:, :, 1:] + coarse[:, :, :-1]) / 2
    inputs = network.get_layer("magnitudes").output
    ours = np.asarray(keras.Model(inputs, network.get_layer("last_whole").output)(coarse))
    ours = ours.reshape(1, 8, -1, 2, 2).transpose(0, 1, 3, 2, 4).reshape(1, 16, -1, 2)
    first = -2 * shorter.encoded[0][0]  # on the grid of both: the second block's
    theirs = _unet_of(config, published, fine, first + config.block_frames)
    begin = shorter.edges[0] + shorter.block_frames
    same = ours[:, :, begin : begin + shorter.block_frames]
    np.testing.assert_allclose(same, 2 * theirs[:, :, ::2][:, :, : shorter.block_frames], rtol=1e-3, atol=1e-4)


def _unet_of(config: unet.Config, network: keras.Model, frames: np.ndarray, first: int) -> np.ndarray:
    """What one stem's masks are made of, from the frame behind `first` on, which is on the coarsest level's grid."""
    before, after = -config.encoded[0][0], config.encoded[0][1] - config.block_frames
    seen = keras.Model(network.get_layer("seen").output, network.get_layer("vocals_whole").output)
    return np.asarray(seen(frames[:, :, first - before : first + config.block_frames + after + 1]))


def test_a_deeper_network_gives_what_its_coarsest_levels_give_on_average() -> None:
    _, published = _published(4, offsets=True)
    weights = dict(shortened(published, "vocals", 3))
    kernel, bias = published.get_layer("vocals_up2").get_weights()
    _, beta, *_ = published.get_layer("vocals_up_normalised3").get_weights()
    np.testing.assert_allclose(weights["up2"][0], kernel[..., :4], rtol=1e-5)
    np.testing.assert_allclose(weights["up2"][1], bias + (kernel[..., 4:] @ beta).sum((0, 1)) / 4, rtol=1e-4)


@pytest.fixture(scope="module")
def behind_spleeter() -> tuple[cascade.Config, keras.Model]:
    """A U-Net of three levels, and two WaveNets behind it."""
    first, published = _published(3, offsets=True)
    sizes = {name: value for name, value in vars(_wavenet(SMALL)).items() if name in BANDS} | {"dilations": 2}
    member = Member(architecture="banded_wavenet", sizes=sizes)
    second = ensemble.Config(sample_rate=8000, channels=2, stems=STEMS, members=(member, member))
    config = cascade.Config(
        sample_rate=8000,
        channels=2,
        stems=STEMS,
        first=Member(architecture="unet", sizes={"stems": first.stems, **_sizes(first)}),
        divided="accompaniment",
        second=Member(architecture="ensemble", sizes={"stems": STEMS, "members": [dataclasses.asdict(member)] * 2}),
    )
    return config, cascade.join(config, [published, models.build("ensemble", second)])


def test_it_begins_with_a_cascade(behind_spleeter: tuple[cascade.Config, keras.Model]) -> None:
    """With the U-Net of its first stem, and with the first of the networks that divide the rest."""
    config, both = behind_spleeter
    one = dataclasses.replace(SMALL, levels=(2, 3, 4))
    network = models.build("unet_wavenet", one)
    assert models.begin("unet_wavenet", network, one, both, config) == []
    for name, weights in shortened(both.get_layer("first"), "vocals", 3):
        for here, there in zip(network.get_layer(name).get_weights(), weights, strict=True):
            np.testing.assert_array_equal(here, there)
    wavenet, _ = ensemble.networks(config.parts_in_order[1], both.get_layer("second"))
    encoder = wavenet.get_layer("encoder").get_weights()[0]
    np.testing.assert_array_equal(network.get_layer("encoder").get_weights()[0], encoder)


@pytest.mark.parametrize("changed", [{"levels": (2, 2, 2, 3)}, {"hop": 16}], ids=["fewer levels", "as many frames"])
def test_a_cascade_whose_u_net_cannot_be_shortened_gives_its_wavenet_alone(
    behind_spleeter: tuple[cascade.Config, keras.Model], changed: dict[str, Any]
) -> None:
    config, both = behind_spleeter
    other = dataclasses.replace(SMALL, **({"levels": (2, 3, 4)} | changed))
    network = models.build("unet_wavenet", other)
    left = models.begin("unet_wavenet", network, other, both, config)
    kinds = (keras.layers.Conv2D, keras.layers.Conv2DTranspose)
    assert {path.split("/")[0] for path in left} == {each.name for each in network.layers if isinstance(each, kinds)}


def _sizes(config: unet.Config) -> dict[str, Any]:
    names = ("size", "hop", "bins", "filters", "activation", "masks", "extension")
    return {name: getattr(config, name) for name in names}


def test_what_a_cascade_has_in_other_sizes_begins_at_random() -> None:
    network = models.build("unet_wavenet", SMALL)
    other = models.build("unet_wavenet", dataclasses.replace(SMALL, levels=(2, 4)))
    left = models.begin("unet_wavenet", network, SMALL, other, SMALL)
    assert sorted({path.split("/")[0] for path in left}) == ["conv2", "up1"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"levels": (4,)}, "levels = .4,.: at least two"),
        ({"levels": (4, 0)}, "levels = .4, 0.: at least two, of at least 1"),
        ({"bins": 0}, "bins = 0: a multiple of 2 .. len.levels. = 4"),
        ({"bins": 18}, "bins = 18"),
        ({"bins": 64}, "at most size / 2 = 32"),
    ],
)
def test_sizes_that_cannot_work_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        dataclasses.replace(SMALL, **changes)
