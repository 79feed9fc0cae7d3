"""Quantised forms: small, close to Keras, native, of any length, and as good for quiet music as for loud."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import Run, config_of, ops, synthetic_stems

from tfwavesep import models, store
from tfwavesep.backends import open_backend
from tfwavesep.backends.litert import LiteRTBackend
from tfwavesep.errors import ConfigError, ModelError
from tfwavesep.release import fidelity, quantization
from tfwavesep.release.export import LEAST_SNR
from tfwavesep.release.quantization import FORMS, quantize


@pytest.fixture(scope="module")
def config(model: Path) -> store.StoredConfig:
    return store.read(model).config


def music(config: store.StoredConfig, seed: int, target_length: int = 4000) -> np.ndarray:
    length = config.input_length(target_length)
    stems = synthetic_stems(length / config.sample_rate, config.sample_rate, seed)
    return sum(stems.values())[np.newaxis, :length, : config.channels]


@pytest.fixture(scope="module")
def forms(model: Path, config: store.StoredConfig, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every form of the tiny model, calibrated on synthetic music."""
    tflite = (model / "model.tflite").read_bytes()
    calibration = [music(config, seed) for seed in range(4)]
    folder = tmp_path_factory.mktemp("forms")
    for form in FORMS:
        (folder / f"{form}.tflite").write_bytes(quantize(tflite, form, calibration))
    return {form: folder / f"{form}.tflite" for form in FORMS}


@pytest.mark.parametrize("form", FORMS)
def test_a_form_stays_close_to_keras_in_any_length_and_batch(
    form: str, forms: dict[str, Path], model: Path, config: store.StoredConfig
) -> None:
    reference, backend = open_backend(str(model / "model.keras")), LiteRTBackend(forms[form], config)
    for target_length, batch in ((4000, 1), (500, 3), (6000, 1)):
        mixture = np.repeat(music(config, 9, target_length), batch, axis=0)
        assert fidelity.snr(reference.predict(mixture), backend.predict(mixture)) >= LEAST_SNR[form]


@pytest.mark.parametrize("form", FORMS)
def test_a_form_has_native_ops_only(form: str, forms: dict[str, Path]) -> None:
    assert not [op for op in ops(forms[form]) if op.startswith(("Flex", "CUSTOM"))]


def test_weights_get_smaller(forms: dict[str, Path]) -> None:
    """Their bytes, that is: most of so small a file is its graph."""
    bytes_of = {form: _weight_bytes(path) for form, path in forms.items()}
    assert bytes_of["float16"] < 0.6 * bytes_of["none"]
    assert all(bytes_of[form] < 0.4 * bytes_of["none"] for form in ("int8-weights", "dynamic", "int8"))


def _weight_bytes(path: Path) -> int:
    """Of the four-dimensional constants, the kernels."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    outputs = {index for op in interpreter._get_ops_details() for index in op["outputs"]}
    kernels = [
        tensor
        for tensor in interpreter.get_tensor_details()
        if len(tensor["shape"]) == 4 and tensor["index"] not in outputs
    ]
    return sum(int(np.prod(tensor["shape"])) * np.dtype(tensor["dtype"]).itemsize for tensor in kernels)


@pytest.mark.parametrize("form", ["float16", "int8-weights", "int8"])
def test_quiet_music_keeps_its_quality(form: str, forms: dict[str, Path], config: store.StoredConfig) -> None:
    """40 dB below what was calibrated on; a network that is int8 throughout has nothing left there."""
    float32, backend = LiteRTBackend(forms["none"], config), LiteRTBackend(forms[form], config)
    mixture = np.float32(0.01) * music(config, 9)
    assert fidelity.snr(float32.predict(mixture), backend.predict(mixture)) >= LEAST_SNR[form]


@pytest.mark.parametrize("form", ["none", "float16", "int8-weights", "int8"])
def test_stems_do_not_depend_on_where_segments_begin(
    form: str, forms: dict[str, Path], config: store.StoredConfig
) -> None:
    backend = LiteRTBackend(forms[form], config)
    mixture = music(config, 9, 4000)
    mixture[:, :2000] *= 0.1
    whole = backend.predict(mixture)
    part = backend.predict(mixture[:, : config.input_length(1000)])
    np.testing.assert_allclose(part, whole[:, :, :1000], atol=1e-5)


def test_what_grows_as_music_becomes_quiet_is_computed_in_int8_in_a_range_that_holds_it() -> None:
    """As levels do, which are logarithms."""
    loud, quiet = {"min": np.array(-2.0), "max": np.array(1.0)}, {"min": np.array(-4.0), "max": np.array(0.5)}
    assert quantization._steady(loud, quiet)
    assert quantization._both(loud, quiet) == {"min": -4, "max": 1}
    assert not quantization._steady(quiet, {"min": np.array(-0.4), "max": np.array(0.05)})


def test_a_form_that_does_not_exist_is_named() -> None:
    with pytest.raises(ConfigError, match="unknown quantisation 'float8': did you mean 'float16'"):
        quantize(b"", "float8")


def test_int8_without_music_is_refused(model: Path) -> None:
    with pytest.raises(ConfigError, match="--data"):
        quantize((model / "model.tflite").read_bytes(), "int8")


@pytest.mark.parametrize("damage", [b"", b"nonsense" * 100])
def test_what_is_no_tflite_is_refused(damage: bytes) -> None:
    with pytest.raises(ModelError, match="cannot be written as float16"):
        quantize(damage, "float16")


def test_quantising_is_silent(model: Path, config: store.StoredConfig, capfd: pytest.CaptureFixture[str]) -> None:
    quantize((model / "model.tflite").read_bytes(), "int8", [music(config, 0)])
    assert "".join(capfd.readouterr()) == ""


def test_export_tells_what_a_form_costs(trained: Path, data_root: Path, run: Run, tmp_path: Path) -> None:
    """On the music that MUSDB_PATH names, too."""
    folder = tmp_path / "small"
    result = run("export", trained, "-o", folder, "--quantize", "int8", MUSDB_PATH=str(data_root))
    assert result.exit_code == 0, result.output
    told = config_of(folder)["tflite"]
    assert told["quantisation"] == "int8"
    assert told["bytes"] == (folder / "model.tflite").stat().st_size
    beside = told["beside_keras"]
    assert beside["tracks"] == 2
    assert beside["snr"] >= LEAST_SNR["int8"]
    assert list(beside["sdr"]) == list(beside["cost"]) == ["vocals", "drums", "bass", "other", "accompaniment"]
    assert all(abs(cost) < 0.5 for cost in beside["cost"].values())


def test_a_model_folder_is_exported_anew(model: Path, run: Run, tmp_path: Path) -> None:
    result = run("export", model, "-o", tmp_path / "half", "--quantize", "float16")
    assert result.exit_code == 0, result.output
    old, new = config_of(model), config_of(tmp_path / "half")
    assert {key: new[key] for key in old if key not in ("files", "tflite")} == {
        key: old[key] for key in old if key not in ("files", "tflite")
    }
    assert new["tflite"]["quantisation"] == "float16"
    assert new["tflite"]["beside_keras"] is None
    assert json.dumps(new["files"]) != json.dumps(old["files"])


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--quantize", "int4"], "unknown quantisation 'int4'"),
        (["--quantize", "int8"], "--data or MUSDB_PATH"),
        (["--quantize", "int8", "--data", "nowhere"], "nowhere: no such data folder"),
        (["--data", "nowhere"], "nowhere: no such data folder"),
    ],
)
def test_quantisations_that_cannot_be_meant_are_refused_before_any_work(
    arguments: list[str], part: str, trained: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(models, "load")
    result = run("export", trained, "-o", tmp_path / "model", *arguments)
    assert result.exit_code == 1
    assert part in result.output
    assert list(tmp_path.iterdir()) == []
