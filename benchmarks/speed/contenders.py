"""Contenders that take turns, each in a process of its own; their times, medians and memory; the machine's peak."""

import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

TURNS = 5
CORES = (1, 2)
PEAK_SIZE = 4096
PATIENCE = 600.0
"""Seconds that a contender may take for one turn before it is given up."""

Run = Callable[[], object]


@dataclass(frozen=True)
class Contender:
    """Something to be timed, in a process of its own.

    Attributes:
        name: by which its timing is found.
        prepare: called once in that process with the arguments; gives back what is timed. A function of a module.
        arguments: for `prepare`.
        cores: how many it may run on; every runtime here takes as many threads.
    """

    name: Any
    prepare: Callable[..., Run]
    arguments: tuple[Any, ...] = ()
    cores: int = CORES[-1]


@dataclass(frozen=True)
class Timing:
    """How long the turns of a contender took.

    Attributes:
        turns: seconds of each.
        memory: MB that its process took at most, with all that it loaded.
    """

    turns: tuple[float, ...]
    memory: float

    @property
    def seconds(self) -> float:
        """The median."""
        return statistics.median(self.turns)


def race(contenders: Sequence[Contender], turns: int = TURNS) -> dict[Any, Timing]:
    """Time contenders turn by turn, so that a machine whose speed drifts favours none; a first turn is not counted.

    Raises:
        RuntimeError: one of them failed.
    """
    with ExitStack() as stack:
        started = {c.name: stack.enter_context(_started(c)) for c in contenders}
        for name, connection in started.items():
            _answer(connection, name)
        taken: dict[Any, list[float]] = {name: [] for name in started}
        memory = dict.fromkeys(started, 0.0)
        for turn in range(turns + 1):
            for name, connection in started.items():
                connection.send("run")
                seconds, memory[name] = _answer(connection, name)
                taken[name] += [seconds] if turn else []
    return {name: Timing(tuple(seconds), memory[name]) for name, seconds in taken.items()}


@contextmanager
def _started(contender: Contender) -> Any:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, contender), daemon=True)
    process.start()
    there.close()
    try:
        yield here
    finally:
        here.close()
        process.join(10)
        process.kill()


def _answer(connection: Connection, name: Any) -> Any:
    if not connection.poll(PATIENCE):
        raise RuntimeError(f"{name}: took longer than {PATIENCE:.0f} s")
    try:
        return connection.recv()
    except EOFError as error:
        raise RuntimeError(f"{name}: failed, see above") from error


def _serve(connection: Connection, contender: Contender) -> None:
    """The life of a contender's process."""
    keep_to(contender.cores)
    run = contender.prepare(*contender.arguments)
    connection.send("ready")
    while _is_asked(connection):
        began = time.perf_counter()
        run()
        connection.send((time.perf_counter() - began, peak_memory()))


def _is_asked(connection: Connection) -> bool:
    try:
        return bool(connection.recv())
    except EOFError:
        return False


def keep_to(cores: int) -> None:
    """Let this process run on so many cores only; libraries that come later take as many threads."""
    os.environ["OMP_NUM_THREADS"] = str(cores)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])


def peak_memory() -> float:
    """MB that this process took at most. What `getrusage` says of it would count its parent in."""
    status = Path("/proc/self/status").read_text().splitlines()
    (line,) = [line for line in status if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1000


def multiply_matrices(size: int = PEAK_SIZE) -> Run:
    """The most arithmetic that can be had: a product of two large float32 matrices."""
    import tensorflow as tf

    matrix = tf.random.normal((size, size))
    return lambda: tf.matmul(matrix, matrix).numpy()


def peak(cores: int) -> Contender:
    """The machine's own float32 peak, as a contender named ("peak", cores)."""
    return Contender(("peak", cores), multiply_matrices, (), cores)


def peak_gflops(timing: Timing) -> float:
    """10^9 floating-point operations per second of a contender made by `peak`."""
    return 2 * PEAK_SIZE**3 / timing.seconds / 1e9
