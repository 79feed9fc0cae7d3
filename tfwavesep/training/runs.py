"""The folder of a training: what its files are called, and the epochs it tells of."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfwavesep.config import Preset, preset_from_dict, read_json, write_json
from tfwavesep.places import atomic

CONFIG, DATA, RECORD, HISTORY, CHANGES = "config.json", "data.json", "run.json", "history.csv", "changes.json"
LATEST, BEST, MODEL = "latest.keras", "best.keras", "model.keras"

CHANGEABLE = (
    "training.epochs",
    "training.patience",
    "training.cpu_seconds",
    "training.learning_rate",
    "training.weight_decay",
    "training.clip_norm",
)
"""What may change when a training goes on. Anything else would make another training of the epochs behind it."""

Changes = Mapping[str, tuple[Any, Any]]
"""By its dotted key in the preset, what a value was and what it is."""


def differences(there: Mapping[str, Any], here: Mapping[str, Any], prefix: str = "") -> dict[str, tuple[Any, Any]]:
    """Where two presets, as plain values, differ; see `Changes`."""
    found: dict[str, tuple[Any, Any]] = {}
    for key in sorted(there.keys() | here.keys()):
        old, new = there.get(key), here.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            found |= differences(old, new, f"{prefix}{key}.")
        elif old != new:
            found[prefix + key] = (old, new)
    return found


def preset_of(workdir: Path) -> Preset | None:
    """What the training in a folder trains, if it holds one.

    Raises:
        ConfigError: its `config.json` cannot be read.
    """
    path = workdir / CONFIG
    return preset_from_dict(read_json(path)) if path.exists() else None


def changes(workdir: Path) -> list[dict[str, Any]]:
    """What was changed when a training went on: rows with `after_epoch` and `values`, see `Changes`."""
    path = workdir / CHANGES
    return list(read_json(path)["changes"]) if path.exists() else []


def note_changes(workdir: Path, epochs: int, values: Changes) -> None:
    """Remember what is changed after so many epochs."""
    row = {"after_epoch": epochs, "values": {key: list(pair) for key, pair in values.items()}}
    write_json(workdir / CHANGES, {"changes": [*changes(workdir), row]})


def read_history(workdir: Path) -> list[dict[str, float]]:
    """The epochs of a training: rows with `epoch`, `loss` and `val_loss`."""
    path = workdir / HISTORY
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]


def write_history(workdir: Path, rows: list[dict[str, float]]) -> None:
    """Replace the epochs of a training by these."""
    with atomic(workdir / HISTORY) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        names = dict.fromkeys(key for row in rows for key in row)  # a budget may have come later
        writer = csv.DictWriter(file, names or ["epoch", "loss", "val_loss"])
        writer.writeheader()
        writer.writerows({**row, "epoch": int(row["epoch"])} for row in rows)
