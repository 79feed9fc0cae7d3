"""Many songs on many machines. Ray starts processes on the machines of its cluster, each with the model loaded once,
carries jobs to them and outcomes back, and tells when a process or a machine is gone; nothing here schedules.

Songs are handed out one at a time, to whoever is free, so that nothing piles up anywhere. A long song is handed out in
parts, see `parts`. A song whose process dies is tried again elsewhere, and set aside at the third death.
"""

from collections.abc import Sequence

from tfwavesep.batch import parts
from tfwavesep.batch.cluster._crew import Crew
from tfwavesep.batch.cluster._entry import Size, check, joined
from tfwavesep.batch.cluster._ledger import Ledger
from tfwavesep.batch.cluster._tasks import Answer, Task, Worker
from tfwavesep.batch.jobs import Job, Settings
from tfwavesep.batch.workers import Monitor

__all__ = ["Answer", "Size", "Task", "Worker", "check", "joined", "run"]


def run(
    todo: Sequence[Job],
    settings: Settings,
    size: Size,
    monitor: Monitor,
    part_seconds: float = parts.PART_SECONDS,
    worker: type[Worker] | None = None,
) -> None:
    """Run all jobs on the cluster that this process has joined.

    Args:
        todo: jobs of the same settings.
        settings: of all.
        size: of what is used of the cluster.
        monitor: is told of every step, in this process.
        part_seconds: audio in a part of a long song.
        worker: what is to be started on the machines, by default `Worker`.

    Raises:
        ModelError: no worker can load the model.
        OutputError: no worker can write.
    """
    ledger = Ledger(todo, monitor, part_seconds)
    crew = Crew(settings, size, worker)
    try:
        while ledger.open:
            crew.fill(ledger.ready)
            while crew.free and (task := ledger.next()):
                crew.give(task)
            for task, answer in crew.answers() if ledger.open else ():
                ledger.take(task, answer)
    finally:
        crew.end()
        ledger.tidy()
