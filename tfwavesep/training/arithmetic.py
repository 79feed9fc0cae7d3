"""How a training computes on the processor that is there."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import tensorflow as tf

from tfwavesep import system
from tfwavesep.config import TrainingConfig

BFLOAT16, FLOAT32 = "mixed_bfloat16", "float32"
"""Keras' names: the former computes in bfloat16 and keeps weights in float32."""


def policy(training: TrainingConfig) -> str:
    """What a training computes in: bfloat16 if it asks for that and a GPU or the processor multiplies in it.

    A processor without such instructions takes 2.7 times as long in bfloat16 as in float32 (the network of the preset
    `banded_wavenet`, AVX-512), one with them 0.7 times (AMX); both learn alike, see benchmarks/SPEED.md.
    """
    return BFLOAT16 if training.mixed_precision and _has_bfloat16() else FLOAT32


def _has_bfloat16() -> bool:
    return bool(tf.config.list_physical_devices("GPU")) or system.has_bfloat16()


def told(training: TrainingConfig, model: keras.Model) -> str:
    """What a network computes in, in words; a training that goes on computes as it began."""
    if any(layer.compute_dtype == "bfloat16" for layer in model.layers):
        return "in bfloat16"
    return "in float32, for want of bfloat16" if training.mixed_precision else "in float32"


@contextmanager
def precision(training: TrainingConfig) -> Iterator[None]:
    """What is built inside the block computes by the training's policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy(training))
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@contextmanager
def as_traced() -> Iterator[None]:
    """Leave graphs as they were traced inside the block, where all is computed on the processor: rewriting a training
    step takes longer than two of its steps, and makes none of them faster. What GPUs compute depends on it."""
    if tf.config.list_physical_devices("GPU"):
        yield
        return
    switch = "disable_meta_optimizer"
    before = tf.config.optimizer.get_experimental_options().get(switch, False)
    tf.config.optimizer.set_experimental_options({switch: True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({switch: before})
