"""What there is to know about models on disk."""

import json
import re
import shutil
from pathlib import Path

import pytest
from conftest import Run, config_of

from tfwavesep import store
from tfwavesep.errors import ModelError
from tfwavesep.release import catalogue


@pytest.fixture
def copy(model: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model with scores, to be changed."""
    folder = Path(shutil.copytree(model, tmp_path / "copy"))
    about = config_of(folder)
    scores = {"tracks": 14, "scores": {"model": {"vocals": {"SDR": 3.145}, "drums": {"SDR": None}}}}
    about["tflite"]["beside_keras"] = {"tracks": 14, "snr": 35.5, "sdr": {}, "cost": {"vocals": 0.01, "bass": 0.02}}
    (folder / "config.json").write_text(json.dumps({**about, "scores": scores}))
    return folder


def test_facts_tell_what_config_tells(copy: Path) -> None:
    facts = catalogue.facts(catalogue.find(str(copy)))
    assert facts["separates"] == "vocals, drums, bass, other"
    assert facts["rate"] == "8 kHz mono"
    assert facts["architecture"] == "wavenet"
    assert facts["context"] == "34 samples, 0.00 s, on each side"
    assert facts["SDR"] == "vocals 3.15 on 14 tracks, in dB"
    assert facts["cost of the form"] == "35.5 dB SNR beside Keras; at most 0.02 dB of SDR (bass), on 14 tracks"
    assert facts["licence"] == "CC0"
    assert facts["files"] == "are those that were exported (SHA-256)"
    for name in ("model.tflite", "model.keras", "1"):
        assert f"{name} {store.size(store.read(copy), name) / 1e6:.1f} MB" in facts["forms"]


def test_sides_that_differ_are_both_told(copy: Path) -> None:
    about = config_of(copy)
    (copy / "config.json").write_text(json.dumps({**about, "lookahead": 4}))
    facts = catalogue.facts(store.read(copy))
    assert facts["context"] == "34 samples, 0.00 s, before; 4 samples, 0.00 s, after"


def test_an_ensemble_tells_its_networks() -> None:
    assert re.fullmatch(r"ensemble of \w+(, \w+)+", catalogue.facts(catalogue.find("accompaniment"))["architecture"])


def test_scores_tell_their_subset_and_trainings_their_data() -> None:
    facts = catalogue.facts(catalogue.find("default"))
    assert facts["SDR"].endswith("on 25 test tracks, in dB")
    assert facts["training"].endswith(", 115 songs, 1114 files of extra vocals")


@pytest.mark.parametrize(
    "damage",
    [
        {"scores": 3}, {"scores": {"scores": 1}}, {"scores": {"scores": {"model": {"vocals": 2}}}}, {"training": [1]},
        {"training": {"date": "today", "data": 7}}, {"tflite": "none"},
    ],
    ids=str,
)  # fmt: skip
def test_what_config_tells_must_be_what_is_written(copy: Path, damage: dict[str, object], run: Run) -> None:
    (copy / "config.json").write_text(json.dumps({**config_of(copy), **damage}))
    result = run("models", copy)
    assert result.exit_code == 1
    assert f"{copy}/config.json: is damaged: something of its scores, training or forms" in result.output


def test_what_is_not_known_is_left_out(model: Path) -> None:
    facts = catalogue.facts(store.read(model))
    assert "SDR" not in facts
    assert "cost of the form" not in facts


@pytest.mark.parametrize("name", ["model.tflite", "model.keras", "1/saved_model.pb"])
def test_every_form_is_checked(copy: Path, name: str) -> None:
    (copy / name).write_bytes((copy / name).read_bytes() + b"!")
    with pytest.raises(ModelError, match=f"{name}: is damaged or changed"):
        catalogue.find(str(copy))


def test_a_model_without_some_forms_is_whole(copy: Path) -> None:
    (copy / "model.keras").unlink()
    shutil.rmtree(copy / "1")
    assert "model.keras" not in catalogue.facts(catalogue.find(str(copy)))["forms"]


def test_the_command_lists_and_describes(copy: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = copy.parent / "broken"
    broken.mkdir()
    monkeypatch.setattr(store, "released", lambda: {"mine": copy, "broken": broken})
    monkeypatch.setenv("COLUMNS", "40")
    listed = run("models").output
    assert "mine" in listed
    assert "vocals 3.15" in listed
    assert "has no config.json" in listed
    described = run("models", "mine", copy)
    assert described.exit_code == 0, described.output
    assert described.output.count("8 kHz mono") == 2
    assert described.output.count(catalogue.facts(store.read(copy))["latency"]) == 2
    assert "Error: unknown model 'mnie': did you mean 'mine'?" in run("models", "mnie").output


def test_every_released_model_is_whole() -> None:
    found = catalogue.released()
    assert "default" in found
    for name in found:
        assert catalogue.facts(catalogue.find(name))["separates"]
