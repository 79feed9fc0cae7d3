"""How close an exported form is to Keras."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import write_track

from tfwavesep import store
from tfwavesep.backends import Backend, open_backend
from tfwavesep.data import find_tracks
from tfwavesep.release import fidelity


class Attenuated(Backend):
    """A backend whose estimates are too quiet by a factor."""

    name = "attenuated"

    def __init__(self, backend: Backend, factor: float) -> None:
        self.config, self.backend, self.factor = backend.config, backend, np.float32(factor)

    def predict(self, mixture: np.ndarray) -> np.ndarray:
        return self.factor * self.backend.predict(mixture)


def test_snr_is_the_ratio_of_energies() -> None:
    ones = np.ones(100, np.float32)
    assert fidelity.snr(ones, 0.9 * ones) == pytest.approx(20, abs=1e-3)
    assert fidelity.snr(ones, ones) == float("inf")
    assert fidelity.snr(0 * ones, 0 * ones) == float("inf")
    assert fidelity.snr(0 * ones, ones) == float("-inf")


def test_a_form_that_equals_keras_costs_nothing(model: Path, data_root: Path) -> None:
    backend = open_backend(str(model))
    (found,) = fidelity.measure(backend, [backend], find_tracks(data_root, "valid"))
    assert (found.tracks, found.snr) == (2, float("inf"))
    assert set(found.cost.values()) == {0.0}


def test_what_a_form_costs_is_seen(model: Path, data_root: Path) -> None:
    backend = open_backend(str(model))
    found, known = fidelity.measure(backend, [Attenuated(backend, 0.9), backend], find_tracks(data_root, "valid"))
    assert 15 < found.snr < 25
    assert max(abs(cost) for cost in found.cost.values()) > 0.01
    for target, cost in found.cost.items():
        assert known.sdr[target] - cost == pytest.approx(found.sdr[target])


def test_segments_are_what_the_network_sees(model: Path, tmp_path: Path) -> None:
    for name, seconds in (("a", 4), ("b", 0.5)):
        write_track(tmp_path / name, seconds, sample_rate=16000)
    config = replace(store.read(model).config, block=100)
    found = fidelity.segments(find_tracks(tmp_path, "test" if (tmp_path / "test").exists() else "train"), config)
    for segment in found:
        assert segment.shape == (1, config.input_length(16000), 1)
        assert segment.dtype == np.float32
        assert segment.any()
