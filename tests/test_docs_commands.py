"""Every command block of README.md and docs/ is run here, or read by the command line's own parser, or told why not."""

import re
import shlex
import shutil
from pathlib import Path

import click
import numpy as np
import pytest
import soundfile
from conftest import DEMO_SONG, Run
from tfwavesep_cli.main import cli

from tfwavesep.store import released

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

NOT_RUN = {
    "cd": "builds the page with npm, as `make page`, which the page's tests need",
    "docker": "needs its daemon",
    "export": "sets what several machines share",
    "examples/serving/separate_wav.sh": "needs a server; tests/backends/test_serving.py runs it against a stand-in",
    "make": "the lanes of .ci/run",
    "pip": "installs",
    "python3": "the README's two commands, which are lanes of .ci/run",
    "ray": "starts a cluster; tests/batch/test_cluster.py has one of its own",
}
"""Programs whose commands are not run here, and why."""

RUN = ("separate", "check", "models")
"""Commands that are run, on songs and with a model of our own under the names that the pages use."""

ABSENT = {"s3://": "an object store", "grpc://": "a server", "http://": "a server", "ray": "a cluster", " - ": "a pipe",
          "--shard": "part of an album", "catalogue": "a catalogue"}  # fmt: skip
"""What such a command names that is not here; it is parsed all the same."""


def commands() -> list[tuple[str, str]]:
    """Each page's lines of shell, without comments and with continued lines in one."""
    found = []
    for page in PAGES:
        for block in re.findall(r"(?ms)^```sh\n(.*?)^```", page.read_text()):
            for line in re.sub(r"\\\n\s*", " ", block).splitlines():
                words = shlex.split(line, comments=True)
                if words:
                    found.append((f"{page.name}", line.split("  #")[0].strip()))
    return found


LINES = commands()
OURS = [(page, line) for page, line in LINES if re.search(r"(^|\s|/)tfwavesep ", line) and "install" not in line]


def words_of(line: str) -> list[str]:
    """What follows `tfwavesep` in a line, up to the next pipe."""
    part = next(part for part in re.split(r"\s\|\s", line) if re.search(r"(^|\s|/)tfwavesep ", part))
    words = shlex.split(part, comments=True)
    start = next(i for i, word in enumerate(words) if word == "tfwavesep" or word.endswith("/tfwavesep"))
    return words[start + 1 :]


@pytest.mark.parametrize(("page", "line"), LINES)
def test_a_command_is_ours_or_told_why_it_is_not_run(page: str, line: str) -> None:
    assert (page, line) in OURS or shlex.split(line)[0] in NOT_RUN


def test_no_reason_is_given_for_nothing() -> None:
    assert NOT_RUN.keys() == {shlex.split(line)[0] for page, line in LINES if (page, line) not in OURS}


@pytest.mark.parametrize(("page", "line"), OURS)
def test_a_command_can_be_meant(page: str, line: str) -> None:
    """Its options and their values are known to the command."""
    name, *words = words_of(line)
    command = cli.commands[name]
    context = click.Context(command, info_name=name, resilient_parsing=True)
    _, extra, _ = command.make_parser(context).parse_args(words)
    assert not extra


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the songs and the model that the pages name."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "album").mkdir()
    (folder / "examples").symlink_to(ROOT / "examples")
    shutil.copytree(released()["default"], folder / "saved_models" / "mine")
    for name in ("song.wav", "song.flac", "song.mp3", "album/one.flac", "album/two.flac"):
        soundfile.write(folder / name, soundfile.read(DEMO_SONG / "mixture.flac", frames=44100)[0], 44100)
    return folder


@pytest.mark.parametrize(
    ("page", "line"),
    [(p, n) for p, n in OURS if words_of(n)[0] in RUN and not any(a in n + " " for a in ABSENT) and "venv" not in n],
)
def test_a_command_does_what_the_page_says(
    page: str, line: str, run: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    name, *words = words_of(line)
    if name == "check":
        song, stems = words[:2]
        run("separate", song, "-o", str(Path(stems).parent), "--overwrite")
    result = run(name, *words, *(["--overwrite"] if name == "separate" and "--skip-existing" not in words else []))
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_run(page: Path) -> None:
    rng = np.random.default_rng(0)
    music = rng.uniform(-0.1, 0.1, (44100, 2)).astype(np.float32)
    names = {
        "mixture": music, "blocks": np.split(music, 10), "start": 0, "stop": 1000,
        "read": lambda n: iter([music[n:]]),
    }  # fmt: skip
    for block in re.findall(r"(?ms)^```python\n(.*?)^```", page.read_text()):
        exec(compile(block, str(page), "exec"), names)


@pytest.mark.parametrize("page", [*PAGES, *ROOT.glob("*/README.md"), *ROOT.glob("*/*/README.md")], ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []
