"""What is shown of a batch while it runs."""

import subprocess
import sys
import unicodedata
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from tfwavesep_cli import progress

from tfwavesep.batch import Job, Outcome, Settings


def test_the_bar_tells_songs_audio_rate_time_left_and_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 10.0, 10.0, 10.0])
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    shown = progress.Progress(1000, to_do=4)
    assert shown._bar
    shown.finished(Outcome("old.wav", "skipped"))
    shown.progressed(Job(Path("a.wav"), {}, Settings()), 100, 100)
    shown.finished(Outcome("a.wav", seconds=100))
    shown.finished(Outcome("b.wav", "failed", error="b.wav: is bad"))
    shown.progressed(Job(Path("c.wav"), {}, Settings()), 20, 300)
    shown.progressed(Job(Path("c.wav"), {}, Settings()), 50, 300)
    (task,) = shown._bar.tasks
    assert task.description == "song 2 of 4"
    assert task.fields["shown"] == "2:30 of 13:20 of audio, 15.0 x real time, 0:43 left, 1 failed"


def test_without_a_terminal_nothing_that_draws_is_loaded(tmp_path: Path) -> None:
    """The library that draws takes a tenth of the time until a short song is separated."""
    soundfile.write(tmp_path / "short.wav", np.zeros((100, 2)), 44100)
    script = (
        "import atexit, sys; from tfwavesep_cli.main import main; "
        "atexit.register(lambda: print(sorted({'rich', 'tensorflow'} & sys.modules.keys()))); main()"
    )
    command = [sys.executable, "-c", script, "separate", tmp_path / "short.wav", "-o", tmp_path / "stems"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_names_are_shown_as_one_line_whatever_they_hold(capsys: pytest.CaptureFixture[str]) -> None:
    """Done, skipped and failed alike: nothing that a terminal would obey, and all that it can show."""
    name = "".join(map(chr, range(256))) + "\udcff音楽 👩‍🎤"
    shown = progress.Progress(4, to_do=2)
    for outcome in (
        Outcome(name, outputs={"vocals": f"{name}/vocals.wav"}, warnings=[f"{name} is odd"], clipped=1),
        Outcome(name, "skipped"),
        Outcome(name, "failed", error=f"{name}: is bad"),
    ):
        shown.finished(outcome)
    out, err = capsys.readouterr()
    assert [text.count("\n") for text in (out, err)] == [1, 4]
    assert {char for char in out + err if unicodedata.category(char) == "Cc"} == {"\n"}
    assert all("\\x00\\x01" in line and "ÿ\\xff音楽 👩‍🎤" in line for line in (out + err).splitlines())
    assert "1 sample cut to full scale" in err


def test_so_does_the_programs_last_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from tfwavesep_cli.main import main

    monkeypatch.setattr(sys, "argv", ["tfwavesep", "models", "a\n\x1b[31m  b\udcff"])
    with pytest.raises(SystemExit):
        main()
    assert "Error: unknown model 'a\\n\\x1b[31m  b\\xff'" in capsys.readouterr().err


@pytest.mark.parametrize(("number", "expected"), [(0, "0 tracks"), (1, "1 track"), (2, "2 tracks")])
def test_counts(number: int, expected: str) -> None:
    assert progress.count(number, "track") == expected
