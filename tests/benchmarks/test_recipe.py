"""The short trainings that tell what each part of the recipe is worth."""

from pathlib import Path

import pytest

from benchmarks import recipe


@pytest.mark.parametrize("change", recipe.CHANGES, ids=lambda c: c.name)
def test_each_change_of_the_recipe_differs_from_it_in_one_thing(change: recipe.Change) -> None:
    assert change.resolve().training.epochs == 6
    assert (change.resolve() != recipe.CHANGES[0].resolve()) == bool(change.settings)
    assert bool(change.settings) + (not change.extra) == (change is not recipe.CHANGES[0])


def test_the_recipes_page_ranks_what_is_done(tmp_path: Path) -> None:
    for change, losses in zip(recipe.CHANGES, ((-1, -2), (-2.5, -1.5), (-1.5, -1.75)), strict=False):
        (tmp_path / change.name).mkdir()
        (tmp_path / change.name / "run.json").write_text("{}")
        rows = "".join(f"{epoch},0,{loss}\n" for epoch, loss in enumerate(losses))
        (tmp_path / change.name / "history.csv").write_text("epoch,loss,val_loss\n" + rows)
    table = [line for line in recipe.page(tmp_path).splitlines() if line.startswith("|")]
    assert [row.split("|")[1:-1] for row in table[2:]] == [
        [" the recipe, another seed ", " -2.500 ", " -0.500 "],
        [" the recipe ", " -2.000 ", "  "],
        [" 64 filters ", " -1.750 ", " +0.250 "],
    ]
