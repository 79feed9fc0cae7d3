"""Where PyInstaller finds `hook-tfwavesep.py`, which tells it what a program with this package needs; see its
documentation, "Providing PyInstaller Hooks with your Package"."""

from pathlib import Path


def hook_dirs() -> list[str]:
    """The folder of the hook."""
    return [str(Path(__file__).parent)]
