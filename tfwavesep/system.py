"""What systems do differently: POSIX's ways, and on Windows the next best one, or what is done without.

No other module asks for the system it runs on. On Windows a file that is open can neither be removed nor renamed, which
stands for a lock; a worker that is told to stop leaves what it was writing, which whoever writes there next removes;
and standard input from a file is read as a pipe.
"""

import os
import signal
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Signals that ask a program to end."""

DESCRIPTORS = Path("/proc/self/fd")
"""Where Linux shows the files that a process has open, those without a name too."""

PROCESSOR = Path("/proc/cpuinfo")
"""Where Linux tells what the processor is, and which instructions it has."""

GROUPS, CONTROL = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
"""Where Linux tells a process's control groups, and what they are allowed."""

THREADS = "OMP_NUM_THREADS"
"""The variable by which processes are told their share of the cores, also by Ray."""


def hold(handle: int) -> int | None:
    """Let others see that this process lives and writes a file, until the handle is closed; see `remove_unheld`.

    Returns:
        the handle; None where a handle would keep the file from being renamed, and is closed.
    """
    if fcntl is None:
        os.close(handle)
        return None
    with suppress(OSError):  # a file system without locks
        fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


def remove_unheld(path: Path) -> None:
    """Remove a file that nobody holds.

    Raises:
        OSError: somebody does, or it cannot be removed.
    """
    if fcntl is None:
        path.unlink()
        return
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()


def appends(handle: int) -> bool:
    """Whether all that is written goes to the end of a file, wherever one seeks (the shell's `>>`).

    Raises:
        OSError: it is no file of the system.
    """
    return fcntl is not None and bool(fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_APPEND)


def longest_name(folder: Path) -> int | None:
    """Bytes that a name may have in a folder; None if nobody knows."""
    if not hasattr(os, "pathconf"):
        return None
    limit = os.pathconf(folder, "PC_NAME_MAX")
    return limit if limit > 0 else None


def reopened(handle: int) -> Path | None:
    """A path under which this process can open once more what it has open; None where there is none."""
    path = DESCRIPTORS / str(handle)
    return path if path.exists() else None


class Scratch:
    """An empty file for as long as this object is there. On Linux it has no name, and goes with the process, however
    that ends.

    Attributes:
        path: to write to it and read from it in this process.

    Raises:
        OSError: the folder for temporary files takes none.
    """

    def __init__(self) -> None:
        file = tempfile.TemporaryFile()  # noqa: SIM115
        path = reopened(file.fileno())
        if path is None:
            file.close()
            handle, name = tempfile.mkstemp()
            os.close(handle)
            path = Path(name)
            weakref.finalize(self, path.unlink, missing_ok=True)
        self._file, self.path = file, path


@contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """Processes that are started inside do not hear Ctrl-C, which goes to all; this one does at the block's end at the
    latest. On Windows they begin to hear it, and have to stop their own ears."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # it starts once, and lets go of the signals that are held back here
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def cores() -> int:
    """Cores that this process may keep busy: those it may run on, or fewer where its control group has a quota, as in a
    container. `OMP_NUM_THREADS` may ask for fewer, but not for more."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wished = os.environ.get(THREADS, "").partition(",")[0].strip()
    return max(1, min(allowed, *_quotas(), int(wished) if wished.isdecimal() and int(wished) else allowed))


def processor() -> dict[str, str]:
    """What the system tells of the processor, by the system's own names; nothing where it does not."""
    try:
        lines = PROCESSOR.read_text().splitlines()
    except OSError:
        return {}
    return {name.strip(): text.strip() for name, _, text in (line.partition(":") for line in lines)}


def has_bfloat16() -> bool:
    """Whether the processor multiplies in bfloat16, as far as the system tells: x86 as "flags", Arm as "Features"."""
    about = processor()
    instructions = f"{about.get('flags', '')} {about.get('Features', '')}".split()
    return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(instructions)


@contextmanager
def shared_by(processes: int) -> Iterator[None]:
    """Processes that are started inside have an equal share of the cores each, one at least."""
    before = os.environ.get(THREADS)
    os.environ[THREADS] = str(max(1, cores() // processes))
    try:
        yield
    finally:
        os.environ.pop(THREADS)
        if before is not None:
            os.environ[THREADS] = before


def _quotas() -> Iterator[int]:
    """Of the control groups, of either version, that this process is in, and of those around them: whole cores, rounded
    up."""
    try:
        lines = GROUPS.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, name = line.split(":", 2)
        if not controllers or "cpu" in controllers.split(","):
            top = CONTROL / "cpu" if controllers else CONTROL
            group = top / name.lstrip("/")
            for folder in (group, *group.parents[: len(group.relative_to(top).parts)]):
                yield from _quota(folder)


def _quota(folder: Path) -> Iterator[int]:
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota, period = ((folder / f"cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period"))
    except (OSError, ValueError):
        return
    if quota.isdecimal() and int(quota):  # else "max" or -1: as much as there is
        yield -(-int(quota) // int(period))
