"""One training of the comparison, and all that follows from it, in a folder of its own that can be gone on with."""

import multiprocessing
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import cost
from tfwavesep import evaluation, models
from tfwavesep.config import Preset, load_preset, override, preset_from_dict, read_json, write_json
from tfwavesep.evaluation import NOTHING, ORACLE
from tfwavesep.release.export import export_model
from tfwavesep.separation import Separator
from tfwavesep.training import losses, read_history, train

EPOCH_SECONDS, MOST_EPOCHS = 240, 10
"""CPU time of an epoch's steps, about, and how many epochs there are at most: each ends with a validation."""

MARGIN = 1.1
"""More steps are planned than should fill the budget of CPU time, which then ends the training."""

SUBSETS = ("valid", "test")
LICENCE = "Non-commercial research only"
SONG_RATE, SONG_SECONDS = 44100, 10.0
"""Of the stereo song whose separation is timed."""

SEGMENT_SECONDS = 0.5
"""Of the examples when all systems hear the same audio: then they take about the same number of steps, too."""

COMMON = (
    *("data.remix=0.75", "data.gain_min=0.4", "data.gain_max=1.4", "data.flip_polarity=true"),
    *("data.drop=0.06", "data.voiced_share=0.5", "data.swap_channels=false"),
    *("data.speeds=[1.0]", "data.extra_share=0"),
    *("training.batch_size=4", "training.learning_rate=0.001", "training.schedule=cosine", "training.clip_norm=5"),
    *("training.average=null", "training.mixed_precision=false"),
)
"""The same examples and the same optimizer for all."""


@dataclass(frozen=True)
class System:
    """What is compared.

    Attributes:
        name: of its folder.
        label: for people.
        preset: where its sizes and its loss come from.
        settings: what differs from the preset.
    """

    name: str
    label: str
    preset: str
    settings: tuple[str, ...] = ()

    def resolve(self) -> Preset:
        """The preset as it is trained, but for the number of steps."""
        return override(load_preset(self.preset), (*COMMON, *self.settings))


@dataclass(frozen=True)
class Task:
    """One training, and what follows from it.

    Attributes:
        system: what is trained.
        folder: for all of it.
        record: file that tells its results, written when all is done.
        cpu_seconds: what its steps may take.
        audio_seconds: of target audio that it shall see, or None for what the CPU time allows.
    """

    system: System
    folder: Path
    record: Path
    cpu_seconds: float
    audio_seconds: float | None = None


def run(tasks: Iterable[Task], root: Path, jobs: int) -> list[str]:
    """Each task that has no record yet, in a process of its own; returns the folders of those that failed."""
    failed = []
    for task in tasks:
        if task.record.exists():
            continue
        say(f"== {task.folder}: {task.system.label}")
        process = multiprocessing.get_context("spawn").Process(target=perform, args=(task, root, jobs))
        process.start()
        process.join()
        if process.exitcode:
            failed.append(str(task.folder))
    return failed


def perform(task: Task, root: Path, jobs: int) -> None:
    """Train, export, measure and score, as far as it is not done yet."""
    preset, training, model = plan(task), task.folder / "training", task.folder / "model"
    if not (training / "run.json").exists():
        train(preset, root, training, resume=True, report=say)
    if not model.exists():
        export_model(training, model, LICENCE)
    if not (task.folder / "cost.json").exists():
        write_json(task.folder / "cost.json", measure(preset, model))
    for subset in SUBSETS:
        if not (task.folder / f"{subset}.json").exists():
            write_json(task.folder / f"{subset}.json", score(task.folder, model, root, subset, jobs))
    write_json(task.record, results(task.folder), indent=None)


def plan(task: Task) -> Preset:
    """The preset with as many steps as fill the budget; once made, a plan stays."""
    path = task.folder / "plan.json"
    if path.exists():
        return preset_from_dict(read_json(path))
    preset = task.system.resolve()
    epochs = max(1, min(MOST_EPOCHS, round(task.cpu_seconds / EPOCH_SECONDS)))
    if task.audio_seconds is None:
        total = MARGIN * task.cpu_seconds / step_cost(preset, task.cpu_seconds / 50)
    else:
        preset = override(preset, [f"data.target_length={_segment_length(preset)}"])
        total = task.audio_seconds / step_seconds(preset)
    settings = {
        "name": task.system.name,
        "training.steps_per_epoch": max(1, round(total / epochs)),
        "training.epochs": epochs,
        "training.patience": epochs,
        "training.cpu_seconds": task.cpu_seconds,
    }
    preset = override(preset, [f"{key}={value}" for key, value in settings.items()])
    write_json(path, preset.to_dict())
    return preset


def _segment_length(preset: Preset) -> int:
    block = preset.model.block
    return max(1, round(SEGMENT_SECONDS * preset.model.sample_rate / block)) * block


def step_seconds(preset: Preset) -> float:
    """Of target audio in one step."""
    return preset.training.batch_size * preset.data.target_length / preset.model.sample_rate


def step_cost(preset: Preset, seconds: float) -> float:
    """CPU seconds that one step takes, all threads together, on average over so many seconds of steps."""
    network = models.build(preset.architecture, preset.model)
    network.compile("adam", losses.make(preset.loss.name, preset.loss.options, preset.model.targets))
    batch, length, channels = preset.training.batch_size, preset.data.target_length, preset.model.channels
    mixture = np.zeros((batch, preset.model.input_length(length), channels), np.float32)
    references = np.zeros((batch, len(preset.model.targets), length, channels), np.float32)
    network.train_on_batch(mixture, references)
    began, steps, spent = time.process_time(), 0, 0.0
    while spent < seconds:
        network.train_on_batch(mixture, references)
        steps, spent = steps + 1, time.process_time() - began
    return spent / steps


def measure(preset: Preset, model: Path) -> dict[str, Any]:
    """What the network is, and the CPU time that the separation of a stereo song takes, median of three."""
    config = preset.model
    network = models.build(preset.architecture, config)
    target_length = max(1, round(SONG_SECONDS * config.sample_rate / config.block)) * config.block
    length = config.input_length(target_length)
    separator = Separator.load(str(model))
    shape = (int(SONG_SECONDS * SONG_RATE), 2)
    song = 0.1 * np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    times = []
    for _ in range(3):
        began = time.process_time()
        separator.separate(song, SONG_RATE)
        times.append(time.process_time() - began)
    products = cost.multiply_accumulates(network, length) / (target_length / config.sample_rate)
    return {
        "parameters": network.count_params(),
        "gmac_per_second": products / 1e9,
        "receptive_field_seconds": cost.receptive_field(network, length) / config.sample_rate,
        "cpu_seconds_per_second": sorted(times)[1] / SONG_SECONDS,
    }


def score(folder: Path, model: Path, root: Path, subset: str, jobs: int) -> dict[str, Any]:
    """All scores on one subset, as `evaluation.Scores` has them, ready for json.

    What doing nothing and knowing everything scores is the same for all models of four stems: it is computed once, in
    the folder `baselines` beside the groups.
    """
    scores, shared = folder / subset, folder.parent.parent / "baselines" / subset
    _copy_baselines(shared, scores)
    found = evaluation.evaluate(str(model.resolve()), root, subset, scores, jobs, say)
    _copy_baselines(scores, shared)
    values = found.values.round(2).tolist()
    return {"targets": found.targets, "tracks": found.tracks, "values": values, "failed": found.failed}


def _copy_baselines(source: Path, destination: Path) -> None:
    for method in (NOTHING, ORACLE):
        if (source / method).is_dir():
            shutil.copytree(source / method, destination / method, dirs_exist_ok=True)


def results(folder: Path) -> dict[str, Any]:
    """All that the page tells of a training, and the scores of every track."""
    plan, history = read_json(folder / "plan.json"), read_history(folder / "training")
    preset = preset_from_dict(plan)
    return {
        "preset": plan,
        "cost": read_json(folder / "cost.json"),
        "cpu_seconds": history[-1]["cpu_seconds"],
        "audio_seconds": len(history) * preset.training.steps_per_epoch * step_seconds(preset),
        "best_epoch": [read_json(folder / "training" / "run.json")["best_epoch"], len(history)],
        "scores": {subset: read_json(folder / f"{subset}.json") for subset in SUBSETS},
    }


def say(line: str) -> None:
    """A line at once, also where the output goes to a file."""
    print(line, flush=True)
