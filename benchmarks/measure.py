"""What the speed benchmarks share: contenders that take turns, medians, the machine's peak, and the page of results."""

import json
import math
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from tfwavesep.config import write_json
from tfwavesep.evaluation import markdown

ARITHMETIC = ("amx_bf16", "avx512_bf16", "avx512_vnni", "avx512f", "avx2")
"""Extensions that networks gain from, the best first."""

TURNS = 5
CORES = (1, 2)
PEAK_SIZE = 4096
PATIENCE = 600.0
"""Seconds that a contender may take for one turn before it is given up."""

PAGE = Path(__file__).with_name("SPEED.md")
RESULTS = Path(__file__).with_name("speed.json")
TOPICS = ("inference", "training", "pipeline", "streaming", "command", "scaling", "peers")
"""Sections of the page, in order."""

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


@dataclass(frozen=True)
class Target:
    """What was to be reached, and what was.

    Attributes:
        name: in words.
        wanted: the least, or the most.
        measured: what came out.
        unit: of both.
        at_most: whether less is better.
    """

    name: str
    wanted: float
    measured: float
    unit: str = "x"
    at_most: bool = False

    @property
    def met(self) -> bool:
        """A measurement that is no number meets nothing."""
        return self.measured <= self.wanted if self.at_most else self.measured >= self.wanted

    def row(self) -> list[str]:
        """For the table."""
        sign = "≤" if self.at_most else "≥"
        verdict = "met" if self.met else "**not met**"
        return [self.name, f"{sign} {figure(self.wanted)} {self.unit}", f"{figure(self.measured)} {self.unit}", verdict]


def figure(value: float) -> str:
    """Three digits that count.

    >>> figure(0.5666), figure(13.04), figure(1234.5), figure(2)
    ('0.567', '13.0', '1,234', '2')
    """
    if not math.isfinite(value):
        return "-"
    if value == int(value):
        return f"{int(value):,}"
    digits = math.floor(math.log10(abs(float(f"{value:.2e}"))))
    return f"{value:,.{max(0, 2 - digits)}f}"


def publish(topic: str, text: str, targets: Sequence[Target] = (), data: dict[str, Any] | None = None) -> None:
    """Replace a topic's section, and write the whole page anew.

    Args:
        topic: one of `TOPICS`.
        text: Markdown, without a title.
        targets: which the topic has measured.
        data: what `recorded` is to give the next time.
    """
    sections = _sections()
    sections[topic] = {
        "machine": machine(),
        "text": text.strip(),
        "targets": [asdict(target) for target in targets],
        "data": data or {},
    }
    ordered = {name: sections[name] for name in TOPICS if name in sections}
    write_json(RESULTS, ordered)
    PAGE.write_text(render(ordered), encoding="utf-8")


def recorded(topic: str) -> dict[str, Any]:
    """What a topic has kept of its last measurement."""
    data: dict[str, Any] = _sections().get(topic, {}).get("data", {})
    return data


def _sections() -> dict[str, Any]:
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}


def render(sections: dict[str, Any]) -> str:
    """The page: what was to be reached, then each topic."""
    rows = [
        [f"[{topic}](#{topic})", *Target(**target).row()]
        for topic, section in sections.items()
        for target in section["targets"]
    ]
    missing = ", ".join(topic for topic in TOPICS if topic not in sections)
    left = f"\nNot measured here: {missing}.\n" if missing else ""
    table = markdown([["topic", "what", "wanted", "measured", ""], *rows])
    parts = [f"# Speed\n\n{ABOUT}{left}", f"## Targets\n\n{table}"]
    for topic, section in sections.items():
        about = f"`benchmarks/{topic}.py`, {section['machine']}."
        parts.append(f"## {topic.capitalize()}\n\n{about}\n\n{section['text']}\n")
    return "\n".join(parts)


ABOUT = """\
Written by the scripts named below; `make speed` runs all but the peers and the curves of three trainings, which need
packages and music of their own, as their scripts say. Contenders take turns, each in a process of its own that may use
one core or two, and figures are medians of at least five turns, unless a table says otherwise, so that ratios hold on a
machine whose speed drifts.
Speed does not depend on weights: where no trained model is at hand they are random. *Real time* is
seconds of audio in the network's own format for a second of computing. `banded_wavenet, short frames` is
that network on frames of 2048 samples, which alone was the model `default` once.
"""


def machine() -> str:
    """What it was measured on."""
    return f"{processor()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name and the widest arithmetic it has, where the system tells them.

    Clouds call processors of several years by one name; of CPU time on one that is half as fast, twice as much is
    needed.
    """
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    told = {name.strip(): text.strip() for name, _, text in (line.partition(":") for line in lines)}
    widest = next((name for name in ARITHMETIC if name in told.get("flags", "").split()), "")
    return f"{told.get('model name', platform.machine())} {widest}".strip()
