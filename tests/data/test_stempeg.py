"""musdb and museval work without FFmpeg's commands, and nobody else meets the stand-in."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from doubles import encode, tone

from tfwavesep.audio import read_stream
from tfwavesep.data import stempeg

PITCHES = (300, 440, 550, 660, 770)
"""One stream each, like a `.stem.mp4`: mixture, drums, bass, other, vocals."""

LENGTH = 9000


def python(code: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Run code where the only commands are those in `path`."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"PATH": str(path)})


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("container") / "A - B.stem.mp4"
    encode(path, "aac", 44100, *(tone(pitch=pitch, length=LENGTH) for pitch in PITCHES))
    return path


def test_musdb_alone_does_not_import_without_the_commands(tmp_path: Path) -> None:
    """What the next test would mean nothing without."""
    result = python("import musdb", tmp_path)
    assert result.returncode != 0
    assert "ffmpeg" in result.stderr


def test_musdb_and_museval_import_without_the_commands(tmp_path: Path) -> None:
    result = python(
        "from tfwavesep.data import stempeg\n"
        "stempeg.ensure()\n"
        "import sys, musdb, museval\n"
        "assert 'stempeg' not in sys.modules, 'stand-in left behind'\n"
        "assert musdb.audio_classes.stempeg.Info is stempeg.Info\n",
        tmp_path,
    )
    assert result.returncode == 0, result.stderr


def test_a_real_stempeg_that_is_there_stays(tmp_path: Path) -> None:
    result = python(
        "import sys, types\n"
        "real = sys.modules['stempeg'] = types.ModuleType('stempeg')\n"
        "from tfwavesep.data import stempeg\n"
        "stempeg.ensure()\n"
        "assert sys.modules['stempeg'] is real\n",
        tmp_path,
    )
    assert result.returncode == 0, result.stderr


def test_an_imported_musdb_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = object()
    monkeypatch.setitem(sys.modules, "musdb", mine)
    before = sys.modules.get("stempeg")
    stempeg.ensure()
    assert sys.modules["musdb"] is mine
    assert sys.modules.get("stempeg") is before


@pytest.mark.parametrize("number", range(len(PITCHES)))
def test_info_tells_rate_and_length(container: Path, number: int) -> None:
    info = stempeg.Info(str(container))
    assert info.rate(number) == 44100
    assert info.samples(number) == pytest.approx(info.duration(number) * 44100, abs=1e-6)
    assert info.duration(number) == pytest.approx(LENGTH / 44100, abs=1e-3)  # the container counts milliseconds


@pytest.mark.parametrize("number", range(len(PITCHES)))
def test_one_stream_is_decoded_to_16_bits(container: Path, number: int) -> None:
    decoded, sample_rate = stempeg.read_stems(str(container), number, ffmpeg_format="s16le")
    assert (decoded.dtype, decoded.ndim, sample_rate) == (np.float64, 2, 44100)
    np.testing.assert_array_equal(decoded * 32768, np.round(decoded * 32768))
    np.testing.assert_allclose(decoded, read_stream(container, number)[0], atol=0.5 / 32768)
    inner = slice(2000, LENGTH - 2000)
    np.testing.assert_allclose(decoded[inner], tone(pitch=PITCHES[number])[inner], atol=0.05)


@pytest.mark.parametrize("give_info", [True, False])
def test_all_streams_are_stacked_in_order(container: Path, give_info: bool) -> None:
    info = stempeg.Info(str(container)) if give_info else None
    stacked, sample_rate = stempeg.read_stems(str(container), info=info)
    assert sample_rate == 44100
    assert len(stacked) == len(PITCHES)
    for number, decoded in enumerate(stacked):
        np.testing.assert_array_equal(decoded, stempeg.read_stems(str(container), number)[0])


@pytest.mark.parametrize(("start", "duration"), [(0, 0.05), (0.02, None), (0.02, 0.05), (None, None)])
def test_a_part_is_cut_from_the_whole(container: Path, start: float | None, duration: float | None) -> None:
    """What a track's `chunk_start` and `chunk_duration` in musdb ask for."""
    whole, _ = stempeg.read_stems(str(container))
    part, _ = stempeg.read_stems(str(container), start=start, duration=duration)
    first = int(44100 * (start or 0))
    last = whole.shape[1] if duration is None else first + int(44100 * duration)
    np.testing.assert_array_equal(part, whole[:, first:last])
