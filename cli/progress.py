"""How a batch goes, shown to people: a bar in seconds of audio at a terminal, one line per song everywhere."""

import os
import re
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import rich.progress

    from tfwavesep.batch import Job, Manifest, Outcome


class Progress:
    """Keeps count of a batch, writes its manifest, and shows how far it is; see `batch.Monitor`.

    Args:
        songs: how many there are.
        to_do: how many of them are to be separated.
        manifest: for a row of every song, or None.

    Attributes:
        done: the outcomes of songs that were separated.
        failed: of those that were not.
        unheard: why the lines of songs cannot be written, if so; the batch goes on without them.
    """

    def __init__(self, songs: int, to_do: int, manifest: "Manifest | None" = None) -> None:
        self.unheard = ""
        self.done: list[Outcome] = []
        self.failed: list[Outcome] = []
        self._songs, self._to_do, self._manifest = songs, to_do, manifest
        self._began = time.monotonic()
        self._under_way: dict[str, float] = {}
        self._past = 0.0
        self._started = self._measured = 0
        self._length = 0.0
        self._bar = _bar() if sys.stderr and sys.stderr.isatty() else None

    def __enter__(self) -> "Progress":
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _start(self) -> None:
        if self._bar:
            self._bar.start()

    def _stop(self) -> None:
        if self._bar:
            self._bar.stop()

    def progressed(self, job: "Job", seconds: float, length: float | None) -> None:
        """So many seconds of a song are done, of so many if that is known."""
        name = str(job.source)
        if name not in self._under_way:
            self._started += 1
            self._measured += bool(length)
            self._length += length or 0.0
        self._under_way[name] = seconds
        if self._bar:
            self._show(self._bar)

    def finished(self, outcome: "Outcome") -> None:
        """A song is finished, well or not."""
        self._past += self._under_way.pop(outcome.source, 0.0)
        if self._manifest:
            self._manifest.append(outcome)
        if outcome.status == "failed":
            self.failed.append(outcome)
            if self._songs > 1:
                self._say(f"failed: {outcome.error}", err=True)
        elif outcome.status == "skipped":
            self._say(f"{outcome.source}: done already", err=True)
        else:
            self.done.append(outcome)
            made = [*outcome.outputs.values(), *([outcome.picture] if outcome.picture else [])]
            self._say(f"{outcome.source} ({outcome.seconds:.1f} s): {', '.join(made)}")
        for warning in notes(outcome.warnings, outcome.gain_db, outcome.clipped):
            self._say(f"{outcome.source}: {warning}", err=True)

    def report(self) -> None:
        """What came of several songs."""
        if self._songs < 2:
            return
        done, failed = len(self.done), len(self.failed)
        seconds, took = sum(outcome.seconds for outcome in self.done), time.monotonic() - self._began
        rate = f"{clock(seconds)} of audio in {clock(took)}, {seconds / took:.1f} x real time" if done else "none"
        others = f"{self._songs - done - failed} were done already, {failed} failed"
        self._say(f"{self._songs} songs: {done} done ({rate}), {others}", err=True)

    def _say(self, line: str, err: bool = False) -> None:
        self._stop()
        try:
            click.echo(printable(line), err=err)
        except OSError as error:
            if not err:
                self.unheard = unheard(error)
        self._start()

    def _show(self, bar: "rich.progress.Progress") -> None:
        done, took = self._past + sum(self._under_way.values()), time.monotonic() - self._began
        total = self._length / self._measured * self._to_do if self._measured else None
        rate = done / took if took else 0.0
        left = f", {clock((total - done) / rate)} left" if total and rate and total > done else ""
        songs = f"song {self._started} of {self._to_do}" if self._to_do > 1 else "separating"
        failed = f", {len(self.failed)} failed" if self.failed else ""
        shown = f"{clock(done)}{f' of {clock(total)}' if total else ''} of audio, {rate:.1f} x real time{left}{failed}"
        bar.update(bar.task_ids[0], description=songs, completed=done, total=total, shown=shown)


def _bar() -> "rich.progress.Progress":
    """A bar for a terminal. Where there is none the library that draws it, a tenth of the command's start, is not
    loaded."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[shown]}"))
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    bar.add_task("", total=None, shown="")
    return bar


def unheard(error: OSError) -> str:
    """That standard output cannot be written to, from where on all that is written there goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)
    return f"standard output: cannot be written to: {error.strerror}"


def notes(warnings: list[str], gain_db: float, clipped: int) -> list[str]:
    """What should be known of a song that was separated."""
    lines = list(warnings)
    if gain_db:
        lines.append(f"all stems are {-gain_db:.1f} dB softer, so that none clips")
    if clipped:
        lines.append(f"{count(clipped, 'sample')} cut to full scale")
    return lines


def clock(seconds: float) -> str:
    """Seconds as people read them.

    >>> clock(3725), clock(59.6)
    ('1:02:05', '1:00')
    """
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def count(number: int, noun: str) -> str:
    """So many of something.

    >>> count(1, "track"), count(2, "track")
    ('1 track', '2 tracks')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def printable(text: str) -> str:
    """Text as one line that any terminal takes and shows, though the name of a file may hold what a terminal obeys.

    >>> print(printable("a\\nb\\x1b[31m"))
    a\\nb\\x1b[31m
    """
    shown = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda control: ascii(control[0])[1:-1], shown)
