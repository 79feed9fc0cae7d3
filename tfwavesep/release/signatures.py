"""The SavedModel that is exported: what it can be asked for by name, here and on TensorFlow Serving.

- `serving_default`: `mixture` float32 `(batch, time, channels)` to `stems` float32
  `(batch, stems, time - context - lookahead, channels)`.
- `separate_wav`: `wav_bytes` string `(songs)`, each a WAV of 16, 24 or 32-bit PCM or 32-bit float at the model's rate,
  to `STEM_bytes` string `(songs)` for each target, each a WAV of 16-bit PCM, as long and with as many channels.
- `step`, of a network that is written to run live: `mixture` float32 `(batch, time, channels)`, time being a multiple
  of `block`, and the states by their names, to `stems` of the samples that end `lookahead` earlier and the new states
  by the same names. See `layers.steps`.
- `describe`: `query` string `(any)`, not looked at, to `config` string `(any)`: stems, rate, context, lookahead and
  block as json.

Names that end in `_bytes` are base64 in TensorFlow Serving's REST interface; every output has the batch dimension of
its input, as batching on the server asks for.
"""

import json
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfwavesep import layers
from tfwavesep.backends import window
from tfwavesep.models import ModelConfig
from tfwavesep.release import wav_graph
from tfwavesep.separation import segment_length

WARMUP = Path("assets.extra") / "tf_serving_warmup_requests"
"""Where TensorFlow Serving looks for requests to run before it calls a version ready."""

FULL_SCALE = 32768.0


class Signatures(tf.Module):
    """A network with its signatures.

    Args:
        model: the network.
        config: what it separates.
        live: whether `step` is one of them.

    Raises:
        ModelError: the network cannot go step by step.
    """

    def __init__(self, model: keras.Model, config: ModelConfig, live: bool = False) -> None:
        super().__init__()
        self.weights = [variable.value for variable in model.variables]
        self._mixture = tf.TensorSpec((None, None, config.channels), tf.float32, name="mixture")
        self._model = tf.function(lambda mixture: model(mixture, training=False), input_signature=[self._mixture])
        self._step = _step(model, config, self._mixture) if live else None
        self._config = config
        self._target_length = segment_length(config, longest=window(config))

    def functions(self) -> dict[str, Any]:
        """Each signature by its name."""
        strings = [tf.TensorSpec((None,), tf.string, name=name) for name in ("wav_bytes", "query")]
        functions = {
            "serving_default": tf.function(self.separate, input_signature=[self._mixture]),
            "separate_wav": tf.function(self.separate_wav, input_signature=strings[:1]),
            "describe": tf.function(self.describe, input_signature=strings[1:]),
        }
        return functions if self._step is None else functions | {"step": self._step}

    def separate(self, mixture: tf.Tensor) -> dict[str, tf.Tensor]:
        """`mixture (batch, time, channels)` to `stems`."""
        return {"stems": self._model(mixture)}

    def separate_wav(self, wav_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """WAV files to WAV files, one output for each target. They sum to the mixture in 16 bits, sample by
        sample, where the last one does not clip."""
        files = tf.map_fn(self._one_wav, wav_bytes, fn_output_signature=tf.TensorSpec(None, tf.string))
        return {f"{target}_bytes": files[:, i] for i, target in enumerate(self._config.targets)}

    def describe(self, query: tf.Tensor) -> dict[str, tf.Tensor]:
        """The model's description, once for each query."""
        return {"config": tf.fill(tf.shape(query), json.dumps(description(self._config)))}

    def _one_wav(self, wav: tf.Tensor) -> tf.Tensor:
        """One file, `()` string to `(targets,)` string."""
        config = self._config
        mixture, sample_rate = wav_graph.decode(wav)
        mixture = _in_steps(mixture)
        told = f"the WAV file must have {config.sample_rate} samples per second, but has"
        tf.debugging.Assert(sample_rate == config.sample_rate, [told, sample_rate])
        stems = self._estimate(mixture)[: len(config.targets) - 1]
        stems = _in_steps(stems)
        stems = tf.concat([stems, [mixture - tf.reduce_sum(stems, 0)]], 0)
        return tf.stack([tf.audio.encode_wav(stems[i], sample_rate) for i in range(len(config.targets))])

    def _estimate(self, mixture: tf.Tensor) -> tf.Tensor:
        """`(time, any channels)` to `(stems, time, channels)`, as the separator does it: channels in groups of the
        model's, a lone last one doubled, segments on the fixed grid."""
        config, stems = self._config, len(self._config.stems)
        time, channels = tf.shape(mixture)[0], tf.shape(mixture)[1]
        lone = channels % config.channels
        grouped = tf.concat([mixture, tf.repeat(mixture[:, -1:], lone, axis=1)], 1)
        grouped = tf.transpose(tf.reshape(grouped, [time, -1, config.channels]), [1, 0, 2])
        estimates = self._segments(grouped, time)
        estimates = tf.reshape(tf.transpose(estimates, [1, 2, 0, 3]), [stems, time, channels + lone])
        last = tf.reduce_mean(estimates[:, :, channels - 1 :], 2, keepdims=True)
        return tf.concat([estimates[:, :, : channels - 1], last], 2)

    def _segments(self, grouped: tf.Tensor, time: tf.Tensor) -> tf.Tensor:
        """`(groups, time, channels)` to `(groups, stems, time, channels)`, one segment after the other."""
        config, length = self._config, self._target_length
        count = -(-time // length)
        padded = tf.pad(grouped, [[0, 0], [config.context, config.lookahead + count * length - time], [0, 0]])
        outputs = tf.TensorSpec((None, len(config.stems), length, config.channels), tf.float32)
        segments = tf.map_fn(
            lambda k: self._model(padded[:, k * length : k * length + config.input_length(length)]),
            tf.range(count),
            fn_output_signature=outputs,
            parallel_iterations=1,
        )
        joined = tf.transpose(segments, [1, 2, 0, 3, 4])
        shape = [tf.shape(grouped)[0], len(config.stems), count * length, config.channels]
        return tf.reshape(joined, shape)[:, :, :time]


def _step(model: keras.Model, config: ModelConfig, mixture: tf.TensorSpec) -> Any:
    """The function behind `step`, traced."""
    shapes = layers.state_shapes(model, config.block)
    states = {name: tf.TensorSpec((None, *shape), tf.float32, name) for name, shape in shapes.items()}

    def step(mixture: tf.Tensor, **states: tf.Tensor) -> dict[str, tf.Tensor]:
        stems, kept = layers.step(model, mixture, states)
        return {"stems": stems, **kept}

    return tf.function(step).get_concrete_function(mixture=mixture, **states)


def _in_steps(samples: tf.Tensor) -> tf.Tensor:
    """Samples as 16 bits hold them."""
    return tf.clip_by_value(tf.round(samples * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1) / FULL_SCALE


def description(config: ModelConfig) -> dict[str, Any]:
    """What a client must know, in the form of a model's `config.json`."""
    model = {name: getattr(config, name) for name in ("sample_rate", "channels", "stems", "residual")}
    return {"model": model, "context": config.context, "lookahead": config.lookahead, "block": config.block}


def write(model: keras.Model, config: ModelConfig, path: Path, live: bool = False) -> None:
    """A SavedModel with the signatures of `Signatures`, batch and time free.

    Written by TensorFlow itself: Keras' export archive stores every weight twice.

    Raises:
        ModelError: it is to go live, and the network cannot go step by step.
    """
    module = Signatures(model, config, live)
    module.functions_ = module.functions()
    tf.saved_model.save(module, str(path), signatures=module.functions_)


def write_warmup(config: ModelConfig, name: str, path: Path) -> bool:
    """Requests that a server runs when it loads the version, so that the first song does not wait: a window of silence
    and a description.

    Args:
        config: what the model separates.
        name: of the model.
        path: of the SavedModel.

    Returns:
        whether they were written; they need tensorflow-serving-api.
    """
    try:
        from tensorflow_serving.apis import prediction_log_pb2
    except ImportError:
        return False
    target_length = segment_length(config, longest=window(config))
    length = config.input_length(target_length)
    requests = {
        "serving_default": {"mixture": tf.make_tensor_proto(0.0, tf.float32, (1, length, config.channels))},
        "describe": {"query": tf.make_tensor_proto(["config"])},
    }
    (path / WARMUP).parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path / WARMUP)) as file:
        for signature, inputs in requests.items():
            log = prediction_log_pb2.PredictionLog()
            request = log.predict_log.request
            request.model_spec.name, request.model_spec.signature_name = name, signature
            for key, value in inputs.items():
                request.inputs[key].CopyFrom(value)
            file.write(log.SerializeToString())
    return True
