"""`tfwavesep models`."""

import click

from .progress import printable
from .tables import show


@click.command()
@click.argument("models", nargs=-1)
def models(models: tuple[str, ...]) -> None:
    """List the models that come with the package, or describe MODELS (names, folders or zip files) and check their
    files.

    \b
    Example:
      tfwavesep models default
    """
    from tfwavesep.release import catalogue

    if models:
        for model in models:
            _describe(model, catalogue.facts(catalogue.find(model)))
    else:
        _list()


def _describe(model: str, facts: dict[str, str]) -> None:
    from rich.table import Table

    shown = Table(title=printable(model), title_justify="left", show_header=False, box=None)
    for name, text in facts.items():
        shown.add_row(name, printable(text))
    show(shown)


def _list() -> None:
    from rich.table import Table

    from tfwavesep.errors import ModelError
    from tfwavesep.release import catalogue

    rows = {
        name: {"separates": str(found)} if isinstance(found, ModelError) else catalogue.summary(found)
        for name, found in catalogue.released().items()
    }
    header = max(rows.values(), key=len, default={})
    shown = Table("name", *header)
    for name, row in rows.items():
        shown.add_row(name, *map(printable, row.values()))
    show(shown)
