"""What each form of a model's `.tflite` costs, on the validation tracks of a data root; writes its section of
QUANTIZATION.md.

    python -m benchmarks.quantization saved_models/default --data MUSDB18

SDR is the median over 1-second frames, then over tracks, in dB. "At -20 dB" plays the same tracks 20 dB quieter. "Cut
elsewhere" is the largest difference between segments of 2 and of 3 seconds on the first track, full scale 1.0. Times
are medians of several runs of one segment of noise, as a share of float32's in the same run; memory is the most that a
process took which only opened the form and ran it so.
"""

import argparse
import re
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.machine import machine
from benchmarks.speed.contenders import Contender, race
from benchmarks.speed.scaling import run_batch
from tfwavesep import store
from tfwavesep.backends import Backend, open_form
from tfwavesep.data import Track, find_tracks
from tfwavesep.evaluation import markdown
from tfwavesep.release import fidelity, quantization
from tfwavesep.separation import Separator

PAGE = Path(__file__).with_name("QUANTIZATION.md")
QUIET = 0.1
"""-20 dB."""


def forms(model: store.StoredModel, data: Path, folder: Path) -> dict[str, Path]:
    """The model's `.tflite` in every form."""
    from tfwavesep.release import export  # here, as the processes that are measured import this file too

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


def table(model: store.StoredModel, files: dict[str, Path], tracks: list[Track]) -> str:
    """A row for each form."""
    timings = race([Contender(form, run_batch, (path, model.config, 1)) for form, path in files.items()])
    keras_form = open_form(model.folder / store.KERAS, model.config)
    backends = [open_form(path, model.config) for path in files.values()]
    loud, quiet = (fidelity.measure(keras_form, backends, tracks, gain) for gain in (1.0, QUIET))
    header = ["form", "MB", "SNR", *loud[0].sdr, "most SDR lost", "… at -20 dB", "cut elsewhere", "time", "memory, MB"]
    rows = [
        [form, f"{path.stat().st_size / 1e6:.2f}", f"{as_is.snr:.1f}", *(f"{sdr:.2f}" for sdr in as_is.sdr.values()),
         f"{max(as_is.cost.values()):.3f}", f"{max(soft.cost.values()):.2f}",
         f"{cut_elsewhere(backend, tracks[0]):.0e}", f"{timings[form].seconds / timings['none'].seconds:.2f}",
         f"{timings[form].memory:.0f}"]
        for (form, path), backend, as_is, soft in zip(files.items(), backends, loud, quiet, strict=True)
    ]  # fmt: skip
    return markdown([header, *rows])


def sections(page: str) -> dict[str, str]:
    """What a page has of each model.

    >>> sections("# Forms\\n\\n## `one`\\n\\n1\\n\\n## `two`\\n\\n2\\n")
    {'one': '1', 'two': '2'}
    """
    _, *parts = re.split(r"^## `(.+)`$", page, flags=re.MULTILINE)
    return {name: text.strip() for name, text in zip(parts[::2], parts[1::2], strict=True)}


def render(of_models: dict[str, str]) -> str:
    """The page."""
    what = " ".join(str(__doc__).split("MUSDB18")[1].split())
    head = f"# Forms of `model.tflite`\n\nWritten by `python -m benchmarks.quantization`, one section a model. {what}"
    return "\n\n".join([head, *(f"## `{name}`\n\n{text}" for name, text in of_models.items())]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a model's name or folder")
    parser.add_argument("--data", type=Path, required=True, help="data root")
    parser.add_argument("-o", "--output", type=Path, default=PAGE)
    arguments = parser.parse_args()
    model = store.read(store.find_form(arguments.model).parent)
    tracks = find_tracks(arguments.data, "valid")
    with tempfile.TemporaryDirectory() as folder:
        rows = table(model, forms(model, arguments.data, Path(folder)), tracks)
    about = f"{model.about['description']}. {len(tracks)} validation tracks, {machine()}."
    before = sections(arguments.output.read_text(encoding="utf-8")) if arguments.output.exists() else {}
    page = render({**before, model.folder.name: f"{about}\n\n{rows}".rstrip()})
    arguments.output.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
