"""A SavedModel folder, run by TensorFlow."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfwavesep.backends._backend import Backend
from tfwavesep.backends._served import window
from tfwavesep.backends._steps import NO_STEP, STEP, Stepper
from tfwavesep.errors import ModelError
from tfwavesep.models import ModelConfig


class SavedModelBackend(Backend):
    """Runs a SavedModel's `serving_default` signature: in the same windows, one at a time, in which it is asked of a
    server, so that both give the same bytes."""

    name = "SavedModel"
    survives_fork = False

    def __init__(self, path: Path, config: ModelConfig) -> None:
        import tensorflow as tf

        self.config = config
        self._path = path
        self.max_target_length = window(config)
        try:
            self._model = tf.saved_model.load(str(path))
            self._run = self._model.signatures["serving_default"]
            inputs, outputs = self._run.structured_input_signature[1], self._run.structured_outputs
            if "mixture" not in inputs or "stems" not in outputs:
                raise ValueError("its signature is not serving_default(mixture) -> stems")
        except (OSError, KeyError, ValueError, IndexError, tf.errors.OpError) as error:
            raise ModelError(f"{path}: is not a SavedModel of this package: {str(error).splitlines()[0]}") from error

    def predict(self, mixture: np.ndarray) -> np.ndarray:
        import tensorflow as tf

        return np.concatenate([self._run(mixture=tf.constant(one[np.newaxis]))["stems"].numpy() for one in mixture])

    def steps(self, batch: int) -> Callable[[np.ndarray], np.ndarray]:
        import tensorflow as tf

        step = self._model.signatures.get(STEP)
        if step is None:
            raise ModelError(f"{self._path}: {NO_STEP}")
        shapes = {name: tuple(spec.shape[1:]) for name, spec in step.structured_input_signature[1].items()}
        del shapes["mixture"]

        def run(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
            return dict(step(**{name: tf.convert_to_tensor(value) for name, value in inputs.items()}))

        return Stepper(run, shapes, batch)
