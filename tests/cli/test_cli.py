"""The command line: documented, and whatever it is given, one clear line and nothing half-written."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import click
import numpy as np
import pytest
import soundfile
from click.testing import Result
from conftest import Run, write_track
from doubles import encode, noise
from zoo import late

ROOT = Path(__file__).parents[2]
PAGES = "".join(path.read_text() for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))))
LONG = 300 * "y"

(SCRIPT,) = entry_points(group="console_scripts", name="tfwavesep")
COMMANDS: dict[str, click.Command] = __import__(SCRIPT.module, fromlist=["cli"]).cli.commands


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented_and_has_help_with_an_example(name: str, run: Run) -> None:
    assert f"tfwavesep {name} " in PAGES
    shown = run(name, "--help")
    assert shown.exit_code == 0
    assert f"Example:\n    tfwavesep {name} " in shown.output
    options = [option for option in COMMANDS[name].params if isinstance(option, click.Option)]
    assert all(option.help for option in options)


def test_music_is_found_in_the_same_way_by_all() -> None:
    options = {name: [o for o in command.params if "--data" in o.opts] for name, command in COMMANDS.items()}
    found = {name: option.envvar for name, (option,) in ((n, o) for n, o in options.items() if o)}
    assert found == dict.fromkeys(["train", "evaluate", "export", "import"], "MUSDB_PATH")


def test_the_commands_are_the_librarys() -> None:
    names = "check data evaluate export import live models separate train web"
    assert sorted(COMMANDS) == names.split()


def error_line(result: Result) -> str:
    """The one line that says what was wrong."""
    assert result.exit_code != 0, result.output
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    assert "Traceback" not in result.output
    (line,) = [line for line in result.output.splitlines() if line.startswith("Error:")]
    return line


def listing(folder: Path) -> dict[Path, bytes]:
    """All files below a folder, hidden ones too, and what is in them."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def wav(folder: Path, name: str = "song.wav", length: int = 4000) -> Path:
    path = folder / name
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal((length, 2)), 16000, "FLOAT")
    return path


def empty_folder(folder: Path) -> Path:
    (folder / "songs").mkdir()
    (folder / "songs" / "notes.txt").write_text("no music")
    return folder / "songs"


def text_as_wav(folder: Path) -> Path:
    (folder / "text.wav").write_text("this is not audio\n" * 100)
    return folder / "text.wav"


def empty_file(folder: Path) -> Path:
    (folder / "empty.wav").touch()
    return folder / "empty.wav"


def truncated(folder: Path) -> Path:
    path = wav(folder, "truncated.wav")
    path.write_bytes(path.read_bytes()[:20000])
    return path


def with_nan(folder: Path) -> Path:
    samples = np.zeros(100_000)
    samples[80_000] = np.nan
    soundfile.write(folder / "nan.wav", samples, 8000, "FLOAT")
    return folder / "nan.wav"


def picture(folder: Path) -> Path:
    (folder / "picture.mp3").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20)
    return folder / "picture.mp3"


SONGS: dict[Callable[[Path], Path], tuple[str, str]] = {
    lambda folder: folder / "missing.wav": ("missing.wav", "no such file"),
    empty_folder: ("songs", "without audio files"),
    text_as_wav: ("text.wav", "is not an audio file"),
    picture: ("picture.mp3", "has no audio stream"),
    empty_file: ("empty.wav", "is empty"),
    truncated: ("truncated.wav", "is truncated"),
    with_nan: ("nan.wav", "NaN or infinite sample at 10.000 s"),
}


@pytest.mark.parametrize("make", SONGS, ids=[name for name, _ in SONGS.values()])
def test_a_song_that_cannot_be_separated(make: Callable[[Path], Path], model: Path, run: Run, tmp_path: Path) -> None:
    song = make(tmp_path)
    before = listing(tmp_path)
    line = error_line(run("separate", song, "-m", model, "-o", tmp_path / "stems"))
    assert all(part in line for part in SONGS[make])
    assert listing(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["-m", "defalt"], ["unknown model 'defalt'", "Known:"]),
        (["-m", ""], ["unknown model ''", "Known:"]),
        (["-m", "file"], ["file: is no model, or not in its folder: there is no config.json beside it"]),
        (["-m", "there"], ["there: has no config.json; a model is a folder"]),
        (["--stems", "vocal"], ["unknown stem 'vocal'", "did you mean 'vocals'"]),
        (["--stems", "vocals,"], ["unknown stem ''", "Known: vocals, drums, bass, other"]),
        (["--stems", ""], ["unknown stem ''", "Known: vocals, drums, bass, other"]),
        (["--raw-format", ""], ["unknown raw format ''"]),
        (["--segment", "0"], ["segment = 0", "above 0"]),
        (["--segment", "long"], ["--segment", "'long'"]),
        (["-o", "file"], ["file: is a file, not a folder"]),
        (["-o", "file/stems"], ["file: is a file, not a folder"]),
        (["-o", ""], ["an empty name"]),
        (["--filename", "{stem:.0}.{ext}"], ["vocals and drums would be one file, separated/.wav"]),
        (["--filename", "{stem}.FLAC"], ["file name '{stem}.FLAC': the stems are .wav; see --format"]),
        (["--manifest", "other/vocals.wav"], ["other/vocals.wav: is no manifest, as it holds other things"]),
        (["--segment", "3600"], ["segment = 3600", "at most 120"]),
        (["-o", "there"], ["vocals.wav: exists already", "--overwrite"]),
        (["--manifest", "there"], ["there: cannot be written to"]),
        (["--manifest", "file/m.jsonl"], ["file: is a file, not a folder"]),
        (["--references", "nowhere"], ["'nowhere' does not exist"]),
        (["--references", "there"], ["--references there: holds none of the stems: no vocals, drums, bass, other"]),
        (["--references", "other", "--stems", "bass"], ["--references other: holds none of the stems: no bass"]),
        (
            ["--references", "other"],
            ["other/vocals.wav: is no reference of", "has 10 samples of 2 channels at 16000 Hz, not 4000"],
        ),
        (["--nonsense"], ["No such option", "--nonsense"]),
    ],
    ids=lambda value: " ".join(value) if value and value[0].startswith("-") else "",
)
def test_options_that_cannot_be_meant(
    arguments: list[str], parts: list[str], model: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    song = wav(tmp_path)
    (tmp_path / "file").write_text("mine")
    (tmp_path / "there" / "song").mkdir(parents=True)
    (tmp_path / "there" / "song" / "vocals.wav").write_text("mine")
    (tmp_path / "other").mkdir()
    wav(tmp_path / "other", "vocals.wav", 10)
    monkeypatch.chdir(tmp_path)
    before = listing(tmp_path)
    line = error_line(run("separate", song, "-m", model, *arguments))
    assert all(part in line for part in parts), line
    if arguments != ["--references", "other"]:
        assert listing(tmp_path) == before


@pytest.mark.parametrize("name", ["-x.wav", "--live.wav"])
def test_a_song_that_is_named_like_an_option(
    name: str, model: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "is a file" not in error_line(run("separate", name, "-m", model))
    wav(tmp_path, name)
    line = error_line(run("separate", name, "-m", model))
    assert line == f"Error: {name}: is a file, but taken for an option; write ./{name}"
    assert run("separate", f"./{name}", "-m", model).exit_code == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(model: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    line = error_line(run("separate", wav(tmp_path), "-m", model, "-o", tmp_path / "closed"))
    assert "closed" in line
    assert "cannot be written to" in line


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["tny", "--data", "music"], ["unknown preset 'tny'", "did you mean 'tiny'"]),
        (["mine.json", "--data", "music"], ["mine.json", "no such file"]),
        (["broken.json", "--data", "music"], ["broken.json", "line 1 is not json"]),
        (["tiny", "--data", "music", "--set", "training.epoch=1"], ["did you mean 'training.epochs'"]),
        (["tiny", "--data", "music", "--set", "training.epochs"], ["training.epochs", "key=value"]),
        (["tiny", "--data", "music", "--set", "training.epochs=0"], ["training.epochs = 0", "at least 1"]),
        (["tiny", "--data", "music", "--set", "training.epochs=many"], ["training.epochs = 'many'", "int"]),
        (["tiny", "--data", "music", "--extra", "voice=music"], ["--extra voice=music", "STEM"]),
        (["tiny", "--data", "nowhere"], ["nowhere", "no such data folder"]),
        (["tiny", "--data", "nothing"], ["nothing", "holds no tracks"]),
        (["tiny", "--data", "one"], ["one", "track"]),
        (["tiny"], ["Missing option '--data'", "MUSDB_PATH"]),
    ],
    ids=lambda value: " ".join(value) if value[0].startswith(("t", "m", "b")) else "",
)
def test_trainings_that_cannot_be_meant(
    arguments: list[str], parts: list[str], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        write_track(tmp_path / "music" / f"{number}", seconds=0.1)
    write_track(tmp_path / "one" / "song", seconds=0.1)
    (tmp_path / "nothing").mkdir()
    (tmp_path / "broken.json").write_text("{nothing}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MUSDB_PATH", raising=False)
    before = listing(tmp_path)
    line = error_line(run("train", *arguments, "-o", "run"))
    assert all(part in line for part in parts), line
    assert listing(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["train", "tiny", "-o", "RUN"], ["holds a training already", "--resume"]),
        (
            ["train", "tiny", "-o", "RUN", "--resume", "--set", "model.filters=9"],
            ["of 'tiny' that differs in model.filters ("],
        ),
        (["train", "tiny", "-o", "file/run"], ["file: is a file, not a folder"]),
        (["export", "nowhere", "-o", "model"], ["nowhere", "config.json", "tfwavesep train"]),
        (["export", "RUN", "-o", "MODEL"], ["exists already", "--overwrite"]),
        (["export", "RUN", "-o", "file/model"], ["file: is a file, not a folder"]),
        (["evaluate", "nonsense", "-o", "scores"], ["unknown model 'nonsense'", "Known:"]),
        (["evaluate", "MODEL", "-o", "scores", "--subset", "all"], ["'all' is not one of"]),
        (["evaluate", "MODEL", "-o", "scores", "-j", "0"], ["0 is not in the range"]),
        (["evaluate", "MODEL", "-o", "file/scores"], ["file: is a file, not a folder"]),
    ],
    ids=lambda value: " ".join(value) if len(value) > 2 else "",
)
def test_runs_and_models_that_cannot_be_meant(
    arguments: list[str], parts: list[str], run: Run, trained: Path, model: Path, data_root: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    (tmp_path / "file").write_text("mine")
    monkeypatch.chdir(tmp_path)
    before = [listing(folder) for folder in (tmp_path, trained, model)]
    places = {"RUN": trained, "MODEL": model}
    line = error_line(run(*(places.get(a, a) for a in arguments), MUSDB_PATH=str(data_root)))
    assert all(part in line for part in parts), line
    assert [listing(folder) for folder in (tmp_path, trained, model)] == before


def test_what_is_there_of_a_cut_song_is_separated_if_that_is_wanted(model: Path, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "cut.wav"
    soundfile.write(path, np.zeros((8000, 1), np.float32), 8000, "PCM_16")
    path.write_bytes(path.read_bytes()[:8044])
    arguments = ("separate", path, "-m", model, "-o", tmp_path / "stems")
    refused = run(*arguments)
    assert (refused.exit_code, "--damaged take" in refused.output) == (1, True)
    taken = run(*arguments, "--damaged", "take")
    assert (taken.exit_code, "cut.wav: is truncated: its header promises" in taken.output) == (0, True)
    assert soundfile.info(tmp_path / "stems" / "cut" / "vocals.wav").frames == 4000


def test_of_several_sound_streams_one_is_chosen(model: Path, run: Run, tmp_path: Path) -> None:
    encode(tmp_path / "film.mka", "flac", 16000, *(level * noise(8000, 2) for level in (1, 0)))
    arguments = ("separate", tmp_path / "film.mka", "-m", model, "--overwrite", "-o", tmp_path)
    for options, silent in (((), False), (("--stream", 1), False), (("--stream", 2), True)):
        result = run(*arguments, *options)
        assert result.exit_code == 0, result.output
        stems = [soundfile.read(tmp_path / "film" / f"{stem}.wav")[0] for stem in ("vocals", "drums", "bass", "other")]
        assert (not np.any(sum(stems))) == silent
    assert error_line(run(*arguments, "--stream", 3)).endswith("film.mka: has no audio stream 3, only 2")
    assert "0 is not in the range x>=1" in error_line(run(*arguments, "--stream", 0))


def test_a_film_whose_sound_starts_late_is_told_or_padded(model: Path, run: Run, tmp_path: Path) -> None:
    late("matroska")(tmp_path / "film.mkv")
    arguments = ("separate", tmp_path / "film.mkv", "-m", model, "--overwrite", "-o", tmp_path)
    told = run(*arguments)
    assert (told.exit_code, "film.mkv: the sound starts 0.5" in told.output) == (0, True)
    short = soundfile.info(tmp_path / "film" / "vocals.wav").frames
    kept = run(*arguments, "--keep-offset")
    assert (kept.exit_code, "the sound starts" in kept.output) == (0, False)
    stems = [soundfile.read(tmp_path / "film" / f"{stem}.wav")[0] for stem in ("vocals", "drums", "bass", "other")]
    offset = len(stems[0]) - short
    assert offset / 44100 == pytest.approx(0.5, abs=0.05)
    assert not np.any(sum(stems)[:offset])


def test_one_bad_file_does_not_stop_the_others(model: Path, run: Run, tmp_path: Path) -> None:
    songs = [truncated(tmp_path), wav(tmp_path), text_as_wav(tmp_path), wav(tmp_path, "last.flac.wav")]
    result = run("separate", *songs, "-m", model, "-o", tmp_path / "stems")
    line = error_line(result)
    assert result.exit_code == 1
    assert line.startswith("Error: 2 failed: ")
    assert all(name in line for name in ("truncated.wav", "text.wav"))
    made = sorted(path.parent.name for path in listing(tmp_path / "stems"))
    assert made == ["last.flac"] * 4 + ["song"] * 4


def test_a_folder_is_separated_file_by_file(model: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "album" / "second").mkdir(parents=True)
    for place in (tmp_path / "album" / "ä.wav", tmp_path / "album" / "second" / "b.FLAC"):
        wav(place.parent, place.name) if place.suffix == ".wav" else soundfile.write(place, np.zeros(10), 8000)
    result = run("separate", tmp_path / "album", "-m", model, "-o", tmp_path / "stems", "--stems", "vocals, other")
    assert result.exit_code == 0, result.output
    stems = {path.relative_to(tmp_path / "stems") for path in listing(tmp_path / "stems")}
    assert stems == {Path(song) / f"{stem}.wav" for song in ("ä", "second/b") for stem in ("vocals", "other")}


def test_a_batch_that_would_write_over_its_own_songs_writes_nothing(model: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "song").mkdir()
    songs = [wav(tmp_path), wav(tmp_path / "song", "vocals.wav")]
    before = listing(tmp_path)
    line = error_line(run("separate", *songs, "-m", model, "-o", tmp_path, "--overwrite"))
    assert f"{songs[0]}: its stems would take the place of the song {songs[1]}" in line
    assert listing(tmp_path) == before


def test_a_second_run_makes_what_is_missing_and_tells_what(model: Path, run: Run, tmp_path: Path) -> None:
    """One stem first, then all, then the picture: the same files as in one go, and nothing made twice."""
    song, rows = wav(tmp_path), tmp_path / "rows.jsonl"

    def separate(folder: str, *options: str) -> Result:
        result = run("separate", song, "-m", model, "-o", tmp_path / folder, "--bits", "16", *options)
        assert result.exit_code == 0, result.output
        return result

    goes_on = ("--skip-existing", "--manifest", str(rows))
    separate("at once", "--plot")
    separate("step by step", "--stems", "vocals", *goes_on)
    vocals = tmp_path / "step by step" / "song" / "vocals.wav"
    before = vocals.stat().st_mtime_ns
    assert "vocals.wav" not in separate("step by step", *goes_on).stdout
    shown = separate("step by step", "--plot", *goes_on).stdout
    assert "plot.png" in shown
    assert "wav," not in shown
    assert "done already" in separate("step by step", "--plot", *goes_on).output
    assert vocals.stat().st_mtime_ns == before
    at_once, in_steps = (listing(tmp_path / folder / "song") for folder in ("at once", "step by step"))
    assert {path.name: data for path, data in at_once.items()} == {path.name: data for path, data in in_steps.items()}
    assert len(rows.read_text().splitlines()) == 4


def test_references_are_compared(model: Path, run: Run, tmp_path: Path) -> None:
    write_track(tmp_path / "song")
    result = run("separate", tmp_path / "song" / "mixture.wav", "-m", model, "-o", tmp_path / "stems",
                 "--references", tmp_path / "song")  # fmt: skip
    assert result.exit_code == 0, result.output
    shown = [line.split()[0] for line in result.output.splitlines() if " SDR " in line]
    assert shown == ["vocals", "drums", "bass", "other"]


def start(*arguments: object) -> subprocess.Popen[str]:
    """The command line in its own process, which hears signals even where these tests run in the background."""
    command = [sys.executable, "-m", "tfwavesep_cli", *map(str, arguments)]
    heard = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in heard.items()}
    try:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["separate", "missing.wav", "-m", "MODEL"], 1),
        (["separate", "missing.wav", "-m", "two\nlines"], 1),
        (["separate"], 2),
        (["nonsense"], 2),
        (["export", "nowhere", "-o", "model"], 1),
    ],
    ids=lambda value: str(value),
)
def test_the_installed_program_shows_one_line_too(arguments: list[str], code: int, model: Path) -> None:
    process = start(*(str(model) if a == "MODEL" else a for a in arguments))
    _, shown = process.communicate()
    assert process.returncode == code
    assert "Traceback" not in shown
    assert len([line for line in shown.splitlines() if line.startswith("Error:")]) == 1


PROGRAM = (sys.executable, "-m", "tfwavesep_cli")

FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")


@FULL
def test_a_batch_goes_on_where_its_lines_cannot_be_written_and_says_so_once(model: Path, tmp_path: Path) -> None:
    songs = [tmp_path / f"{number}.wav" for number in range(3)]
    for song in songs:
        soundfile.write(song, np.zeros((4000, 1), np.float32), 8000, "PCM_16")
    command = [*PROGRAM, "separate", *songs, "-m", model, "-o", tmp_path / "stems"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[1:] == ["Error: standard output: cannot be written to: No space left on device"]
    assert all((tmp_path / "stems" / song.stem / "vocals.wav").exists() for song in songs)


@FULL
@pytest.mark.parametrize("arguments", [["--help"], ["models"], ["separate", "--help"]], ids=" ".join)
def test_what_cannot_be_written_is_one_line(arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([*PROGRAM, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    expected = "Error: standard output: cannot be written to: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, expected)


@FULL
def test_where_errors_cannot_be_written_the_exit_code_tells() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([*PROGRAM, "nonsense"], stdout=subprocess.PIPE, stderr=full, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")


def test_export_says_what_it_wrote_and_nothing_else(trained: Path, tmp_path: Path) -> None:
    process = start("export", trained, "-o", tmp_path / "model")
    written, shown = process.communicate()
    assert (process.returncode, shown) == (0, "")
    assert written.startswith(f"wrote {tmp_path / 'model'}: ")


@pytest.mark.parametrize(
    ("how", "jobs"), [(signal.SIGINT, 1), (signal.SIGTERM, 1), (signal.SIGHUP, 1), (signal.SIGTERM, 2)]
)
def test_who_interrupts_finds_nothing_half_written(how: signal.Signals, jobs: int, model: Path, tmp_path: Path) -> None:
    songs = [tmp_path / f"long{number}.wav" for number in range(jobs)]
    for song in songs:
        with soundfile.SoundFile(song, "w", 8000, 1, "PCM_16") as file:
            for _ in range(7200):
                file.write(np.zeros(8000))
    process = start("separate", *songs, "-m", model, "-o", tmp_path / "stems", "-j", jobs)
    while process.poll() is None and not listing(tmp_path / "stems"):
        time.sleep(0.01)
    process.send_signal(how)
    _, shown = process.communicate()
    assert process.returncode == 130, shown
    assert [line for line in shown.splitlines() if line][-1] == "Interrupted; nothing half-written is left."
    assert "Traceback" not in shown
    assert listing(tmp_path / "stems") == {}


def test_alone_it_shows_the_help(run: Run) -> None:
    result = run()
    assert result.exit_code == 0
    assert result.output == run("--help").output


@pytest.mark.parametrize("arguments", [["separate", LONG], ["separate", "a.wav", "-m", LONG], ["models", LONG]])
def test_a_name_that_is_too_long_is_one_line(arguments: list[str], run: Run) -> None:
    result = run(*arguments)
    assert result.exit_code == 1
    assert "the name is too long for the file system" in result.output


TRAINING = ("tensorflow", "keras", "musdb", "museval", "scipy", "yaml", "ai_edge_quantizer", "tensorboard")
"""What the extra `train` installs, as it is imported."""


def light(*lines: str) -> "subprocess.CompletedProcess[str]":
    """Run Python where that extra is not installed."""
    absent = (
        "import sys",
        "class Absent:",
        "    def find_spec(self, name, *_):",
        f"        if name in {TRAINING}: raise ModuleNotFoundError(name, name=name)",
        "sys.meta_path.insert(0, Absent())",
    )
    command = [sys.executable, "-c", "\n".join([*absent, *lines])]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "command",
    [
        ["train", "tiny", "--data", "music"],
        ["export", "run"],
        ["import", "spleeter:2stems", "wheel"],
        ["evaluate", "--data", "music"],
        ["separate", "song.wav", "-m", str(ROOT / "saved_models" / "default" / "model.keras")],
    ],
    ids=lambda command: command[0],
)
def test_what_needs_tensorflow_says_so_in_one_line_without_it(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    wav(tmp_path)
    result = light("from tfwavesep_cli.main import main", f"sys.argv[1:] = {[*command, '-o', 'out']!r}", "main()")
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert line.endswith(": pip install 'tfwavesep[train]'")
    assert not (tmp_path / "out").exists()


def test_from_python_the_extra_is_named_too() -> None:
    result = light("import tfwavesep", "tfwavesep.Separator.load('default')", "tfwavesep.train")
    assert "ExtraError: tfwavesep.train: needs keras: pip install 'tfwavesep[train]'" in result.stderr
