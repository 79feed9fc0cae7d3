"""A training computes in what the machine is quick in."""

import keras
import pytest
import tensorflow as tf

from tfwavesep import system
from tfwavesep.config import TrainingConfig
from tfwavesep.training import arithmetic


@pytest.fixture
def processor(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """One without a GPU beside it."""
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    return monkeypatch


@pytest.mark.parametrize(
    ("asked", "there", "expected"),
    [(True, True, "mixed_bfloat16"), (True, False, "float32"), (False, True, "float32"), (False, False, "float32")],
)
def test_bfloat16_where_it_is_asked_for_and_there(
    asked: bool, there: bool, expected: str, processor: pytest.MonkeyPatch
) -> None:
    processor.setattr(system, "has_bfloat16", lambda: there)
    training = TrainingConfig(mixed_precision=asked)
    assert arithmetic.policy(training) == expected
    before = keras.config.dtype_policy().name
    with arithmetic.precision(training):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    assert model.layers[0].dtype_policy.name == expected
    assert keras.config.dtype_policy().name == before
    lacks = "for want of bfloat16" in arithmetic.told(training, model)
    assert lacks == (asked and not there)
    assert ("in bfloat16" in arithmetic.told(training, model)) == (asked and there)


def test_a_gpu_has_it_whatever_the_processor_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "has_bfloat16", lambda: False)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind])
    assert arithmetic.policy(TrainingConfig(mixed_precision=True)) == "mixed_bfloat16"


def test_what_began_in_bfloat16_is_told_so_elsewhere(processor: pytest.MonkeyPatch) -> None:
    processor.setattr(system, "has_bfloat16", lambda: True)
    training = TrainingConfig(mixed_precision=True)
    with arithmetic.precision(training):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    processor.setattr(system, "has_bfloat16", lambda: False)
    assert arithmetic.told(training, model) == "in bfloat16"
