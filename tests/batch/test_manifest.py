"""A manifest keeps a row for every song, also when it is cut off or written by several at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tfwavesep.batch import Manifest, Outcome
from tfwavesep.errors import OutputError


def test_rows_come_back(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path / "new" / "m.jsonl")
    assert list(manifest.rows()) == []
    rows = [Outcome("ä.wav", seconds=1.5, peak={"vocals": 0.5}), Outcome("\udcff.wav", "failed", error="is\nbad")]
    for row in rows:
        manifest.append(row)
    assert list(manifest.rows()) == rows
    assert len(manifest.path.read_text().splitlines()) == 2


def test_the_last_row_of_a_song_that_was_done_counts(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path / "m.jsonl")
    for row in (Outcome("a", seconds=1), Outcome("a", seconds=2), Outcome("a", "failed"), Outcome("b", "failed")):
        manifest.append(row)
    assert manifest.latest() == {"a": Outcome("a", seconds=2)}


@pytest.mark.parametrize("torn", ['{"source": "b.wav", "sta', "\0\0\0", "[1]\n", "{}\n", '{"source": "c", "new": 1}\n'])
def test_torn_and_foreign_lines_do_no_harm(tmp_path: Path, torn: str) -> None:
    manifest = Manifest(tmp_path / "m.jsonl")
    manifest.append(Outcome("a.wav"))
    with manifest.path.open("a") as file:
        file.write(torn)
    manifest.append(Outcome("d.wav"))
    assert [row.source for row in manifest.rows() if row.source != "c"] == ["a.wav", "d.wav"]


def test_rows_of_several_writers_do_not_mix(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path / "m.jsonl")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: manifest.append(Outcome(str(number) * 200)), range(200)))
    assert sorted(row.source for row in manifest.rows()) == sorted(str(number) * 200 for number in range(200))


@pytest.mark.parametrize(
    ("name", "message"),
    [("file/m.jsonl", "file: is a file, not"), (".", "cannot be written to"), ("full", "full: cannot be written to")],
)
def test_a_place_that_cannot_be_written_to_is_named_and_known_beforehand(
    tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "full").symlink_to("/proc/version")
    manifest = Manifest(tmp_path / name)
    for write in (manifest.check, lambda: manifest.append(Outcome("a"))):
        with pytest.raises(OutputError, match=message):
            write()


@pytest.mark.parametrize("name", ["m.jsonl", "new/folder/m.jsonl", "there.jsonl"])
def test_to_look_beforehand_changes_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "there.jsonl").write_text('{"source": "a", "sta')
    before = {path: path.read_bytes() for path in tmp_path.rglob("*")}
    Manifest(tmp_path / name).check()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*")} == before
