"""What is to be done, what is under way, and what came of it. No Ray here."""

import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tfwavesep import places
from tfwavesep.batch import jobs, parts, workers
from tfwavesep.batch.cluster._paths import absolute, anywhere, as_named
from tfwavesep.batch.cluster._tasks import Answer, Died, Joining, Piecework, Task, Unwritten, Whole
from tfwavesep.batch.jobs import Job, Outcome
from tfwavesep.batch.parts import Part, Separated
from tfwavesep.batch.workers import Monitor
from tfwavesep.errors import TfwavesepError

TRIES = 3
"""A song that was at work in so many processes when they died is set aside."""

SWEEPS = 30
"""How many tenths of a second workers that were killed may take to die."""


@dataclass
class Long:
    """A song that is being separated in parts."""

    parts: list[Part]
    separated: dict[Path, Separated] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return sum(part.seconds for part in self.separated.values())


class Ledger:
    """What is to be done, what is under way, and what came of it."""

    def __init__(self, todo: Sequence[Job], monitor: Monitor, part_seconds: float) -> None:
        self._monitor = monitor
        self._open = {absolute(job.source): job for job in todo}
        self._waiting: deque[Task] = deque(Whole(anywhere(job), part_seconds) for job in todo)
        self._started: set[Path] = set()
        self._long: dict[Path, Long] = {}
        self._tries: Counter[tuple[Path, Path | None]] = Counter()

    @property
    def open(self) -> bool:
        """Whether a song is not finished."""
        return bool(self._open)

    @property
    def ready(self) -> int:
        """Tasks that could be handed out."""
        return len(self._waiting)

    def next(self) -> Task | None:
        """A task to hand out."""
        while self._waiting:
            task = self._waiting.popleft()
            source = task.job.source
            if source not in self._open:
                continue
            try:
                if source not in self._started:
                    jobs.refuse_existing(task.job)
            except (TfwavesepError, OSError) as error:  # the stem is there, or its place does not tell
                self._finish(workers.failure(task.job, error))
                continue
            self._started.add(source)
            return task
        return None

    def take(self, task: Task, answer: Answer) -> None:
        """What came of a task."""
        job = task.job
        if job.source not in self._open:  # another of its parts failed
            return
        if isinstance(answer, Outcome):
            self._finish(answer)
        elif isinstance(answer, (Died, Unwritten)):
            self._again(task, answer)
        elif isinstance(answer, Separated):
            assert isinstance(task, Piecework)
            self._keep(task, answer)
        else:
            self._long[job.source] = Long(answer)
            self._waiting.extendleft(Piecework(job, part) for part in reversed(answer))

    def _keep(self, task: Piecework, separated: Separated) -> None:
        song = self._long[task.job.source]
        song.separated[task.part.path] = separated
        self._monitor.progressed(task.job, song.seconds, None)
        if len(song.separated) == len(song.parts):
            in_order = [song.separated[part.path] for part in song.parts]
            self._waiting.appendleft(Joining(task.job, song.parts, in_order))

    def _again(self, task: Task, answer: Died | Unwritten) -> None:
        """Try a task again after the others. Stems that it wrote before it died are its own to replace."""
        key = (task.job.source, task.part.path if isinstance(task, Piecework) else None)
        self._tries[key] += 1
        if self._tries[key] < TRIES:
            writes_stems = not isinstance(task, Piecework)
            self._waiting.append(replace(task, job=replace(task.job, overwrite=writes_stems or task.job.overwrite)))
        elif isinstance(answer, Died):
            why = "it takes more memory than there is, or crashes a decoder"
            self._finish(task.job.failed(f"{task.job.source}: set aside, as {TRIES} workers died over it: {why}"))
        else:
            self._finish(task.job.failed(answer.reason))

    def _finish(self, outcome: Outcome) -> None:
        source = places.place(outcome.source)
        job = self._open.pop(source)
        song = self._long.pop(source, None)
        if outcome.status == "done":
            self._monitor.progressed(job, outcome.seconds, outcome.seconds)
        elif source in self._started:
            _sweep([*job.outputs.values()])
            if song:
                parts.forget(song.parts)
        self._started.discard(source)
        self._monitor.finished(as_named(outcome, job))

    def tidy(self) -> None:
        """Remove what the workers that were stopped were writing; parts that are whole are kept for the next run."""
        _sweep([path for source in self._started for path in self._open[source].outputs.values()])


def _sweep(paths: Sequence[Path]) -> None:
    """Remove what workers that were killed left of files, as soon as they have let go of it."""
    for _ in range(SWEEPS):
        clean = [places.sweep(path) for path in paths]
        if all(clean):
            break
        time.sleep(0.1)
    for path in paths:
        places.remove_if_empty(path.parent)
