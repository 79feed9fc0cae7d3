"""How much of a stem does a model hear in music that has none of it?

Run: python -m benchmarks.absent_stems [MODEL] --data ROOT [--subset valid]; writes benchmarks/ABSENT_STEMS.md.
Each track is mixed anew without one of its stems and separated. What comes out for the stem that is not there is
told as its level below the mixture's; a model that knew all would give minus infinity.
"""

import argparse
from pathlib import Path

import numpy as np

from tfwavesep.data import Track, find_tracks
from tfwavesep.evaluation import markdown
from tfwavesep.separation import Separator
from tfwavesep.stems import STEMS, weights

PAGE = Path(__file__).parent / "ABSENT_STEMS.md"


def level_below(estimate: np.ndarray, mixture: np.ndarray) -> float:
    """Level of `estimate` relative to `mixture` in dB."""
    return float(10 * np.log10(max((estimate**2).mean(), 1e-20) / (mixture**2).mean()))


def absent_levels(separator: Separator, track: Track) -> list[float]:
    """For each of the model's stems, the level of its estimate in the track mixed without it."""
    loaded = [track.load_stem[stem]() for stem in STEMS]
    length = min(len(audio) for audio, _ in loaded)
    stems = np.stack([audio[:length] for audio, _ in loaded])
    levels = []
    for target, present in zip(separator.targets, 1 - weights(separator.targets), strict=True):
        mixture = np.einsum("s,stc->tc", present, stems)
        levels.append(level_below(separator.separate(mixture, loaded[0][1])[target], mixture))
    return levels


def page(model: str, subset: str, targets: tuple[str, ...], levels: np.ndarray) -> str:
    """The results `(tracks, targets)` as Markdown."""
    rows = [
        ["of the tracks", *targets],
        ["median", *(f"{value:.1f}" for value in np.median(levels, axis=0))],
        ["a tenth are above", *(f"{value:.1f}" for value in np.quantile(levels, 0.9, axis=0))],
        ["worst", *(f"{value:.1f}" for value in levels.max(axis=0))],
    ]
    return (
        f"# What is heard of stems that are not there\n\nModel `{model}`, {len(levels)} {subset} tracks, each mixed "
        "without the stem: level of that stem's estimate relative to the mixture's, in dB (less is better). Written by "
        f"`python -m benchmarks.absent_stems`.\n\n{markdown(rows)}"
    )


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default="default")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--subset", default="valid", choices=["valid", "test", "train"])
    arguments = parser.parse_args()
    separator = Separator.load(arguments.model)
    levels = np.array([absent_levels(separator, track) for track in find_tracks(arguments.data, arguments.subset)])
    text = page(arguments.model, arguments.subset, separator.targets, levels)
    PAGE.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
