"""Models that go step by step: the same stems as of a file, in every form, in blocks of any whole number."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import Run, as_it_is, ops

from tfwavesep import models
from tfwavesep.backends import Backend, open_form
from tfwavesep.errors import ConfigError, ModelError
from tfwavesep.models.banded_wavenet import Config
from tfwavesep.release import export, fixed, quantization, signatures
from tfwavesep.separation import Separator
from tfwavesep.store import StoredConfig

SMALL = Config(
    sample_rate=1000, channels=2, stems=("vocals", "accompaniment"), size=16, hop=4, groups=2,
    bands=((2, 1), (1, 2)), filters=3, stacks=2, dilations=2, mixing=2, ahead=2,
)  # fmt: skip
STORED = StoredConfig.of(SMALL)
FORMS = [f"{form}.tflite" for form in export.LIVE] + ["1", "model.keras"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network with random weights in every form that goes live."""
    keras.utils.set_random_seed(0)
    network = models.build("banded_wavenet", SMALL)
    folder = tmp_path_factory.mktemp("live")
    network.save(folder / "model.keras")
    signatures.write(network, STORED, folder / "1", live=True)
    tflite = export.to_tflite(folder / "1", live=True)
    for form in export.LIVE:
        file = fixed.with_default_length(quantization.quantize(tflite, form), STORED)
        (folder / f"{form}.tflite").write_bytes(file)
    return folder


def song(length: int, channels: int = 2) -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal((length, channels))).astype(np.float32)


def live(separator: Separator, mixture: np.ndarray, rate: int, block: int | None, cut: int = 97) -> np.ndarray:
    """Stems of what arrives `cut` samples at a time."""
    stream = separator.open(rate, mixture.shape[1], live=True, block=block)
    blocks = [mixture[place : place + cut] for place in range(0, len(mixture), cut)]
    return np.concatenate([piece.stems for piece in stream.run(blocks)], axis=1)


def of_a_file(separator: Separator, mixture: np.ndarray, rate: int) -> np.ndarray:
    return np.stack(list(separator.separate(mixture, rate).values()))


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_stems_of_the_file(folder: Path, form: str) -> None:
    separator = Separator(open_form(folder / form, STORED))
    for channels, rate, block in ((2, 1000, None), (2, 1000, 12), (1, 1000, 4), (5, 1000, 8), (2, 1600, None)):
        mixture = song(1003, channels)
        expected = of_a_file(separator, mixture, rate)
        np.testing.assert_allclose(
            live(separator, mixture, rate, block), expected, atol=1e-5, err_msg=f"{rate}, {block}"
        )


def test_an_hour_is_as_exact_as_a_second(folder: Path) -> None:
    separator = Separator(open_form(folder / "none.tflite", STORED))
    mixture = song(3600 * 1000)
    found = live(separator, mixture, 1000, block=4000, cut=4000)
    np.testing.assert_allclose(found, of_a_file(separator, mixture, 1000), atol=1e-5)


def test_states_have_the_names_of_their_layers_and_ops_are_native(folder: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    path = folder / "none.tflite"
    signature = Interpreter(model_path=str(path)).get_signature_list()["step"]
    states = set(signature["inputs"]) - {"mixture"}
    assert {"stft", "inverse_stft", "block01_dilation1", "kept_mixture"} <= states
    assert states == set(signature["outputs"]) - {"stems"}
    assert not [op for op in ops(path) if op.startswith(("Flex", "CUSTOM"))]


def test_transforms_stay_exact_where_weights_are_rounded(folder: Path) -> None:
    """In the graphs of both signatures: the same names tell which they are."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(folder / "int8-weights.tflite"))
    for graph in (0, 1):
        tensors = interpreter.get_tensor_details(subgraph_index=graph)
        fourier = [each["dtype"] for each in tensors if re.search(quantization.FOURIER, each["name"])]
        assert np.float32 in fourier
        assert np.int8 not in fourier
        assert np.int8 in [each["dtype"] for each in tensors]


def test_a_file_of_one_fixed_length_is_that_of_a_model_that_goes_not_live(folder: Path) -> None:
    lengths = fixed.Lengths.of(STORED, 0.4)
    run = as_it_is(fixed.fix((folder / "none.tflite").read_bytes(), STORED, lengths))
    segment = song(lengths.input_length)[np.newaxis]
    np.testing.assert_array_equal(run(segment), open_form(folder / "none.tflite", STORED).predict(segment))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"block": 10}, r"block = 10: a positive multiple of 4 samples \(nearest: 8\)"),
        ({"block": 0}, r"block = 0: a positive multiple of 4 samples \(nearest: 4\)"),
        ({"start": 7}, r"start = 7: live music begins with its first sample"),
        ({"live": False, "block": 4}, r"block = 4: only live"),
    ],
)
def test_what_cannot_go_live_is_refused(folder: Path, arguments: dict[str, int], message: str) -> None:
    separator = Separator(open_form(folder / "none.tflite", STORED))
    with pytest.raises(ConfigError, match=message):
        separator.open(1000, 2, **{"live": True, **arguments})  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["model.tflite", "1"])
def test_a_model_without_steps_says_how_it_gets_them(model: Path, form: str) -> None:
    from tfwavesep import store

    separator = Separator(open_form(model / form, store.read(model).config))
    with pytest.raises(ModelError, match=r"was not exported to go step by step: `tfwavesep export --live`"):
        separator.open(8000, 1, live=True)


def test_a_server_does_not_go_step_by_step(folder: Path) -> None:
    class Served(Backend):
        config, name = STORED, "TensorFlow Serving"

    with pytest.raises(ModelError, match="TensorFlow Serving does not go step by step"):
        Separator(Served()).open(1000, 2, live=True)


def test_a_trained_model_is_exported_to_go_live(run: Run, trained: Path, tmp_path: Path) -> None:
    result = run("export", trained, "-o", tmp_path / "live", "--live", "--quantize", "int8-weights")
    assert result.exit_code == 0, result.output
    separator = Separator.load(str(tmp_path / "live"))
    mixture = song(4001, 1)
    expected = of_a_file(separator, mixture, 8000)
    np.testing.assert_allclose(live(separator, mixture, 8000, 64), expected, atol=1e-5)
    told = run("models", tmp_path / "live")
    assert "step by step, 24 ms behind the music" in told.output


@pytest.mark.parametrize("form", ["dynamic", "int8"])
def test_forms_whose_stems_would_not_be_the_files_do_not_go_live(tmp_path: Path, form: str) -> None:
    with pytest.raises(ConfigError, match=f"quantisation {form}: live models compute in float32"):
        export.check(tmp_path / "model", overwrite=False, quantize=form, data=tmp_path, live=True)


def test_what_differs_step_by_step_is_not_written(
    run: Run, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "STEPS_DIFFER", -1.0)
    result = run("export", trained, "-o", tmp_path / "live", "--live")
    assert result.exit_code == 1
    assert "differs step by step" in result.output
    assert not list(tmp_path.iterdir())
