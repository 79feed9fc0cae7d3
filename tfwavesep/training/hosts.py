"""Training on several machines at once, each with a part of every batch: by Keras' distribution API, which JAX alone
implements (Keras 3 does not support TensorFlow's MultiWorkerMirroredStrategy, keras#20585).

The same command runs on every machine, in an environment that names them, see `keras.distribution.initialize`. All go
the same way step by step, or they would wait for each other for ever; only the first of them writes.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import keras

from tfwavesep.errors import ConfigError

COUNT = "KERAS_DISTRIBUTION_NUM_PROCESSES"
"""The variable that makes a training one of several machines'."""

ADDRESSES, ID = "KERAS_DISTRIBUTION_JOB_ADDRESSES", "KERAS_DISTRIBUTION_PROCESS_ID"
"""Those that say where the first is, and which of them this one is."""


def count() -> int:
    """How many processes train together.

    Raises:
        ConfigError: the environment says so incompletely, or Keras does not run on JAX.
    """
    told = {name: os.environ.get(name, "") for name in (COUNT, ADDRESSES, ID)}
    if not told[COUNT]:
        return 1
    processes, number = (int(told[name]) if told[name].isdecimal() else -1 for name in (COUNT, ID))
    if not told[ADDRESSES] or not 0 <= number < processes:
        said = ", ".join(f"{name}={value}" for name, value in told.items())
        raise ConfigError(f"{said}: must be a number of machines, HOST:PORT of the first, and which this is, from 0")
    if processes > 1 and keras.backend.backend() != "jax":
        raise ConfigError(
            f"{COUNT}={processes}: only JAX trains on several machines: pip install 'tfwavesep[jax]', and set "
            "KERAS_BACKEND=jax"
        )
    return processes


def join(batch_size: int) -> None:
    """Meet the others, and train with them from here on.

    Raises:
        ConfigError: a batch cannot be divided evenly, or the others do not come.
    """
    if count() == 1 or keras.distribution.distribution():
        return
    import jax

    jax.config.update("jax_cpu_collectives_implementation", "gloo")  # where there are no GPUs
    try:
        keras.distribution.initialize()
    except RuntimeError as error:
        raise ConfigError(f"{ADDRESSES}={os.environ[ADDRESSES]}: the machines do not meet: {error}") from error
    devices = len(jax.devices())
    if batch_size % devices:
        raise ConfigError(f"training.batch_size = {batch_size}: must be a multiple of the {devices} devices")
    keras.distribution.set_distribution(keras.distribution.DataParallel())


def is_first() -> bool:
    """Whether this process is the one that writes."""
    return count() == 1 or int(os.environ[ID]) == 0


def wait() -> None:
    """Until all have come this far."""
    if count() > 1:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices("wait")


@contextmanager
def alone() -> Iterator[None]:
    """What is made inside the block is this process' own: reading and writing models makes variables, which all would
    have to make at the same time else."""
    together = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(together)
