"""Tables for people, and for programs that read what people would."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

UNBROKEN = 10_000
"""Columns of what is not a terminal: there is no edge to break lines at."""


def show(table: "Table") -> None:
    """Print a table with all that is in its cells, as it is: broken to a terminal's width, in whole lines elsewhere."""
    from rich.console import Console

    console = Console(markup=False, emoji=False)
    if not console.is_terminal:
        console.width = UNBROKEN
    for column in table.columns:
        column.overflow = "fold"
    console.print(table)
