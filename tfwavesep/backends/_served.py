"""What clients of TensorFlow Serving have in common: fixed windows, several under way, answers that are checked."""

import json
from abc import abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import numpy as np

from tfwavesep.backends._backend import Backend
from tfwavesep.errors import ModelError, TfwavesepError
from tfwavesep.models import ModelConfig
from tfwavesep.store import stored_config

MESSAGE_LIMIT = 4 * 2**20 - 2**16
"""Most bytes of samples in a request or an answer, but for networks that see far: what passes messages on may have
gRPC's default limit of 4 MiB, and names take some of it. TensorFlow Serving itself takes up to 2 GiB."""

DEADLINE = 60.0
"""Seconds to wait for an answer."""

IN_FLIGHT = 4
"""Requests under way at the same time."""

ATTEMPTS = 5
"""How often a request is sent at most while the server is unavailable, waiting longer each time."""


def window(config: ModelConfig) -> int:
    """Most samples that a request may ask for: so that neither it nor its answer exceeds `MESSAGE_LIMIT`, or, where
    then most of it would be context, as many as the context on its longer side has."""
    samples = MESSAGE_LIMIT // (np.dtype(np.float32).itemsize * config.channels)
    longest = min(samples - config.context - config.lookahead, samples // len(config.stems))
    blocks = max(longest // config.block, -(-max(config.context, config.lookahead) // config.block), 1)
    return blocks * config.block


class Pending(Protocol):
    """An answer that is to come; both gRPC's and Python's own futures are."""

    def result(self) -> Any: ...

    def cancel(self) -> Any: ...


class ServedBackend(Backend):
    """Runs a model on a server. A runtime owes `_send`, `_stems` and `_describe`.

    Args:
        url: of the model, for messages.
        deadline: seconds for each request.
        in_flight: requests under way at the same time.
    """

    def __init__(self, url: str, deadline: float, in_flight: int) -> None:
        self.url = url
        self.deadline = deadline
        self.in_flight = in_flight
        try:
            self.config = stored_config(json.loads(self._describe()))
        except (KeyError, TypeError, ValueError, TfwavesepError) as error:
            if isinstance(error, ModelError):
                raise
            raise ModelError(f"{url}: is not a model of this package: its description lacks {error}") from error
        self.max_target_length = window(self.config)

    @abstractmethod
    def _describe(self) -> str:
        """What the signature `describe` answers, as json."""

    @abstractmethod
    def _send(self, mixture: np.ndarray) -> Pending:
        """Ask for the stems of `(1, time, channels)` and do not wait."""

    @abstractmethod
    def _stems(self, pending: Pending) -> np.ndarray:
        """Wait for an answer.

        Raises:
            ModelError: there is none.
        """

    def predict(self, mixture: np.ndarray) -> np.ndarray:
        (estimates,) = self.predict_many([mixture])
        return estimates

    def predict_many(self, mixtures: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        waiting: deque[list[Pending]] = deque()
        lengths: deque[int] = deque()
        try:
            for mixture in mixtures:
                waiting.append([self._send(one[np.newaxis]) for one in mixture])
                lengths.append(mixture.shape[1] - self.config.context - self.config.lookahead)
                if sum(map(len, waiting)) >= self.in_flight:
                    yield self._receive(waiting[0], lengths.popleft())
                    waiting.popleft()
            while waiting:
                yield self._receive(waiting[0], lengths.popleft())
                waiting.popleft()
        finally:
            for pending in waiting:
                for one in pending:
                    one.cancel()

    def _receive(self, pending: list[Pending], target_length: int) -> np.ndarray:
        expected = (1, len(self.config.stems), target_length, self.config.channels)
        answers = []
        for one in pending:
            stems = self._stems(one)
            if stems.shape != expected or stems.dtype != np.float32:
                raise ModelError(
                    f"{self.url}: answered with {stems.dtype} {stems.shape} instead of float32 {expected}; "
                    "does it serve another model by now?"
                )
            answers.append(stems)
        return np.concatenate(answers)
