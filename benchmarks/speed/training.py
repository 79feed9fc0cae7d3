"""How long a training step takes beside the form of 2018, in float32 and in bfloat16; and that it learns as well.

    python -m benchmarks.speed.training                      # the steps
    python -m benchmarks.speed.training --data MUSDB18       # the curves: three short trainings, some minutes

Each writes its part of the section "training" of SPEED.md and leaves the other as it was.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed import page
from benchmarks.speed.contenders import CORES, Contender, Run, race
from benchmarks.speed.page import Target, figure
from tfwavesep.config import Preset, load_preset, override
from tfwavesep.evaluation import markdown

FORMS = {
    "2018, float32": ("naive", "float32"),
    "ours, float32": ("ours", "float32"),
    "ours, bfloat16": ("ours", "mixed_bfloat16"),
}
"""Name, network and precision."""

PAPER, BATCH, LENGTH = "wavenet_multi_instrument", 4, 4096
OTHERS = ("banded_wavenet",)
"""Presets whose steps are timed without a form of 2018, with their own batches."""

NARROW = (
    "model.filters=16", "model.stacks=2", "model.dilations=8", "model.head=[128, 32]", "data.target_length=4000",
    "data.remix=0.75", "training.batch_size=4", "training.epochs=8", "training.steps_per_epoch=100",
)  # fmt: skip
"""What makes of the paper's preset something that learns in minutes."""

EQUAL = 1.02
"""Validation losses are called equal within this factor."""


@contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Keras' networks that are built inside compute in this precision."""
    import keras

    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy("float32")


def compiled(preset: Preset, form: str, precision: str) -> Any:
    """A network with random weights, ready to train."""
    import keras

    from benchmarks.speed import naive
    from tfwavesep import models
    from tfwavesep.training import losses

    keras.utils.set_random_seed(0)
    with computing_in("float32"):
        first = models.build(preset.architecture, preset.model)
    with computing_in(precision):
        network = (
            naive.build(preset.model, preset.data.target_length)  # type: ignore[arg-type]
            if form == "naive"
            else models.build(preset.architecture, preset.model)
        )
    equal = zip(first.get_weights(), network.get_weights(), strict=True)
    network.set_weights([weight.reshape(like.shape) for weight, like in equal])
    network.compile(keras.optimizers.Adam(1e-3), losses.make(preset.loss.name, preset.loss.options))
    return network


def run_step(preset: Preset, form: str, precision: str) -> Run:
    """A training step on noise."""
    network = compiled(preset, form, precision)
    model, batch, length = preset.model, preset.training.batch_size, preset.data.target_length
    noise = np.random.default_rng(0)
    mixtures = noise.standard_normal((batch, model.input_length(length), model.channels), np.float32)
    stems = noise.standard_normal((batch, len(model.stems), length, model.channels), np.float32)
    return lambda: network.train_on_batch(mixtures, stems)


def steps() -> list[dict[str, Any]]:
    """Seconds for a step of each network, its audio per second, and the memory that it takes."""
    paper = override(load_preset(PAPER), [f"data.target_length={LENGTH}", f"training.batch_size={BATCH}"])
    found: dict[Any, Preset] = {(PAPER, name): paper for name in FORMS}
    found |= {(name, form): load_preset(name) for name in OTHERS for form in list(FORMS)[1:]}
    timings = race([Contender(key, run_step, (preset, *FORMS[key[1]])) for key, preset in found.items()])
    return [
        {"preset": key[0], "form": key[1], "seconds": t.seconds, "memory": t.memory, "batch": _audio(found[key])}
        for key, t in timings.items()
    ]


def _audio(preset: Preset) -> float:
    """Seconds of target audio in a batch."""
    return preset.training.batch_size * preset.data.target_length / preset.model.sample_rate


def curves(root: Path) -> dict[str, list[float]]:
    """The validation losses of short trainings from the same weights on the same examples, after every epoch."""
    from tfwavesep.data import examples

    preset = override(load_preset(PAPER), NARROW)
    training, found = preset.training, {}
    datasets = examples.open_datasets(preset, root)
    for name, form in FORMS.items():
        history = compiled(preset, *form).fit(
            examples.training_batches(datasets.mixer, training.batch_size),
            validation_data=datasets.valid,
            steps_per_epoch=training.steps_per_epoch,
            epochs=training.epochs,
            shuffle=False,
            verbose=0,
        )
        found[name] = history.history["val_loss"]
        print(name, " ".join(f"{loss:.5f}" for loss in found[name]), flush=True)
    return found


def text(recorded: dict[str, Any]) -> str:
    """The section."""
    parts = []
    if "steps" in recorded:
        rows = [_cells(row, recorded["steps"]) for row in recorded["steps"]]
        header = ["preset", "form", "a batch", "a step", "of 2018's", "audio per second", "MB"]
        parts.append(f"A step of Adam on {CORES[-1]} cores:\n\n{markdown([header, *rows])}")
    if "curves" in recorded:
        losses = recorded["curves"]
        epochs = range(len(next(iter(losses.values()))))
        rows = [[str(epoch + 1), *(f"{curve[epoch]:.5f}" for curve in losses.values())] for epoch in epochs]
        settings = ", ".join(f"`{setting}`" for setting in NARROW)
        about = (
            f"Validation loss after each epoch, from the same weights on the same examples; {PAPER} with {settings}:"
        )
        parts.append(f"{about}\n\n{markdown([['epoch', *losses], *rows])}")
    return "\n".join(parts)


def _cells(row: dict[str, Any], rows: list[dict[str, Any]]) -> list[str]:
    before = [
        other["seconds"] for other in rows if other["preset"] == row["preset"] and other["form"].startswith("2018")
    ]
    ratio = f"{before[0] / row['seconds']:.2f} x" if before else ""
    return [
        row["preset"], row["form"], f"{row['batch']:.2f} s", f"{row['seconds']:.3f} s", ratio,
        f"{figure(row['batch'] / row['seconds'])} s", f"{row['memory']:.0f}",
    ]  # fmt: skip


def targets(recorded: dict[str, Any]) -> list[Target]:
    """What was to be reached, as far as it has been measured."""
    seconds = {row["form"]: row["seconds"] for row in recorded.get("steps", []) if row["preset"] == PAPER}
    found = []
    for name, least in (("ours, float32", 1.4), ("ours, bfloat16", 2.2)):
        if seconds:
            found.append(
                Target(
                    f"paper's network, a step, {name}, against 2018", least, seconds["2018, float32"] / seconds[name]
                )
            )
        if "curves" in recorded:
            last = {form: curve[-1] for form, curve in recorded["curves"].items()}
            what = f"… its validation loss after {len(recorded['curves'][name])} epochs, over that of 2018"
            found.append(Target(what, EQUAL, last[name] / last["2018, float32"], at_most=True))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="data root: draw the curves")
    arguments = parser.parse_args()
    found = {"curves": curves(arguments.data)} if arguments.data else {"steps": steps()}
    data = page.recorded("training") | found
    page.publish("training", text(data), targets(data), data)
    print(text(data))


if __name__ == "__main__":
    main()
