"""What is written down of a finished training."""

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfwavesep.config import Preset


def of(
    preset: Preset, basis: dict[str, Any], history: Sequence[dict[str, float]], changes: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """All that `run.json` says.

    Args:
        preset: that was trained.
        basis: the data, see `data.examples.Datasets.record`, and what the training began with.
        history: a row for each epoch, see `runs.read_history`.
        changes: what was changed on the way, see `runs.changes`.
    """
    best = min(history, key=lambda row: row["val_loss"])
    return {
        "preset": preset.to_dict(),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "commit": _commit(),
        "versions": {name: version(name) for name in ("tfwavesep", "tensorflow", "keras", "numpy")},
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {len(tf.config.list_physical_devices('GPU'))} GPUs",
        "data": basis,
        "epochs": len(history),
        "best_epoch": int(best["epoch"]) + 1,
        "val_loss": best["val_loss"],
        "changes": changes,
    }


def _commit() -> str | None:
    """The git commit of this package's source, with "-dirty" if it was changed since; None if it is no checkout, also
    where it was installed within one of something else."""
    file = Path(__file__)
    try:
        _git(file.parent, "ls-files", "--error-unmatch", file.name)
        return _git(file.parent, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
