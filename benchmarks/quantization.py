"""What each form of a model's `.tflite` costs, on the validation tracks of a data root; writes QUANTIZATION.md.

    python -m benchmarks.quantization saved_models/default --data MUSDB18

SDR is the median over 1-second frames, then over tracks, in dB. "At -20 dB" plays the same tracks 20 dB quieter. "Cut
elsewhere" is the largest difference between segments of 2 and of 3 seconds on the first track, full scale 1.0. Times
are medians of several runs of one segment, as a share of float32's in the same run.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.machine import machine
from tfwavesep import store
from tfwavesep.backends import Backend, open_form
from tfwavesep.data import Track, find_tracks
from tfwavesep.evaluation import markdown
from tfwavesep.release import export, fidelity, quantization
from tfwavesep.separation import Separator

PAGE = Path(__file__).with_name("QUANTIZATION.md")
RUNS = 7


def forms(model: store.StoredModel, data: Path, folder: Path) -> dict[str, Path]:
    """The model's `.tflite` in every form."""
    tflite = export.to_tflite(model.folder / store.SAVED_MODEL)
    calibration = export.calibration_segments(data, model.config)
    for form in quantization.FORMS:
        (folder / f"{form}.tflite").write_bytes(quantization.quantize(tflite, form, calibration))
    return {form: folder / f"{form}.tflite" for form in quantization.FORMS}


def cut_elsewhere(backend: Backend, track: Track) -> float:
    """The largest difference between stems made with segments of two lengths."""
    mixture, sample_rate = track.load_mixture()
    first, second = (Separator(backend, seconds).separate(mixture, sample_rate) for seconds in (2.0, 3.0))
    return max(float(np.abs(first[stem] - second[stem]).max()) for stem in first)


def times(backends: dict[str, Backend], segment: np.ndarray) -> dict[str, float]:
    """Median seconds of a run of each, taken in turn."""
    taken: dict[str, list[float]] = {form: [] for form in backends}
    for _ in range(RUNS + 1):
        for form, backend in backends.items():
            start = time.perf_counter()
            backend.predict(segment)
            taken[form].append(time.perf_counter() - start)
    return {form: statistics.median(seconds[1:]) for form, seconds in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a model's name or folder")
    parser.add_argument("--data", type=Path, required=True, help="data root")
    parser.add_argument("-o", "--output", type=Path, default=PAGE)
    arguments = parser.parse_args()
    model = store.read(store.find_form(arguments.model).parent)
    tracks = find_tracks(arguments.data, "valid")
    keras_form = open_form(model.folder / store.KERAS, model.config)
    with tempfile.TemporaryDirectory() as folder:
        files = forms(model, arguments.data, Path(folder))
        sizes = {form: path.stat().st_size for form, path in files.items()}
        backends = {form: open_form(path, model.config) for form, path in files.items()}
        seconds = times(backends, fidelity.segments(tracks[:1], model.config)[0])
        header, rows = [], []
        for form, backend in backends.items():
            loud = fidelity.measure(keras_form, backend, tracks)
            quiet = fidelity.measure(keras_form, backend, tracks, gain=0.1)
            header = ["form", "MB", "SNR", *loud.sdr, "most SDR lost", "… at -20 dB", "cut elsewhere", "time"]
            rows.append(
                [form, f"{sizes[form] / 1e6:.2f}", f"{loud.snr:.1f}", *(f"{sdr:.2f}" for sdr in loud.sdr.values()),
                 f"{max(loud.cost.values()):.3f}", f"{max(quiet.cost.values()):.2f}",
                 f"{cut_elsewhere(backend, tracks[0]):.0e}", f"{seconds[form] / seconds['none']:.2f}"]
            )  # fmt: skip
            print("  ".join(rows[-1]), flush=True)
    title = f"# Forms of `{model.folder.name}/model.tflite`\n\n"
    what = " ".join(str(__doc__).split("MUSDB18")[1].split())
    about = f"Written by `python -m benchmarks.quantization`: {len(tracks)} validation tracks, {machine()}. {what}\n\n"
    arguments.output.write_text(title + about + markdown([header, *rows]), encoding="utf-8")


if __name__ == "__main__":
    main()
