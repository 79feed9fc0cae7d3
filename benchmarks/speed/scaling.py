"""Time and memory of the command against the song's length; time and memory of a run against the batch.

    python -m benchmarks.speed.scaling [MODEL] [--lengths 10 60 600 7200]

Writes the section "scaling" of SPEED.md. A song of two hours takes some minutes and 6 GB of disk.
"""

import argparse
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed import page
from benchmarks.speed.command import MOST_MEMORY, alternating, separate, write_song
from benchmarks.speed.contenders import CORES, TURNS, Contender, Run, Timing, race
from benchmarks.speed.page import Target, figure
from tfwavesep import store
from tfwavesep.backends import open_form
from tfwavesep.evaluation import markdown
from tfwavesep.separation import segment_length

LENGTHS = (10.0, 60.0, 600.0, 7200.0)
"""Seconds of song."""

BATCHES = (1, 2, 4, 8)
FEW_TURNS_FROM = 600.0
"""Seconds of song from which one turn is enough: what passes by in a second does not matter."""


def command(model: str, lengths: list[float], folder: Path) -> dict[float, list[float]]:
    """Seconds, core-seconds and MB of the command, by the song's length."""
    found: dict[float, list[float]] = {}
    for seconds in lengths:
        song = write_song(folder / "song.wav", seconds)
        run = partial(separate, song, folder / "stems", CORES[-1], model, "--bits", "16")
        found |= alternating({seconds: run}, 1 if seconds >= FEW_TURNS_FROM else TURNS)
        print(seconds, found[seconds], flush=True)
    return found


def run_batch(path: Path, config: store.StoredConfig, batch: int) -> Run:
    """So many segments of the default length in one run."""
    length = segment_length(config)
    noise = np.random.default_rng(0).standard_normal((batch, config.input_length(length), config.channels))
    backend, mixture = open_form(path, config), (0.1 * noise).astype(np.float32)
    return lambda: backend.predict(mixture)


def batches(model: store.StoredModel) -> dict[Any, Timing]:
    """By runtime and batch."""
    return race([
        Contender((name, batch), run_batch, (model.folder / form, model.config, batch))
        for name, form in (("Keras", store.KERAS), ("LiteRT", store.TFLITE))
        for batch in BATCHES
    ])  # fmt: skip


def text(model: store.StoredModel, lengths: dict[float, list[float]], timings: dict[Any, Timing]) -> str:
    """The section."""
    rows = [
        [f"{seconds:,.0f} s", f"{wall:.2f} s", f"{figure(seconds / wall)} x", f"{cpu:.2f} s", f"{memory:.0f}"]
        for seconds, (wall, cpu, memory) in lengths.items()
    ]
    header = ["song", "takes", "real time", "core-seconds", "MB"]
    config = model.config
    segment = segment_length(config) / config.sample_rate
    batched = [
        [name, str(batch), f"{t.seconds:.3f} s", f"{figure(batch * segment / t.seconds)} x", f"{t.memory:.0f}"]
        for (name, batch), t in timings.items()
    ]
    return (
        f"The command on {CORES[-1]} cores, model `{model.folder.name}`, 44.1 kHz stereo to four stems in 16-bit WAV; "
        f"songs from {FEW_TURNS_FROM:.0f} s on are run once:\n\n{markdown([header, *rows])}\n"
        f"A run of the network on {CORES[-1]} cores, segments of {segment:.2f} s together:\n\n"
        f"{markdown([['runtime', 'batch', 'a run', 'real time', 'MB'], *batched])}\n"
        "The separator runs segments one by one, on each core its own: batches would give little for their memory.\n"
    )


def targets(lengths: dict[float, list[float]]) -> list[Target]:
    """What was to be reached."""
    longest = max(lengths)
    name = f"command, memory for {longest:,.0f} s of song"
    return [Target(name, MOST_MEMORY, lengths[longest][2], "MB", True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="default")
    parser.add_argument("--lengths", nargs="+", type=float, default=LENGTHS, help="seconds of song")
    arguments = parser.parse_args()
    model = store.read(store.find_form(arguments.model).parent)
    with tempfile.TemporaryDirectory() as folder:
        lengths = command(arguments.model, arguments.lengths, Path(folder))
    section = text(model, lengths, batches(model))
    page.publish("scaling", section, targets(lengths))
    print(section)


if __name__ == "__main__":
    main()
