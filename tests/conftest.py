"""What several tests share: synthetic music with true stems, a small trained model, and real music if it is there."""

import json
import os
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from tfwavesep import config
from tfwavesep.stems import STEMS

if TYPE_CHECKING:
    from s3 import Buckets

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # on a disk that a test fills, Python leaves half of it, and reads that

DEMO_SONG = Path(__file__).parent.parent / "examples" / "demo_song"

Run = Callable[..., Result]


def synthetic_stems(seconds: float, sample_rate: int, seed: int) -> dict[str, np.ndarray]:
    """Four stereo stems that a tiny network can tell apart: a gliding tone, clicks, a low tone, noise."""
    noise = np.random.default_rng(seed)
    time = np.arange(int(seconds * sample_rate)) / sample_rate
    pitch = 300 + 100 * noise.random()
    vocals = 0.3 * np.sin(2 * np.pi * pitch * time + 3 * np.sin(2 * np.pi * 5 * time)) * (time % 1 < 0.7)
    drums = 0.3 * noise.standard_normal(len(time)) * np.exp(-40 * (time % 0.25))
    bass = 0.3 * np.sin(2 * np.pi * (50 + 20 * noise.random()) * time)
    other = 0.05 * noise.standard_normal(len(time))
    pan = noise.uniform(0.5, 1, (4, 2))
    mono = dict(zip(STEMS, (vocals, drums, bass, other), strict=True))
    return {s: (x[:, np.newaxis] * pan[i]).astype(np.float32) for i, (s, x) in enumerate(mono.items())}


def write_track(
    folder: Path, seconds: float = 3, sample_rate: int = 16000, seed: int = 0, mixture: bool = True
) -> None:
    """A track folder with its mixture and stems as 16-bit WAV."""
    folder.mkdir(parents=True)
    stems = synthetic_stems(seconds, sample_rate, seed)
    for stem, audio in stems.items():
        soundfile.write(folder / f"{stem}.wav", audio, sample_rate, "PCM_16")
    if mixture:
        soundfile.write(folder / "mixture.wav", sum(stems.values()), sample_rate, "PCM_16")


@pytest.fixture(scope="session")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three tracks to train on, two to validate on, one to test on."""
    root = tmp_path_factory.mktemp("data")
    for subset, count in (("train", 3), ("valid", 2), ("test", 1)):
        for number in range(count):
            write_track(root / subset / f"{subset} {number}", seed=hash((subset == "train", number)) % 1000)
    return root


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache of decoded tracks, away from the user's own."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["TFWAVESEP_CACHE"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def run() -> Run:
    """Run the command line as it is installed: `run("separate", path, ...)`; music is where it is told, only."""
    (script,) = entry_points(group="console_scripts", name="tfwavesep")
    group = __import__(script.module, fromlist=["cli"]).cli

    def invoke(*arguments: Any, **environment: str) -> Result:
        return CliRunner().invoke(group, [str(a) for a in arguments], env={"MUSDB_PATH": None, **environment})

    return invoke


@pytest.fixture(scope="session")
def trained(run: Run, data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training of the tiny preset, by the command line."""
    pytest.importorskip("tensorflow", reason="a training: needs pip install 'tfwavesep[train]'")
    workdir = tmp_path_factory.mktemp("runs") / "tiny"
    result = run("train", "tiny", "--data", data_root, "-o", workdir, "--set", "training.epochs=2")
    assert result.exit_code == 0, result.output
    return workdir


@pytest.fixture(scope="session")
def model(run: Run, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model, exported by the command line."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    result = run("export", trained, "-o", folder, "--licence", "CC0")
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="session")
def buckets() -> "Iterator[Buckets]":
    """A real S3 server on this machine, of which the environment tells."""
    pytest.importorskip("moto", reason="a store: needs pip install 'moto[s3]' flask flask-cors s3fs")
    from s3 import serving

    with serving() as running:
        yield running


@pytest.fixture(scope="session")
def musdb_root() -> Path:
    """MUSDB18, in any edition."""
    path = os.environ.get("MUSDB_PATH")
    if not path:
        pytest.skip("real music: set MUSDB_PATH to a folder with MUSDB18 (any edition)")
    return Path(path)


@pytest.fixture
def tiny() -> config.Preset:
    """The tiny preset."""
    return config.load_preset("tiny")


def config_of(model: Path) -> dict[str, Any]:
    """A model's `config.json`."""
    return json.loads((model / "config.json").read_text())


def ops(tflite: Path) -> list[str]:
    """The distinct ops of a `.tflite` file, sorted."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(tflite))
    return sorted({op["op_name"] for op in interpreter._get_ops_details() if op["op_name"] != "DELEGATE"})


def as_it_is(tflite: bytes) -> Callable[[np.ndarray], np.ndarray]:
    """Run a `.tflite` on segments, with no input resized."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=tflite)
    interpreter.allocate_tensors()
    taken, given = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def run(segment: np.ndarray) -> np.ndarray:
        interpreter.set_tensor(taken, segment)
        interpreter.invoke()
        return np.array(interpreter.get_tensor(given))

    return run


def pytest_configure(config: pytest.Config) -> None:
    """Let xdist hand out files in the order in which they are collected, not by the number of their tests."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first: files go to a process whole, and none should be left alone with one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the parity matrix that the conformance tests have measured."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    cells = [value for r in reports for name, value in r.user_properties if name == "parity" and r.when == "call"]
    if cells:
        terminalreporter.section("parity beside Keras: largest error as a share of the peak, least SNR")
        for architecture, form, error, ratio in cells:
            terminalreporter.write_line(f"{architecture:16} {form:20} {error:8.1e} {ratio:7.1f} dB")
