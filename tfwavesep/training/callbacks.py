"""What happens between the epochs of a training, after an interruption as if there had been none."""

import time
from collections.abc import Callable
from pathlib import Path

import keras

from tfwavesep.config import TrainingConfig
from tfwavesep.places import atomic
from tfwavesep.training import hosts
from tfwavesep.training.runs import BEST, LATEST

Report = Callable[[str], None]


class Checkpoint(keras.callbacks.Callback):
    """After every epoch, the whole state; after the best validation, the weights it was made with. Files change in one
    step.

    Args:
        workdir: where they are written.
        past: validation losses of the epochs before this start.
    """

    def __init__(self, workdir: Path, past: list[float]) -> None:
        super().__init__()
        self.workdir = workdir
        self.best = min(past, default=float("inf"))

    def on_test_end(self, logs: dict[str, float] | None = None) -> None:
        if logs and logs["loss"] < self.best:
            self.best = logs["loss"]
            with hosts.alone(), atomic(self.workdir / BEST) as temporary:
                self.model.save_weights(temporary)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        with hosts.alone(), atomic(self.workdir / LATEST) as temporary:
            self.model.save(temporary)


class EarlyStopping(keras.callbacks.EarlyStopping):
    """Stops when the *validation* loss has not fallen for `patience` epochs (the released code watched the
    training loss), and counts the epochs before an interruption too.

    Args:
        patience: epochs.
        past: validation losses of the epochs before this start.
    """

    def __init__(self, patience: int, past: list[float]) -> None:
        super().__init__("val_loss", mode="min", patience=patience)
        self.past = past

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        super().on_train_begin(logs)
        for epoch, loss in enumerate(self.past):
            super().on_epoch_end(epoch, {"val_loss": loss})


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


class Progress(keras.callbacks.Callback):
    """One line for each epoch.

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

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.began = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        logs = logs or {}
        seconds = time.monotonic() - self.began
        loss, valid = logs.get("loss", float("nan")), logs.get("val_loss", float("nan"))
        mark = " best" if valid < self.best else ""
        self.best = min(self.best, valid)
        self.report(
            f"epoch {epoch + 1}/{self.epochs}  loss {loss:.4f}  validation {valid:.4f}{mark}  "
            f"{seconds:.0f} s, {self.audio_seconds / seconds:.1f} s of audio per second, "
            f"at most {(self.epochs - epoch - 1) * seconds / 60:.0f} min to go"
        )


def has_stopped(past: list[dict[str, float]], config: TrainingConfig) -> bool:
    """Whether a training with these epochs behind it was ended by early stopping or by its budget."""
    if not past:
        return False
    losses = [row["val_loss"] for row in past]
    spent = config.cpu_seconds is not None and past[-1]["cpu_seconds"] >= config.cpu_seconds
    return spent or len(losses) - 1 - losses.index(min(losses)) >= config.patience
