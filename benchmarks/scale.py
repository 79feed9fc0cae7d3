"""What a cluster costs and gives: overhead per song, throughput by workers, and what that means for large catalogues.

Run: python benchmarks/scale.py; writes benchmarks/SCALE.md. Takes some minutes, and a Ray of its own on this machine.
Kinds of run alternate, and each figure is a median, so that a machine whose speed drifts does not favour one.
"""

import heapq
import os
import pickle
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import ray
import soundfile

from tfwavesep import batch, cluster
from tfwavesep.backends import Backend
from tfwavesep.cluster import _crew
from tfwavesep.cluster._tasks import Answer, Task, Worker
from tfwavesep.jobs import Job, Outcome, Settings
from tfwavesep.models import ModelConfig
from tfwavesep.separator import Separator

ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])

RUNS, RATE = 3, 44100
SHORT_SONGS, LONG_SONGS, LONG_SECONDS = 1000, 4, 30.0
SONG_SECONDS = 210.0
MACHINE_CORES, DAYS = 64, 7
PAGE = Path(__file__).parent / "SCALE.md"


@dataclass(frozen=True, kw_only=True)
class NoConfig(ModelConfig):
    """No context, any length."""

    context: int = 0
    block: int = 1


class NoNetwork(Backend):
    """Every stem is a share of the mixture: nothing to compute, so that all else is measured."""

    name = "none"
    config = NoConfig(sample_rate=RATE, channels=2, stems=("vocals", "drums", "bass"), residual="other")

    def predict(self, mixture: np.ndarray) -> np.ndarray:
        return np.stack([mixture * np.float32(0.25)] * 3, axis=1)


class NoModel(Worker):
    """A worker with no model to load."""

    def load(self) -> str | None:
        self._separator = Separator(NoNetwork())
        return None


class Sleeper(Worker):
    """A worker to whom a song is a number of seconds to sleep, told by its file's name."""

    def load(self) -> str | None:
        return None

    def do(self, task: Task) -> Answer:
        name = task.job.source.stem
        if name.startswith("deadly") and not task.job.overwrite:
            time.sleep(float(name[6:]) / 2)
            os._exit(1)
        time.sleep(float(name.removeprefix("deadly").split("_")[0]))
        return Outcome(str(task.job.source))


class Clock:
    """A monitor that only looks at the clock: when the first and the last song were finished, less the start-up."""

    def __init__(self) -> None:
        self.finishes: list[float] = []

    def progressed(self, job: Job, seconds: float, length: float | None) -> None:
        """Does not matter."""

    def finished(self, outcome: Outcome) -> None:
        """Note when."""
        assert outcome.status == "done", outcome.error
        self.finishes.append(time.monotonic())

    @property
    def seconds_per_song(self) -> float:
        """Without the first, which waits for the workers to start."""
        return (self.finishes[-1] - self.finishes[0]) / (len(self.finishes) - 1)


def songs(folder: Path, count: int, seconds: float) -> list[Path]:
    """Songs of noise, 16-bit stereo."""
    noise = np.random.default_rng(0).normal(0, 0.1, (round(seconds * RATE), 2))
    folder.mkdir()
    paths = [folder / f"{number}.wav" for number in range(count)]
    for path in paths:
        soundfile.write(path, noise, RATE)
    return paths


def jobs_of(paths: list[Path], folder: Path) -> list[Job]:
    """To separate songs into a folder."""
    stems = ("vocals", "drums", "bass", "other")
    return [Job(path, {s: folder / path.stem / f"{s}.wav" for s in stems}, Settings(), True) for path in paths]


def timed(run: Callable[[Clock], None]) -> float:
    """Seconds per song."""
    clock = Clock()
    run(clock)
    return clock.seconds_per_song


def overhead(folder: Path) -> tuple[float, float]:
    """Milliseconds per one-second song with no network: in this process, and through one worker of the cluster."""
    jobs = jobs_of(songs(folder / "short", SHORT_SONGS, 1.0), folder / "stems")
    _crew.Worker = NoModel  # type: ignore[misc]
    plain, remote = [], []
    for _ in range(RUNS):
        plain.append(timed(lambda clock: batch.run(jobs, Separator(NoNetwork()), 1, clock)))
        remote.append(timed(lambda clock: cluster.run(jobs, Settings(), cluster.Size(1), clock)))
    _crew.Worker = Worker  # type: ignore[misc]
    return 1000 * statistics.median(plain), 1000 * statistics.median(remote)


def throughput(folder: Path) -> dict[str, float]:
    """Seconds of audio per second with the default model."""
    jobs = jobs_of(songs(folder / "long", LONG_SONGS, LONG_SECONDS), folder / "stems")
    separator = batch.load(Settings())
    kinds: dict[str, Callable[[Clock], None]] = {
        "plain command": lambda clock: batch.run(jobs, separator, 1, clock),
        "Ray, 1 worker": lambda clock: cluster.run(jobs, Settings(), cluster.Size(1), clock),
        "Ray, 2 workers": lambda clock: cluster.run(jobs, Settings(), cluster.Size(2), clock),
    }
    found: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(RUNS):
        for kind, run in kinds.items():
            found[kind].append(LONG_SECONDS / timed(run))
    return {kind: statistics.median(rates) for kind, rates in found.items()}


def cpu_seconds(folder: Path) -> tuple[float, float]:
    """Core-seconds of the plain command: to start, and for a second of audio."""

    def spent(song: Path) -> float:
        command = [
            sys.executable,
            "-m",
            "tfwavesep_cli",
            "separate",
            str(song),
            "-o",
            str(folder / "cpu"),
            "--overwrite",
        ]
        before = os.times()
        subprocess.run(command, check=True, capture_output=True)
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    (short,), (long,) = songs(folder / "a", 1, 1.0), songs(folder / "b", 1, 60.0)
    pairs = [(spent(short), spent(long)) for _ in range(RUNS)]
    per_second = statistics.median(long - short for short, long in pairs) / 59
    return statistics.median(short for short, _ in pairs) - per_second, per_second


Death = Callable[[float], float]
"""How long after its start a song kills its worker, if that is before its end."""


def simulate(lengths: list[float], workers: int, death: Death = lambda _: float("inf"), restart: float = 0.0) -> float:
    """How long songs take: each goes to whoever is free first. A worker that dies loses the song it is at, which is
    done again after the others, and is back after `restart` seconds."""
    free = [0.0] * workers
    waiting, last = deque(lengths), 0.0
    while waiting:
        length, now = waiting.popleft(), heapq.heappop(free)
        lived = min(length, death(length))
        if lived < length:
            waiting.append(length)
            lived += restart
        else:
            last = max(last, now + length)
        heapq.heappush(free, now + lived)
    return last


def once(doomed: float) -> Death:
    """Only the song of this length kills, at half of it, and only once."""
    doomed_yet = [doomed]
    return lambda length: doomed_yet.pop() / 2 if doomed_yet == [length] else float("inf")


def by_chance(mean_hours: float) -> Death:
    """A worker lives so many hours on average."""
    chance = random.Random(0)
    return lambda _: chance.expovariate(1 / (3600 * mean_hours))


def queue(lengths: list[float], doomed: float | None = None) -> list[Job]:
    """Songs to sleep over."""
    names = [f"{'deadly' if length == doomed else ''}{length}_{number}" for number, length in enumerate(lengths)]
    return [
        Job(Path(f"/nowhere/{name}.wav"), {"vocals": Path(f"/nowhere/{name}/vocals.wav")}, Settings()) for name in names
    ]


def slept(lengths: list[float], doomed: float | None = None) -> tuple[float, float]:
    """Seconds that two real workers take: until the first song is finished, less its length; and for all from there."""
    starts, took = [], []
    for _ in range(RUNS):
        clock, began = Clock(), time.monotonic()
        cluster.run(queue(lengths, doomed), Settings(), cluster.Size(2), clock)
        starts.append(clock.finishes[0] - began - lengths[0])
        took.append(clock.finishes[-1] - clock.finishes[0] + lengths[0])
    return statistics.median(starts), statistics.median(took)


def checks() -> tuple[float, list[list[str]]]:
    """Seconds to start a worker; and rows that compare the simulation with two real workers."""
    _crew.Worker = Sleeper  # type: ignore[misc]
    even, slow, deadly = [0.5] * 24, [0.5] * 23 + [6.0], [0.5] * 5 + [4.0] + [0.5] * 18
    start, real = slept(even)
    rows = [["24 songs of 0.5 s", simulate(even, 2), real]]
    rows.append(["the last takes 6 s", simulate(slow, 2), slept(slow)[1]])
    rows.append(["one of 4 s kills its worker once", simulate(deadly, 2, once(4.0), start), slept(deadly, 4.0)[1]])
    _crew.Worker = Worker  # type: ignore[misc]
    return start, [[name, f"{told:.1f} s", f"{real:.1f} s"] for name, told, real in rows]


def stragglers(per_second: float, start: float) -> list[list[str]]:
    """100,000 songs of lengths as in a catalogue on 1,000 workers: how far from all of them busy to the end."""
    chance = random.Random(1)
    lengths = [per_second * min(7200.0, chance.lognormvariate(5.3, 0.5)) for _ in range(100_000)]
    set_of = {
        "as they come": (lengths, float("inf")),
        "the last is 10 hours long, whole": ([*lengths, per_second * 36000], float("inf")),
        "the last is 10 hours long, in parts of 600 s": ([*lengths, *[per_second * 600] * 60], float("inf")),
        "a worker lives 10 hours on average": (lengths, 10.0),
        "a worker lives 1 hour on average": (lengths, 1.0),
    }
    rows = []
    for name, (queued, hours) in set_of.items():
        death = by_chance(hours) if hours < float("inf") else by_chance(1e9)
        rows.append([name, f"{simulate(queued, 1000, death, start) / (sum(queued) / 1000):.3f}"])
    return rows


def catalogue(count: float, per_second: float, overhead_ms: float) -> list[str]:
    """What so many songs take."""
    week = DAYS * 86400
    core_seconds = count * (SONG_SECONDS * per_second + overhead_ms / 1000)
    machines = core_seconds / MACHINE_CORES / week
    read = count * SONG_SECONDS * RATE * 2 * 2
    written = count * SONG_SECONDS * RATE * 2 * 4 * 4
    drivers = count * overhead_ms / 1000 / week
    return [
        f"{count:,.0f}", f"{core_seconds / 3600:,.0f}", f"{machines:,.2f}", f"{read / 1e12:,.1f}",
        f"{written / 1e12:,.1f}", f"{8 * (read + written) / week / 1e9:,.2f}", f"{drivers:.3f}",
    ]  # fmt: skip


def table(head: list[str], rows: list[list[str]]) -> str:
    """Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def main() -> None:
    """Measure, and write the page."""
    with tempfile.TemporaryDirectory() as name, cluster.joined():
        folder = Path(name)
        plain, remote = overhead(folder)
        start, compared = checks()
        rates = throughput(folder)
        first, per_second = cpu_seconds(folder)
    added = remote - plain
    size = len(pickle.dumps(queue([1.0])[0]))
    speeds = [[kind, f"{rate:.1f}", f"{rate / rates['plain command']:.2f}"] for kind, rate in rates.items()]
    catalogues = [catalogue(count, per_second, remote) for count in (1e5, 1e8)]
    PAGE.write_text(f"""# Scale

Written by `benchmarks/scale.py` on {platform.machine()} with {os.cpu_count()} cores, load {os.getloadavg()[0]:.0f} \
(other work was going on if that is above {os.cpu_count()}), Ray {ray.__version__}. Medians of {RUNS} runs.

## Overhead per song

{SHORT_SONGS:,} songs of one second, 44.1 kHz stereo, through a network that does nothing (reading, level, writing four
stems are done): {plain:.1f} ms per song in the plain command, {remote:.1f} ms through one Ray worker; **the cluster
adds {added:.1f} ms**. A job is {size:,} bytes when it is sent. A worker is up after {start:.1f} s without its model.

## Throughput

{LONG_SONGS} songs of {LONG_SECONDS:.0f} s with the model `default`, after the workers are up:

{table(["", "x real time", "ratio"], speeds)}

One run of the plain command takes {first:.1f} core-seconds to start and {per_second:.4f} per second of audio.

## The simulation against two real workers

Songs that only sleep, so that nothing but the order matters.

{table(["queue", "simulated", "real"], compared)}

## Stragglers and failures, simulated

100,000 songs (log-normal lengths, median 200 s, at most two hours) on 1,000 workers: time over the least possible.

{table(["queue", "ratio"], stragglers(per_second, start + first))}

## Catalogues

Songs of {SONG_SECONDS:.0f} s, 16-bit stereo in, four stems in 32-bit float out, within {DAYS} days on machines of \
{MACHINE_CORES} cores. TB are 10^12 bytes; drivers are what hands out jobs at the measured overhead.

{table(["songs", "core-hours", "machines", "TB read", "TB written", "Gbit/s", "drivers"], catalogues)}
""")
    print(PAGE.read_text())


if __name__ == "__main__":
    main()
