"""How fast networks run, by runtime and number of cores; how close to what the machine can do.

    python -m benchmarks.speed.inference [PRESET ...] [--forms FOLDER]

One preset of each architecture, and those of released models, in every runtime on one core and on two, segments of the
default length; and the paper's network beside the form it had in 2018. Writes the section "inference" of SPEED.md. A
folder of exported forms saves their export the next time. Presets that are not named keep their last figures.
"""

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed import page
from benchmarks.speed.contenders import CORES, PEAK_SIZE, Contender, Run, Timing, peak, peak_gflops, race
from benchmarks.speed.page import Target, figure
from tfwavesep import store
from tfwavesep.backends import open_form
from tfwavesep.config import Preset, load_preset
from tfwavesep.evaluation import markdown
from tfwavesep.hush import hushed
from tfwavesep.models import ModelConfig
from tfwavesep.separation import segment_length

PAPER = "wavenet_multi_instrument"
PRESETS = (
    "default",
    "live",
    "ensemble",
    "banded_wavenet",
    "framed_wavenet_stereo",
    PAPER,
    "deepconvsep",
    "waveunet_m5_highsr",
    "spleeter_2stems",
)
"""What is measured when nothing is named: one of each architecture, and more where a model of that name is released."""

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
FIELD, BATCH = 1601, 5
"""What the released configuration puts out at a time, and so many of them together."""

NAIVE, PROCEDURE = "2018, same length", "2018, 1601 samples at a time"


def noise(config: ModelConfig, target_length: int, batch: int = 1) -> np.ndarray:
    """What goes into a network for so many samples to come out."""
    shape = (batch, config.input_length(target_length), config.channels)
    return (0.1 * np.random.default_rng(0).standard_normal(shape)).astype(np.float32)


def run_form(path: Path, config: store.StoredConfig, target_length: int, segments: int) -> Run:
    """Segments that follow one another through a form of a model."""
    backend, mixtures = open_form(path, config), [noise(config, target_length)] * segments
    return lambda: list(backend.predict_many(mixtures))


def run_naive(preset: Preset, target_length: int, batch: int) -> Run:
    """Segments through the paper's network as it was in 2018."""
    import tensorflow as tf

    from benchmarks.speed import naive

    network = naive.build(preset.model, target_length)  # type: ignore[arg-type]
    run = tf.function(lambda mixture: network(mixture, training=False))
    mixture = noise(preset.model, target_length, batch)
    return lambda: run(mixture).numpy()


def export_forms(preset: Preset, folder: Path) -> None:
    """Write a network in each of `FORMS`, with random weights unless there is a released model of its name; the paper's
    in each of `STUDIES` too. What is there stays."""
    if folder.exists():
        return
    with tempfile.TemporaryDirectory(dir=folder.parent) as beside, hushed():
        _export(preset, Path(beside))
        shutil.copytree(beside, folder)


def _export(preset: Preset, folder: Path) -> None:
    from tfwavesep import models
    from tfwavesep.release import export, quantization, signatures

    config = store.StoredConfig.of(preset.model)
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
    for end in ("INPUT", "OUTPUT"):
        whole.update_quantization_recipe(".*", end, None, "no_quantize")
    ranges = whole.calibrate({"serving_default": [{"mixture": mixture}]})
    return bytes(whole.quantize(ranges).quantized_model)


def gflop(preset: Preset, target_length: int) -> float:
    """10^9 operations that a segment takes; a multiplication and an addition are two."""
    from benchmarks import cost
    from tfwavesep import models

    network = models.build(preset.architecture, preset.model)
    return 2 * cost.multiply_accumulates(network, preset.model.input_length(target_length)) / 1e9


def contenders(preset: Preset, folder: Path, config: store.StoredConfig) -> tuple[list[Contender], dict[Any, float]]:
    """What is run for a preset, and how many seconds of audio come out of each run: of as many segments as there are
    cores, so that runtimes that work on several at a time show it."""
    length = segment_length(config)
    found, seconds = [], {}
    for cores in CORES:
        for name, form in {**FORMS, **(STUDIES if preset.name == PAPER and cores == 1 else {})}.items():
            limit = open_form(folder / form, config).max_target_length if form == store.SAVED_MODEL else None
            samples = min(length, limit or length)
            seconds[name, cores] = samples * cores / config.sample_rate
            found.append(Contender((name, cores), run_form, (folder / form, config, samples, cores), cores))
    for name, batch in ((NAIVE, 1), (PROCEDURE, BATCH)) if preset.name == PAPER else ():
        samples = length if name == NAIVE else FIELD
        seconds[name, CORES[-1]] = samples * batch / config.sample_rate
        found.append(Contender((name, CORES[-1]), run_naive, (preset, samples, batch)))
    return found, seconds


def measured(preset: Preset, folder: Path, peaks: dict[int, float]) -> list[dict[str, Any]]:
    """Each of a preset's contenders with its figures.

    Args:
        preset: to be measured.
        folder: with its forms.
        peaks: 10^9 operations per second that the machine can do, by number of cores.
    """
    config = store.StoredConfig.of(preset.model)
    found, seconds = contenders(preset, folder, config)
    length = segment_length(config)
    per_second = gflop(preset, length) * config.sample_rate / length
    return [
        figures(runtime, cores, seconds[runtime, cores], timing, per_second, peaks[cores])
        for (runtime, cores), timing in race(found).items()
    ]


def figures(runtime: str, cores: int, seconds: float, timing: Timing, per_second: float, peak: float) -> dict[str, Any]:
    """The figures of a contender.

    Args:
        runtime: its name.
        cores: that it ran on.
        seconds: of audio that come out of a run.
        timing: of a run.
        per_second: 10^9 operations for a second of audio.
        peak: 10^9 operations that the machine can do in a second.
    """
    speed = seconds / timing.seconds
    rate = speed * per_second
    return {
        "runtime": runtime, "cores": cores, "audio": seconds, "speed": speed, "rate": rate,
        "share": 100 * rate / peak, "memory": timing.memory,
    }  # fmt: skip


HEADER = ["preset", "runtime", "cores", "a run", "real time", "GFLOP/s", "of peak", "MB"]


def cells(preset: str, row: dict[str, Any]) -> list[str]:
    """A row of the table."""
    return [
        preset, row["runtime"], str(row["cores"]), f"{row['audio']:.2f} s", f"{figure(row['speed'])} x",
        f"{row['rate']:.0f}", f"{row['share']:.0f} %", f"{row['memory']:.0f}",
    ]  # fmt: skip


def targets(presets: dict[str, list[dict[str, Any]]]) -> list[Target]:
    """What was to be reached, as far as it has been measured."""
    found, most = [], CORES[-1]
    if PAPER in presets:
        paper = {(row["runtime"], row["cores"]): row for row in presets[PAPER]}
        keras, litert = paper["Keras", most], paper["LiteRT", 1]
        name = "paper's network, Keras, against its form of 2018 at the same length"
        found.append(Target(name, 1.25, keras["speed"] / paper[NAIVE, most]["speed"]))
        found.append(Target("… against 1601 samples at a time", 2.5, keras["speed"] / paper[PROCEDURE, most]["speed"]))
        found.append(Target("… of the machine's float32 peak", 50, keras["share"], "%"))
        for form in ("LiteRT, int8", *STUDIES):
            name = f"paper's network, {form}, against LiteRT float32, 1 core"
            found.append(Target(name, 3, paper[form, 1]["speed"] / litert["speed"]))
    if "default" in presets:
        own = {row["cores"]: row["speed"] for row in presets["default"] if row["runtime"] == "LiteRT, int8"}
        found.append(Target("`default`, LiteRT, int8, 1 core, real time", 100, own[1]))
        found.append(Target(f"… {most} cores against one", 1.7, own[most] / own[1]))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("presets", nargs="*", default=PRESETS, help=f"by default {', '.join(PRESETS)}")
    parser.add_argument("--forms", type=Path, help="folder where exported forms are kept for the next time")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        measure_all(arguments.presets, arguments.forms or Path(temporary))


def measure_all(names: Sequence[str], forms: Path) -> None:
    """Export, measure, and publish."""
    forms.mkdir(parents=True, exist_ok=True)
    for name in names:
        export_forms(load_preset(name), forms / name)
    data = {} if set(PRESETS) <= set(names) else page.recorded("inference")
    timings = race([peak(cores) for cores in CORES])
    data["peaks"] = {str(cores): peak_gflops(timing) for (_, cores), timing in timings.items()}
    peaks = {int(cores): rate for cores, rate in data["peaks"].items()}
    for name in names:
        presets = data.setdefault("presets", {})
        presets[name] = measured(load_preset(name), forms / name, peaks)
        print("\n".join("  ".join(cells(name, row)) for row in presets[name]), flush=True)
        page.publish("inference", text(data), targets(presets), data)


def text(data: dict[str, Any]) -> str:
    """The section."""
    about = ", ".join(f"{rate:.0f} GFLOP/s on {cores}" for cores, rate in data["peaks"].items())
    peaks = f"float32 peak (product of two {PEAK_SIZE} x {PEAK_SIZE} matrices): {about}."
    rows = [cells(name, row) for name, measured in data["presets"].items() for row in measured]
    missing = ", ".join(f"`{name}`" for name in PRESETS if name not in data["presets"])
    left = f"Not measured here: {missing}.\n\n" if missing else ""
    return f"{peaks}\n\n{markdown([HEADER, *rows])}\n{left}{NOTES}"


NOTES = """\
*A run*: the audio that comes out of it, a segment of the default length for each core. *GFLOP/s*: products within
convolutions and matrices, context included, however a form computes them; so what a form saves by computing in int8
counts as speed. *MB*: what the whole process took at most.

Why the form int8 gives the paper's network nothing: it computes in int8 only what does not follow the loudness of the
music, so that quiet songs keep their quality, and in a network on raw samples everything follows it: all of its
convolutions stay in float32. The row "int8 in every operation" is what could be had at one fixed loudness; `dynamic`
takes the ranges from each segment, and its samples therefore depend on where segments begin.
"""


if __name__ == "__main__":
    main()
