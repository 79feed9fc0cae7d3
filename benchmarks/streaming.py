"""Music that is played while it is separated: how late its stems are, and how much of the time steps take.

    python -m benchmarks.streaming [MODEL] [--seconds 60]

For steps of several lengths: the latency that the network asks for, the median, the 99th percentile and the longest of
the times of a step, and how many times faster than the music it goes; beside it how fast the path of files is with
segments of the same length, which hold their whole context each. On one core, in LiteRT, at the model's own rate;
weights do not matter to any of it. MODEL is one of `tfwavesep export --live`, by default `live`. STREAMING.md gets a
picture of latency against SDR: of the released models, and of the published one that is its measure.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.machine import machine
from benchmarks.scatter import draw, released_sdr
from tfwavesep.backends.litert import LiteRTBackend
from tfwavesep.evaluation import markdown
from tfwavesep.separation import Separator
from tfwavesep.separation.streaming import Stream
from tfwavesep.store import find_form, read

PAGE = Path(__file__).parent / "STREAMING.md"
STEPS = (1, 2, 4, 8)
"""How long a step is, in the network's blocks, or in twentieths of a second if these are shorter."""

HS_TASNET = ("HS-TasNet (2024)", 0.023, 4.65)
"""Seconds behind the music, and mean SDR in dB on the 50 whole test tracks of MUSDB18, of whose 100 others all were
trained on: Venkatesh et al. 2024 (arXiv 2402.17701)."""

HEADER = ["step", "latency", "median", "p99", "longest", "real time", "as segments of files"]
WARM = 3


def step_times(separator: Separator, block: int, seconds: float) -> np.ndarray:
    """Seconds that each step takes, after the first few: `(steps,)`."""
    rate, channels = separator.sample_rate, separator.backend.config.channels
    stream = separator.open(rate, channels, live=True, block=block)
    return np.array(list(_times(stream, block, channels, round(seconds * rate / block) + WARM)))[WARM:]


def segment_time(separator: Separator, channels: int) -> float:
    """Seconds that a segment of the path of files takes."""
    length = separator.backend.config.input_length(separator.target_length)
    segment = _noise(length, channels)[np.newaxis]
    taken = []
    for _ in range(5):
        began = time.perf_counter()
        separator.backend.predict(segment)
        taken.append(time.perf_counter() - began)
    return float(np.median(taken[1:]))


def _times(stream: Stream, block: int, channels: int, steps: int) -> Iterator[float]:
    for number in range(steps):
        samples = _noise(block, channels, number)
        began = time.perf_counter()
        list(stream.feed(samples))
        yield time.perf_counter() - began


def _noise(length: int, channels: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal((length, channels))).astype(np.float32)


def rows(form: Path, seconds: float) -> list[list[str]]:
    """Of the table, one for each length of a step."""
    config = read(form.parent).config
    unit = config.block * max(1, config.sample_rate // 20 // config.block // 2)
    found = []
    for steps in STEPS:
        block = steps * unit
        music = block / config.sample_rate
        separator = Separator(LiteRTBackend(form, config, threads=1), music)
        times = step_times(separator, block, seconds)
        latency = separator.course(config.sample_rate, live=True, block=block).latency
        figures = [1000 * each for each in (np.median(times), np.quantile(times, 0.99), times.max())]
        found.append(
            [f"{block} samples, {1000 * music:.0f} ms", f"{1000 * latency:.0f} ms", *(f"{ms:.1f} ms" for ms in figures),
             f"{music / np.mean(times):.1f} x", f"{music / segment_time(separator, config.channels):.1f} x"]
        )  # fmt: skip
        print("  ".join(found[-1]), flush=True)
    return found


def dots() -> dict[str, tuple[float, float]]:
    """Seconds of latency, and mean SDR in dB. Of a model for files: what it asks for ahead of a sample, and the length
    of the runs that the command makes of the song."""
    name, seconds, quality = HS_TASNET
    behind = {}
    for model in ("live", "default"):
        separator = Separator.load(model)
        course = separator.course(separator.sample_rate, live=model == "live")
        behind[f"tfwavesep {model}"] = (course.latency, released_sdr(model))
    return {**behind, name: (seconds, quality)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="live", help="a model's name or folder, exported with --live")
    parser.add_argument("--seconds", type=float, default=60.0, help="of music for each length of a step")
    parser.add_argument("-o", "--output", type=Path, default=PAGE)
    arguments = parser.parse_args()
    form = find_form(arguments.model)
    table = markdown([HEADER, *rows(form, arguments.seconds)])
    what = " ".join(str(__doc__).split("\n\n")[2].split())
    how = f"from {arguments.seconds:.0f} s of noise for each row, {machine()}"
    draw(dots(), arguments.output.with_suffix(".png"), "seconds behind the music")
    picture = f"![latency against SDR]({arguments.output.with_suffix('.png').name})"
    about = f"Written by `python -m benchmarks.streaming`, {how}."
    arguments.output.write_text(f"# Step by step\n\n{about} {what}\n\n{table}\n{picture}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
