"""Tables show all that is in them."""

import io
import re
from importlib import import_module
from importlib.metadata import entry_points

import pytest
from rich.table import Table

(SCRIPT,) = entry_points(group="console_scripts", name="tfwavesep")
tables = import_module(SCRIPT.module.replace(".main", ".tables"))

WORDS = [f"word{number}" for number in range(60)] + ["[bold]", ":cat:"]


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("screen", [io.StringIO, Screen])
def test_nothing_is_cut_off(screen: type[io.StringIO], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr("sys.stdout", shown := screen())
    table = Table("name", "a_heading_longer_than_any_terminal_of_forty_columns", "value")
    table.add_row("long", " ".join(WORDS), "0.90")
    tables.show(table)
    text = re.sub(r"\x1b\[[0-9;]*m", "", shown.getvalue())
    assert "…" not in text
    assert all(word in text for word in WORDS)
    assert (" ".join(WORDS) in text) == (screen is io.StringIO)
    assert screen is io.StringIO or max(map(len, text.splitlines())) <= 40
