"""Trained networks: read with all that is known of them, and several as one model that explains itself."""

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import Run, config_of

from tfwavesep import models
from tfwavesep.config import Preset, override, preset_from_dict, write_json
from tfwavesep.errors import ConfigError, ModelError
from tfwavesep.separation import Separator
from tfwavesep.training import trained

SONG = np.random.default_rng(0).standard_normal((20_000, 1)).astype(np.float32) / 8


def finished(folder: Path, preset: Preset, seed: int, date: str = "2026-01-01T00:00:00") -> Path:
    """The folder of a training that left random weights."""
    keras.utils.set_random_seed(seed)
    folder.mkdir()
    write_json(folder / "config.json", preset.to_dict())
    write_json(folder / "run.json", {"date": date, "data": {"songs": seed}})
    models.build(preset.architecture, preset.model).save(folder / "model.keras")
    return folder


def test_one_stays_as_it_is(tiny: Preset, tmp_path: Path) -> None:
    one = trained.read(finished(tmp_path / "one", tiny, 1))
    assert trained.join([one]) is one
    assert (one.preset, one.record["data"], one.licence) == (tiny, {"songs": 1}, "not stated")


def test_a_model_is_read_with_its_licence(model: Path) -> None:
    assert trained.read(model).licence == trained.read(model / "model.keras").licence == "CC0"


def test_a_released_model_is_read_by_its_name() -> None:
    assert trained.read(Path("live")).preset.name == "live"


def test_its_network_is_of_todays_operations(tiny: Preset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the file holds."""
    run = finished(tmp_path / "run", tiny, 1)
    old = models.load(run / "model.keras")
    monkeypatch.setattr(models, "load", lambda path: old)
    network = trained.read(run).network
    assert network is not old
    for weight, other in zip(network.get_weights(), old.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, other)


@pytest.mark.parametrize("name", ["config.json", "model.keras", "run.json"])
def test_a_training_that_is_not_finished_is_refused(name: str, tiny: Preset, tmp_path: Path) -> None:
    run = finished(tmp_path / "run", tiny, 1)
    (run / name).unlink()
    with pytest.raises(ModelError, match=f"run: has no {name}; it must be the folder of a finished `tfwavesep train`"):
        trained.read(run)


def test_several_trainings_become_one_model(run: Run, tiny: Preset, tmp_path: Path) -> None:
    """It gives the mean of the stems, tells of each training, and can be written anew."""
    other = override(tiny, ["model.filters=4", "model.dilations=6"])
    runs = [finished(tmp_path / "one", tiny, 1), finished(tmp_path / "two", other, 2, "2026-02-02T00:00:00")]
    for each in (*runs, tmp_path / "both"):
        sources = runs if each.name == "both" else [each]
        result = run("export", *sources, "-o", tmp_path / "models" / each.name, "--licence", each.name)
        assert result.exit_code == 0, result.output
    one, two, both = (Separator.load(str(tmp_path / "models" / name)) for name in ("one", "two", "both"))
    stems = both.separate(SONG, 8000)
    for target in ("vocals", "drums", "bass"):
        mean = (one.separate(SONG, 8000)[target] + two.separate(SONG, 8000)[target]) / 2
        np.testing.assert_allclose(stems[target], mean, atol=1e-6)
    np.testing.assert_allclose(sum(stems.values()), SONG, atol=1e-6)

    told = config_of(tmp_path / "models" / "both")
    assert [member["preset"] for member in told["training"]["members"]] == [tiny.to_dict(), other.to_dict()]
    assert told["context"] == other.model.context > tiny.model.context
    assert told["description"] == f"The mean of 2 networks. The first: {tiny.description}"
    again = trained.read(tmp_path / "models" / "both")
    assert again.preset == preset_from_dict(told["preset"])
    assert again.licence == "both"
    assert "2026-01-01, 1 songs; 2026-02-02, 2 songs" in run("models", tmp_path / "models" / "both").output


def test_licences_of_all_are_told(tiny: Preset, tmp_path: Path) -> None:
    one, two, three = (trained.read(finished(tmp_path / str(n), tiny, n)) for n in range(3))
    together = trained.join([one, dataclasses.replace(two, licence="CC0"), dataclasses.replace(three, licence="CC0")])
    assert together.licence == "not stated; CC0"


def test_networks_of_different_rates_or_stems_are_refused(run: Run, tiny: Preset, tmp_path: Path) -> None:
    one = trained.read(finished(tmp_path / "one", tiny, 1))
    other = trained.read(finished(tmp_path / "two", override(tiny, ["model.sample_rate=16000"]), 2))
    with pytest.raises(ConfigError, match=r"two: sample_rate is 16000, but 8000 in .*one; one model has one"):
        trained.join([one, other])
    result = run("export", one.run, other.run, "-o", tmp_path / "both")
    assert result.exit_code == 1
    assert not (tmp_path / "both").exists()
