"""The paper's WaveNet: its size, its field of view, and the released form it must equal."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfwavesep import config, models
from tfwavesep.errors import ConfigError
from tfwavesep.models import wavenet


@pytest.mark.parametrize(
    ("name", "parameters"), [("wavenet_multi_instrument", 3_277_763), ("wavenet_singing_voice", 3_277_249)]
)
def test_parameters_are_the_papers(name: str, parameters: int) -> None:
    preset = config.load_preset(name)
    assert models.build(preset.architecture, preset.model).count_params() == parameters


def test_receptive_field_is_8191_by_formula_and_by_gradient() -> None:
    """The released configuration says 8185: it counts the dilated stacks alone."""
    full = config.load_preset("wavenet_singing_voice").model
    assert isinstance(full, wavenet.Config)
    assert full.receptive_field == 8191
    narrow = wavenet.Config(
        sample_rate=16000, channels=1, stems=("vocals",), residual="accompaniment", filters=2, head=(2, 2)
    )
    keras.config.set_dtype_policy("float64")  # the ends are 40 small factors away
    network = wavenet.build(narrow)
    keras.config.set_dtype_policy("float32")
    for weight in network.weights:  # all positive, so that no path cancels another
        weight.assign(tf.abs(weight))
    quiet = tf.constant(1e-15, tf.float64)  # so that no tanh saturates
    mixture = tf.fill((1, full.receptive_field + 2, 1), quiet)
    with tf.GradientTape() as tape:
        tape.watch(mixture)
        estimate = network(mixture, training=True)[0, 0, 1, 0]
    support = np.flatnonzero(tape.gradient(estimate, mixture))
    assert (support[0], support[-1], len(support)) == (1, 8191, 8191)


def released_form(network: keras.Model, config: wavenet.Config, mixture: np.ndarray) -> np.ndarray:
    """The network as the paper's code computes it, one operation after the other: one convolution whose output is
    split into filter and gate, one 1x1 whose output is split into residual and skip."""
    weights = {w.path: w.numpy() for w in network.weights}
    kernels = {path.rsplit("/", 1)[0]: {} for path in weights}
    for path, value in weights.items():
        layer, name = path.rsplit("/", 1)
        kernels[layer][name] = value[0] if value.ndim == 4 else value
    x = tf.nn.conv1d(mixture, kernels["input_conv"]["kernel"], 1, "VALID")
    skips = []
    for number, dilation in enumerate(config.schedule, start=1):
        block = kernels[f"block{number:02d}_dilation{dilation}"]
        gated = tf.nn.conv1d(x, block["dilated_kernel"], 1, "VALID", dilations=dilation)
        filtered, gate = tf.split(gated, 2, axis=-1)
        both = tf.nn.conv1d(tf.tanh(filtered) * tf.sigmoid(gate), block["output_kernel"], 1, "VALID")
        residual, skip = tf.split(both, 2, axis=-1)
        x = x[:, dilation:-dilation] + residual
        skips.append(skip)
    length = skips[-1].shape[1]
    total = tf.add_n([s[:, (s.shape[1] - length) // 2 :][:, :length] for s in skips])
    x = tf.nn.relu(tf.nn.conv1d(tf.nn.relu(total), kernels["head1"]["kernel"], 1, "VALID"))
    x = tf.nn.conv1d(x, kernels["head2"]["kernel"], 1, "VALID")
    out = tf.nn.conv1d(x, kernels["output_conv"]["kernel"], 1, "VALID") + kernels["output_conv"]["bias"]
    return tf.transpose(out, (0, 2, 1))[..., tf.newaxis].numpy()


def test_fast_form_equals_the_released_form() -> None:
    small = wavenet.Config(
        sample_rate=16000, channels=1, stems=("vocals", "drums", "bass"), residual="other",
        filters=8, stacks=2, dilations=4, head=(16, 8),
    )  # fmt: skip
    network = wavenet.build(small)
    mixture = np.random.default_rng(0).standard_normal((2, small.input_length(50), 1)).astype(np.float32)
    np.testing.assert_allclose(network(mixture), released_form(network, small, mixture), atol=1e-5)


@pytest.mark.parametrize(
    ("field", "value"), [("filters", 0), ("dilations", 17), ("head", (0, 8)), ("channels", 3), ("stacks", 0)]
)
def test_sizes_that_cannot_work_are_refused(field: str, value: object) -> None:
    sizes = {"sample_rate": 16000, "channels": 1, "stems": ("vocals",), "residual": "accompaniment", field: value}
    with pytest.raises(ConfigError, match=field):
        wavenet.Config(**sizes)  # type: ignore[arg-type]


def test_stems_must_sum_to_the_mixture() -> None:
    with pytest.raises(ConfigError, match="exactly once"):
        wavenet.Config(sample_rate=16000, channels=1, stems=("vocals", "drums"), residual=None)
