"""How fast each preset's network runs, by runtime and number of cores; how close to what the machine can do.

    python benchmarks/inference.py [PRESET ...] [--forms FOLDER]

Every preset in every runtime on one core and on two, one segment of the default length at a time; and the paper's
network beside the form it had in 2018. Writes the section "inference" of SPEED.md. Takes a quarter of an hour, and as
long again to export all forms first, unless a folder holds them from the last time.
"""

import argparse
import contextlib
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import measure
import numpy as np
from measure import CORES, Contender, Run, Target, Timing, figure, race

from tfwavesep import store
from tfwavesep.backends import open_form
from tfwavesep.chunking import segment_length
from tfwavesep.config import Preset, load_preset, preset_names
from tfwavesep.models import ModelConfig
from tfwavesep.scores import markdown

PAPER = "wavenet_multi_instrument"
FORMS = {
    "Keras": store.KERAS,
    "SavedModel": store.SAVED_MODEL,
    "LiteRT": store.TFLITE,
    "LiteRT, int8": "int8.tflite",
}
"""Runtimes, and the form that each opens."""

STUDIES = {"LiteRT, dynamic": "dynamic.tflite", "LiteRT, int8 in every operation": "everywhere.tflite"}
"""Further forms of the paper's network."""

CALIBRATION_LENGTH = 1024
NAIVE, PROCEDURE = "2018, same length", "2018, 1601 samples at a time"


def noise(config: ModelConfig, target_length: int, batch: int = 1) -> np.ndarray:
    """What goes into a network for so many samples to come out."""
    shape = (batch, config.input_length(target_length), config.channels)
    return (0.1 * np.random.default_rng(0).standard_normal(shape)).astype(np.float32)


def run_form(path: Path, config: store.StoredConfig, target_length: int) -> Run:
    """A segment through a form of a model."""
    backend, mixture = open_form(path, config), noise(config, target_length)
    return lambda: backend.predict(mixture)


def run_naive(preset: Preset, target_length: int, batch: int) -> Run:
    """Segments through the paper's network as it was in 2018."""
    import naive
    import tensorflow as tf

    network = naive.build(preset.model, target_length)  # type: ignore[arg-type]
    run = tf.function(lambda mixture: network(mixture, training=False))
    mixture = noise(preset.model, target_length, batch)
    return lambda: run(mixture).numpy()


def stored_config(preset: Preset) -> store.StoredConfig:
    """What a runtime needs to know of a preset."""
    from tfwavesep import export

    return store.StoredConfig(**export._stored(preset))


def export_forms(preset: Preset, folder: Path) -> None:
    """Write a network in each of `FORMS`, with random weights unless there is a released model of its name; the paper's
    in each of `STUDIES` too. What is there stays."""
    if folder.exists():
        return
    with tempfile.TemporaryDirectory(dir=folder.parent) as beside, _silence():
        _export(preset, Path(beside))
        shutil.copytree(beside, folder)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """ai-edge-quantizer shows progress bars, and warns of what it is told to do."""
    with open(os.devnull, "w") as nowhere, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            yield


def _export(preset: Preset, folder: Path) -> None:
    from tfwavesep import export, models, quantization, signatures

    config = stored_config(preset)
    released = store.released().get(preset.name)
    network = models.load(released / store.KERAS) if released else models.build(preset.architecture, preset.model)
    network.save(folder / store.KERAS)
    signatures.write(network, config, folder / store.SAVED_MODEL)
    tflite = export.to_tflite(folder / store.SAVED_MODEL)
    (folder / store.TFLITE).write_bytes(tflite)
    music = [noise(config, -(-CALIBRATION_LENGTH // config.block) * config.block)]
    (folder / FORMS["LiteRT, int8"]).write_bytes(quantization.quantize(tflite, "int8", music))
    if preset.name == PAPER:
        (folder / STUDIES["LiteRT, dynamic"]).write_bytes(quantization.quantize(tflite, "dynamic"))
        (folder / STUDIES["LiteRT, int8 in every operation"]).write_bytes(int8_everywhere(tflite, music[0]))


def int8_everywhere(tflite: bytes, mixture: np.ndarray) -> bytes:
    """With all arithmetic in int8, whatever becomes of quiet music: what the form int8 could be, for speed alone."""
    from ai_edge_quantizer import quantizer, recipe

    whole = quantizer.Quantizer(bytearray(tflite), recipe.static_wi8_ai8())
    ranges = whole.calibrate({"serving_default": [{"mixture": mixture}]})
    return bytes(whole.quantize(ranges).quantized_model)


def gflop(preset: Preset, target_length: int) -> float:
    """10^9 operations that a segment takes; a multiplication and an addition are two."""
    import cost

    from tfwavesep import models

    network = models.build(preset.architecture, preset.model)
    return 2 * cost.multiply_accumulates(network, preset.model.input_length(target_length)) / 1e9


def contenders(preset: Preset, folder: Path, config: store.StoredConfig) -> tuple[list[Contender], dict[Any, int]]:
    """What is run for a preset, and how many samples come out of each run."""
    length = segment_length(config.context, config.block, config.sample_rate)
    forms = {**FORMS, **(STUDIES if preset.name == PAPER else {})}
    found, lengths = [], {}
    for cores in CORES:
        for name, form in forms.items():
            limit = open_form(folder / form, config).max_target_length if form == store.SAVED_MODEL else None
            samples = min(length, limit or length)
            lengths[name, cores] = samples
            found.append(Contender((name, cores), run_form, (folder / form, config, samples), cores))
        if preset.name == PAPER:
            import naive

            for name, samples, batch in ((NAIVE, length, 1), (PROCEDURE, naive.FIELD, naive.BATCH)):
                lengths[name, cores] = samples * batch
                found.append(Contender((name, cores), run_naive, (preset, samples, batch), cores))
    return found, lengths


def measured(preset: Preset, folder: Path) -> tuple[dict[Any, Timing], dict[Any, float]]:
    """Timings of a preset's contenders, and the seconds of audio that come out of a run of each."""
    config = stored_config(preset)
    found, lengths = contenders(preset, folder, config)
    return race(found), {name: length / config.sample_rate for name, length in lengths.items()}


def rows(
    preset: Preset, timings: dict[Any, Timing], audio: dict[Any, float], peaks: dict[int, float]
) -> list[list[str]]:
    """Of the table, one for each runtime and number of cores."""
    whole = next(iter(audio.values()))
    per_second = gflop(preset, round(whole * preset.model.sample_rate)) / whole
    found = []
    for (name, cores), timing in timings.items():
        speed = audio[name, cores] / timing.seconds
        rate = speed * per_second
        found.append(
            [preset.name, name, str(cores), f"{audio[name, cores]:.2f} s", f"{figure(speed)} x", f"{rate:.0f}",
             f"{100 * rate / peaks[cores]:.0f} %", f"{timing.memory:.0f}"]
        )  # fmt: skip
    return found


HEADER = ["preset", "runtime", "cores", "segment", "real time", "GFLOP/s", "of peak", "MB"]


def speeds(timings: dict[Any, Timing], audio: dict[Any, float]) -> dict[Any, float]:
    """Seconds of audio for a second of computing."""
    return {name: audio[name] / timing.seconds for name, timing in timings.items()}


def targets(speed: dict[str, dict[Any, float]], peak_share: float) -> list[Target]:
    """What was to be reached, as far as it has been measured.

    Args:
        speed: of each preset, by (runtime, cores).
        peak_share: percent of the peak that the paper's network reaches in Keras, on all cores.
    """
    found = []
    if PAPER in speed:
        paper, most = speed[PAPER], CORES[-1]
        name = "paper's network, Keras, against its form of 2018 at the same length"
        found.append(Target(name, 1.25, paper["Keras", most] / paper[NAIVE, most]))
        found.append(Target("… against 1601 samples at a time", 2.5, paper["Keras", most] / paper[PROCEDURE, most]))
        found.append(Target("… of the machine's float32 peak", 50, peak_share, "%"))
        for form in ("LiteRT, int8", *STUDIES):
            name = f"paper's network, {form}, against LiteRT float32, 1 core"
            found.append(Target(name, 3, paper[form, 1] / paper["LiteRT", 1]))
    if "default" in speed:
        own = speed["default"]
        found.append(Target("`default`, LiteRT, 1 core, real time", 30, own["LiteRT, int8", 1]))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("presets", nargs="*", default=preset_names(), help="by default all")
    parser.add_argument("--forms", type=Path, help="folder where exported forms are kept for the next time")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        measure_all(arguments.presets, arguments.forms or Path(temporary))


def measure_all(presets: Sequence[str], forms: Path) -> None:
    """Export, measure, and publish."""
    forms.mkdir(parents=True, exist_ok=True)
    for name in presets:
        export_forms(load_preset(name), forms / name)
    peaks = {cores: measure.peak_gflops(t) for (_, cores), t in race([measure.peak(c) for c in CORES]).items()}
    table, speed, share = [HEADER], {}, float("nan")
    for name in presets:
        preset = load_preset(name)
        timings, audio = measured(preset, forms / name)
        found = rows(preset, timings, audio, peaks)
        print("\n".join("  ".join(row) for row in found), flush=True)
        table += found
        speed[name] = speeds(timings, audio)
        if name == PAPER:
            whole = audio["Keras", CORES[-1]]
            total = gflop(preset, round(whole * preset.model.sample_rate))
            share = 100 * total / timings["Keras", CORES[-1]].seconds / peaks[CORES[-1]]
    about = ", ".join(f"{peaks[cores]:.0f} GFLOP/s on {cores}" for cores in CORES)
    peak = f"float32 peak (product of two {measure.PEAK_SIZE} x {measure.PEAK_SIZE} matrices): {about}."
    text = f"{peak}\n\n{markdown(table)}"
    measure.publish("inference", f"{text}\n{NOTES}", targets(speed, share))


NOTES = """\
*GFLOP/s*: products within convolutions and matrices for a whole segment, its context included, however a form computes
them; so what a form saves by computing in int8 counts as speed. *MB*: what the whole process took at most.
"""


if __name__ == "__main__":
    main()
