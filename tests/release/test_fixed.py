"""A file of one fixed length: the same stems bit for bit, less in it, and it tells what it takes."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from conftest import Run, as_it_is, config_of, ops

from tfwavesep import store
from tfwavesep.backends import Backend, open_backend, open_form
from tfwavesep.errors import ConfigError, ModelError
from tfwavesep.release import fixed
from tfwavesep.release.fixed import Lengths


@pytest.fixture(scope="module")
def backend() -> Backend:
    """The released model, of any length."""
    return open_backend("default")


@pytest.fixture(scope="module")
def lengths(backend: Backend) -> Lengths:
    return Lengths.of(backend.config, 1)


@pytest.fixture(scope="module")
def file(lengths: Lengths) -> bytes:
    """The released model, of one."""
    tflite, config = fixed.read("default")
    return fixed.fix(tflite, config, lengths)


def segments(backend: Backend, lengths: Lengths, count: int) -> list[np.ndarray]:
    noise = np.random.default_rng(0)
    shape = (1, lengths.input_length, backend.config.channels)
    return [np.float32(0.1) * noise.standard_normal(shape, np.float32) for _ in range(count)]


def test_stems_are_the_same_bit_for_bit_in_every_run(backend: Backend, lengths: Lengths, file: bytes) -> None:
    run = as_it_is(file)
    for segment in segments(backend, lengths, 4):
        np.testing.assert_array_equal(run(segment), backend.predict(segment))


def test_no_shape_is_left_to_compute(file: bytes, tmp_path: Path) -> None:
    """And every tensor has a shape that says how long it is: some runtimes believe what is written there."""
    (tmp_path / "fixed.tflite").write_bytes(file)
    assert "SHAPE" in ops(store.locate("default") / "model.tflite")
    assert not {"SHAPE", "PACK", "REDUCE_PROD"} & set(ops(tmp_path / "fixed.tflite"))
    (graph,) = schema.ModelT.InitFromPackedBuf(file, 0).subgraphs
    assert all(each.shapeSignature is None for each in graph.tensors)
    assert len(file) < (store.locate("default") / "model.tflite").stat().st_size


def test_constants_are_in_the_file_and_aligned(file: bytes) -> None:
    model = schema.Model.GetRootAs(file)
    buffers = [model.Buffers(number) for number in range(model.BuffersLength())]
    assert not any(buffer.Offset() or buffer.Size() for buffer in buffers)
    places = [buffer._tab.Vector(buffer._tab.Offset(4)) for buffer in buffers if buffer.DataLength()]
    assert len(places) > 10
    assert {place % fixed.ALIGNMENT for place in places} == {0}


def test_it_tells_its_lengths(backend: Backend, lengths: Lengths, file: bytes) -> None:
    config = backend.config
    assert fixed.told(file) == lengths
    assert lengths.target_length == round(config.sample_rate / config.block) * config.block
    assert lengths.input_length == config.context + lengths.target_length + config.lookahead


def test_an_exported_tflite_runs_as_it_is_and_tells_with_which_lengths(model: Path) -> None:
    file, told = (model / "model.tflite").read_bytes(), config_of(model)["tflite"]
    lengths = fixed.told(file)
    assert lengths is not None
    assert (told["input_length"], told["target_length"]) == (lengths.input_length, lengths.target_length)
    backend = open_backend(str(model))
    (segment,) = segments(backend, lengths, 1)
    np.testing.assert_array_equal(as_it_is(file)(segment), backend.predict(segment))


def test_a_file_without_lengths_tells_none(model: Path) -> None:
    file = schema.ModelT.InitFromPackedBuf((model / "model.tflite").read_bytes(), 0)
    file.metadata = None
    assert fixed.told(fixed._pack(file)) is None


def test_command_writes_a_released_model_without_tensorflow(lengths: Lengths, file: bytes, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom tfwavesep_cli.main import cli\n"
        f"cli(['export', 'default', '-o', {str(tmp_path / 'fixed.tflite')!r}, '--fixed', '1'], standalone_mode=False)\n"
        "print({'tensorflow', 'keras'} & set(sys.modules))"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert f"wrote {tmp_path / 'fixed.tflite'}: {lengths}" in output
    assert output.strip().endswith("set()")
    assert (tmp_path / "fixed.tflite").read_bytes() == file


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["default", "-o", "fixed.tflite", "--fixed", "0"], "fixed = 0.0: above 0 and at most 60 seconds"),
        (["default", "-o", "fixed.tflite", "--fixed", "nan"], "fixed = nan: above 0"),
        (["default", "-o", "fixed", "--fixed", "1"], "ends in .tflite"),
        (["default", "default", "-o", "fixed.tflite", "--fixed", "1"], "takes one model"),
        (["default", "-o", "fixed.tflite", "--fixed", "1", "--quantize", "none"], "--quantize does not go with"),
        (["defualt", "-o", "fixed.tflite", "--fixed", "1"], "did you mean 'default'?"),
        (["default", "-o", "there.tflite", "--fixed", "1"], "there.tflite: exists already; --overwrite"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    arguments: list[str], part: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.tflite").write_text("mine")
    result = run("export", *arguments)
    assert result.exit_code
    assert part in result.output
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("there.tflite", "mine")]


def test_a_training_and_a_model_without_a_tflite_are_refused(trained: Path, model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is a training, not a model"):
        fixed.export_fixed(str(trained), tmp_path / "fixed.tflite", 1)
    copy = Path(shutil.copytree(model, tmp_path / "copy"))
    (copy / "model.tflite").unlink()
    with pytest.raises(ModelError, match=r"copy: has no model\.tflite"):
        fixed.export_fixed(str(copy), tmp_path / "fixed.tflite", 1)
    (copy / "model.tflite").write_bytes(b"other")
    with pytest.raises(ModelError, match="is damaged or changed"):
        fixed.export_fixed(str(copy), tmp_path / "fixed.tflite", 1)
    assert not (tmp_path / "fixed.tflite").exists()


@pytest.mark.parametrize("damage", [b"", b"nonsense" * 100])
def test_what_is_no_tflite_is_refused(damage: bytes, backend: Backend, lengths: Lengths) -> None:
    with pytest.raises(ModelError, match="not a TFLite model"):
        fixed.fix(damage, backend.config, lengths)


def test_a_length_that_no_network_yields_is_refused(backend: Backend) -> None:
    with pytest.raises(ConfigError, match="at most 60 seconds"):
        Lengths.of(backend.config, 61)


def test_separating_with_it_is_refused_in_a_line(backend: Backend, file: bytes, tmp_path: Path) -> None:
    (tmp_path / "fixed.tflite").write_bytes(file)
    with pytest.raises(ModelError, match=r"fixed\.tflite: takes one fixed length"):
        open_form(tmp_path / "fixed.tflite", backend.config)
