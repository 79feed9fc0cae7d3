"""Songs on a real Ray cluster of three nodes, all on this machine: the bytes of the plain command, whatever dies."""

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile
from doubles import noise
from machines import NODE, three_nodes
from songs import Notes, samples, songs, spoil

from tfwavesep.batch import Job, Outcome, Settings, cluster, workers
from tfwavesep.batch.cluster import _crew
from tfwavesep.batch.cluster._tasks import Answer, Task, Worker
from tfwavesep.errors import OutputError
from tfwavesep.places import files

ray = pytest.importorskip("ray", reason="a cluster: needs pip install 'tfwavesep[ray]'")

ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the workers cannot import the tests

pytestmark = [pytest.mark.slow, pytest.mark.ray]


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    with three_nodes() as made:
        yield made


@pytest.fixture(scope="module")
def driver(nodes: Any) -> Iterator[None]:
    with cluster.joined(nodes.address):
        yield


@pytest.fixture
def settings(model: Path) -> Settings:
    return Settings(str(model))


def locally(jobs: list[Job], folder: Path) -> dict[Path, str]:
    """What the plain command makes of jobs."""
    moved = [replace(job, outputs={s: folder / p.parent.name / p.name for s, p in job.outputs.items()}) for job in jobs]
    workers.run(moved, workers.load(jobs[0].settings), 1, Notes())
    return samples(folder)


def on_cluster(jobs: list[Job], monitor: Notes | None = None, **options: Any) -> Notes:
    monitor = monitor or Notes()
    cluster.run(jobs, jobs[0].settings, cluster.Size(), monitor, **options)
    return monitor


def hidden(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.startswith(".")]


def wait_for(condition: Callable[[], Any]) -> None:
    """A test whose condition never comes fails, and hangs nobody."""
    for _ in range(12_000):  # ten minutes, on a machine that is busy
        if condition():
            return
        time.sleep(0.05)
    raise TimeoutError


def test_the_same_bytes_and_rows_as_the_plain_command(
    settings: Settings, driver: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = replace(settings, model=os.path.relpath(settings.model))
    relative = [replace(job, source=Path(job.source.name)) for job in songs(tmp_path, 7, settings)]
    spoil(relative[3])
    remote, local = on_cluster(relative), Notes()
    assert remote.status == {f"{number}.wav": "failed" if number == 3 else "done" for number in range(7)}
    made = samples(tmp_path / "out")
    workers.run([replace(job, overwrite=True) for job in relative], workers.load(settings), 1, local)
    assert samples(tmp_path / "out") == made
    for outcome in (*remote.outcomes.values(), *local.outcomes.values()):
        outcome.took_seconds = 0
    assert remote.outcomes == local.outcomes
    assert not hidden(tmp_path)


def test_stems_that_are_there_are_kept(
    settings: Settings, driver: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the song would kill its worker: a song that is tried again replaces what it wrote itself, only."""

    class Mortal(Worker):
        def do(self, task: Task) -> Answer:
            if task.job.source.name == "0.wav" and not task.job.overwrite:
                os._exit(1)
            return super().do(task)

    monkeypatch.setattr(_crew, "Worker", Mortal)
    jobs = songs(tmp_path, 2, settings)
    jobs[0].outputs["bass"].parent.mkdir(parents=True)
    jobs[0].outputs["bass"].write_text("mine")
    notes = on_cluster(jobs)
    assert notes.status == {"0.wav": "failed", "1.wav": "done"}
    assert "exists already" in str(notes.outcomes[str(jobs[0].source)].error)
    assert jobs[0].outputs["bass"].read_text() == "mine"


def test_a_long_song_is_shared_and_joined_to_the_same_bytes(
    settings: Settings, driver: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when a process dies in mid-song."""
    died = tmp_path / "died"

    class Mortal(Worker):
        def do(self, task: Task) -> Answer:
            if hasattr(task, "part") and task.part.start and not died.exists():
                died.touch()
                os._exit(1)
            return super().do(task)

    monkeypatch.setattr(_crew, "Worker", Mortal)
    (long, _), (_, short) = songs(tmp_path, 2, settings, seconds=20), songs(tmp_path, 2, settings)
    soundfile.write(long.source, noise(160_000), 8000, "PCM_16")
    jobs = [long, short]
    notes = on_cluster(jobs, part_seconds=3)
    assert died.exists()
    assert notes.status == {"0.wav": "done", "1.wav": "done"}
    assert len(notes.seconds["0.wav"]) > 4
    assert notes.seconds["0.wav"][-1] == pytest.approx(20)
    assert samples(tmp_path / "out") == locally(jobs, tmp_path / "local")
    assert not hidden(tmp_path)


def test_a_long_song_that_fails_keeps_no_parts(
    settings: Settings, driver: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first parts are on the disk when a later one cannot be read."""

    class Damaged(Worker):
        def do(self, task: Task) -> Answer:
            if hasattr(task, "part") and task.part.start > 100_000:
                wait_for(lambda: list(task.part.path.parent.glob("*.f32")))
                return task.job.failed("damaged")
            return super().do(task)

    monkeypatch.setattr(_crew, "Worker", Damaged)
    (long,) = songs(tmp_path, 1, settings)
    soundfile.write(long.source, noise(160_000), 8000, "PCM_16")
    notes = on_cluster([long], part_seconds=3)
    assert notes.status == {"0.wav": "failed"}
    assert not hidden(tmp_path)


def test_who_stops_the_run_finds_nothing_half_written(
    settings: Settings, driver: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One song is being written when the run is interrupted at the end of the others."""
    writing = tmp_path / "writing"

    class Writing(Worker):
        def do(self, task: Task) -> Answer:
            if task.job.source.name == "0.wav":
                with files.atomic(task.job.outputs["bass"], lock=True):
                    writing.touch()
                    wait_for(lambda: False)
            wait_for(writing.exists)
            return super().do(task)

    class Impatient(Notes):
        def finished(self, outcome: Outcome) -> None:
            super().finished(outcome)
            if len(self.outcomes) == 2:
                raise KeyboardInterrupt

    monkeypatch.setattr(_crew, "Worker", Writing)
    with pytest.raises(KeyboardInterrupt):
        on_cluster(songs(tmp_path, 3, settings), Impatient())
    assert not hidden(tmp_path)


def test_a_song_that_kills_its_workers_is_set_aside(
    settings: Settings, driver: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaths = tmp_path / "deaths"

    class Poisoned(Worker):
        def do(self, task: Task) -> Answer:
            if task.job.source.name == "1.wav":
                with deaths.open("a") as file:
                    file.write("x")
                with files.atomic(task.job.outputs["bass"], lock=True):
                    os._exit(1)
            return super().do(task)

    monkeypatch.setattr(_crew, "Worker", Poisoned)
    jobs = songs(tmp_path, 5, settings)
    notes = on_cluster(jobs)
    assert notes.status == {f"{number}.wav": "failed" if number == 1 else "done" for number in range(5)}
    assert "1.wav: set aside, as 3 workers died over it" in str(notes.outcomes[str(jobs[1].source)].error)
    assert deaths.read_text() == "xxx"
    others = [job for job in jobs if job.source.name != "1.wav"]
    assert samples(tmp_path / "out") == locally(others, tmp_path / "local")
    assert not hidden(tmp_path)


def test_a_slow_song_holds_nobody_up(
    settings: Settings, driver: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on only when all others are finished."""
    others_finished = tmp_path / "finished"

    class Slow(Worker):
        def do(self, task: Task) -> Answer:
            if task.job.source.name == "0.wav":
                wait_for(others_finished.exists)
            return super().do(task)

    class Watch(Notes):
        def finished(self, outcome: Outcome) -> None:
            super().finished(outcome)
            if len(self.outcomes) == 5:
                others_finished.touch()

    monkeypatch.setattr(_crew, "Worker", Slow)
    notes = on_cluster(songs(tmp_path, 6, settings), Watch())
    assert list(notes.status.values()) == ["done"] * 6
    assert list(notes.status)[-1] == "0.wav"


def test_a_machine_that_dies_takes_nothing_with_it(
    settings: Settings, nodes: Any, driver: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others wait until it has begun a song; then it is killed."""
    begun, doomed = tmp_path / "begun", nodes.add_node(**NODE)
    doomed_id = doomed.node_id

    class OnDoomed(Worker):
        def do(self, task: Task) -> Answer:
            if ray.get_runtime_context().get_node_id() == doomed_id:
                begun.write_text(str(task.job.source))
                wait_for(lambda: False)
            wait_for(begun.exists)
            return super().do(task)

    def kill() -> None:
        wait_for(begun.exists)
        nodes.remove_node(doomed, allow_graceful=False)

    monkeypatch.setattr(_crew, "Worker", OnDoomed)
    killer = threading.Thread(target=kill)
    killer.start()
    jobs = songs(tmp_path, 8, settings)
    notes = on_cluster(jobs)
    killer.join()
    assert notes.status == {f"{number}.wav": "done" for number in range(8)}
    assert begun.read_text() in notes.outcomes
    assert samples(tmp_path / "out") == locally(jobs, tmp_path / "local")


def on_full_disk(full: Callable[[], bool], tries: Path) -> type[Worker]:
    class FullDisk(Worker):
        def do(self, task: Task) -> Answer:
            if not full():
                wait_for(lambda: tries.exists() and len(tries.read_text()) == 3)
                return super().do(task)
            with tries.open("a") as file:
                file.write("x")
            before = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
            try:
                return super().do(task)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return FullDisk


def test_a_machine_whose_disk_is_full_is_left_out(
    settings: Settings, nodes: Any, driver: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others wait until it has failed three times; its songs are theirs then."""
    tries, full_id = tmp_path / "tries", nodes.head_node.node_id
    full = lambda: ray.get_runtime_context().get_node_id() == full_id  # noqa: E731
    monkeypatch.setattr(_crew, "Worker", on_full_disk(full, tries))
    jobs = songs(tmp_path, 7, settings)
    notes = on_cluster(jobs)
    assert notes.status == {f"{number}.wav": "done" for number in range(7)}
    assert tries.read_text() == "xxx"
    assert samples(tmp_path / "out") == locally(jobs, tmp_path / "local")
    assert not hidden(tmp_path)


def test_where_nobody_can_write_the_run_ends(
    settings: Settings, driver: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_crew, "Worker", on_full_disk(lambda: True, tmp_path / "tries"))
    with pytest.raises(OutputError, match="is the disk full"):
        on_cluster(songs(tmp_path, 12, settings))
    assert not samples(tmp_path / "out")
    assert not hidden(tmp_path)


def test_a_driver_that_is_killed_and_started_again(settings: Settings, nodes: Any, tmp_path: Path) -> None:
    """What was done is left alone; the song that was under way is made."""
    jobs = songs(tmp_path, 4, settings)
    pipe = tmp_path / "4.wav"
    os.mkfifo(pipe)
    manifest = tmp_path / "manifest.jsonl"
    command = [sys.executable, "-m", "tfwavesep_cli", "separate", *(str(job.source) for job in jobs), str(pipe)]
    command += ["-m", settings.model, "-o", str(tmp_path / "out"), "--manifest", str(manifest)]
    command += ["--engine", "ray", "--address", nodes.address, "--skip-existing"]
    said = tmp_path / "said"
    with said.open("w") as stderr:
        first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr)
    wait_for(lambda: first.poll() is not None or (manifest.exists() and manifest.read_text().count("\n") == 4))
    first.send_signal(signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL, said.read_text()
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.wav")}
    assert len(made) == 16

    pipe.unlink()
    soundfile.write(pipe, noise(4000, seed=4), 8000, "PCM_16")
    second = subprocess.run(command, capture_output=True, text=True)
    assert second.returncode == 0, second.stderr
    assert "5 songs: 1 done" in second.stderr
    assert {path: path.stat().st_mtime_ns for path in made} == made
    rows = [json.loads(line)["status"] for line in manifest.read_text().splitlines()]
    assert sorted(rows) == ["done"] * 5 + ["skipped"] * 4
    jobs = [*jobs, replace(jobs[0], source=pipe, outputs={s: tmp_path / f"out/4/{s}.wav" for s in jobs[0].outputs})]
    assert samples(tmp_path / "out") == locally(jobs, tmp_path / "local")
    assert not hidden(tmp_path)


def test_no_machine_has_room(settings: Settings, driver: None, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="no machine of the Ray cluster has 64 CPUs and 0 GPUs"):
        cluster.check(settings, cluster.Size(cpus=64), tmp_path, [])


def test_machines_are_looked_at_before_any_work(settings: Settings, driver: None, tmp_path: Path) -> None:
    cluster.check(settings, cluster.Size(), tmp_path / "new", songs(tmp_path, 1, settings)[0].source.parents)
    assert not (tmp_path / "new").exists()
    with pytest.raises(Exception, match=r"machine .* does not see .*nowhere\.wav: songs and stems must be in a store"):
        cluster.check(settings, cluster.Size(), tmp_path, [tmp_path / "nowhere.wav"])
    assert not hidden(tmp_path)
