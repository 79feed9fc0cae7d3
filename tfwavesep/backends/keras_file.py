"""A `.keras` file, run by Keras."""

from pathlib import Path

import numpy as np

from tfwavesep import models
from tfwavesep.backends._backend import Backend
from tfwavesep.models import ModelConfig


class KerasBackend(Backend):
    """Runs a `.keras` file."""

    name = "Keras"
    survives_fork = False

    def __init__(self, path: Path, config: ModelConfig) -> None:
        import tensorflow as tf

        self.config = config
        model = models.load(path)
        self._run = tf.function(lambda mixture: model(mixture, training=False), reduce_retracing=True)

    def predict(self, mixture: np.ndarray) -> np.ndarray:
        return np.asarray(self._run(mixture))
