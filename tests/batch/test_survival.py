"""What must hold whatever happens: no half stems after a kill or on a full disk, and memory that does not grow."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile
from doubles import noise

HERE = Path(__file__).parents[1]

SEPARATING = """
import os, sys, time
sys.path.insert(0, {here!r})
from pathlib import Path
from doubles import separator
from tfwavesep.batch.jobs import Job, Settings, run
from tfwavesep.audio import Format
rename = os.replace
os.replace = lambda *names: time.sleep({wait}) or rename(*names)
stems = {{stem: Path({out!r}) / f"{{stem}}.{extension}" for stem in ("vocals", "drums", "bass", "other")}}
run(separator(1, 1), Job(Path({song!r}), stems, Settings(form=Format.parse({extension!r}))))
"""
"""A song, whose stems get their names only after a wait, as who is to kill it may be slow."""

LIMITED = """
import resource, signal, sys
sys.path.insert(0, {here!r})
from pathlib import Path
from doubles import separator
from tfwavesep.batch.workers import attempt
from tfwavesep.audio import Format
from tfwavesep.batch import Job, Settings
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for limit in {limits!r}:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    out = Path({out!r}) / str(limit)
    job = Job(Path({song!r}), {{"vocals": out / "vocals.{extension}"}}, Settings(form=Format.parse({extension!r})))
    outcome = attempt(separator(1, 1), job, lambda *_: None)
    print(limit, outcome.status, outcome.error)
"""

MEASURED = """
import resource, sys
sys.path.insert(0, {here!r})
from pathlib import Path
from doubles import noise, separator
from tfwavesep.audio import Format
from tfwavesep.stemfiles import Choice, stem_files
separator, minute = separator(1, 10), noise(8000 * 60)
form = Format.parse("flac", "16")
choice = Choice.of(separator.targets)
with stem_files({{"vocals": Path({out!r}) / "vocals.flac"}}, choice, form, 8000, 1, "clamp") as (write, _):
    for piece in separator.separate_range(lambda _: (minute for _ in range({minutes})), 8000):
        write(piece)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def script(code: str, **values: object) -> list[str]:
    filled = {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}
    return [sys.executable, "-c", code.format(here=str(HERE), **filled)]


@pytest.mark.parametrize("extension", ["wav", "flac"])
def test_a_kill_leaves_no_stem_and_the_next_run_tidies_up(tmp_path: Path, extension: str) -> None:
    song, out = tmp_path / "song.wav", tmp_path / "out"
    soundfile.write(song, noise(8000 * 900), 8000, "PCM_16")
    process = subprocess.Popen(script(SEPARATING, song=song, out=out, extension=extension, wait=60))
    while process.poll() is None and sum(path.stat().st_size for path in files(out)) < 1000:
        time.sleep(0.02)
    process.kill()
    assert process.wait() == -9
    assert files(out)
    assert all(path.name.startswith(".writing-") for path in files(out))
    soundfile.write(song, noise(8000), 8000, "PCM_16")
    subprocess.run(script(SEPARATING, song=song, out=out, extension=extension, wait=0), check=True)
    assert sorted(path.name for path in files(out)) == sorted(
        f"{stem}.{extension}" for stem in ("vocals", "drums", "bass", "other")
    )


@pytest.mark.parametrize("extension", ["wav", "flac", "ogg", "mp3"])
def test_a_full_disk_at_any_moment_leaves_no_half_stem(tmp_path: Path, extension: str) -> None:
    """A limit on the size of files stands in for the full disk: both make a write fail half way."""
    song, out = tmp_path / "song.wav", tmp_path / "out"
    soundfile.write(song, noise(80_000), 8000, "PCM_16")
    spool = 80_000 * 4 * 4
    (whole,) = run(LIMITED, song=song, out=tmp_path / "whole", extension=extension, limits=[10**9])
    assert whole.split()[1] == "done"
    size = files(tmp_path / "whole")[0].stat().st_size
    limits = [0, 10, size // 2, size - 1, size, spool, 10**9]
    lines = run(LIMITED, song=song, out=out, extension=extension, limits=limits)
    statuses = {int(line.split()[0]): line.split()[1] for line in lines}
    assert statuses[10**9] == "done"
    assert {statuses[limit] for limit in (0, 10, size // 2, size - 1)} == {"failed"}
    for limit, line in zip(limits, lines, strict=True):
        made = files(out / str(limit))
        if statuses[limit] == "failed":
            assert not made
            assert "is the disk full?" in line or "cannot be written" in line
        else:
            assert [path.read_bytes() for path in made] == [files(tmp_path / "whole")[0].read_bytes()]


def run(code: str, **values: object) -> list[str]:
    return subprocess.run(script(code, **values), capture_output=True, text=True, check=True).stdout.splitlines()


def test_two_hours_take_the_memory_of_two_minutes(tmp_path: Path) -> None:
    short, long = (int(run(MEASURED, out=tmp_path / str(minutes), minutes=minutes)[-1]) for minutes in (2, 120))
    assert long < 1.1 * short
    assert soundfile.info(str(tmp_path / "120" / "vocals.flac")).frames == 120 * 60 * 8000
