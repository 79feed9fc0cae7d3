"""A `.tflite` file, run by LiteRT: no TensorFlow."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tfwavesep.backends._backend import Backend
from tfwavesep.errors import ModelError
from tfwavesep.models import ModelConfig


class LiteRTBackend(Backend):
    """Runs a `.tflite` file."""

    name = "LiteRT"

    def __init__(self, path: Path, config: ModelConfig, threads: int | None = None) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self.config = config
        try:
            self._interpreter = Interpreter(model_path=str(path), num_threads=threads or _threads())
        except ValueError as error:
            raise ModelError(f"{path}: is damaged or not a TFLite model") from error
        signature = self._interpreter.get_signature_list().get("serving_default")
        if signature != {"inputs": ["mixture"], "outputs": ["stems"]}:
            raise ModelError(f"{path}: is not a TFLite model of this package: no serving_default(mixture) -> stems")
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]
        self._shape: tuple[int, ...] = ()

    def predict(self, mixture: np.ndarray) -> np.ndarray:
        if mixture.shape != self._shape:
            self._interpreter.resize_tensor_input(self._input, mixture.shape, strict=True)
            with _without_notices():
                self._interpreter.allocate_tensors()
            self._shape = mixture.shape
        self._interpreter.set_tensor(self._input, mixture)
        self._interpreter.invoke()
        return np.asarray(self._interpreter.get_tensor(self._output))


@contextmanager
def _without_notices() -> Iterator[None]:
    """LiteRT says on standard error, from C++ and with no switch to stop it, which kernels it takes. What goes wrong is
    raised as an exception all the same."""
    try:
        kept = os.dup(2)
    except OSError:  # there is no standard error
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)


def _threads() -> int:
    """As many as OMP_NUM_THREADS says, which Ray sets to a worker's cores; else one for each core."""
    wished = os.environ.get("OMP_NUM_THREADS", "")
    return int(wished) if wished.isdecimal() and int(wished) else os.cpu_count() or 1
