"""Many songs: one after another, or several at a time in processes of their own.

One bad song never stops the others.
"""

import signal
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from multiprocessing import connection, get_context
from types import FrameType
from typing import Protocol

from tfwavesep import store, system
from tfwavesep.batch import jobs
from tfwavesep.batch.jobs import Job, Outcome, Settings
from tfwavesep.batch.planning import Model, Output, Source, plan
from tfwavesep.errors import OutputError, TfwavesepError
from tfwavesep.places import Place, place, sha256
from tfwavesep.separation import Separator


class Monitor(Protocol):
    """Is told how a batch goes."""

    def progressed(self, job: Job, seconds: float, length: float | None) -> None:
        """So many seconds of a song are done, of so many if that is known."""
        ...

    def finished(self, outcome: Outcome) -> None:
        """A song is finished, well or not."""
        ...


def load(settings: Settings) -> Separator:
    """The separator that a batch's jobs need."""
    return Separator.load(settings.model, settings.segment_seconds)


def model_sha256(model: str) -> str | None:
    """What tells a model from others: the SHA-256 of the file that is run, or of the `config.json` that vouches for it;
    None for one on a server, which does not tell its files.

    Raises:
        ModelError: there is no such model.
    """
    if store.is_url(model):
        return None
    form = store.find_form(model)
    return sha256(form if form.is_file() else form.parent / store.CONFIG)


def attempt(separator: Separator, job: Job, progress: jobs.Progress) -> Outcome:
    """Run a job; what goes wrong becomes its outcome."""
    try:
        return jobs.run(separator, job, progress)
    except Exception as error:
        return failure(job, error)


def failure(job: Job, error: Exception) -> Outcome:
    """What went wrong, as an outcome."""
    if isinstance(error, TfwavesepError):
        return job.failed(str(error))
    return job.failed(f"{job.source}: unexpected, please report it: {type(error).__name__}: {error}")


def separate_file(
    separator: Separator, song: Place, folder: Place, stems: tuple[str, ...] = (), overwrite: bool = False
) -> Outcome:
    """Separate a file into `folder/NAME/STEM.wav` (32-bit float, which never clips), block by block.

    Args:
        separator: to use.
        song: the file.
        folder: where the song's own folder is made.
        stems: which to write; all of the model's if empty.
        overwrite: whether stems that are there may be replaced.

    Raises:
        AudioError: the song cannot be read.
        ConfigError: the model has no such stem.
        OutputError: the folder cannot be written to or takes no names so long, the disk is full, or a stem is there
            already (`OutputExistsError`).
    """
    settings = Settings(stems=stems)
    output = Output(place(folder), existing="overwrite" if overwrite else "refuse")
    planned = plan([Source(place(song))], settings, Model(separator.targets), output)
    for refused in planned.settled:
        raise OutputError(str(refused.error))
    return jobs.run(separator, planned.jobs[0])


def run(todo: Sequence[Job], separator: Separator, workers: int, monitor: Monitor) -> None:
    """Run all jobs.

    Args:
        todo: jobs of the same settings.
        separator: for them; with several workers, each loads its own.
        workers: songs that are separated at the same time, but no more than there are cores for. With one, all happens
            in this process.
        monitor: is told of every step, in this process.
    """
    if workers == 1 or len(todo) < 2:
        for job in todo:
            monitor.finished(attempt(separator, job, partial(monitor.progressed, job)))
        return
    with _Crew(min(workers, len(todo), system.cores()), todo[0].settings) as crew:
        crew.work(iter(todo), monitor)


class _Worker:
    """A process that runs jobs, and the end of the pipe to it."""

    def __init__(self, settings: Settings) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, settings), daemon=True)
        with system.deaf_to_interrupts():
            self.process.start()
        theirs.close()
        self.job: Job | None = None

    def give(self, job: Job) -> None:
        self.job = job
        self.pipe.send(job)

    def end(self) -> None:
        self.pipe.close()  # who misses the signal, in code that is not Python's, finds nobody to tell
        self.process.terminate()
        self.process.join()


def _serve(pipe: connection.Connection, settings: Settings) -> None:
    """A worker's life: it ends with its parent, however that ends, and lets go of what it was writing."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    try:
        separator = load(settings)
        # Not before: nothing is written yet, and code that is not Python's would wrap what the handler raises.
        signal.signal(signal.SIGTERM, _leave)
        while True:
            pipe.send(attempt(separator, pipe.recv(), lambda *seconds: pipe.send(seconds)))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


class _Crew:
    """Workers that share a list of jobs. One that dies takes only its own job with it, and is replaced."""

    def __init__(self, count: int, settings: Settings) -> None:
        self._settings, self._count = settings, count
        self._workers = [self._hired() for _ in range(count)]

    def __enter__(self) -> "_Crew":
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.end()

    def work(self, todo: Iterator[Job], monitor: Monitor) -> None:
        """Until all jobs are finished."""
        for worker in self._workers:
            self._next(worker, todo)
        while busy := {worker.pipe: worker for worker in self._workers if worker.job}:
            for pipe in connection.wait(list(busy)):
                self._hear(busy[pipe], todo, monitor)  # type: ignore[index]

    def _hear(self, worker: _Worker, todo: Iterator[Job], monitor: Monitor) -> None:
        job = worker.job
        assert job
        try:
            said = worker.pipe.recv()
        except (EOFError, OSError):  # gone, perhaps in mid-sentence
            monitor.finished(self._bury(worker, job))
            worker = self._replace(worker)
            self._next(worker, todo)
            return
        if isinstance(said, Outcome):
            monitor.finished(said)
            self._next(worker, todo)
        else:
            monitor.progressed(job, *said)

    def _next(self, worker: _Worker, todo: Iterator[Job]) -> None:
        job = next(todo, None)
        worker.job = None
        if job:
            self._give(worker, job)

    def _give(self, worker: _Worker, job: Job) -> None:
        """Hand a job out. It is not to blame if the worker died before it got it: another gets it."""
        try:
            worker.give(job)
        except OSError:
            self._give(self._replace(worker), job)

    def _bury(self, worker: _Worker, job: Job) -> Outcome:
        worker.process.join()
        code = worker.process.exitcode or 0
        how = f"was killed by {signal.Signals(-code).name} (out of memory?)" if code < 0 else f"ended with code {code}"
        return job.failed(f"{job.source}: the process that separated it {how}")

    def _replace(self, worker: _Worker) -> _Worker:
        worker.end()
        new = self._hired()
        self._workers[self._workers.index(worker)] = new
        return new

    def _hired(self) -> _Worker:
        with system.shared_by(self._count):
            return _Worker(self._settings)
