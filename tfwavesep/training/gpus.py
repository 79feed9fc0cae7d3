"""Training on the GPUs of one machine; `hosts` has training on several machines."""

import json
import os

import tensorflow as tf

from tfwavesep.errors import ConfigError
from tfwavesep.training import hosts


def strategy() -> tf.distribute.Strategy:
    """All GPUs of this machine if it has several, else no distribution.

    Raises:
        ConfigError: TF_CONFIG asks for several machines.
    """
    if _machines(os.environ.get("TF_CONFIG", "")) > 1:
        raise ConfigError(
            "TF_CONFIG asks for several machines: Keras 3 does not support MultiWorkerMirroredStrategy (keras#20585); "
            f"unset it, and use Keras' JAX backend with {hosts.COUNT}, or one machine, of which all GPUs are used"
        )
    devices = [device.name for device in tf.config.list_logical_devices("GPU")]
    return tf.distribute.MirroredStrategy(devices) if len(devices) > 1 else tf.distribute.get_strategy()


def _machines(tf_config: str) -> int:
    """How many machines TensorFlow's TF_CONFIG names."""
    try:
        return sum(len(tasks) for tasks in json.loads(tf_config)["cluster"].values())
    except (ValueError, KeyError, TypeError, AttributeError):
        return 1
