"""`tfwavesep live`, on ALSA's devices that are files, and on devices that fail; no sound card is needed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from ctypes.util import find_library
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Run

from tfwavesep.audio import devices
from tfwavesep.errors import AudioError, ConfigError
from tfwavesep.separation import Separator, parse_gains

RATE = 8000
DEVICES = """
pcm.!default {{ type plug slave.pcm "silent" }}
pcm.silent {{ type null hint {{ show on description "nothing" }} }}
pcm.tape {{ type file slave.pcm "silent" file "/dev/null" infile "{folder}/in.raw" format "raw"
  hint {{ show on description "a tape that plays" }} }}
pcm.deck {{ type file slave.pcm "silent" file "{folder}/out.raw" infile "/dev/zero" format "raw"
  hint {{ show on description "a deck that records" }} }}
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def live_model(run: Run, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model, which goes step by step."""
    folder = tmp_path_factory.mktemp("models") / "live"
    result = run("export", trained, "-o", folder, "--live")
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def song(tmp_path: Path) -> np.ndarray:
    """What the tape plays: three seconds, stereo."""
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (3 * RATE, 2)).astype(np.float32)
    samples.tofile(tmp_path / "in.raw")
    return samples


@pytest.fixture
def start(tmp_path: Path, song: np.ndarray) -> Iterator[Start]:
    """The command beside these devices alone, as a process of its own: PortAudio looks for devices once. None plays on
    when its test has failed."""
    if not (find_spec("sounddevice") and find_library("portaudio")):
        pytest.skip("live: needs pip install 'tfwavesep[live]', and libportaudio2")
    if not sys.platform.startswith("linux"):
        pytest.skip("live: ALSA's devices of files are Linux's")
    (tmp_path / "asoundrc").write_text(DEVICES.format(folder=tmp_path))

    def begin(*arguments: Any) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "tfwavesep_cli", "live", *map(str, arguments)]
        environment = {**os.environ, "ALSA_CONFIG_PATH": str(tmp_path / "asoundrc")}
        pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        begun.append(subprocess.Popen(command, env=environment, preexec_fn=_to_be_interrupted, **pipes))
        return begun[-1]

    begun: list[subprocess.Popen[str]] = []
    yield begin
    for process in begun:
        process.kill()
        process.communicate()


def _to_be_interrupted() -> None:
    """Though the tests may run in a shell's background, where interruptions are ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_devices_are_listed(start: Start) -> None:
    told, _ = start("--list-devices").communicate(timeout=120)
    for name in ("silent", "tape", "deck"):
        assert name in told
    assert "ALSA" in told


@pytest.mark.parametrize("block", [None, 400])
def test_what_is_played_are_the_files_stems_with_their_gains(
    start: Start, live_model: Path, song: np.ndarray, tmp_path: Path, block: int | None
) -> None:
    length = [] if block is None else ["--block", block]
    process = start("-m", live_model, "--input", "tape", "--output", "deck", "--gain", "vocals=0,drums=-6dB", *length)
    played, deadline = tmp_path / "out.raw", time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if played.exists() and played.stat().st_size > song.nbytes:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 0, told
    assert told.startswith("played ")
    assert told.rstrip().endswith("; 0 glitches")
    separator = Separator.load(str(live_model))
    late = int(np.ceil(separator.course(RATE, live=True, block=block).latency * RATE))
    stems = np.stack(list(separator.separate(song, RATE).values()))
    gains = np.array(parse_gains("vocals=0,drums=-6dB", separator.targets), np.float32)
    expected = np.tensordot(gains, stems, 1)[: 2 * RATE]
    found = np.fromfile(played, np.float32).reshape(-1, 2)
    assert not found[:late].any()
    np.testing.assert_allclose(found[late : late + len(expected)], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--input", "phone"], "phone: no device with inputs; there are: 0 silent"),
        (["--input", "silent", "--output", "t"], "t: several devices with outputs"),
        (["--input", "tape", "--output", "deck", "-m", "MODEL", "--gain", "vocal=0"], "did you mean 'vocals'?"),
        (["--input", "tape", "--output", "deck", "-m", "MODEL", "--block", "0"], "block = 0: a positive multiple of 1"),
        (["--input", "tape", "--output", "deck", "-m", "PLAIN"], "was not exported to go step by step"),
    ],
)
def test_what_cannot_be_is_one_line(
    start: Start, live_model: Path, model: Path, arguments: list[str], message: str
) -> None:
    named = {"MODEL": str(live_model), "PLAIN": str(model)}
    process = start(*(named.get(each, each) for each in arguments))
    _, told = process.communicate(timeout=120)
    assert process.returncode == 1
    assert told.startswith("Error: ")
    assert message in told
    assert told.count("\n") == 1


class Failing:
    """What of sounddevice is used, of a device that does as it is told."""

    class PortAudioError(Exception):
        pass

    def __init__(self, reads: list[Any]) -> None:
        self._reads = iter(reads)
        self.latency = (0.01, 0.02)

    def query_hostapis(self) -> list[dict[str, str]]:
        return [{"name": "ALSA"}]

    def query_devices(self, kind: str | None = None) -> Any:
        numbers = {"max_input_channels": 1, "max_output_channels": 2, "default_samplerate": 44100.0, "hostapi": 0}
        card = {"name": "card", "index": 0, **numbers}
        return card if kind else [card]

    def check_input_settings(self, *settings: Any) -> None:
        if settings[-1] != 44100:
            raise self.PortAudioError("Invalid sample rate")

    check_output_settings = check_input_settings

    def Stream(self, *_: Any) -> "Failing":  # noqa: N802
        return self

    def start(self) -> None: ...

    def close(self) -> None: ...

    def read(self, frames: int) -> tuple[np.ndarray, bool]:
        given = next(self._reads)
        if isinstance(given, Exception):
            raise given
        return np.zeros((frames, 1), np.float32), given

    def write(self, samples: np.ndarray) -> bool:
        assert samples.shape[1] == 2
        return bool(samples.any())


def failing(monkeypatch: pytest.MonkeyPatch, *reads: Any) -> devices.Duplex:
    card = Failing(list(reads))
    monkeypatch.setattr(devices, "_sounddevice", lambda: card)
    return devices.Duplex(devices.find(None, "inputs"), devices.find("card", "outputs"), 44100, 64)


def test_a_rate_that_a_device_does_not_take_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is heard is resampled then."""
    failing(monkeypatch)
    card = devices.find("card", "inputs")
    assert devices.fitting_rate(card, card, 44100) == 44100
    assert devices.fitting_rate(card, card, 8000) == 44100


def test_lost_sound_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    with failing(monkeypatch, False, True, True) as sound:
        for _ in range(3):
            sound.write(sound.read())
        assert sound.glitches == 2
        sound.write(np.ones((64, 1), np.float32))  # too late
        assert sound.glitches == 3
        assert sound.latency == pytest.approx(0.03)


def test_a_device_that_is_unplugged_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with failing(monkeypatch, False, Failing.PortAudioError("Device unavailable")) as sound:
        sound.read()
        with pytest.raises(AudioError, match="card: Device unavailable; is it there, free, and at 44100 Hz"):
            sound.read()


def test_a_device_that_is_busy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: Any) -> None:
        raise Failing.PortAudioError("Error opening Stream: Device unavailable [PaErrorCode -9985]")

    monkeypatch.setattr(Failing, "Stream", busy)
    with pytest.raises(AudioError, match=r"card: .*Device unavailable .*; is it there, free, and at 44100 Hz\?"):
        failing(monkeypatch)


def test_gains_are_factors_or_decibels() -> None:
    targets = ("vocals", "drums", "other")
    assert parse_gains("", targets) == [1, 1, 1]
    assert parse_gains("other=2, drums=-20dB", targets) == [1, 0.1, 2]
    assert parse_gains("vocals=-infdB", targets) == [0, 1, 1]


@pytest.mark.parametrize(
    "text", ["vocals", "vocals=", "vocals=loud", "vocals=-1", "vocals=60dB", "voice=1", "drums=nan"]
)
def test_other_gains_are_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_gains(text, ("vocals", "drums"))
