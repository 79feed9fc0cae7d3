"""What streaming costs: audio that arrives in blocks, from 0.1 s to 10 s; how late its stems are, how fast they come.

    python -m benchmarks.speed.streaming [MODEL]

Writes the section "streaming" of SPEED.md.
"""

import argparse
from typing import Any

import numpy as np

from benchmarks.speed import page
from benchmarks.speed.contenders import CORES, Contender, Run, Timing, race
from benchmarks.speed.page import figure
from tfwavesep.evaluation import markdown
from tfwavesep.separation import Separator

BLOCKS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds."""


def run_block(model: str, seconds: float) -> Run:
    """Feed one block to a stream that is under way; exactly one run of the network is due with each."""
    separator = Separator.load(model, seconds)
    config, rate = separator.backend.config, separator.sample_rate
    stream = separator.open(rate, config.channels)
    noise = np.random.default_rng(0)
    block = (0.1 * noise.standard_normal((separator.target_length, config.channels))).astype(np.float32)
    for _ in range(-(-config.context // len(block))):
        list(stream.feed(block))
    return lambda: list(stream.feed(block))


def rows(model: str, timings: dict[Any, Timing]) -> list[list[str]]:
    """Of the table, one for each block and number of cores."""
    found = []
    for (seconds, cores), timing in timings.items():
        separator = Separator.load(model, seconds)
        block, waits = separator.target_length / separator.sample_rate, separator.course(separator.sample_rate).latency
        found.append(
            [f"{block:.2f} s", str(cores), f"{waits:.2f} s", f"{1000 * timing.seconds:.0f} ms",
             f"{waits + timing.seconds:.2f} s", f"{figure(block / timing.seconds)} x", f"{timing.memory:.0f}"]
        )  # fmt: skip
    return found


HEADER = ["block", "cores", "waits for audio", "computes", "latency", "real time", "MB"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="default")
    model = parser.parse_args().model
    timings = race([Contender((s, cores), run_block, (model, s), cores) for cores in CORES for s in BLOCKS])
    about = f"Model `{model}`, LiteRT, its own rate. Short blocks compute their context again and again."
    text = f"{about}\n\n{markdown([HEADER, *rows(model, timings)])}"
    page.publish("streaming", text)
    print(text)


if __name__ == "__main__":
    main()
