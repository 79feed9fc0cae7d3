"""What a training's record says of where it was trained."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tfwavesep.training import record


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_the_commit_is_that_of_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not that of a repository in which it was merely installed; and one can see where it was changed."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(tmp_path), "-c", "user.name=me", "-c", "user.email=me@home", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    source = tmp_path / "package" / "record.py"
    source.parent.mkdir()
    source.write_text("as it was")
    monkeypatch.setattr(record, "__file__", str(source))
    assert record._commit() is None
    git("init")
    git("commit", "--allow-empty", "-m", "a project")
    assert record._commit() is None
    git("add", ".")
    git("commit", "-m", "a package")
    git("tag", "-m", "a release", "v1")
    assert record._commit() == git("rev-parse", "HEAD")
    source.write_text("changed")
    assert record._commit() == git("rev-parse", "HEAD") + "-dirty"
