"""A song that is played while it is separated: the network goes on from where it was; every sample is computed once."""

from collections.abc import Iterable, Iterator

import numpy as np

from tfwavesep.backends import Backend
from tfwavesep.separation.chunking import Grid


class StepByStep(Backend):
    """A backend that knows what came before: its segments must follow one another, and hold no context.

    The network has heard silence before the first, as long as its context.

    Args:
        backend: the model's runtime.
        grid: of the segments; its context is 0.
        batch: of the segments.

    Raises:
        ModelError: the model cannot go step by step.
    """

    def __init__(self, backend: Backend, grid: Grid, batch: int) -> None:
        self.config, self.name = backend.config, backend.name
        self._step = backend.steps(batch)
        self._grid = grid
        silence = self.config.context + -(self.config.context + grid.lookahead) % grid.target_length
        shape = (batch, silence, self.config.channels)
        whole = silence // grid.target_length * grid.target_length
        self._before: np.ndarray | None = np.zeros(shape, np.float32)[:, whole:]
        self._go(np.zeros(shape, np.float32)[:, :whole])

    def predict(self, mixture: np.ndarray) -> np.ndarray:
        """The stems of the next segment: of its samples all but the last `target_length` went in with the one before.

        Args:
            mixture: float32 `(batch, target_length + config.lookahead, channels)`.

        Returns:
            float32 `(batch, stems, target_length, channels)`.
        """
        if self._before is not None:
            self._go(np.concatenate([self._before, mixture[:, : self._grid.lookahead]], axis=1))
            self._before = None
        return self._step(np.ascontiguousarray(mixture[:, self._grid.lookahead :]))

    def predict_many(self, mixtures: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        return map(self.predict, mixtures)

    def _go(self, samples: np.ndarray) -> None:
        """Go over samples whose stems nobody needs."""
        for place in range(0, samples.shape[1], self._grid.target_length):
            self._step(np.ascontiguousarray(samples[:, place : place + self._grid.target_length]))
