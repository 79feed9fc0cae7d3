"""A `.tflite` file, run by LiteRT: no TensorFlow."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tfwavesep import system
from tfwavesep.backends._backend import Backend
from tfwavesep.backends._steps import NO_STEP, STEP, Stepper
from tfwavesep.errors import ModelError
from tfwavesep.models import ModelConfig

MOST_LANES = 4
"""Segments under way at the same time at most; each takes the memory of a run."""

SAYING = threading.Lock()
"""Held by who takes standard error away for a moment: two at once might not give it back."""


class LiteRTBackend(Backend):
    """Runs a `.tflite` file.

    One run alone takes all threads, and does not use them well: much of it is moving samples about, which LiteRT does
    on one. Where segments follow one another, each thread has a segment of its own instead, to the same samples.

    Args:
        path: of the file.
        config: what it separates.
        threads: to compute with; None for one on each core that this process may use.

    Raises:
        ModelError: the file is damaged, or not a model of this package.
    """

    name = "LiteRT"

    def __init__(self, path: Path, config: ModelConfig, threads: int | None = None) -> None:
        self.config = config
        self._path = path
        threads = self._threads = threads or system.cores()
        lanes = min(threads, MOST_LANES)
        self._alone = _Interpreter(path, threads)
        self._lanes = [_Interpreter(path, threads // lanes) for _ in range(lanes)] if lanes > 1 else []

    def predict(self, mixture: np.ndarray) -> np.ndarray:
        return self._alone.predict(mixture)

    def steps(self, batch: int) -> Callable[[np.ndarray], np.ndarray]:
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_path=str(self._path), num_threads=self._threads)
        if STEP not in interpreter.get_signature_list():
            raise ModelError(f"{self._path}: {NO_STEP}")
        runner = interpreter.get_signature_runner(STEP)
        shapes = {name: tuple(told["shape"][1:]) for name, told in runner.get_input_details().items()}
        del shapes["mixture"]

        def run(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
            return dict(runner(**inputs))

        stepper = Stepper(run, shapes, batch)
        with _without_notices():
            stepper(np.zeros((batch, self.config.block, self.config.channels), np.float32))
        return stepper

    def predict_many(self, mixtures: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """What `predict` gives. Segments are taken ahead only from a source that is faster than the network: one that
        is played while it is separated would be delayed by it."""
        if not self._lanes:
            yield from map(self.predict, mixtures)
            return
        under_way: deque[Future[np.ndarray]] = deque()
        asked = time.monotonic()
        with ThreadPoolExecutor(len(self._lanes)) as pool:
            for number, mixture in enumerate(mixtures):
                lane = self._lanes[number % len(self._lanes)]
                is_slow = time.monotonic() - asked > self._lanes[0].took
                under_way.append(lane.submit(mixture, pool))
                while under_way and (is_slow or len(under_way) == len(self._lanes)):
                    yield under_way.popleft().result()
                asked = time.monotonic()
            yield from (future.result() for future in under_way)


class _Interpreter:
    """LiteRT's, with memory for mixtures of one shape. It does one run at a time: others, of other songs that are
    separated meanwhile, wait.

    Attributes:
        took: seconds of the last run; 0 before the first.
    """

    def __init__(self, path: Path, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        try:
            self._interpreter = Interpreter(model_path=str(path), num_threads=threads)
        except ValueError as error:
            raise ModelError(f"{path}: is damaged or not a TFLite model") from error
        signature = self._interpreter.get_signature_list().get("serving_default")
        if signature != {"inputs": ["mixture"], "outputs": ["stems"]}:
            raise ModelError(f"{path}: is not a TFLite model of this package: no serving_default(mixture) -> stems")
        taken = self._interpreter.get_input_details()[0]
        if -1 not in taken["shape_signature"]:
            raise ModelError(f"{path}: takes one fixed length; separate with the model that it was made of")
        self._input = taken["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]
        self._shape: tuple[int, ...] = ()
        self._free = threading.Lock()
        self.took = 0.0

    def predict(self, mixture: np.ndarray) -> np.ndarray:
        """`mixture (batch, time, channels)` to `stems (batch, stems, target_length, channels)`."""
        with self._free:
            self._fit(mixture)
            return self._run(mixture)

    def submit(self, mixture: np.ndarray, pool: ThreadPoolExecutor) -> Future[np.ndarray]:
        """What `predict` gives, later, from a thread of the pool."""
        self._free.acquire()
        try:
            self._fit(mixture)
            future = pool.submit(self._run, mixture)
        except BaseException:
            self._free.release()
            raise
        future.add_done_callback(lambda _: self._free.release())
        return future

    def _fit(self, mixture: np.ndarray) -> None:
        """Get the memory that it takes; in the caller's thread, as nothing can be said on standard error meanwhile."""
        if mixture.shape != self._shape:
            self._interpreter.resize_tensor_input(self._input, mixture.shape, strict=True)
            with _without_notices():
                self._interpreter.allocate_tensors()
            self._shape = mixture.shape

    def _run(self, mixture: np.ndarray) -> np.ndarray:
        began = time.monotonic()
        self._interpreter.set_tensor(self._input, mixture)
        self._interpreter.invoke()
        stems = np.asarray(self._interpreter.get_tensor(self._output))
        self.took = time.monotonic() - began
        return stems


@contextmanager
def _without_notices() -> Iterator[None]:
    """LiteRT says on standard error, from C++ and with no switch to stop it, which kernels it takes. What goes wrong is
    raised as an exception all the same."""
    with SAYING:
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
