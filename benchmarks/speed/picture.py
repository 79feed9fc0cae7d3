"""The picture of SPEED.md: how fast separators are against how well they separate.

    python -m benchmarks.speed.picture

Speeds are those of the section "peers", on one core. SDR is the mean over vocals, drums, bass and other: ours as the
released model's scores have it, on 25 test tracks of MUSDB18's 7-second edition; theirs as published, on the 50 whole
test tracks. An oracle's masks score about the same on both, so dots compare within some tenths of a dB.
"""

import statistics
from typing import Any

from benchmarks.scatter import draw, released_sdr
from benchmarks.speed import page

PICTURE = page.PAGE.with_suffix(".png")
OURS = "tfwavesep `default`"

PUBLISHED = {
    "Spleeter, 4 stems": (6.55, 5.93, 5.10, 4.24),
    "Open-Unmix, umxl": (7.21, 7.15, 6.02, 4.89),
    "Hybrid Demucs": (8.13, 8.24, 8.76, 5.59),
}
"""SDR in dB of vocals, drums, bass and other. Spleeter (trained on 25,000 songs; without a Wiener filter): Hennequin et
al. 2020, JOSS 5 (50), table 1. umxl (trained on more songs than MUSDB18's): the README of open-unmix-pytorch. Hybrid
Demucs (trained on MUSDB18's songs): Défossez 2021 (arXiv 2111.03600), table 1."""


def dots(separators: list[dict[str, Any]]) -> dict[str, tuple[float, float]]:
    """Real time on one core, and mean SDR in dB, of each separator whose SDR is known.

    Args:
        separators: rows of `peers`: name, cores and real time.
    """
    quality = {OURS: released_sdr("default")} | {name: statistics.mean(sdr) for name, sdr in PUBLISHED.items()}
    return {
        row["name"]: (row["speed"], quality[row["name"]])
        for row in separators
        if row["cores"] == 1 and row["name"] in quality
    }


def main() -> None:
    draw(dots(page.recorded("peers")["separators"]), PICTURE, "times real time, one core")


if __name__ == "__main__":
    main()
