"""A training that begins with a network: of a model, or of another training."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import Run

from tfwavesep import models, training
from tfwavesep.config import Preset, load_preset, override, write_json
from tfwavesep.errors import ConfigError, ModelError
from tfwavesep.training import trained as networks

STEP = ("training.epochs=1", "training.steps_per_epoch=1")


def weights_of(path: Path) -> list[np.ndarray]:
    return keras.saving.load_model(path / "model.keras").get_weights()


def apart(one: Path, other: Path) -> float:
    return max(np.abs(a - b).max() for a, b in zip(weights_of(one), weights_of(other), strict=True))


def test_it_begins_with_the_weights_at_a_tenth_of_the_rate(
    run: Run, model: Path, data_root: Path, tmp_path: Path
) -> None:
    settings = [argument for setting in STEP for argument in ("--set", setting)]
    result = run("train", "--from", model, "--data", data_root, "-o", tmp_path / "mine", *settings)
    assert result.exit_code == 0, result.output
    assert f"begins with the weights of {model}\n" in result.output
    preset = json.loads((tmp_path / "mine" / "config.json").read_text())
    rate, before = preset["training"]["learning_rate"], networks.read(model).preset.training.learning_rate
    assert rate == pytest.approx(before / 10)
    assert 0 < apart(tmp_path / "mine", model) <= 1.01 * rate  # Adam's first step is as long as its rate
    record = json.loads((tmp_path / "mine" / "run.json").read_text())
    assert record["data"]["start"] == networks.read(model).record_of_start()


def test_a_training_can_be_begun_with_too(trained: Path, tiny: Preset, data_root: Path, tmp_path: Path) -> None:
    start = training.begin(str(trained))
    preset = override(tiny, [*STEP, "training.learning_rate=1e-6"])
    training.train(preset, data_root, tmp_path / "mine", report=lambda line: None, start=start)
    assert apart(tmp_path / "mine", trained) <= 1.1e-6


def test_what_does_not_fit_begins_at_random_and_is_told(
    trained: Path, tiny: Preset, data_root: Path, tmp_path: Path
) -> None:
    told: list[str] = []
    preset = override(tiny, [*STEP, 'model.stems=["vocals"]', 'model.residual="accompaniment"'])
    training.train(preset, data_root, tmp_path / "mine", report=told.append, start=training.begin(str(trained)))
    (line,) = [line for line in told if line.startswith("begins with the weights")]
    assert "these begin at random" in line
    taken = np.isclose(weights_of(tmp_path / "mine")[0], weights_of(trained)[0], atol=0.01)
    assert taken.all()


def test_another_architecture_fits_nowhere(trained: Path, data_root: Path, tmp_path: Path, tiny: Preset) -> None:
    sizes = ["model.filters=3", "model.head=[5, 7]", 'model.stems=["vocals"]', 'model.residual="accompaniment"']
    other = override(tiny, [*STEP, *sizes])
    with pytest.raises(ModelError, match="none of its weights fits this preset"):
        training.train(other, data_root, tmp_path / "mine", report=lambda _: None, start=training.begin(str(trained)))


@pytest.mark.parametrize("setting", ["model.sample_rate=16000", "model.channels=2"])
def test_a_network_for_other_music_is_refused_before_the_data_is_touched(
    setting: str, trained: Path, tmp_path: Path, tiny: Preset
) -> None:
    name = setting.partition("=")[0]
    with pytest.raises(ConfigError, match=f"its {name} is .*begin with one of the same"):
        training.train(
            override(tiny, [setting]), tmp_path / "none", tmp_path / "mine", start=training.begin(str(trained))
        )


def test_it_goes_on_only_from_the_same_start(trained: Path, tiny: Preset, data_root: Path, tmp_path: Path) -> None:
    preset = override(tiny, STEP)
    training.train(preset, data_root, tmp_path / "mine", report=lambda line: None)
    with pytest.raises(ModelError, match="began otherwise; go on with the same --from"):
        training.train(
            preset, data_root, tmp_path / "mine", resume=True, report=print, start=training.begin(str(trained))
        )


def test_an_ensemble_begins_with_an_ensemble_of_as_many(trained: Path, data_root: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is of 1 networks, preset ensemble of 2: each begins with one"):
        training.train(load_preset("ensemble"), data_root, tmp_path, report=print, start=training.begin(str(trained)))


@pytest.mark.parametrize(
    ("form", "reason"), [("model.tflite", "its weights cannot be trained"), ("1", "cannot be trained")]
)
def test_forms_without_weights_to_train(run: Run, model: Path, tmp_path: Path, form: str, reason: str) -> None:
    result = run("train", "--from", model / form, "--data", tmp_path, "-o", tmp_path / "mine")
    assert result.exit_code == 1
    assert "its weights cannot be trained" in result.output
    assert not (tmp_path / "mine").exists()


def test_nothing_to_train(run: Run, tmp_path: Path) -> None:
    result = run("train", "--data", tmp_path, "-o", tmp_path / "mine")
    assert result.exit_code == 2
    assert "Name a PRESET, or a model with --from" in result.output


def test_the_numbers_that_keras_counts_on_do_not_matter(tiny: Preset, tmp_path: Path) -> None:
    """Layers without a name are called after how many there were before, in any network."""
    preset = override(tiny, [])
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        models.build(preset.architecture, preset.model).save(tmp_path / name / "model.keras")
        write_json(tmp_path / name / "config.json", preset.to_dict())
        write_json(tmp_path / name / "run.json", {})
    one, other = (networks.read(tmp_path / name).network for name in ("first", "second"))
    assert models.begin(preset.architecture, one, preset.model, other, preset.model) == []


def test_one_network_begins_with_the_first_of_several(
    trained: Path, tiny: Preset, data_root: Path, tmp_path: Path
) -> None:
    told: list[str] = []
    start = networks.join([networks.read(trained)] * 2)
    preset = override(tiny, [*STEP, "training.learning_rate=1e-6"])
    training.train(preset, data_root, tmp_path / "mine", report=told.append, start=start)
    assert f"begins with the weights of {trained}, the first of its 2 networks" in told
    assert apart(tmp_path / "mine", trained) <= 1.1e-6
