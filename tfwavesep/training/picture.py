"""A picture of how a training goes."""

import os
from pathlib import Path

from tfwavesep.places import atomic
from tfwavesep.training.runs import changes, read_history

HISTORY_PICTURE = "history.png"


def draw_history(workdir: Path) -> None:
    """Draw the losses of a training's epochs, `history.png`: the best epoch is marked, and where something was changed.

    Raises:
        ImportError: matplotlib is not there.
    """
    os.environ.setdefault("MPLBACKEND", "Agg")
    from matplotlib.figure import Figure

    rows = read_history(workdir)
    epochs = [row["epoch"] + 1 for row in rows]
    best = min(rows, key=lambda row: row["val_loss"])
    figure = Figure(figsize=(7, 4), layout="constrained")
    panel = figure.subplots()
    panel.plot(epochs, [row["loss"] for row in rows], label="training")
    panel.plot(epochs, [row["val_loss"] for row in rows], label="validation")
    panel.plot(best["epoch"] + 1, best["val_loss"], "o", color="black", label=f"best: epoch {best['epoch'] + 1:.0f}")
    for row in changes(workdir):
        panel.axvline(row["after_epoch"] + 0.5, linestyle=":", color="gray")
    panel.set(xlabel="epoch", ylabel="loss")
    panel.grid(alpha=0.3)
    panel.legend()
    with atomic(workdir / HISTORY_PICTURE) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
