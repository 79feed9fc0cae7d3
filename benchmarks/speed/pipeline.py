"""Does the input pipeline keep the trainer busy? Examples per second of each, alone and together.

    python -m benchmarks.speed.pipeline [PRESET] [--data ROOT]

Writes the section "pipeline" of SPEED.md. Without a data root, four synthetic songs of a minute are used. The three
kinds of run take turns in one process, since they share its threads.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.speed import page, training
from benchmarks.speed.contenders import TURNS
from benchmarks.speed.page import Target
from tfwavesep.config import Preset, load_preset
from tfwavesep.data import examples, find_tracks
from tfwavesep.evaluation import markdown
from tfwavesep.stems import STEMS
from tfwavesep.training.arithmetic import policy

STEPS = 8
PREFETCHED = 8
SYNTHETIC = "four songs of a minute of noise"
MOST_COST = 1.05
"""Time that a step and its examples may take together, of the step's alone."""


def synthetic_root(folder: Path) -> Path:
    """Songs of noise: what is decoded and mixed does not matter to the clock."""
    noise = np.random.default_rng(0)
    for number in range(4):
        track = folder / "train" / f"song {number}"
        track.mkdir(parents=True)
        for stem in STEMS:
            soundfile.write(track / f"{stem}.flac", 0.1 * noise.standard_normal((60 * 44100, 2)), 44100)
    return folder


def rates(preset: Preset, root: Path, cache: Path) -> dict[str, float]:
    """Examples per second of the pipeline alone, of the training step alone, and of both together, medians."""
    mixer = examples.open_datasets(preset, root, cache=cache).mixer
    batches = iter(examples.training_batches(mixer, preset.training.batch_size))
    model = training.compiled(preset, "ours", policy(preset.training))
    batch = next(batches)
    model.train_on_batch(*batch)
    kinds: dict[str, Callable[[], object]] = {
        "pipeline alone": lambda: next(batches),
        "training step alone": lambda: model.train_on_batch(*batch),
        "both": lambda: model.train_on_batch(*next(batches)),
    }
    taken: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(TURNS):
        for kind, step in kinds.items():
            for _ in range(PREFETCHED if kind == "pipeline alone" else 0):
                next(batches)  # made while the step ran: not the pipeline's own speed
            began = time.perf_counter()
            for _ in range(STEPS):
                step()
            taken[kind].append(STEPS * preset.training.batch_size / (time.perf_counter() - began))
    return {kind: statistics.median(some) for kind, some in taken.items()}


def songs(root: Path) -> str:
    """What examples are drawn from, in words."""
    return f"the {len(find_tracks(root, 'train'))} train tracks of `{root.resolve().name}`"


def text(preset: Preset, songs: str, found: dict[str, float]) -> str:
    """The section."""
    alone, step, both = found.values()
    rows = [[kind, f"{rate:.1f}", f"{rate / step:.2f}"] for kind, rate in found.items()]
    return (
        f"Preset `{preset.name}`, {policy(preset.training)}, batches of {preset.training.batch_size}, "
        f"{STEPS} steps in a turn; examples from {songs}:\n\n"
        f"{markdown([['', 'examples per second', 'ratio to the step'], *rows])}\n"
        f"The pipeline alone is {alone / step:.0f} times as fast as the training step; "
        f"both together take {step / both:.2f} of the time of the step alone.\n"
    )


def targets(found: dict[str, float]) -> list[Target]:
    """What was to be reached."""
    name = "a training step with its examples made beside it, over the step alone"
    return [Target(name, MOST_COST, found["training step alone"] / found["both"], at_most=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", nargs="?", default="banded_wavenet")
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    preset = load_preset(arguments.preset)
    with tempfile.TemporaryDirectory() as name:
        root = arguments.data or synthetic_root(Path(name) / "music")
        found = rates(preset, root, Path(name) / "cache")
        section = text(preset, songs(root) if arguments.data else SYNTHETIC, found)
    page.publish("pipeline", section, targets(found))
    print(section)


if __name__ == "__main__":
    main()
