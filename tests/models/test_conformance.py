"""What every architecture owes, whatever it is: the tests find them by themselves."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from conftest import as_it_is, ops

from tfwavesep import config, layers, models
from tfwavesep.backends import Backend, open_backend
from tfwavesep.backends.litert import LiteRTBackend
from tfwavesep.backends.saved_model import SavedModelBackend
from tfwavesep.config import Preset
from tfwavesep.errors import ConfigError, ModelError
from tfwavesep.models.ensemble import Member
from tfwavesep.release import export, fidelity, fixed, quantization, signatures
from tfwavesep.store import StoredConfig
from tfwavesep.training import losses

pytestmark = pytest.mark.slow

SMALL: dict[str, dict[str, Any]] = {
    "wavenet": {"filters": 4, "stacks": 2, "dilations": 3, "head": (6, 5)},
    "framed_wavenet": {"stride": 8, "analysis_filters": 12, "filters": 4, "stacks": 2, "dilations": 3},
    "deepconvsep": {"window": 16, "filters": 3, "taps": 3, "bottleneck": 5, "patch_frames": 9, "patch_hop": 3},
    "banded_wavenet": {"size": 16, "hop": 4, "groups": 2, "bands": ((2, 1), (1, 2)), "filters": 4, "dilations": 2},
    "unet": {"size": 32, "hop": 8, "bins": 8, "filters": (2, 3)},
    "unet_wavenet": {
        "size": 16,
        "hop": 4,
        "groups": 2,
        "bands": ((2, 1), (1, 2)),
        "filters": 4,
        "dilations": 2,
        "bins": 8,
        "levels": (2, 3),
    },
    "waveunet": {"levels": 3, "filters": 4, "kernel": 5, "merge_kernel": 3},
}
SMALL["ensemble"] = {
    "members": tuple(
        Member(architecture=name, sizes=json.loads(json.dumps(SMALL[name])))
        for name in ("banded_wavenet", "framed_wavenet", "banded_wavenet")
    )
}
SMALL["cascade"] = {
    "first": Member(
        architecture="unet",
        sizes={"stems": ["vocals", "accompaniment"], "size": 32, "hop": 8, "bins": 8, "filters": [2, 3]},
    ),
    "second": Member(
        architecture="banded_wavenet",
        sizes={
            "stems": ["vocals", "drums", "bass", "other"],
            "stacks": 1,
            **json.loads(json.dumps(SMALL["banded_wavenet"])),
        },
    ),
}
"""Sizes that make each architecture small; one that is not named here is tested at its presets' sizes."""

ARCHITECTURES = models.available()

ONE_SIDED = {"banded_wavenet, ahead 0": 0, "banded_wavenet, ahead 2": 2}
"""Networks that look ahead less than behind: the second with a block that sees ahead, one that sees a little ahead, and
others that see none of it."""


def preset_of(name: str) -> Preset:
    """The first preset of an architecture, made small."""
    architecture = name.partition(",")[0]
    presets = [config.load_preset(name) for name in config.preset_names()]
    preset = next(p for p in presets if p.architecture == architecture)
    small = dataclasses.replace(preset.model, **SMALL.get(architecture, {}))
    if name in ONE_SIDED:
        small = dataclasses.replace(small, ahead=ONE_SIDED[name])  # type: ignore[call-arg]
    target_length = -(-64 // small.block) * small.block
    return dataclasses.replace(preset, model=small, data=dataclasses.replace(preset.data, target_length=target_length))


@pytest.fixture(scope="module", params=[*ARCHITECTURES, *ONE_SIDED])
def preset(request: pytest.FixtureRequest) -> Preset:
    return preset_of(request.param)


def built(preset: Preset) -> keras.Model:
    """A network of its own for who asks, always with the same weights."""
    keras.utils.set_random_seed(0)
    return models.build(preset.architecture, preset.model)


@pytest.fixture
def network(preset: Preset) -> keras.Model:
    return built(preset)


def noise(preset: Preset, target_length: int, batch: int = 1, seed: int = 0) -> np.ndarray:
    shape = (batch, preset.model.input_length(target_length), preset.model.channels)
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_every_architecture_has_a_preset() -> None:
    used = {config.load_preset(name).architecture for name in config.preset_names()}
    assert used == set(ARCHITECTURES)


def test_shapes_follow_the_formula(preset: Preset, network: keras.Model) -> None:
    for target_length in (preset.model.block, 3 * preset.model.block):
        estimates = network(noise(preset, target_length, batch=2))
        assert estimates.shape == (2, len(preset.model.stems), target_length, preset.model.channels)


def test_input_and_output_are_named(network: keras.Model) -> None:
    assert network.inputs[0].name.split(":")[0] == "mixture"
    assert network.output_names == ["stems"]


@pytest.fixture
def mixed_precision() -> Iterator[None]:
    """What is built meanwhile computes in bfloat16."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(before)


def test_mixed_precision_puts_out_float32(mixed_precision: None, preset: Preset, network: keras.Model) -> None:
    """Also within: what sums to the mixture does so as exactly as float32 can."""
    mixture = noise(preset, preset.data.target_length)
    stems = network(mixture)
    assert network.outputs[0].dtype == stems.dtype == "float32"
    if preset.model.residual is None:
        kept = slice(preset.model.context, mixture.shape[1] - preset.model.lookahead)
        np.testing.assert_allclose(stems.numpy().sum(axis=1), mixture[:, kept], atol=1e-5)


def test_receptive_field_is_the_formulas(preset: Preset, network: keras.Model) -> None:
    """No output sample depends on input beyond the context and the lookahead, and some output sample depends on the
    very ends of both, which need not be alike."""
    import tensorflow as tf

    length = preset.model.block
    mixture = tf.constant(noise(preset, length))
    with tf.GradientTape() as tape:
        tape.watch(mixture)
        # The form that has a gradient; squares, as the stems themselves may sum to the mixture.
        energy = tf.reduce_sum(without_chance(network)(mixture, training=True) ** 2)
    reached = np.flatnonzero(np.abs(tape.gradient(energy, mixture)).sum(axis=(0, 2)))
    context, lookahead = preset.model.context, preset.model.lookahead
    assert reached[0] <= preset.model.block
    assert reached[-1] >= context + lookahead - 1
    assert preset.model.input_length(length) == context + length + lookahead


def test_shifting_the_input_shifts_the_output(preset: Preset, network: keras.Model) -> None:
    block = preset.model.block
    mixture = noise(preset, 4 * block)
    whole = network(mixture).numpy()
    shifted = network(mixture[:, block:]).numpy()
    np.testing.assert_allclose(shifted, whole[:, :, block:], atol=1e-5)


STEPLESS = {"cascade", "deepconvsep", "unet", "unet_wavenet", "waveunet"}
"""Architectures with layers that look along time and have no steps."""


def test_steps_give_the_stems_of_the_whole(preset: Preset, network: keras.Model) -> None:
    """In steps of any number of blocks, behind any music as long as the context; or the layer is named that cannot."""
    config = preset.model
    if preset.architecture in STEPLESS:
        with pytest.raises(ModelError, match=r"cannot go step by step: its layer \w+ \(\w+\) has no steps"):
            layers.state_shapes(network, config.block)
        return
    shapes = layers.state_shapes(network, config.block)
    mixture = noise(preset, 12 * config.block, batch=2)
    expected = network(mixture).numpy()
    for blocks in (1, 4):
        length = blocks * config.block
        states: dict[str, Any] = {name: np.ones((2, *shape), np.float32) for name, shape in shapes.items()}
        fed, found = np.pad(mixture, [(0, 0), (-mixture.shape[1] % length, 0), (0, 0)]), []
        for place in range(0, fed.shape[1], length):
            stems, states = layers.step(network, fed[:, place : place + length], states)
            found.append(stems.numpy())
        assert {name: state.shape[1:] for name, state in states.items()} == shapes
        np.testing.assert_allclose(np.concatenate(found, axis=2)[:, :, -expected.shape[2] :], expected, atol=1e-5)


def test_lengths_that_cannot_work_are_refused(preset: Preset) -> None:
    with pytest.raises(ConfigError, match="positive multiple"):
        preset.model.input_length(0)
    if preset.model.block > 1:
        with pytest.raises(ConfigError, match=f"nearest: {preset.model.block}"):
            preset.model.input_length(preset.model.block + 1)


def test_config_round_trip(preset: Preset) -> None:
    assert config.preset_from_dict(preset.to_dict()) == preset


def test_keras_round_trip(preset: Preset, network: keras.Model, tmp_path: Path) -> None:
    network.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    mixture = noise(preset, preset.data.target_length)
    np.testing.assert_array_equal(network(mixture), again(mixture))


def without_chance(network: keras.Model) -> keras.Model:
    """The network without what training alone draws or measures."""
    for layer in network._flatten_layers():
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
    return network


def test_training_form_equals_inference_form(preset: Preset, network: keras.Model) -> None:
    """As a graph, too, which is what a training runs."""
    import tensorflow as tf

    network = without_chance(network)
    mixture = noise(preset, preset.data.target_length)
    as_trained = tf.function(lambda mixture: network(mixture, training=True), autograph=False)(tf.constant(mixture))
    np.testing.assert_allclose(as_trained, network(mixture, training=False), atol=1e-5)


def test_fit_lowers_the_loss(preset: Preset, network: keras.Model) -> None:
    """Eagerly: a graph with its gradient takes longer to be traced than its few steps."""
    length = preset.data.target_length
    targets = len(preset.model.targets)
    mixture = noise(preset, length, batch=4)
    inner = mixture[:, preset.model.context : preset.model.context + length]
    references = np.stack([inner / targets] * targets, axis=1)
    loss = losses.make(preset.loss.name, preset.loss.options)
    network.compile(keras.optimizers.Adam(1e-3), loss, run_eagerly=True)
    history = network.fit(mixture, references, epochs=4, verbose=0).history["loss"]
    assert history[-1] < history[0]


PARITY = {
    "SavedModel": (1e-5, export.LEAST_SNR["none"]),
    "Serving": (1e-5, export.LEAST_SNR["none"]),
    "TFLite none": (1e-5, export.LEAST_SNR["none"]),
    "TFLite float16": (0.01, export.LEAST_SNR["float16"]),
    "TFLite int8-weights": (0.1, export.LEAST_SNR["int8-weights"]),
    "TFLite dynamic": (0.3, export.LEAST_SNR["dynamic"]),
    "TFLite int8": (0.5, export.LEAST_SNR["int8"]),
}
"""Bounds beside Keras: the largest error as a share of the largest sample, and the least SNR in dB."""


@pytest.fixture(scope="module")
def exported(preset: Preset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the network as SavedModel, `1/`, and in every form of TFLite."""
    folder = tmp_path_factory.mktemp("exported")
    signatures.write(built(preset), preset.model, folder / "1")
    tflite = export.to_tflite(folder / "1")
    calibration = [0.1 * noise(preset, 4 * preset.model.block, seed=seed) for seed in range(4)]
    for form in quantization.FORMS:
        (folder / f"{form}.tflite").write_bytes(quantization.quantize(tflite, form, calibration))
    return folder


@pytest.fixture
def forms(preset: Preset, exported: Path) -> Iterator[dict[str, Backend]]:
    """The network in every form that is not Keras."""
    opened: dict[str, Backend] = {"SavedModel": SavedModelBackend(exported / "1", preset.model)}
    for form in quantization.FORMS:
        opened[f"TFLite {form}"] = LiteRTBackend(exported / f"{form}.tflite", preset.model)
    if find_spec("tensorflow_serving"):
        import tf_serving

        with tf_serving.grpc_server(tf_serving.Model(exported / "1")) as url:
            yield {**opened, "Serving": open_backend(url)}
    else:
        yield opened


def test_every_form_gives_keras_stems(
    preset: Preset, network: keras.Model, forms: dict[str, Backend], record_property: Callable[[str, Any], None]
) -> None:
    """With batch and time free."""
    outside = []
    for name, form in forms.items():
        errors, ratios = [], []
        for batch, blocks in ((1, 4), (2, 1), (1, 3)):
            mixture = 0.1 * noise(preset, blocks * preset.model.block, batch, seed=9)
            expected, estimates = network(mixture).numpy(), form.predict(mixture)
            errors.append(float(np.abs(estimates - expected).max() / np.abs(expected).max()))
            ratios.append(fidelity.snr(expected, estimates))
        record_property("parity", (preset.architecture, name, max(errors), min(ratios)))
        if not (max(errors) <= PARITY[name][0] and min(ratios) >= PARITY[name][1]):
            outside.append((name, max(errors), min(ratios)))
    assert not outside


def test_every_tflite_has_a_form_of_one_fixed_length(preset: Preset, exported: Path) -> None:
    """It gives the same stems bit for bit, segment after segment."""
    stored = StoredConfig.of(preset.model)
    lengths = fixed.Lengths.of(stored, 3 * stored.block / stored.sample_rate)
    segments = [0.1 * noise(preset, lengths.target_length, seed=seed) for seed in range(3)]
    for form in quantization.FORMS:
        path = exported / f"{form}.tflite"
        run, free = as_it_is(fixed.fix(path.read_bytes(), stored, lengths)), LiteRTBackend(path, preset.model)
        for segment in segments:
            np.testing.assert_array_equal(run(segment), free.predict(segment), err_msg=form)


def test_tflite_has_native_ops_only(exported: Path) -> None:
    for form in quantization.FORMS:
        used = ops(exported / f"{form}.tflite")
        assert "CONV_2D" in used, form
        assert not [op for op in used if "SPACE" in op or op.startswith(("Flex", "CUSTOM"))], form
