"""Fitting a preset to a data set, and going on after an interruption as if there had been none."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfwavesep import models
from tfwavesep.config import Preset, TrainingConfig, preset_from_dict, read_json, write_json
from tfwavesep.data import examples
from tfwavesep.errors import ConfigError, ModelError, OutputError, OutputExistsError
from tfwavesep.places import Place, atomic, place, several, token
from tfwavesep.training import arithmetic, gpus, hosts, losses, record, trained
from tfwavesep.training.callbacks import (
    Checkpoint,
    CpuBudget,
    EarlyStopping,
    Finite,
    Picture,
    Progress,
    Report,
    has_stopped,
)
from tfwavesep.training.preview import Preview
from tfwavesep.training.runs import (
    BEST,
    CHANGEABLE,
    CONFIG,
    DATA,
    HISTORY,
    LATEST,
    MODEL,
    RECORD,
    Changes,
    changes,
    differences,
    note_changes,
    read_history,
    write_history,
)
from tfwavesep.training.trained import Trained


def train(
    preset: Preset,
    roots: Place | Sequence[Place],
    workdir: Place,
    extra: tuple[str, ...] = (),
    resume: bool = False,
    report: Report = print,
    start: Trained | None = None,
    preview: int = 0,
) -> Path:
    """Train a preset. The networks of an ensemble are trained one after another, each by itself in a folder of its own,
    `workdir/1` and so on.

    Args:
        preset: what to train, on what, how.
        roots: data roots, one or several, see `data.tracks.find_songs`.
        workdir: folder for everything this training writes: `config.json` (the preset as it was resolved),
            `data.json` (what it is trained on), `history.csv` and, if matplotlib is there, `history.png`, TensorBoard's
            `logs/`, `latest.keras` (with the optimizer's state), `best.keras`, and at the end `model.keras` and
            `run.json`.
        extra: further material for single stems, see `data.tracks.find_extra`.
        resume: go on with the training that `workdir` holds, if it holds one; of the preset `runs.CHANGEABLE` may
            differ.
        report: takes lines for people.
        start: a network whose weights the new one begins with, as far as they fit, instead of random ones; those of an
            ensemble begin with its networks, one each.
        preview: every so many epochs, stems of some seconds of a song to validate on are written, see
            `preview.Preview`; never if 0.

    Returns:
        path of `model.keras`, the weights with the least validation loss.

    Raises:
        ConfigError: several machines are asked for in a way that cannot work, see `hosts`; or the loss is not one for
            this model, see `losses.make`.
        OutputExistsError: `workdir` holds a training and `resume` was not asked for.
        ModelError: `workdir` holds a training of another preset, or on other data.
        AudioError, DataError: the data cannot be used, see `data.examples.open_datasets`.
        TrainingError: the loss is no longer a finite number; the state before is kept.
        OutputError: something cannot be written; what was trained so far is kept.
    """
    roots, workdir = several(roots), place(workdir)
    strategy = gpus.strategy()
    _check_hosts(preset)
    if preset.members:
        return _train_members(preset, roots, workdir, extra, resume, report, start, preview)
    changed = _check_workdir(workdir, preset, resume)
    hosts.join(preset.training.batch_size)
    report = report if hosts.is_first() else _to_nobody
    losses.make(preset.loss.name, preset.loss.options, preset.model.targets)  # before hours of decoding
    if start:
        _check_start(preset, start)
    if resume and not (workdir / CONFIG).exists():
        report(f"{workdir}: holds no training to go on with; a new one begins")
    report(f"{preset.name}: preparing {', '.join(map(str, roots))}")
    datasets = examples.open_datasets(preset, roots, extra, report=report)
    basis = datasets.record() | ({"start": start.record_of_start()} if start else {})
    _check_basis(workdir, basis)
    hosts.wait()
    keras.utils.set_random_seed(preset.training.seed)
    with arithmetic.precision(preset.training), arithmetic.as_traced(), strategy.scope():
        model, past = _start(preset, workdir, changed, start, report)
        _claim(workdir, preset, basis, changed, len(past), report)
        config = preset.training
        since = min(len(past), max((row["after_epoch"] for row in changes(workdir)), default=0))
        first_step = len(past) * config.steps_per_epoch
        report(_summary(preset, datasets, model, len(past)))
        with _kept(workdir):
            model.fit(
                examples.training_batches(datasets.mixer, config.batch_size, first_step),
                validation_data=_whole_batches(datasets.valid, config.batch_size),
                steps_per_epoch=config.steps_per_epoch,
                initial_epoch=config.epochs if has_stopped(past, config, since) else len(past),
                epochs=config.epochs,
                callbacks=_callbacks(
                    preset, workdir, past, since, report, _preview(preset, workdir, datasets, preview)
                ),
                shuffle=False,
                verbose=0,
            )
    if hosts.is_first():
        with hosts.alone():
            _finish(preset, workdir, basis, report)
    hosts.wait()
    return workdir / MODEL


def _train_members(
    preset: Preset,
    roots: list[Path],
    workdir: Path,
    extra: tuple[str, ...],
    resume: bool,
    report: Report,
    start: Trained | None,
    preview: int,
) -> Path:
    starts = _starts(preset, start)
    folders = [workdir / str(number) for number, _ in enumerate(preset.members, start=1)]
    if not (folders[0] / CONFIG).exists():
        _check_free(workdir)
    for member, folder, begun in zip(preset.members, folders, starts, strict=True):
        train(member, roots, folder, extra, resume, report, begun, preview)
    if hosts.is_first():
        with hosts.alone():
            together = trained.join([trained.read(folder) for folder in folders])
            _save(together.network, workdir)
            write_json(workdir / CONFIG, preset.to_dict())
            write_json(workdir / RECORD, {"preset": preset.to_dict(), **together.record})
            report(f"{preset.name}: the mean of {len(folders)} networks; wrote {workdir / MODEL}")
    hosts.wait()
    return workdir / MODEL


def _starts(preset: Preset, start: Trained | None) -> Sequence[Trained | None]:
    """What each network of an ensemble begins with."""
    if start is None:
        return [None] * len(preset.members)
    starts = trained.members(start)
    if len(starts) != len(preset.members):
        raise ConfigError(
            f"{start.run}: is of {len(starts)} networks, preset {preset.name} of {len(preset.members)}: each begins "
            "with one"
        )
    return starts


def _to_nobody(line: str) -> None:
    """Only the first machine speaks."""


def _check_hosts(preset: Preset) -> None:
    """Several machines must stop after the same epoch."""
    if hosts.count() > 1 and preset.training.cpu_seconds:
        raise ConfigError("training.cpu_seconds: a budget of CPU time is one machine's; set it to null for several")


def _whole_batches(batches: tf.data.Dataset, size: int) -> tf.data.Dataset:
    """What several machines can share evenly: all but the last few examples."""
    return batches.unbatch().batch(size, drop_remainder=True) if hosts.count() > 1 else batches


def _check_workdir(workdir: Path, preset: Preset, resume: bool) -> Changes:
    """The folder must be free, or hold this training if it is to go on; returns what is changed of it."""
    config = workdir / CONFIG
    if not config.exists():
        _check_free(workdir)
        return {}
    if not resume:
        raise OutputExistsError(f"{workdir}: holds a training already; --resume goes on with it, or choose another")
    there = preset_from_dict(read_json(config))
    different = differences(there.to_dict(), preset.to_dict())
    fixed = [
        f"{key} ({old!r} there, {new!r} asked for)" for key, (old, new) in different.items() if key not in CHANGEABLE
    ]
    if fixed:
        raise ModelError(
            f"{workdir}: holds a training of '{there.name}' that differs in {', '.join(fixed)}; "
            f"a training that goes on may differ in {', '.join(CHANGEABLE)} only"
        )
    return different


def _claim(workdir: Path, preset: Preset, basis: dict[str, Any], changed: Changes, epochs: int, report: Report) -> None:
    """Write down what is trained here, on what, and what is changed of it."""
    if changed:
        told = ", ".join(f"{key} is {new!r} ({old!r} before)" for key, (old, new) in changed.items())
        report(f"{preset.name}: after epoch {epochs} {told}")
    if hosts.is_first():
        if changed:
            note_changes(workdir, epochs, changed)
        write_json(workdir / DATA, basis)
        write_json(workdir / CONFIG, preset.to_dict())
    hosts.wait()


def _check_free(workdir: Path) -> None:
    if workdir.exists() and not (workdir.is_dir() and not any(workdir.iterdir())):
        raise OutputExistsError(f"{workdir}: is not empty and holds no training; choose another folder")
    with token(workdir):  # can it be written to? Or else an error, before hours of decoding
        pass


@contextmanager
def _kept(workdir: Path) -> Iterator[None]:
    """Whoever cannot write is told that the training is not lost."""
    try:
        yield
    except OutputError as error:
        raise OutputError(f"{error}; what {workdir} holds is whole: --resume goes on with it") from error


def _check_basis(workdir: Path, basis: dict[str, Any]) -> None:
    """A training goes on only with the data it began with, as the examples that come next depend on it, and from the
    same start."""
    path = workdir / DATA
    there = read_json(path) if path.exists() else basis
    if there.get("start") != basis.get("start"):
        raise ModelError(f"{workdir}: holds a training that began otherwise; go on with the same --from")
    if there != basis:
        raise ModelError(f"{workdir}: holds a training on other data; go on with the same --data and --extra")


def _start(
    preset: Preset, workdir: Path, changed: Changes, start: Trained | None, report: Report
) -> tuple[keras.Model, list[dict[str, float]]]:
    """A new model, or the latest with its optimizer, changed as it was asked for; and the rows of the epochs it has
    behind it."""
    latest = workdir / LATEST
    if not latest.exists():
        if hosts.is_first():
            (workdir / HISTORY).unlink(missing_ok=True)
        model = models.build(preset.architecture, preset.model)
        if start:
            _begin_with(model, preset, start, report)
        model.compile(_optimizer(preset), losses.make(preset.loss.name, preset.loss.options, preset.model.targets))
        model.optimizer.build(model.trainable_variables)  # else the first step is traced twice, to make them
        return model, []
    model = models.load(latest)
    if changed:
        _retune(model.optimizer, preset.training)
    epochs = int(model.optimizer.iterations) // preset.training.steps_per_epoch
    past = [row for row in read_history(workdir) if row["epoch"] < epochs]
    hosts.wait()  # for all to have read it
    if hosts.is_first():
        write_history(workdir, past)
    return model, past


def _check_start(preset: Preset, start: Trained) -> None:
    """Weights fit music of the rate and the channels they were trained for, though their shapes may fit others."""
    for name in ("sample_rate", "channels"):
        there, here = (getattr(model, name) for model in (start.preset.model, preset.model))
        if there != here:
            raise ConfigError(
                f"{start.run}: its model.{name} is {there}, but {here} in preset {preset.name}; begin with one of the "
                "same"
            )


def _begin_with(model: keras.Model, preset: Preset, start: Trained, report: Report) -> None:
    new = models.begin(preset.architecture, model, preset.model, start.network, start.preset.model)
    if len(new) == len(model.weights):
        raise ModelError(f"{start.run}: none of its weights fits this preset: its architecture is another")
    rest = f", but for {', '.join(new)}: these begin at random" if new else ""
    several = len(start.preset.members)
    source = f"{start.run}, the first of its {several} networks" if several else start.run
    report(f"begins with the weights of {source}{rest}")


def _optimizer(preset: Preset) -> keras.optimizers.Optimizer:
    """Adam, as in the paper's released code (1e-3, no schedule there)."""
    config = preset.training
    average: dict[str, Any] = {"use_ema": True, "ema_momentum": config.average} if config.average else {}
    return keras.optimizers.Adam(
        _rate(config), weight_decay=config.weight_decay, global_clipnorm=config.clip_norm, **average
    )


def _rate(config: TrainingConfig) -> Any:
    """The learning rate, or its schedule."""
    if config.schedule == "constant":
        return config.learning_rate
    return keras.optimizers.schedules.CosineDecay(config.learning_rate, config.epochs * config.steps_per_epoch)


def _retune(optimizer: keras.optimizers.Optimizer, config: TrainingConfig) -> None:
    """Go on with another rate, and with all that is like it, but with the moments that were gathered."""
    optimizer.learning_rate = _rate(config)
    optimizer.weight_decay = config.weight_decay
    optimizer.global_clipnorm = config.clip_norm


def _preview(preset: Preset, workdir: Path, datasets: examples.Datasets, every: int) -> list[keras.callbacks.Callback]:
    model = preset.model
    return [Preview(workdir, datasets.preview, model.targets, model.sample_rate, every)] if every else []


def _callbacks(
    preset: Preset,
    workdir: Path,
    past: list[dict[str, float]],
    since: int,
    report: Report,
    more: Sequence[keras.callbacks.Callback],
) -> list[keras.callbacks.Callback]:
    config = preset.training
    seconds = config.steps_per_epoch * config.batch_size * preset.data.target_length / preset.model.sample_rate
    losses_before = [row["val_loss"] for row in past]
    budget = (
        [CpuBudget(config.cpu_seconds, past[-1].get("cpu_seconds", 0.0) if past else 0.0)] if config.cpu_seconds else []
    )
    # The averages take the weights' place during validation; the checkpoint comes first, to meet them still there.
    averages = [keras.callbacks.SwapEMAWeights()] if config.average else []
    written = [
        keras.callbacks.TensorBoard(str(workdir / "logs")),
        Checkpoint(workdir, past),
        Picture(workdir),
        *more,
    ]
    return [
        Finite(config.learning_rate),
        *budget,
        *(written if hosts.is_first() else []),
        *averages,
        EarlyStopping(config.patience, losses_before, since),
        Progress(config.epochs, seconds, min(losses_before, default=float("inf")), report),
    ]


def _summary(preset: Preset, datasets: examples.Datasets, model: keras.Model, epochs_done: int) -> str:
    extra = "".join(f", {count} files of extra {stem}" for stem, count in datasets.extra.items())
    few = {target: counts for target, counts in datasets.known.items() if counts[0] < datasets.songs or not counts[1]}
    told = "".join(f", {target} in {one} ({other} to validate on)" for target, (one, other) in few.items())
    again = f"; going on after epoch {epochs_done}" if epochs_done else ""
    computing = arithmetic.told(preset.training, model)
    return f"{preset.name}: {model.count_params():,} parameters {computing}, {datasets.songs} songs{told}{extra}{again}"


def _finish(preset: Preset, workdir: Path, basis: dict[str, Any], report: Report) -> Path:
    """Write the best weights as a float32 model without its optimizer, and the run's record."""
    if not (workdir / BEST).exists():
        raise ModelError(f"{workdir}: has lost its {BEST}; train anew in another folder")
    model = models.build(preset.architecture, preset.model)
    model.load_weights(workdir / BEST)
    _save(model, workdir)
    history = read_history(workdir)
    told = record.of(preset, basis, history, changes(workdir))
    write_json(workdir / RECORD, told)
    report(f"best: epoch {told['best_epoch']}, validation loss {told['val_loss']:.4f}; wrote {workdir / MODEL}")
    return workdir / MODEL


def _save(model: keras.Model, workdir: Path) -> None:
    with atomic(workdir / MODEL) as temporary:
        model.save(temporary)
