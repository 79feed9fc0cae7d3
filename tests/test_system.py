"""What systems do differently is asked for in one place; where POSIX's ways are missing, results are the same."""

import gc
import io
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import Run

from tfwavesep import audio, system
from tfwavesep.places import atomic, files, sweep

ROOT = Path(__file__).parent.parent
POSIX = "|".join((
    r"\bfcntl\b", r"os\.(pathconf|fork|killpg|getuid|geteuid|umask|mkfifo|O_APPEND)\b", "/proc/",
    r"signal\.(SIGHUP|SIGKILL|pthread)", r"sys\.platform",
))  # fmt: skip


@pytest.fixture(params=["posix", "without"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The system as it is, and as if it had none of POSIX's ways."""
    if request.param == "without":
        monkeypatch.setattr(system, "fcntl", None)
        monkeypatch.setattr(system, "DESCRIPTORS", tmp_path / "nowhere")
        monkeypatch.delattr(os, "pathconf")
        monkeypatch.delattr(signal, "pthread_sigmask")
    return str(request.param)


@pytest.mark.parametrize("path", sorted([*ROOT.glob("tfwavesep/**/*.py"), *ROOT.glob("cli/*.py")]), ids=str)
def test_nobody_else_asks_for_the_system(path: Path) -> None:
    allowed = {"system.py", "combinations.py"}  # the latter knows names that people give pipes
    assert path.name in allowed or not re.search(POSIX, path.read_text())


def test_the_package_is_imported_where_posix_is_not() -> None:
    """As on Windows: no fcntl, no SIGHUP, no signal masks, no pathconf, no affinity."""
    code = (
        "import os, signal, sys\n"
        "sys.modules['fcntl'] = None\n"
        "del signal.SIGHUP, signal.pthread_sigmask, os.pathconf, os.sched_getaffinity\n"
        "from tfwavesep_cli.main import main\n"
        "sys.argv[1:] = ['separate', '--overwrite', '-o', sys.argv[2], sys.argv[1]]\n"
        "main()\n"
    )
    song = ROOT / "examples" / "demo_song" / "bass.flac"
    folder = Path(os.environ["TFWAVESEP_CACHE"]) / "stems"
    subprocess.run([sys.executable, "-c", code, song, folder], check=True)
    assert len(list(folder.rglob("*.wav"))) == 4


def test_a_file_appears_whole_or_not_at_all(either: str, tmp_path: Path) -> None:
    with atomic(tmp_path / "whole", lock=True) as path:
        path.write_text("it")
    with pytest.raises(ZeroDivisionError), atomic(tmp_path / "half", lock=True) as path:  # noqa: PT012
        path.write_text("i")
        _ = 1 / 0
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("whole", "it")]


def test_what_a_killed_process_left_is_removed(either: str, tmp_path: Path) -> None:
    left = tmp_path / f"{files.PREFIX}01234567-song.wav"
    left.write_text("half")
    assert sweep(tmp_path / "song.wav")
    assert not left.exists()


def test_what_a_living_process_writes_is_left(tmp_path: Path) -> None:
    with atomic(tmp_path / "song.wav", lock=True) as path:
        assert not sweep(tmp_path / "song.wav")
        assert path.exists()


def test_a_scratch_file_can_be_written_and_read_by_its_path_and_is_gone_at_last(either: str) -> None:
    scratch = system.Scratch()
    scratch.path.write_bytes(b"it")
    path = scratch.path
    assert path.read_bytes() == b"it"
    assert (path.parent == Path("/proc/self/fd")) == (either == "posix" and sys.platform == "linux")
    del scratch
    gc.collect()
    assert not path.exists()


def test_a_song_on_standard_input_is_the_same(either: str, tmp_path: Path) -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, (1000, 2)).astype(np.float32)
    soundfile.write(tmp_path / "song.wav", samples, 44100, "FLOAT")
    with (tmp_path / "song.wav").open("rb") as file, audio.open_audio(file) as reader:
        np.testing.assert_array_equal(np.concatenate(list(reader.blocks())), samples)


def test_several_processes_separate_where_signals_have_no_masks(
    either: str, run: Run, model: Path, tmp_path: Path
) -> None:
    songs = [tmp_path / f"{number}.wav" for number in range(2)]
    for song in songs:
        soundfile.write(song, np.zeros((800, 1)), 8000)
    result = run("separate", *songs, "-m", model, "-j", "2", "-o", tmp_path / "stems")
    assert result.exit_code == 0, result.output
    assert len(list((tmp_path / "stems").rglob("*.wav"))) == 8


def test_where_nothing_is_known_of_names_none_is_too_long(either: str, tmp_path: Path) -> None:
    assert files.longest_name(tmp_path) == (None if either == "without" else 255)


def test_only_files_of_the_system_append(tmp_path: Path) -> None:
    with (tmp_path / "file").open("ab") as appended, (tmp_path / "file").open("wb") as written:
        assert system.appends(appended.fileno())
        assert not system.appends(written.fileno())
    with pytest.raises(OSError, match="fileno"):
        system.appends(io.BytesIO().fileno())


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Four cores, and no quota yet; a folder that stands for that of the control groups."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    monkeypatch.setattr(system, "GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(system, "CONTROL", tmp_path)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("wished", "cores"), [(None, 4), ("3", 3), ("1", 1), ("64", 4), ("2,1", 2), ("0", 4), ("many", 4), ("", 4)]
)
def test_a_wish_is_heard_for_fewer_cores_than_there_are(
    wished: str | None, cores: int, free: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if wished is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", wished)
    assert system.cores() == cores


@pytest.mark.parametrize(("quota", "cores"), [("max", 4), ("150000", 2), ("50000", 1), ("900000", 4)])
@pytest.mark.parametrize("folder", ["", "a", "a/b"])
def test_a_quota_of_any_group_around_counts(quota: str, cores: int, folder: str, free: Path) -> None:
    (free / "cgroup").write_text("0::/a/b\n")
    (free / "a" / "b").mkdir(parents=True)
    (free / folder / "cpu.max").write_text(f"{quota} 100000\n")
    assert system.cores() == cores


@pytest.mark.parametrize(("quota", "cores"), [("-1", 4), ("250000", 3)])
def test_so_does_one_of_the_older_kind(quota: str, cores: int, free: Path) -> None:
    (free / "cgroup").write_text("7:memory:/else\n4:cpu,cpuacct:/job\n")
    (free / "cpu" / "job").mkdir(parents=True)
    (free / "cpu" / "job" / "cpu.cfs_quota_us").write_text(quota)
    (free / "cpu" / "job" / "cpu.cfs_period_us").write_text("100000")
    assert system.cores() == cores


def test_processes_that_are_started_together_share_the_cores(free: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    for processes in (1, 2, 3, 9):
        with system.shared_by(processes):
            told.append(os.environ["OMP_NUM_THREADS"])
    assert told == ["4", "2", "1", "1"]
    assert "OMP_NUM_THREADS" not in os.environ
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    with system.shared_by(2):
        assert system.cores() == 1
    assert system.cores() == 2


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("flags\t\t: fpu avx512f avx512_bf16", True),
        ("flags\t\t: fpu amx_bf16 amx_tile", True),
        ("Features\t: fp asimd i8mm bf16", True),
        ("flags\t\t: fpu avx2 avx512_vnni", False),
        ("Features\t: fp asimd", False),
        ("", False),
        (None, False),
    ],
)
def test_bfloat16_is_there_if_the_system_tells_so(
    told: str | None, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system, "PROCESSOR", tmp_path / "cpuinfo")
    if told is not None:
        (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{told}\n\nprocessor\t: 1\n{told}\n")
    assert system.has_bfloat16() == expected
