"""What happens between the epochs of a training, after an interruption as if there had been none."""

import math
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import keras

from tfwavesep.config import TrainingConfig
from tfwavesep.errors import TrainingError
from tfwavesep.places import atomic, disk_errors
from tfwavesep.training import hosts
from tfwavesep.training.picture import draw_history
from tfwavesep.training.runs import BEST, LATEST, write_history

Report = Callable[[str], None]

SOON_SECONDS, LATER_SECONDS = 60.0, 600.0
"""Who began a training is told so soon how long it takes, and then so often, in epochs that are longer."""


class Finite(keras.callbacks.Callback):
    """Ends a training at the step in which its loss is no longer a finite number, before anything is written of it.

    Args:
        learning_rate: that led there.
    """

    def __init__(self, learning_rate: float) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.epochs = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.epochs = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._check("loss", logs)

    def on_test_end(self, logs: dict[str, float] | None = None) -> None:
        self._check("validation loss", logs)

    def _check(self, name: str, logs: dict[str, float] | None) -> None:
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            kept = f"the state after epoch {self.epochs} is kept" if self.epochs else "no epoch is behind it"
            raise TrainingError(
                f"the {name} is {loss} in epoch {self.epochs + 1}; {kept}: go on from there with a lower "
                f"training.learning_rate, such as --resume --set training.learning_rate={self.learning_rate / 10:g}"
            )


class Checkpoint(keras.callbacks.Callback):
    """After every epoch, its line in the history and then the whole state; after the best validation, the weights it
    was made with. Files change in one step, and are on the disk before they do.

    Args:
        workdir: where they are written.
        past: rows of the epochs before this start.
    """

    def __init__(self, workdir: Path, past: list[dict[str, float]]) -> None:
        super().__init__()
        self.workdir = workdir
        self.rows = list(past)
        self.best = min((row["val_loss"] for row in past), default=float("inf"))

    def on_test_end(self, logs: dict[str, float] | None = None) -> None:
        if logs and logs["loss"] < self.best:
            self.best = logs["loss"]
            self._write(BEST)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.rows.append({"epoch": epoch, **dict(sorted((logs or {}).items()))})
        with disk_errors(self.workdir):
            write_history(self.workdir, self.rows)
        self._write(LATEST)

    def _write(self, name: str) -> None:
        """The whole model, which Keras makes in memory; HDF5's own files crash the process where the disk is full."""
        path = self.workdir / name
        with hosts.alone(), disk_errors(path), atomic(path, lock=True) as temporary:
            self.model.save(temporary)
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())


class EarlyStopping(keras.callbacks.EarlyStopping):
    """Stops when the *validation* loss has not fallen for `patience` epochs (the released code watched the
    training loss), and counts the epochs before an interruption too.

    Args:
        patience: epochs.
        past: validation losses of the epochs before this start.
        since: how many epochs there were when something was changed: patience begins anew there.
    """

    def __init__(self, patience: int, past: list[float], since: int = 0) -> None:
        super().__init__("val_loss", mode="min", patience=patience)
        self.past = past
        self.since = since

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        super().on_train_begin(logs)
        for epoch, loss in enumerate(self.past):
            super().on_epoch_end(epoch, {"val_loss": loss})
        self.wait: int = min(self.wait, len(self.past) - self.since)
        self.model.stop_training = False


class CpuBudget(keras.callbacks.Callback):
    """Ends the training with the epoch in which its steps have used up their CPU time; logs it as `cpu_seconds`.

    Args:
        budget: seconds, of all threads together, without validation.
        spent: seconds used before this start.
    """

    def __init__(self, budget: float, spent: float) -> None:
        super().__init__()
        self.budget = budget
        self.spent = spent

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.began = time.process_time()

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        self.spent += time.process_time() - self.began

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if logs is not None:
            logs["cpu_seconds"] = self.spent
        if self.spent >= self.budget:
            self.model.stop_training = True


class Picture(keras.callbacks.Callback):
    """After every epoch, a picture of the history; none where matplotlib is not there.

    Args:
        workdir: of the training.
    """

    def __init__(self, workdir: Path) -> None:
        super().__init__()
        self.workdir = workdir

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        with suppress(ImportError), disk_errors(self.workdir):
            draw_history(self.workdir)


class Progress(keras.callbacks.Callback):
    """One line for each epoch, one after the first minute, and one every ten minutes of a long epoch.

    Args:
        epochs: planned.
        audio_seconds: of target audio in an epoch.
        best: least validation loss so far.
        report: takes the lines.
    """

    def __init__(self, epochs: int, audio_seconds: float, best: float, report: Report) -> None:
        super().__init__()
        self.epochs = epochs
        self.audio_seconds = audio_seconds
        self.report = report
        self.best = best
        self.patience = SOON_SECONDS
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.epoch = epoch
        self.began = self.told = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        now = time.monotonic()
        if now - self.told < self.patience:
            return
        self.told, self.patience = now, LATER_SECONDS
        done = (batch + 1) / self.params["steps"]
        left = (self.epochs - self.epoch - done) * (now - self.began) / done
        self.report(f"epoch {self.epoch + 1}/{self.epochs}  {done:.0%} done, at most {left / 60:.0f} min to go")

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        logs = logs or {}
        self.patience = LATER_SECONDS
        seconds = time.monotonic() - self.began
        loss, valid = logs.get("loss", float("nan")), logs.get("val_loss", float("nan"))
        mark = " best" if valid < self.best else ""
        self.best = min(self.best, valid)
        self.report(
            f"epoch {epoch + 1}/{self.epochs}  loss {loss:.4f}  validation {valid:.4f}{mark}  "
            f"{seconds:.0f} s, {self.audio_seconds / seconds:.1f} s of audio per second, "
            f"at most {(self.epochs - epoch - 1) * seconds / 60:.0f} min to go"
        )


def has_stopped(past: list[dict[str, float]], config: TrainingConfig, since: int = 0) -> bool:
    """Whether a training with these epochs behind it was ended by early stopping or by its budget; see
    `EarlyStopping`."""
    if not past:
        return False
    losses = [row["val_loss"] for row in past]
    spent = config.cpu_seconds is not None and past[-1].get("cpu_seconds", 0.0) >= config.cpu_seconds
    waited = min(len(losses) - 1 - losses.index(min(losses)), len(losses) - since)
    return spent or waited >= config.patience
