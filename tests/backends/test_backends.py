"""Runtimes: the form of a path says which one; all give the same stems; damage is named in one line."""

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from tfwavesep import store
from tfwavesep.backends import Backend, litert, open_backend
from tfwavesep.backends.keras_file import KerasBackend
from tfwavesep.backends.litert import LiteRTBackend
from tfwavesep.backends.saved_model import SavedModelBackend
from tfwavesep.errors import ModelError


@pytest.fixture
def copy(model: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model, to be damaged; without checksums, so that each runtime has to see the damage."""
    folder = Path(shutil.copytree(model, tmp_path / "copy"))
    about = json.loads((folder / "config.json").read_text())
    del about["files"]
    (folder / "config.json").write_text(json.dumps(about))
    return folder


def mixture_for(backend: Backend, target_length: int, batch: int) -> np.ndarray:
    shape = (batch, backend.config.input_length(target_length), backend.config.channels)
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


@pytest.mark.parametrize(
    ("form", "backend"),
    [
        ("", LiteRTBackend),
        ("model.tflite", LiteRTBackend),
        ("1", SavedModelBackend),
        ("model.keras", KerasBackend),
    ],
)
def test_the_form_says_the_runtime_and_all_give_the_same_stems(model: Path, form: str, backend: type) -> None:
    opened, reference = open_backend(str(model / form)), open_backend(str(model / "model.keras"))
    assert type(opened) is backend
    assert opened.config == reference.config
    for target_length, batch in ((100, 1), (1000, 3), (1, 1)):
        mixture = mixture_for(opened, target_length, batch)
        estimates = opened.predict(mixture)
        assert estimates.dtype == np.float32
        assert estimates.shape == (batch, 3, target_length, 1)
        np.testing.assert_allclose(estimates, reference.predict(mixture), atol=1e-5)


@pytest.mark.parametrize(
    ("removed", "backend"),
    [((), LiteRTBackend), (("model.tflite",), SavedModelBackend), (("model.tflite", "1"), KerasBackend)],
)
def test_a_folder_opens_the_best_form_it_has(copy: Path, removed: tuple[str, ...], backend: type) -> None:
    for name in removed:
        shutil.rmtree(copy / name) if (copy / name).is_dir() else (copy / name).unlink()
    assert type(open_backend(str(copy))) is backend


def test_a_released_model_opens_by_name(model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(store, "released", lambda: {"small": model})
    assert type(open_backend("small")) is LiteRTBackend
    with pytest.raises(ModelError, match="did you mean 'small'"):
        open_backend("smal")


def test_estimates_do_not_change_when_the_next_ones_come(model: Path) -> None:
    """The runtime's own memory is not handed out."""
    backend = open_backend(str(model))
    mixture = mixture_for(backend, 100, 1)
    first = backend.predict(mixture)
    before = first.copy()
    backend.predict(-mixture)
    np.testing.assert_array_equal(first, before)


def cut(name: str, share: float) -> Callable[[Path], Path]:
    """Keeps only the first part of a file; opens the form it belongs to."""

    def damage(folder: Path) -> Path:
        (path,) = folder.glob(name)
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
        return folder / Path(name).parts[0]

    return damage


def overwrite_middle(name: str) -> Callable[[Path], Path]:
    def damage(folder: Path) -> Path:
        samples = bytearray((folder / name).read_bytes())
        middle = len(samples) // 2
        samples[middle : middle + 1000] = bytes(1000)
        (folder / name).write_bytes(samples)
        return folder / name

    return damage


def config_text(text: bytes) -> Callable[[Path], Path]:
    def damage(folder: Path) -> Path:
        (folder / "config.json").write_bytes(text)
        return folder

    return damage


def remove(*names: str) -> Callable[[Path], Path]:
    def damage(folder: Path) -> Path:
        for name in names:
            shutil.rmtree(folder / name) if (folder / name).is_dir() else (folder / name).unlink()
        return folder

    return damage


DAMAGES: dict[str, Callable[[Path], Path]] = {
    "no such path": lambda folder: folder / "nothing",
    "a file of no known form": lambda folder: folder / "config.json",
    "no config.json": remove("config.json"),
    "empty folder": remove("config.json", "model.tflite", "model.keras", "1"),
    "no form left": remove("model.tflite", "model.keras", "1"),
    "config.json ends early": config_text(b'{"architecture": "wavenet",'),
    "config.json is no object": config_text(b"[]"),
    "config.json is empty": config_text(b""),
    "config.json lacks keys": config_text(b"{}"),
    "config.json lacks the sizes": config_text(b'{"architecture": "wavenet"}'),
    "config.json lacks a size": config_text(b'{"architecture": "wavenet", "model": {"channels": 1}}'),
    "config.json lacks the context": config_text(
        b'{"model": {"sample_rate": 8000, "channels": 1, "stems": ["vocals"], "residual": "accompaniment"}}'
    ),
    "config.json has stems that do not exist": config_text(
        b'{"model": {"sample_rate": 8000, "channels": 1, "stems": ["a"], "residual": null}, "context": 1, "block": 1}'
    ),
    "config.json has the wrong kind of value": config_text(b'{"model": 3}'),
    "config.json is not UTF-8": config_text(b'{"architecture": "\xff"}'),
    "tflite is empty": cut("model.tflite", 0),
    "tflite has only a head": cut("model.tflite", 0.1),
    "tflite ends early": cut("model.tflite", 0.9),
    "keras is empty": cut("model.keras", 0),
    "keras ends early": cut("model.keras", 0.5),
    "keras is damaged inside": overwrite_middle("model.keras"),
    "saved model ends early": cut("1/saved_model.pb", 0.5),
    "weights end early": cut("1/variables/variables.data*", 0.1),
    "index of weights ends early": cut("1/variables/variables.index", 0.5),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_named_in_one_line(copy: Path, name: str) -> None:
    path = DAMAGES[name](copy)
    with pytest.raises(ModelError) as caught:
        open_backend(str(path))
    text = str(caught.value)
    assert str(copy) in text
    assert "\n" not in text


def test_models_of_others_are_refused(copy: Path) -> None:
    import tensorflow as tf

    module = tf.Module()
    module.f = tf.function(lambda x: 2 * x, input_signature=[tf.TensorSpec((None,), tf.float32)])
    shutil.rmtree(copy / "1")
    tf.saved_model.save(module, str(copy / "1"), module.f)
    (copy / "model.tflite").write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(copy / "1")).convert())
    for form in ("1", "model.tflite"):
        with pytest.raises(ModelError, match="of this package"):
            open_backend(str(copy / form))


def test_separating_with_tflite_is_quiet_and_imports_no_tensorflow(model: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.wav", np.zeros((1000, 2)), 16000)
    arguments = ["separate", str(tmp_path / "song.wav"), "-m", str(model), "-o", str(tmp_path)]
    code = (
        "import sys\n"
        "from tfwavesep_cli.main import cli\n"
        f"cli.main({arguments!r}, standalone_mode=False)\n"
        "print(sorted({'ai_edge_litert', 'tensorflow', 'keras'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "['ai_edge_litert']"
    assert "INFO" not in done.stderr
    assert (tmp_path / "song" / "vocals.wav").exists()


def in_lanes(model: Path, threads: int) -> LiteRTBackend:
    return LiteRTBackend(model / "model.tflite", store.read(model).config, threads)


@pytest.mark.parametrize("threads", [1, 2, 3, 9])
def test_segments_in_lanes_come_in_order_and_are_those_of_single_runs(model: Path, threads: int) -> None:
    backend = in_lanes(model, threads)
    mixtures = [mixture_for(backend, 300, 1) * gain for gain in np.float32([1, 0.5, -1, 0.1, 0.7, -0.2, 0.9])]
    for estimates, mixture in zip(backend.predict_many(mixtures), mixtures, strict=True):
        np.testing.assert_array_equal(estimates, backend.predict(mixture))


def test_two_songs_may_be_separated_in_turn(model: Path) -> None:
    """Of other lengths, in the same lanes, and one of them in a thread of its own."""
    backend = in_lanes(model, 2)
    gains = np.float32([1, 0.5, -1, 0.1])
    songs = [[mixture_for(backend, length, 1) * gain for gain in gains] for length in (300, 500)]
    expected = [[backend.predict(mixture) for mixture in song] for song in songs]
    with ThreadPoolExecutor(1) as pool:
        third = pool.submit(list, backend.predict_many(songs[1] * 3))
        in_turn = zip(*map(backend.predict_many, songs), strict=True)
        found = list(zip(*in_turn, strict=True))
    for estimates, wanted in zip([*found, third.result()], [*expected, expected[1] * 3], strict=True):
        np.testing.assert_array_equal(np.stack(estimates), np.stack(wanted))


@pytest.mark.parametrize(("seconds", "ahead"), [(0.0, 2), (1.0, 1)])
def test_segments_are_taken_ahead_only_from_a_source_that_is_faster_than_the_network(
    model: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, ahead: int
) -> None:
    """By a clock that only the source moves: a run takes no time."""
    clock, taken = [0.0], []
    monkeypatch.setattr(litert, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    backend = in_lanes(model, 2)

    def source() -> Iterator[np.ndarray]:
        for number in range(6):
            taken.append(number)
            clock[0] += seconds
            yield mixture_for(backend, 100, 1)

    assert max(len(taken) - number for number, _ in enumerate(backend.predict_many(source()))) == ahead


def test_an_unfinished_separation_leaves_no_thread(model: Path) -> None:
    backend = in_lanes(model, 2)
    segments = backend.predict_many(iter([mixture_for(backend, 100, 1)] * 5))
    next(segments)
    segments.close()
    assert not [thread for thread in threading.enumerate() if "ThreadPool" in thread.name]
