"""The folder tells which command makes which page, and every command that is named anywhere can be run."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "benchmarks"
README = (FOLDER / "README.md").read_text()
PAGES = sorted(set(FOLDER.glob("*.md")) - {FOLDER / "README.md"})
SCRIPTS = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for path in FOLDER.rglob("*.py")
    if '__name__ == "__main__"' in path.read_text()
}
"""By the name that `python -m` takes."""

TEXTS = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "saved_models/*.md", "benchmarks/**/*.md", "benchmarks/**/*.py")
    for path in ROOT.glob(pattern)
)


def named_in(text: str) -> set[str]:
    """Modules of the benchmarks that a text says to run."""
    return set(re.findall(r"python -m (benchmarks(?:\.\w+)*)(?!\.?[\w{])", text))


def maker(page: Path) -> str:
    """A page X.md is made by the file or the folder x."""
    return f"benchmarks.{page.stem.lower()}"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_page_is_made_by_the_file_or_the_folder_of_its_name(page: Path) -> None:
    made_by = {name for name in SCRIPTS if (name + ".").startswith(maker(page) + ".")}
    assert made_by
    assert named_in(page.read_text()) <= made_by
    assert named_in(page.read_text())
    (row,) = [line for line in README.splitlines() if line.startswith(f"| [{page.name}]({page.name})")]
    assert named_in(row) & made_by or "make speed" in row


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_a_script_says_how_it_is_run_and_so_does_the_readme(name: str) -> None:
    docstring = SCRIPTS[name].read_text().split('"""')[1]
    assert name in named_in(docstring)
    assert name in named_in(README)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_said_to_be_run_is_there(path: Path) -> None:
    text = path.read_text()
    assert named_in(text) <= SCRIPTS.keys()
    assert not re.search(r"python3? benchmarks/", text)


def test_make_speed_runs_topics_that_are_there() -> None:
    topics = re.search(r"for topic in ([\w ]+);", (ROOT / "Makefile").read_text())
    assert topics
    assert {f"benchmarks.speed.{topic}" for topic in topics[1].split()} < SCRIPTS.keys()
