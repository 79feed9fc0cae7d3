"""Models that were written when the library's modules stood elsewhere load, and give what they gave.

`written_before/` holds one small network of each architecture of that time, with random weights, and its stems of
noise. A `.keras` file names its layers by package and by module; only the first may count.
"""

import dataclasses
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from test_conformance import preset_of

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


@pytest.mark.parametrize("name", store.released())
def test_so_do_the_released_ones(name: str) -> None:
    folder = store.released()[name]
    assert models.load(folder / store.KERAS).name == json.loads((folder / store.CONFIG).read_text())["architecture"]


@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.stem)
def test_made_of_todays_operations_it_gives_the_same_stems(path: Path) -> None:
    known, network = np.load(path.with_suffix(".npz")), models.load(path)
    renewed = models.renewed(network, path.stem, preset_of(path.stem).model)
    assert renewed is not network
    np.testing.assert_allclose(renewed(known["mixture"]), known["stems"], atol=2e-5)


def test_of_other_sizes_it_stays_as_it_is() -> None:
    network = models.load(FOLDER / "wavenet.keras")
    other = dataclasses.replace(preset_of("wavenet").model, filters=5)  # type: ignore[call-arg]
    assert models.renewed(network, "wavenet", other) is network
