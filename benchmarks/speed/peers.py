"""Other separators on the same song with the same cores: Demucs, Open-Unmix, Spleeter; the paper's WaveNet in PyTorch.

Run by an interpreter that has them, from a virtualenv of its own, because they ask for other versions:

    python3 -m venv peers && peers/bin/pip install . ai-edge-quantizer 'numpy<2' 'protobuf>=6.31' torch demucs openunmix
    peers/bin/python -m benchmarks.speed.peers

What is not installed is left out, and the page says so; without any of them nothing is measured. Weights are random:
speed does not depend on them, and none are downloaded. Every separator gets an array and gives four stems (of the
WaveNet: its three), as its own users call it; Spleeter's network is run as `tfwavesep import` makes it, by LiteRT.
Writes the section "peers" of SPEED.md, which `benchmarks.speed.picture` draws.
"""

import argparse
import importlib.util
import sys
import types
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

from benchmarks.speed import page, picture
from benchmarks.speed.contenders import CORES, Contender, Run, Timing, race
from benchmarks.speed.page import Target, figure
from benchmarks.speed.picture import OURS, PICTURE
from tfwavesep.config import load_preset
from tfwavesep.evaluation import markdown

SONG_SECONDS, RATE = 10, 44100
STEMS = ["drums", "bass", "other", "vocals"]
PAPER = "wavenet_multi_instrument"
PAPER_SECONDS = 2.0


def song() -> np.ndarray:
    """`(time, 2)` of noise."""
    return (0.1 * np.random.default_rng(0).standard_normal((SONG_SECONDS * RATE, 2))).astype(np.float32)


def run_ours() -> Run:
    """The default model, by LiteRT."""
    from tfwavesep import Separator

    separator, mixture = Separator.load("default"), song()
    return lambda: separator.separate(mixture, RATE)


def run_spleeter() -> Run:
    """Spleeter's four U-Nets (Hennequin et al. 2020), as they are imported."""
    import tempfile
    from pathlib import Path

    from benchmarks.speed.inference import export_forms
    from tfwavesep import Separator, store
    from tfwavesep.backends import open_form

    preset = load_preset("spleeter_4stems")
    with tempfile.TemporaryDirectory() as folder:
        export_forms(preset, Path(folder) / "forms")
        backend = open_form(Path(folder) / "forms" / store.TFLITE, store.StoredConfig.of(preset.model))
    separator, mixture = Separator(backend), song()
    return lambda: separator.separate(mixture, RATE)


def run_htdemucs() -> Run:
    """Hybrid Transformer Demucs (Rouard et al. 2023), of the sizes that are released."""
    from fractions import Fraction

    from demucs.htdemucs import HTDemucs

    return _demucs(HTDemucs(STEMS, samplerate=RATE, segment=Fraction(39, 5), bottom_channels=512))


def run_hdemucs() -> Run:
    """Hybrid Demucs (Défossez 2021), of the sizes that are released."""
    from demucs.hdemucs import HDemucs

    return _demucs(HDemucs(STEMS, samplerate=RATE, segment=44, channels=48))


def _demucs(network: Any) -> Run:
    import torch
    from demucs.apply import apply_model

    mixture = torch.from_numpy(song().T.copy())[None]
    network.eval()
    return lambda: apply_model(network, mixture, shifts=0, split=True, overlap=0.25)


def run_openunmix() -> Run:
    """Open-Unmix (Stöter et al. 2019) with its Wiener filter, as umxl."""
    if importlib.util.find_spec("torchaudio"):  # is for reading files alone, and may ask for CUDA
        sys.modules["torchaudio"] = types.ModuleType("torchaudio")
    import openunmix
    import torch

    separator = openunmix.umxl(targets=STEMS, pretrained=False)
    mixture = torch.from_numpy(song().T.copy())[None]
    separator.eval()

    def run() -> None:
        with torch.inference_mode():
            separator(mixture)

    return run


def run_paper_in_torch() -> Run:
    """The paper's network with valid convolutions. One makes filter and gate, as is usual in PyTorch, where cutting its
    output in two costs nothing."""
    import torch

    class Block(torch.nn.Module):
        def __init__(self, filters: int, dilation: int) -> None:
            super().__init__()
            self.dilated = torch.nn.Conv1d(filters, 2 * filters, 3, dilation=dilation, bias=False)
            self.output = torch.nn.Conv1d(filters, 2 * filters, 1, bias=False)
            self.dilation = dilation

        def forward(self, x: Any) -> Any:
            filtered, gate = self.dilated(x).chunk(2, 1)
            residual, skip = self.output(torch.tanh(filtered) * torch.sigmoid(gate)).chunk(2, 1)
            return x[..., self.dilation : -self.dilation] + residual, skip

    class WaveNet(torch.nn.Module):
        def __init__(self, config: Any) -> None:
            super().__init__()
            self.first = torch.nn.Conv1d(1, config.filters, 3, bias=False)
            self.blocks = torch.nn.ModuleList([Block(config.filters, dilation) for dilation in config.schedule])
            self.head = torch.nn.Sequential(
                torch.nn.ReLU(),
                torch.nn.Conv1d(config.filters, config.head[0], 3, bias=False),
                torch.nn.ReLU(),
                torch.nn.Conv1d(config.head[0], config.head[1], 3, bias=False),
                torch.nn.Conv1d(config.head[1], len(config.stems), 1),
            )

        def forward(self, x: Any) -> Any:
            x, skips = self.first(x), []
            for block in self.blocks:
                x, skip = block(x)
                skips.append(skip)
            edges = [(skip.shape[2] - x.shape[2]) // 2 for skip in skips]
            return self.head(
                sum(skip[..., edge : skip.shape[2] - edge] for skip, edge in zip(skips, edges, strict=True))
            )

    config = load_preset(PAPER).model
    network, mixture = WaveNet(config).eval(), torch.randn(1, 1, config.input_length(_paper_length()))

    def run() -> None:
        with torch.inference_mode():
            assert network(mixture).shape[2] == _paper_length()

    return run


def run_paper_in_keras() -> Run:
    """The paper's network, ours."""
    import tensorflow as tf

    from tfwavesep import models

    preset = load_preset(PAPER)
    network = models.build(preset.architecture, preset.model)
    mixture = tf.random.normal((1, preset.model.input_length(_paper_length()), 1))
    run = tf.function(lambda: network(mixture, training=False))
    return lambda: run().numpy()


def _paper_length() -> int:
    return round(PAPER_SECONDS * load_preset(PAPER).model.sample_rate)


SEPARATORS = {
    OURS: ("tfwavesep", run_ours),
    "Spleeter, 4 stems": ("tensorflow", run_spleeter),
    "Open-Unmix, umxl": ("openunmix", run_openunmix),
    "Hybrid Demucs": ("demucs", run_hdemucs),
    "Hybrid Transformer Demucs": ("demucs", run_htdemucs),
}
"""Separators of 44.1 kHz stereo into four stems: the package that each needs, and how it is run."""

NETWORKS = {"tfwavesep, Keras": ("tensorflow", run_paper_in_keras), "PyTorch": ("torch", run_paper_in_torch)}
"""Forms of the paper's network."""


def missing(package: str) -> bool:
    """Whether a package is not installed."""
    return importlib.util.find_spec(package) is None


def timed(kinds: dict[str, Any], on: Sequence[int] = CORES) -> dict[Any, Timing]:
    """By name and number of cores; without those that are not installed."""
    there = {name: run for name, (package, run) in kinds.items() if not missing(package)}
    return race([Contender((name, cores), run, (), cores) for cores in on for name, run in there.items()])


def table(timings: dict[Any, Timing], seconds: float) -> str:
    """Ours is the first of them."""
    ours = next(iter(timings))[0]
    rows = [
        [name, str(cores), f"{timing.seconds:.2f} s", f"{figure(seconds / timing.seconds)} x",
         f"{figure(timing.seconds / timings[ours, cores].seconds)}", f"{timing.memory:.0f}"]
        for (name, cores), timing in timings.items()
    ]  # fmt: skip
    return markdown([["", "cores", "takes", "real time", "times ours", "MB"], *rows])


def targets(separators: dict[Any, Timing], networks: dict[Any, Timing]) -> list[Target]:
    """Faster than every peer, on as many cores."""
    found = []
    for kind, timings in (("`default`", separators), ("paper's network, Keras,", networks)):
        ours = next(iter(timings))[0]
        for name in dict.fromkeys(name for name, _ in timings if name != ours):
            slower = {c: t.seconds / timings[ours, c].seconds for (peer, c), t in timings.items() if peer == name}
            on = " and ".join(map(str, slower))
            found.append(Target(f"{kind} against {name}, cores: {on}", 1, min(slower.values())))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cores", nargs="+", type=int, default=CORES, help="how many, one run after the other")
    on = parser.parse_args().cores
    packages = ("torch", "demucs", "openunmix")
    left_out = [package for package in packages if missing(package)]
    if len(left_out) == len(packages):
        sys.exit(f"none of {', '.join(packages)} is installed: see --help")
    separators, networks = timed(SEPARATORS, on), timed(NETWORKS, on)
    about = " ".join(str(picture.__doc__).split("\n\n")[2].split())
    used = ", ".join(f"{package} {version(package)}" for package in packages if package not in left_out)
    text = (
        f"{used}; random weights.{' Not installed, so left out: ' + ', '.join(left_out) + '.' if left_out else ''}\n\n"
        f"{SONG_SECONDS} s of 44.1 kHz stereo into four stems:\n\n{table(separators, SONG_SECONDS)}\n"
        f"The paper's network, {PAPER_SECONDS:g} s of 16 kHz mono, float32:\n\n{table(networks, PAPER_SECONDS)}\n"
        "How well they separate when they are trained is another matter: these peers do it better than `default`.\n\n"
        f"![real time against SDR]({PICTURE.name})\n\n{about}\n"
    )
    rows = [
        {"name": name, "cores": cores, "speed": SONG_SECONDS / timing.seconds}
        for (name, cores), timing in separators.items()
    ]
    page.publish("peers", text, targets(separators, networks), {"separators": rows})
    print(text)


if __name__ == "__main__":
    main()
