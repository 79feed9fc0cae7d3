"""What each part of the recipe of a WaveNet on bands is worth: short trainings that differ in one thing.

Run: python -m benchmarks.recipe --data musdb18 [--extra STEM=FOLDER ...] [--runs runs/recipe]; writes
benchmarks/RECIPE.md.

The network is the preset `banded_wavenet` with short frames. All trainings take the same number of steps; two differ in
the seed alone: what lies between them is chance. Short trainings tell what learns faster, not what would learn by heart
less.
Each has a folder of its own below the runs' folder: started again, the script goes on where it was stopped.
"""

import argparse
import multiprocessing
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.results.systems import SHORT_FRAMES
from tfwavesep.config import Preset, load_preset, override
from tfwavesep.evaluation import markdown
from tfwavesep.places import atomic
from tfwavesep.training import read_history, train

PAGE = Path(__file__).with_name("RECIPE.md")
SHORT = ("training.epochs=6", "training.steps_per_epoch=60", "training.patience=6")


@dataclass(frozen=True)
class Change:
    """One difference from the recipe.

    Attributes:
        name: of its folder.
        label: for people.
        settings: of the preset.
        extra: whether extra material is used.
    """

    name: str
    label: str
    settings: tuple[str, ...] = ()
    extra: bool = True

    def resolve(self) -> Preset:
        """The preset as it is trained."""
        return override(load_preset("banded_wavenet"), (*SHORT_FRAMES, *SHORT, *self.settings))


CHANGES = (
    Change("recipe", "the recipe"),
    Change("seed", "the recipe, another seed", ("training.seed=1",)),
    Change("wide", "64 filters", ("model.filters=64",)),
    Change("more_drop", "20 % of stems left out", ("data.drop=0.2",)),
    Change("no_extra", "no extra singing", extra=False),
    Change("weight_decay", "weight decay 0.05", ("training.weight_decay=0.05",)),
    Change("long", "dilations up to 16", ("model.dilations=5",)),
    Change("deep", "three stacks", ("model.stacks=3",)),
    Change("long_frames", "frames of 4096", ("model.size=4096", "model.bands=[[16,1],[16,2],[16,4],[18,8]]")),
    Change("more_mixing", "32 mixing units", ("model.mixing=32",)),
    Change("all_remixed", "all remixed", ("data.remix=1",)),
    Change("less_remixed", "half remixed", ("data.remix=0.5",)),
    Change("no_drop", "no stem left out", ("data.drop=0",)),
    Change("no_speeds", "one speed", ("data.speeds=[1.0]",)),
    Change("wide_gains", "gains 0.25 to 2", ("data.gain_min=0.25", "data.gain_max=2")),
    Change("low_rate", "learning rate 0.001", ("training.learning_rate=0.001",)),
    Change("no_average", "weights not averaged", ("training.average=null",)),
    Change("constant", "constant learning rate", ("training.schedule=constant",)),
    Change("float32", "float32", ("training.mixed_precision=false",)),
    Change("narrow", "32 filters", ("model.filters=32",)),
    Change("one_band", "kernels that reach no other band", ("model.reach=1",)),
)


def perform(change: Change, root: Path, extra: tuple[str, ...], folder: Path) -> None:
    """One short training, unless it is done."""
    if not (folder / "run.json").exists():
        train(change.resolve(), root, folder, extra if change.extra else (), resume=True)


def page(runs: Path) -> str:
    """The results so far as Markdown, best first."""
    losses = {c: _best_loss(runs / c.name) for c in CHANGES if (runs / c.name / "run.json").exists()}
    recipe = losses[CHANGES[0]]
    rows = [["", "validation loss, dB", "difference from the recipe"]]
    for change, loss in sorted(losses.items(), key=lambda item: item[1]):
        rows.append([change.label, f"{loss:.3f}", f"{loss - recipe:+.3f}" if loss != recipe else ""])
    about = " ".join(str(__doc__).split()).split("RECIPE.md. ")[1].split(" Each has")[0]
    steps = " and ".join(text.partition(".")[2] for text in SHORT[:2])
    left = ", ".join(change.label for change in CHANGES if change not in losses)
    left = f"\nNot trained yet: {left}.\n" if left else ""
    what = f"Written by `python -m benchmarks.recipe`. {about} Here {steps}."
    return f"# What each part of the recipe is worth\n\n{what}\n\n{markdown(rows)}{left}"


def _best_loss(folder: Path) -> float:
    return min(row["val_loss"] for row in read_history(folder))


def main() -> None:
    """Train what is not trained yet; write the page after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="data root")
    parser.add_argument("--extra", action="append", default=[], help="as of `tfwavesep train`")
    parser.add_argument("--runs", type=Path, default=Path("runs/recipe"), help="folder of all trainings")
    parser.add_argument("-o", "--output", type=Path, default=PAGE)
    options = parser.parse_args()
    for change in CHANGES:
        arguments = (change, options.data, tuple(options.extra), options.runs / change.name)
        process = multiprocessing.get_context("spawn").Process(target=perform, args=arguments)
        process.start()
        process.join()
        if process.exitcode:
            sys.exit(f"failed: {options.runs / change.name}; run again to go on")
        with atomic(options.output) as temporary:
            temporary.write_text(page(options.runs), encoding="utf-8")


if __name__ == "__main__":
    main()
