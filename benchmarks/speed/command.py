"""The command as a user meets it: `tfwavesep separate` on a song of four minutes, and where its time goes.

    python -m benchmarks.speed.command [MODEL]

From the start of the process to the end of the last file, on one core and on two; then each stage alone, on one core.
Writes the section "command" of SPEED.md.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.speed import page
from benchmarks.speed.contenders import CORES, TURNS, Contender, Run, keep_to, race
from benchmarks.speed.page import Target
from tfwavesep.audio import BLOCK_LENGTH, Format, open_audio
from tfwavesep.evaluation import markdown
from tfwavesep.separation import Separator
from tfwavesep.separation.streaming import Piece, Resampler
from tfwavesep.stemfiles import Choice, stem_files

SONG_SECONDS, RATE, CHANNELS = 240, 44100, 2
UNSET = ("OMP_NUM_THREADS", "PYTHONDONTWRITEBYTECODE")
"""Variables that the command runs without, whoever measures it: an installed package has its bytecode."""

MOST_MEMORY = 250
SHARE = 60
"""The command is to take at most one part in so many of the song's length."""


def write_song(path: Path, seconds: float, rate: int = RATE) -> Path:
    """A song of noise, 16-bit stereo; what is played does not matter to the clock. Written block by block."""
    noise = (0.1 * np.random.default_rng(0).standard_normal((rate, CHANNELS))).astype(np.float32)
    with soundfile.SoundFile(path, "w", rate, CHANNELS, "PCM_16") as file:
        for place in range(0, round(seconds * rate), rate):
            file.write(noise[: min(rate, round(seconds * rate) - place)])
    return path


def separate(song: Path, folder: Path, cores: int, model: str = "default", *options: str) -> tuple[float, float, float]:
    """Run the command.

    Returns:
        seconds from its start to its end; core-seconds that it used; MB that it took at most.
    """
    command = [sys.executable, "-m", "tfwavesep_cli", "separate", str(song), "-o", str(folder), "-m", model]
    environment = {name: value for name, value in os.environ.items() if name not in UNSET}
    began = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--overwrite", *options],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment,
        preexec_fn=lambda: keep_to(cores),
    )  # fmt: skip
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    if status:
        raise RuntimeError(f"{' '.join(command)}: failed")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000


def alternating(kinds: dict[Any, Callable[[], tuple[float, ...]]], turns: int = TURNS) -> dict[Any, list[float]]:
    """Run all kinds in turn; the median of each of their figures."""
    taken: dict[Any, list[tuple[float, ...]]] = {kind: [] for kind in kinds}
    for _ in range(turns):
        for kind, run in kinds.items():
            taken[kind].append(run())
    return {kind: [statistics.median(column) for column in zip(*some, strict=True)] for kind, some in taken.items()}


def run_decoding(song: Path) -> Run:
    """Read all of a song."""

    def run() -> None:
        with open_audio(song) as reader:
            for _ in reader.blocks(0):
                pass

    return run


def run_resampling(model: str, seconds: float) -> Run:
    """What a song at 48 kHz would take on top: the mixture to 44.1 kHz, three estimates back."""
    course = Separator.load(model).course(48000)
    noise = np.random.default_rng(0).standard_normal((BLOCK_LENGTH, 4 * CHANNELS)).astype(np.float32)

    def run() -> None:
        for resampling, width in ((course.inward, CHANNELS), (course.outward, 6)):
            stage = Resampler(resampling)
            for _ in range(round(seconds * resampling.sample_rate / BLOCK_LENGTH)):
                list(stage.feed(noise[:, :width]))

    return run


def run_model(model: str, seconds: float) -> Run:
    """All of a song's segments through the network, no more."""
    separator = Separator.load(model)
    config, length = separator.backend.config, separator.target_length
    noise = np.random.default_rng(0).standard_normal((1, config.input_length(length), config.channels))
    segments = [(0.1 * noise).astype(np.float32)] * -(-round(seconds * config.sample_rate) // length)
    return lambda: [None for _ in separator.backend.predict_many(segments)]


def run_encoding(targets: tuple[str, ...], seconds: float, folder: Path) -> Run:
    """Stems to files, as many seconds of them."""
    noise = (0.1 * np.random.default_rng(0).standard_normal((len(targets), 16384, CHANNELS))).astype(np.float32)
    piece, paths = Piece(noise[0], noise[1:]), {stem: folder / f"{stem}.wav" for stem in targets}

    def run() -> None:
        with stem_files(paths, Choice.of(targets), Format(), RATE, CHANNELS) as (append, _):
            for _ in range(round(seconds * RATE / len(noise[0]))):
                append(piece)

    return run


def profile(model: str, song: Path, folder: Path) -> list[list[str]]:
    """Each stage alone, on one core."""
    short = write_song(folder / "short.wav", 0.1)
    start = alternating({"start": lambda: separate(short, folder / "short", 1, model)})["start"][0]
    targets = Separator.load(model).targets
    stages: dict[str, tuple[Callable[..., Run], tuple[Any, ...]]] = {
        "decode, 16-bit WAV": (run_decoding, (song,)),
        "model": (run_model, (model, SONG_SECONDS)),
        "stems to steps, encode, 32-bit float WAV": (run_encoding, (targets, SONG_SECONDS, folder / "stages")),
        "resample, if the song were at 48 kHz": (run_resampling, (model, SONG_SECONDS)),
    }
    timings = race([Contender(stage, prepare, arguments, 1) for stage, (prepare, arguments) in stages.items()])
    return [
        ["start: Python, imports, the model; 0.1 s of audio", f"{start:.2f} s"],
        *([stage, f"{timing.seconds:.2f} s"] for stage, timing in timings.items()),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="default")
    model = parser.parse_args().model
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        song = write_song(folder / "song.wav", SONG_SECONDS)
        found = alternating({c: partial(separate, song, folder / "stems", c, model) for c in CORES})
        stages = profile(model, song, folder)
    rows = [
        [str(cores), f"{wall:.2f} s", f"1 / {SONG_SECONDS / wall:.0f}", f"{cpu:.2f} s", f"{memory:.0f}"]
        for cores, (wall, cpu, memory) in found.items()
    ]
    header = ["cores", "takes", "of the song's length", "core-seconds", "MB"]
    about = f"A song of {SONG_SECONDS} s, 44.1 kHz stereo, to four stems in 32-bit float, model `{model}`:"
    text = (
        f"{about}\n\n{markdown([header, *rows])}\n"
        f"Each stage alone on one core; the command does the model's beside the others':\n\n"
        f"{markdown([['stage', ''], *stages])}"
    )
    page.publish("command", text, targets(found))
    print(text)


def targets(found: dict[int, list[float]]) -> list[Target]:
    """What was to be reached.

    Args:
        found: seconds, core-seconds and MB of the command, by number of cores.
    """
    most = CORES[-1]
    return [
        Target(f"command, {SONG_SECONDS} s of song, {most} cores", SONG_SECONDS / SHARE, found[most][0], "s", True),
        Target("… its memory", MOST_MEMORY, found[most][2], "MB", True),
    ]


if __name__ == "__main__":
    main()
