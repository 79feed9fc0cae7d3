"""What is shown of a batch while it runs."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from tfwavesep_cli import progress

from tfwavesep.jobs import Job, Outcome, Settings


def test_the_bar_tells_songs_audio_rate_time_left_and_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 10.0, 10.0])
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    shown = progress.Progress(4)
    shown.progressed(Job(Path("a.wav"), {}, Settings()), 100, 100)
    shown.finished(Outcome("a.wav", seconds=100))
    shown.finished(Outcome("b.wav", "failed", error="b.wav: is bad"))
    shown.progressed(Job(Path("c.wav"), {}, Settings()), 50, 300)
    (task,) = shown._bar.tasks
    assert task.description == "song 2 of 4"
    assert task.fields["shown"] == "2:30 of 13:20 of audio, 15.0 x real time, 0:43 left, 1 failed"
