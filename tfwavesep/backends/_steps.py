"""A network on its way through a song, step by step: the states go round, here."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

STEP = "step"
"""The signature's name, of SavedModels and TFLite files alike."""

NO_STEP = "was not exported to go step by step: `tfwavesep export --live` does that, for networks that can"

Run = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""From `mixture` and the states to `stems` and the states, by their names."""


class Stepper:
    """Runs a network on the next samples, again and again.

    Args:
        run: one step.
        shapes: of the states by their names, without the batch.
        batch: how many mixtures go along at the same time.
    """

    def __init__(self, run: Run, shapes: Mapping[str, tuple[int, ...]], batch: int) -> None:
        self._run = run
        self._states: dict[str, Any] = {name: np.zeros((batch, *shape), np.float32) for name, shape in shapes.items()}

    def __call__(self, mixture: np.ndarray) -> np.ndarray:
        """The next step.

        Args:
            mixture: float32 `(batch, time, channels)`, time being a multiple of the network's block.

        Returns:
            float32 `(batch, stems, time, channels)`: of the samples that end `lookahead` samples before the mixture's.
        """
        found = dict(self._run({"mixture": mixture, **self._states}))
        stems = np.asarray(found.pop("stems"))
        self._states = found
        return stems
