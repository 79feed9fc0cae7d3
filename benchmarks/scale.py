"""What a cluster costs and gives: overhead per song, throughput by workers, and what that means for large catalogues.

Run: python -m benchmarks.scale; writes benchmarks/SCALE.md. Takes some minutes, and a Ray of its own on this machine.
Kinds of run alternate, and each figure is a median, so that a machine whose speed drifts does not favour one.
"""

import argparse
import heapq
import os
import pickle
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import ray
import soundfile

from tfwavesep import batch
from tfwavesep.backends import Backend
from tfwavesep.batch import Job, Outcome, Settings, cluster
from tfwavesep.batch.cluster import Answer, Task, Worker
from tfwavesep.evaluation import markdown
from tfwavesep.models import ModelConfig
from tfwavesep.separation import Separator

ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])

TURNS, RATE = 3, 44100
SHORT_SONGS, SHORT_TURNS, SHORT_RATE = 1000, 5, 8000
LONG_SONGS, FEW_SONGS, LONG_SECONDS = 8, 2, 120.0
SETTLING_SECONDS = 2.0
"""The workers of the run before must be gone, or what they have used would be missing from the count."""

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
    config = NoConfig(sample_rate=SHORT_RATE, channels=1, stems=("vocals", "drums", "bass"), residual="other")

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


def reading() -> np.ndarray:
    """Core-seconds of this process and all that it has started, and seconds on the clock."""
    return np.array([family_cpu(), time.monotonic()])


class Clock:
    """Reads the clocks when it is made, at the end of the first song and at the end of the last."""

    def __init__(self, songs: int) -> None:
        self._left = self._songs = songs
        self.began = reading()

    def progressed(self, job: Job, seconds: float, length: float | None) -> None:
        """Does not matter."""

    def finished(self, outcome: Outcome) -> None:
        """Read at the first and the last song."""
        assert outcome.status == "done", outcome.error
        if self._left == self._songs:
            self.first = reading()
        self._left -= 1
        if not self._left:
            self.last = reading()


def family_cpu() -> float:
    """Core-seconds that this process and its descendants have used; Ray's own processes are among them."""
    parent, ticks = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            parent[int(path.parent.name)] = int(fields[1])
            ticks[int(path.parent.name)] = int(fields[11]) + int(fields[12])
    family = {os.getpid()}
    while more := {pid for pid, above in parent.items() if above in family} - family:
        family |= more
    return sum(ticks[pid] for pid in family if pid in ticks) / os.sysconf("SC_CLK_TCK")


def songs(folder: Path, count: int, seconds: float, rate: int = RATE, channels: int = 2) -> list[Path]:
    """Songs of noise, 16-bit."""
    noise = np.random.default_rng(0).normal(0, 0.1, (round(seconds * rate), channels))
    folder.mkdir()
    paths = [folder / f"{number}.wav" for number in range(count)]
    for path in paths:
        soundfile.write(path, noise, rate)
    return paths


def jobs_of(paths: list[Path], folder: Path) -> list[Job]:
    """To separate songs into a folder."""
    stems = ("vocals", "drums", "bass", "other")
    return [Job(path, {s: folder / path.stem / f"{s}.wav" for s in stems}, Settings(), True) for path in paths]


def timed(jobs: list[Job], run: Callable[[list[Job], Clock], None]) -> Clock:
    """The clock of a run."""
    time.sleep(SETTLING_SECONDS)
    clock = Clock(len(jobs))
    run(jobs, clock)
    return clock


def locally(separator: Separator) -> Callable[[list[Job], Clock], None]:
    """The plain command's way."""
    return lambda jobs, clock: batch.run(jobs, separator, 1, clock)


def remotely(workers: int, worker: type[Worker] = Worker) -> Callable[[list[Job], Clock], None]:
    """Ray's way."""
    return lambda jobs, clock: cluster.run(jobs, Settings(), cluster.Size(workers), clock, worker=worker)


def overhead(folder: Path) -> dict[str, np.ndarray]:
    """Core-milliseconds and milliseconds per one-second song with no network."""
    jobs = jobs_of(songs(folder / "short", SHORT_SONGS, 1.0, SHORT_RATE, 1), folder / "stems")
    kinds = {"plain command": locally(Separator(NoNetwork())), "Ray, 1 worker": remotely(1, NoModel)}
    clocks: dict[str, list[Clock]] = {kind: [] for kind in kinds}
    for turn in range(SHORT_TURNS):
        for kind, run in kinds.items():
            clocks[kind].append(timed(jobs[turn::SHORT_TURNS], run))
    after_first = SHORT_SONGS // SHORT_TURNS - 1
    return {kind: 1000 * middle(c.last - c.first for c in some) / after_first for kind, some in clocks.items()}


def throughput(folder: Path) -> dict[str, np.ndarray]:
    """Seconds of audio per core-second and per second, with the default model: of many songs less a few, so that
    neither the start of workers counts, nor songs that are under way when the first ends."""
    jobs = jobs_of(songs(folder / "long", LONG_SONGS, LONG_SECONDS), folder / "stems")
    kinds = {
        "plain command": locally(batch.load(Settings())),
        "Ray, 1 worker": remotely(1),
        "Ray, 2 workers": remotely(2),
    }
    found: dict[str, list[np.ndarray]] = {kind: [] for kind in kinds}
    for _ in range(TURNS):
        for kind, run in kinds.items():
            few, all_ = timed(jobs[:FEW_SONGS], run), timed(jobs, run)
            found[kind].append((all_.last - all_.began) - (few.last - few.began))
    seconds = (LONG_SONGS - FEW_SONGS) * LONG_SECONDS
    return {kind: seconds / middle(some) for kind, some in found.items()}


def middle(values: Iterable[Any]) -> Any:
    """The median, of each column."""
    return np.median(list(values), axis=0)


def cpu_seconds(folder: Path) -> tuple[float, float]:
    """Core-seconds of the plain command: to start, and for a second of audio."""

    def spent(song: Path) -> float:
        program = [sys.executable, "-m", "tfwavesep_cli", "separate"]
        command = [*program, str(song), "-o", str(folder / "cpu"), "--overwrite"]
        before = os.times()
        subprocess.run(command, check=True, capture_output=True)
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    (short,), (long,) = songs(folder / "a", 1, 1.0), songs(folder / "b", 1, 43.0)
    pairs = [(spent(short), spent(long)) for _ in range(TURNS)]
    per_second = middle(long - short for short, long in pairs) / 42
    return middle(short for short, _ in pairs) - per_second, per_second


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
    clock = Clock(len(lengths))
    remotely(2, Sleeper)(queue(lengths, doomed), clock)
    start, rest = clock.first - clock.began, clock.last - clock.first
    return start[1] - lengths[0], rest[1] + lengths[0]


def checks() -> tuple[float, list[list[str]]]:
    """Seconds to start a worker; and rows that compare the simulation with two real workers."""
    even, slow, deadly = [0.5] * 24, [0.5] * 23 + [6.0], [0.5] * 5 + [4.0] + [0.5] * 18
    start, real = slept(even)
    rows = [("24 songs of 0.5 s", simulate(even, 2), real)]
    rows.append(("the last takes 6 s", simulate(slow, 2), slept(slow)[1]))
    rows.append(("one of 4 s kills its worker once", simulate(deadly, 2, once(4.0), start), slept(deadly, 4.0)[1]))
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


@dataclass(frozen=True)
class Found:
    """What was measured.

    Attributes:
        load: of the machine meanwhile.
        per_song: as `overhead` tells.
        start: seconds until a worker without a model is up.
        compared: rows of the simulation against two real workers.
        rates: as `throughput` tells.
        first: core-seconds in which the plain command starts.
        per_second: core-seconds for a second of audio.
    """

    load: float
    per_song: dict[str, np.ndarray]
    start: float
    compared: list[list[str]]
    rates: dict[str, np.ndarray]
    first: float
    per_second: float

    @property
    def added(self) -> float:
        """Core-milliseconds that the cluster adds to a song."""
        return float(self.per_song["Ray, 1 worker"][0] - self.per_song["plain command"][0])


def measured() -> Found:
    """Some minutes."""
    with tempfile.TemporaryDirectory() as name, cluster.joined():
        folder = Path(name)
        per_song = overhead(folder)
        print(per_song, flush=True)
        start, compared = checks()
        print(start, compared, flush=True)
        rates = throughput(folder)
        print(rates, flush=True)
        return Found(os.getloadavg()[0], per_song, start, compared, rates, *cpu_seconds(folder))


def page(found: Found) -> str:
    """All that was found."""
    busy = f"\nThe machine was busy with other work (load {found.load:.0f}): look at core-seconds first."
    stack = f"{platform.machine()}, {os.cpu_count()} cores, Ray {ray.__version__}"
    about = f"Written by `python -m benchmarks.scale` on {stack}. Kinds of run alternate; figures are medians."
    sections = (about_overhead, about_throughput, about_simulation, about_stragglers, about_catalogues)
    return "\n".join([f"# Scale\n\n{about}{busy if found.load > 4 else ''}\n", *(each(found) for each in sections)])


def about_overhead(found: Found) -> str:
    """A section of the page."""
    rows = [[kind, f"{cpu:.1f}", f"{wall:.1f}"] for kind, (cpu, wall) in found.per_song.items()]
    return f"""\
## Overhead per song

{SHORT_SONGS:,} songs of one second, 8 kHz mono, through a network that does nothing; they are read, and four stems
are written:

{markdown([["", "core-ms per song", "ms per song"], *rows])}
**The cluster adds {found.added:.1f} core-ms per song**, all of Ray's processes counted. A job is sent as
{len(pickle.dumps(queue([1.0])[0])):,} bytes.
"""


def about_throughput(found: Found) -> str:
    """A section of the page."""
    plain = found.rates["plain command"]
    rows = [
        [kind, f"{cpu:.1f}", f"{cpu / plain[0]:.2f}", f"{wall:.1f}", f"{wall / plain[1]:.2f}"]
        for kind, (cpu, wall) in found.rates.items()
    ]
    return f"""\
## Throughput

{LONG_SONGS} songs of {LONG_SECONDS:.0f} s with the model `default`, less {FEW_SONGS} of them, so that the start of
workers does not count:

{markdown([["", "audio s per core-s", "ratio", "audio s per s", "ratio"], *rows])}
One run of the plain command takes {found.first:.1f} core-seconds to start and {found.per_second:.4f} per second of
audio.
"""


def about_simulation(found: Found) -> str:
    """A section of the page."""
    return f"""\
## The simulation against two real workers

Songs that only sleep, so that nothing but the order matters. A worker without a model is up after
{found.start:.1f} s.

{markdown([["queue", "simulated", "real"], *found.compared])}"""


def about_stragglers(found: Found) -> str:
    """A section of the page."""
    return f"""\
## Stragglers and failures, simulated

100,000 songs (log-normal lengths, median 200 s, at most two hours) on 1,000 workers: time over the least possible.

{markdown([["queue", "ratio"], *stragglers(found.per_second, found.start + found.first)])}"""


def about_catalogues(found: Found) -> str:
    """A section of the page."""
    rows = [catalogue(count, found.per_second, found.added) for count in (1e5, 1e8)]
    return f"""\
## Catalogues

Songs of {SONG_SECONDS:.0f} s, 16-bit stereo in, four stems in 32-bit float out, within {DAYS} days, machines of
{MACHINE_CORES} cores, every core as quick as here. TB are 10^12 bytes; drivers are processes that hand out
jobs, at the overhead above.

{markdown([["songs", "core-hours", "machines", "TB read", "TB written", "Gbit/s", "drivers"], *rows])}"""


def main() -> None:
    """Measure, and write the page."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    PAGE.write_text(text := page(measured()), encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
