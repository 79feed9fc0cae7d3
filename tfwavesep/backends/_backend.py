"""What every runtime owes."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import numpy as np

from tfwavesep.errors import ModelError
from tfwavesep.models import ModelConfig


class Backend(Protocol):
    """What the separator needs of a runtime.

    Attributes:
        config: what the model separates, at which rate, with which context.
        name: of the runtime, for messages.
        max_target_length: most samples that one run may yield, or None where nothing limits it.
        survives_fork: whether it can be loaded again in a process that was forked from one where it was. TensorFlow and
            gRPC hang there, because their threads are gone.
    """

    config: ModelConfig
    name: str
    max_target_length: int | None = None
    survives_fork: bool = True

    def predict(self, mixture: np.ndarray) -> np.ndarray:
        """Run the network.

        Args:
            mixture: float32 `(batch, config.input_length(target_length), channels)`.

        Returns:
            float32 `(batch, stems, target_length, channels)`.
        """
        ...

    def predict_many(self, mixtures: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Run the network on one segment after the other; a runtime that is far away has several under way.

        Args:
            mixtures: as for `predict`; taken only when they are needed, and never more than a fixed number ahead.

        Yields:
            what `predict` would return, in the same order.
        """
        return map(self.predict, mixtures)

    def steps(self, batch: int) -> Callable[[np.ndarray], np.ndarray]:
        """The network step by step: what is returned takes the next samples each time it is called, knows those before,
        and computes each once; see `Stepper`. What comes out before `config.context` samples went in is not to be used.

        Args:
            batch: how many mixtures go along at the same time.

        Raises:
            ModelError: this form of the model cannot go step by step.
        """
        raise ModelError(f"{self.name} does not go step by step: for live use take a model folder of this machine")
