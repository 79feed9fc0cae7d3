"""The folder of a training: what its files are called, and the epochs it tells of."""

import csv
from pathlib import Path

from tfwavesep.places import atomic

CONFIG, DATA, RECORD, HISTORY = "config.json", "data.json", "run.json", "history.csv"
LATEST, BEST, MODEL = "latest.keras", "best.weights.h5", "model.keras"


def read_history(workdir: Path) -> list[dict[str, float]]:
    """The epochs of a training: rows with `epoch`, `loss` and `val_loss`."""
    path = workdir / HISTORY
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def write_history(workdir: Path, rows: list[dict[str, float]]) -> None:
    """Replace the epochs of a training by these."""
    with atomic(workdir / HISTORY) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys() if rows else ["epoch", "loss", "val_loss"])
        writer.writeheader()
        writer.writerows({**row, "epoch": int(row["epoch"])} for row in rows)
