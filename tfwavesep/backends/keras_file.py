"""A `.keras` file, run by Keras."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfwavesep import models
from tfwavesep.backends._backend import Backend
from tfwavesep.backends._steps import Stepper
from tfwavesep.models import ModelConfig


class KerasBackend(Backend):
    """Runs a `.keras` file."""

    name = "Keras"
    survives_fork = False

    def __init__(self, path: Path, config: ModelConfig) -> None:
        import tensorflow as tf

        self.config = config
        model = models.load(path)
        self._model = model
        self._run = tf.function(lambda mixture: model(mixture, training=False), reduce_retracing=True)

    def predict(self, mixture: np.ndarray) -> np.ndarray:
        return np.asarray(self._run(mixture))

    def steps(self, batch: int) -> Callable[[np.ndarray], np.ndarray]:
        import tensorflow as tf

        from tfwavesep import layers

        def run(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
            states = {name: value for name, value in inputs.items() if name != "mixture"}
            stems, kept = layers.step(self._model, inputs["mixture"], states)
            return {"stems": stems, **kept}

        return Stepper(
            tf.function(run, reduce_retracing=True), layers.state_shapes(self._model, self.config.block), batch
        )
