"""Does the input pipeline keep the trainer busy? Examples per second of each, alone and together.

Run: python benchmarks/pipeline.py [PRESET] [--data ROOT]; writes benchmarks/PIPELINE.md.
Without a data root, four synthetic songs of a minute are used. Each figure is the median of five runs, the
three kinds of run alternating, so that a machine whose speed drifts does not favour one.
"""

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import soundfile
import tensorflow as tf

from tfwavesep import data, losses, models
from tfwavesep.config import Preset, load_preset
from tfwavesep.stems import STEMS

STEPS, RUNS = 8, 5
PREFETCHED = 8
PAGE = Path(__file__).parent / "PIPELINE.md"


def synthetic_root(folder: Path) -> Path:
    """Songs of noise: what is decoded and mixed does not matter to the clock."""
    noise = np.random.default_rng(0)
    for number in range(4):
        track = folder / "train" / f"song {number}"
        track.mkdir(parents=True)
        for stem in STEMS:
            soundfile.write(track / f"{stem}.flac", 0.1 * noise.standard_normal((60 * 44100, 2)), 44100)
    return folder


def compiled(preset: Preset) -> keras.Model:
    """The preset's network, ready to train."""
    model = models.build(preset.architecture, preset.model)
    model.compile("adam", losses.make(preset.loss.name, preset.loss.options))
    return model


def measure(preset: Preset, root: Path, cache: Path) -> dict[str, list[float]]:
    """Examples per second of the pipeline alone, of the training step alone, and of both together."""
    mixer = data.open_datasets(preset, root, cache=cache).mixer
    batches = iter(data.training_batches(mixer, preset.training.batch_size))
    model = compiled(preset)
    batch = next(batches)
    model.train_on_batch(*batch)
    kinds: dict[str, Callable[[], object]] = {
        "pipeline alone": lambda: next(batches),
        "training step alone": lambda: model.train_on_batch(*batch),
        "both": lambda: model.train_on_batch(*next(batches)),
    }
    rates: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(RUNS):
        for kind, step in kinds.items():
            for _ in range(PREFETCHED if kind == "pipeline alone" else 0):
                next(batches)  # made while the step ran: not the pipeline's own speed
            began = time.perf_counter()
            for _ in range(STEPS):
                step()
            rates[kind].append(STEPS * preset.training.batch_size / (time.perf_counter() - began))
    return rates


def page(preset: Preset, rates: dict[str, list[float]]) -> str:
    """The results as Markdown."""
    medians = {kind: statistics.median(values) for kind, values in rates.items()}
    alone, step, both = medians.values()
    rows = "\n".join(f"| {kind} | {rate:.1f} | {rate / step:.2f} |" for kind, rate in medians.items())
    return (
        f"# Input pipeline beside the training step\n\nPreset `{preset.name}`, {os.cpu_count()} cores "
        f"({platform.machine()}), TensorFlow {tf.__version__}, no GPU, float32; medians of {RUNS} runs of {STEPS} "
        "steps, alternating. Written by `benchmarks/pipeline.py`.\n\n"
        f"| | examples per second | ratio to the step |\n|---|---|---|\n{rows}\n\n"
        f"The pipeline alone is {alone / step:.0f} times as fast as the training step; "
        f"both together take {step / both:.2f} of the time of the step alone.\n"
    )


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("preset", nargs="?", default="default")
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    preset = load_preset(arguments.preset)
    with tempfile.TemporaryDirectory() as name:
        root = arguments.data or synthetic_root(Path(name) / "music")
        text = page(preset, measure(preset, root, Path(name) / "cache"))
    PAGE.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
