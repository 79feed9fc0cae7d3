"""Pictures of systems as dots: what each costs, against how well it separates."""

import os
import statistics
from pathlib import Path

from tfwavesep import store
from tfwavesep.config import read_json
from tfwavesep.stems import STEMS


def released_sdr(model: str) -> float:
    """Mean SDR over vocals, drums, bass and other of a released model, in dB, as its `config.json` has it.

    Raises:
        KeyError: there is no such model, or it was not scored.
    """
    scores = read_json(store.released()[model] / store.CONFIG)["scores"]["scores"]["model"]
    return statistics.mean(scores[stem]["SDR"] for stem in STEMS)


def draw(dots: dict[str, tuple[float, float]], path: Path, cost: str) -> None:
    """One dot per system, ours in blue, on a logarithmic scale of costs.

    Args:
        dots: by name: cost, and mean SDR in dB.
        path: of the PNG.
        cost: what it is, in words.

    Raises:
        ImportError: matplotlib is not there.
    """
    os.environ.setdefault("MPLBACKEND", "Agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    panel = figure.subplots()
    for name, place in dots.items():
        panel.plot(*place, "o", color="tab:blue" if name.startswith("tfwavesep") else "gray")
        panel.annotate(name.replace("`", ""), place, textcoords="offset points", xytext=(7, 5))
    panel.set(xscale="log", xlabel=cost, ylabel="mean SDR of four stems, dB")
    panel.margins(x=0.5, y=0.2)
    panel.set_ylim(bottom=0)
    panel.grid(alpha=0.3, which="both")
    figure.savefig(path, dpi=120)
