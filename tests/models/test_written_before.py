"""Models that were written when the library's modules stood elsewhere load, and give what they gave.

`written_before/` holds one small network of each architecture of that time, with random weights, and its stems of
noise. A `.keras` file names its layers by package and by module; only the first may count.
"""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from tfwavesep import models, store

FOLDER = Path(__file__).parent / "written_before"
NETWORKS = sorted(FOLDER.glob("*.keras"))


@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.stem)
def test_it_loads_and_gives_the_same_stems(path: Path) -> None:
    known = np.load(path.with_suffix(".npz"))
    np.testing.assert_allclose(models.load(path)(known["mixture"]), known["stems"], atol=2e-5)


def test_the_file_names_modules_that_are_gone() -> None:
    """Or else the tests above prove nothing."""
    with zipfile.ZipFile(FOLDER / "banded_wavenet.keras") as file:
        assert b'"tfwavesep.stft"' in file.read("config.json")


def test_so_does_the_released_one() -> None:
    network = models.load(store.released()["default"] / store.KERAS)
    assert network.name == "ensemble"
