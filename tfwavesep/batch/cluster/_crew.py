"""The workers: started, given tasks, listened to, replaced, stopped."""

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from tfwavesep.batch import workers
from tfwavesep.batch.cluster._entry import Size
from tfwavesep.batch.cluster._paths import model_anywhere
from tfwavesep.batch.cluster._tasks import Answer, Died, Task, Unwritten, Worker
from tfwavesep.batch.jobs import Settings
from tfwavesep.errors import ModelError, OutputError, TfwavesepError

STRIKES = 3
"""A worker that could not write so many times in a row is let go; so many in a row that died while they loaded the
model are enough."""

GROWTH_SECONDS = 5.0
"""How often it is looked whether the cluster has grown."""


class Hand:
    """A worker, as the one who hands out jobs sees it."""

    def __init__(self, worker: type[Worker], settings: Settings, model_sha256: str | None, size: Size) -> None:
        import ray

        needs = {"num_cpus": size.cpus, "num_gpus": size.gpus}
        # "SPREAD": the machines' disks and networks are shared evenly, also where there are few workers
        self.actor = ray.remote(worker).options(**needs, scheduling_strategy="SPREAD").remote(settings, model_sha256)
        self.task: Task | None = None
        self.unwritten = 0

    def end(self) -> None:
        import ray

        with suppress(ray.exceptions.RayError):
            ray.kill(self.actor)


class Crew:
    """Workers, each with one task at most; one that dies is replaced.

    Args:
        settings: of all tasks.
        size: of what is used of the cluster.
        worker: what is to be started on the machines.
    """

    def __init__(self, settings: Settings, size: Size, worker: type[Worker] | None = None) -> None:
        self._worker = worker or Worker
        self._settings, self._size = model_anywhere(settings), size
        self._model_sha256 = workers.model_sha256(settings.model)
        self._waits: dict[Any, Hand] = {}
        self.free: list[Hand] = []
        self._room = 0
        self._looked = -GROWTH_SECONDS
        self._let_go: list[TfwavesepError] = []
        self._stillborn = 0

    def fill(self, tasks: int) -> None:
        """Have as many workers as there is room for, and tasks."""
        import ray

        if time.monotonic() - self._looked >= GROWTH_SECONDS:
            self._looked = time.monotonic()
            room = self._size.room(node for node in ray.nodes() if node["Alive"])
            self._room = min(room, self._size.workers or room)
        have = len(self._waits) + len(self.free)
        wanted = min(
            self._room - len(self._let_go), tasks + sum(hand.task is not None for hand in self._waits.values())
        )
        for _ in range(wanted - have):
            hand = Hand(self._worker, self._settings, self._model_sha256, self._size)
            self._waits[hand.actor.load.remote()] = hand
        if self._let_go and not self._waits and not self.free:
            raise self._let_go[-1]

    def give(self, task: Task) -> None:
        """Hand a task to one of the free."""
        hand = self.free.pop()
        hand.task = task
        self._waits[hand.actor.do.remote(task)] = hand

    def answers(self) -> Iterator[tuple[Task, Answer]]:
        """Wait for the next answers."""
        import ray

        if not self._waits:  # all machines are gone: others may come
            time.sleep(GROWTH_SECONDS)
            return
        ready, _ = ray.wait(list(self._waits), timeout=GROWTH_SECONDS)
        for reference in ready:
            hand = self._waits.pop(reference)
            task, hand.task = hand.task, None
            said = self._hear(reference, task)
            if task is None:
                self._welcome(hand, said)
                continue
            if isinstance(said, Died):
                hand.end()
            else:
                self._judge(hand, said)
            yield task, said

    def _hear(self, reference: Any, task: Task | None) -> Any:
        import ray

        try:
            return ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            return workers.failure(task.job, error.cause) if task else str(error.cause)
        except ray.exceptions.RayError as error:
            return Died(" ".join(str(error).split()))

    def _welcome(self, hand: Hand, said: Any) -> None:
        """A worker has loaded the model, or not."""
        if said is None:
            self._stillborn = 0
            self.free.append(hand)
            return
        hand.end()
        if isinstance(said, Died):
            self._stillborn += 1
            if self._stillborn == STRIKES:
                raise ModelError(f"{STRIKES} workers one after another died while they loaded the model: {said.how}")
        else:
            self._let_go.append(ModelError(said))

    def _judge(self, hand: Hand, said: Answer) -> None:
        """Let a worker go where nothing can be written: it would spoil one song after another."""
        hand.unwritten = hand.unwritten + 1 if isinstance(said, Unwritten) else 0
        if isinstance(said, Unwritten) and hand.unwritten == STRIKES:
            hand.end()
            self._let_go.append(OutputError(said.reason))
        else:
            self.free.append(hand)

    def end(self) -> None:
        """Stop all, in mid-song if need be."""
        for hand in (*self._waits.values(), *self.free):
            hand.end()
