"""The documentation tells the truth about commands, presets and the demo song."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tfwavesep import config, models
from tfwavesep.stems import STEMS
from tfwavesep.store import released

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PRESETS = (ROOT / "docs" / "presets.md").read_text()
DEMO_SONG = ROOT / "examples" / "demo_song"


@pytest.mark.parametrize("target", ["demo", "test"])
def test_makefile_wraps_the_readmes_commands(target: str) -> None:
    lines = (ROOT / "Makefile").read_text().splitlines()
    command = lines[lines.index(f"{target}:") + 1].strip()
    assert f"```sh\n{command}\n```" in README


def test_ci_runs_the_readmes_test_command() -> None:
    assert "\nlane test make test " in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("name", config.preset_names())
def test_every_preset_is_documented_with_its_size_and_context(name: str) -> None:
    preset = config.load_preset(name)
    (row,) = [line for line in PRESETS.splitlines() if line.startswith(f"| `{name}`")]
    assert f" {models.build(preset.architecture, preset.model).count_params():,} " in row
    assert f" {preset.model.context:,} samples" in row or f" {preset.model.context} samples" in row


def test_every_released_model_has_a_card_and_a_licence() -> None:
    cards = (ROOT / "saved_models" / "README.md").read_text()
    assert "default" in released()
    for name, folder in released().items():
        assert f"## {name}" in cards
        assert '"licence": "not stated"' not in (folder / "config.json").read_text()


def test_demo_mixture_is_the_exact_sum_of_its_stems() -> None:
    mixture, rate = soundfile.read(DEMO_SONG / "mixture.flac", dtype="int16")
    stems = [soundfile.read(DEMO_SONG / f"{stem}.flac", dtype="int16")[0].astype(int) for stem in STEMS]
    np.testing.assert_array_equal(mixture, np.sum(stems, axis=0))
    assert rate == 44100
    assert all(np.any(stem) for stem in stems)


def test_example_separates_the_demo_song(tmp_path: Path) -> None:
    script = ROOT / "examples" / "separate_a_song.py"
    command = [sys.executable, str(script), str(DEMO_SONG / "mixture.flac"), str(tmp_path)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert [line.split()[0] for line in output.splitlines()] == list(STEMS)
    mixture, _ = soundfile.read(DEMO_SONG / "mixture.flac")
    total = np.sum([soundfile.read(tmp_path / "mixture" / f"{stem}.wav")[0] for stem in STEMS], axis=0)
    np.testing.assert_allclose(total, mixture, atol=1e-6)
