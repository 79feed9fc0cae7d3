"""Many songs: every one gets its outcome, whatever happens to the others and to the processes."""

import os
import signal
import struct
import subprocess
import sys
from multiprocessing import Pipe
from pathlib import Path

import numpy as np
import pytest
from doubles import separator
from songs import Notes, samples, songs, spoil

from tfwavesep import system
from tfwavesep.batch import Job, Settings, workers


def test_one_bad_song_does_not_stop_the_others(tmp_path: Path) -> None:
    jobs, notes = songs(tmp_path, 3, Settings()), Notes()
    spoil(jobs[1])
    workers.run(jobs, separator(), 1, notes)
    assert notes.status == {"0.wav": "done", "1.wav": "failed", "2.wav": "done"}
    assert "1.wav: is not an audio file" in str(notes.outcomes[str(jobs[1].source)].error)
    done = notes.outcomes[str(jobs[0].source)]
    assert (done.seconds, list(done.peak)) == (0.5, ["vocals", "drums", "bass", "other"])
    assert notes.seconds["0.wav"] == sorted(notes.seconds["0.wav"])
    assert notes.seconds["0.wav"][-1] == pytest.approx(0.5)


def test_errors_that_nobody_thought_of_are_outcomes_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs, notes = songs(tmp_path, 2, Settings()), Notes()
    monkeypatch.setattr(np, "rint", lambda *_, **__: 1 / 0)
    workers.run(jobs, separator(), 1, notes)
    assert set(notes.status.values()) == {"failed"}
    assert "unexpected, please report it: ZeroDivisionError" in str(notes.outcomes[str(jobs[0].source)].error)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("count", [2, 8])
def test_several_at_a_time_give_the_same_bytes(
    tmp_path: Path, model: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as a larger machine would have at work, too."""
    monkeypatch.setattr(system, "cores", lambda: 8)
    alone, together = tmp_path / "alone", tmp_path / "together"
    for folder, workers_asked in ((alone, 1), (together, count)):
        folder.mkdir()
        jobs, notes = songs(folder, 9, Settings(str(model))), Notes()
        spoil(jobs[3])
        workers.run(jobs, workers.load(jobs[0].settings), workers_asked, notes)
        assert notes.status == {f"{number}.wav": "failed" if number == 3 else "done" for number in range(9)}
        assert notes.seconds["4.wav"][-1] == pytest.approx(0.5)
    assert samples(alone) == samples(together)
    assert len(samples(alone)) == 9 - 1 + 8 * 4 + 1


def test_no_more_work_at_a_time_than_there_are_cores(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system, "cores", lambda: 2)
    hired: list[int] = []
    crew = workers._Crew
    monkeypatch.setattr(workers, "_Crew", lambda count, settings: hired.append(count) or crew(count, settings))
    jobs, notes = songs(tmp_path, 3, Settings(str(model))), Notes()
    workers.run(jobs, workers.load(jobs[0].settings), 64, notes)
    assert hired == [2]
    assert set(notes.status.values()) == {"done"}


def killed_while_reading(folder: Path) -> Job:
    """A song that never comes: a named pipe that nobody writes to."""
    os.mkfifo(folder / "pipe.wav")
    return Job(folder / "pipe.wav", {"vocals": folder / "out" / "pipe" / "vocals.wav"}, Settings())


def test_a_process_that_is_killed_takes_only_its_own_song_with_it(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    jobs = songs(tmp_path, 4, Settings(str(model)))
    jobs.insert(1, replace(killed_while_reading(tmp_path), settings=jobs[0].settings))
    started: list[workers._Worker] = []
    give = workers._Worker.give

    def give_and_kill(worker: workers._Worker, job: Job) -> None:
        give(worker, job)
        started.append(worker)
        if job.source.name == "pipe.wav":
            os.kill(worker.process.pid or 0, signal.SIGKILL)

    monkeypatch.setattr(workers._Worker, "give", give_and_kill)
    notes = Notes()
    workers.run(jobs, workers.load(jobs[0].settings), 2, notes)
    assert notes.status == {**{f"{number}.wav": "done" for number in range(4)}, "pipe.wav": "failed"}
    assert "was killed by SIGKILL" in str(notes.outcomes[str(jobs[1].source)].error)
    assert not any(worker.process.is_alive() for worker in started)


def test_a_process_that_dies_between_two_songs_takes_none_with_it(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[workers._Worker] = []
    give = workers._Worker.give

    def kill_and_give(worker: workers._Worker, job: Job) -> None:
        if job.source.name == "2.wav" and not killed:
            killed.append(worker)
            os.kill(worker.process.pid or 0, signal.SIGKILL)
            worker.process.join()
        give(worker, job)

    monkeypatch.setattr(workers._Worker, "give", kill_and_give)
    jobs, notes = songs(tmp_path, 4, Settings(str(model))), Notes()
    workers.run(jobs, workers.load(jobs[0].settings), 2, notes)
    assert killed
    assert notes.status == {f"{number}.wav": "done" for number in range(4)}


def test_a_process_that_dies_in_mid_sentence_takes_only_its_own_song_with_it(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    give = workers._Worker.give

    def give_and_tear(worker: workers._Worker, job: Job) -> None:
        give(worker, job)
        if job.source.name == "1.wav":
            os.kill(worker.process.pid or 0, signal.SIGKILL)
            worker.pipe, theirs = Pipe()
            os.write(theirs.fileno(), struct.pack("!i", 1000) + b"the first of so many bytes")
            theirs.close()

    monkeypatch.setattr(workers._Worker, "give", give_and_tear)
    jobs, notes = songs(tmp_path, 3, Settings(str(model))), Notes()
    workers.run(jobs, workers.load(jobs[0].settings), 2, notes)
    assert notes.status == {"0.wav": "done", "1.wav": "failed", "2.wav": "done"}


def test_workers_end_when_the_batch_is_interrupted(tmp_path: Path, model: Path) -> None:
    """What a worker was writing disappears with it."""

    class Impatient(Notes):
        def progressed(self, job: Job, seconds: float, length: float | None) -> None:
            raise KeyboardInterrupt

    jobs = songs(tmp_path, 2, Settings(str(model)), seconds=600)
    with pytest.raises(KeyboardInterrupt):
        workers.run(jobs, workers.load(jobs[0].settings), 2, Impatient())
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_a_worker_that_is_told_to_leave_while_it_loads_leaves_quietly() -> None:
    """Code that is not Python's, such as a module's start, would make an error of its own of a handler's exception."""
    code = (
        "import os, signal\n"
        "from tfwavesep.batch import workers\n"
        "def load(settings):\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "    except SystemExit as left:\n"
        "        raise ImportError('initialization failed') from left\n"
        "workers.load = load\n"
        "workers._serve(None, None)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (-signal.SIGTERM, "")


def test_workers_never_hear_ctrl_c(model: Path) -> None:
    """Not even while they start, when nobody there could say so: it goes to all, and the parent decides."""
    crew = workers._Crew(1, Settings(str(model)))
    with crew:
        (worker,) = crew._workers
        for _ in range(50):
            os.kill(worker.process.pid, signal.SIGINT)
        status = Path(f"/proc/{worker.process.pid}/status").read_text()
        blocked = int(next(line for line in status.splitlines() if line.startswith("SigBlk")).split()[1], 16)
        assert blocked >> (signal.SIGINT - 1) & 1
        assert worker.process.is_alive()
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
