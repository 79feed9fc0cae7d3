"""PyInstaller is told what a program with this package needs; where it is installed, such a program is made and run."""

import configparser
import importlib
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import soundfile


def test_the_hook_is_where_the_entry_point_says() -> None:
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[2] / "setup.cfg")
    name, _, place = setup["options.entry_points"]["pyinstaller40"].strip().partition(" = ")
    module, _, function = place.partition(":")
    folders = getattr(importlib.import_module(module), function)()
    assert name == "hook-dirs"
    assert [Path(folder, "hook-tfwavesep.py").is_file() for folder in folders] == [True]


@pytest.mark.slow
@pytest.mark.skipif(
    find_spec("PyInstaller") is None or find_spec("tensorflow") is not None,
    reason="needs PyInstaller, in an installation without TensorFlow, which would be frozen too",
)
def test_a_frozen_program_separates_in_two_processes(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("from tfwavesep_cli.main import main\nif __name__ == '__main__':\n    main()\n")
    making = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "ERROR", "app.py"]
    subprocess.run(making, cwd=tmp_path, check=True)
    songs = [tmp_path / f"{number}.wav" for number in range(2)]
    for song in songs:
        soundfile.write(song, np.zeros((4410, 2)), 44100)
    command = [tmp_path / "dist" / "app" / "app", "separate", *songs, "-j", "2", "-o", tmp_path / "stems"]
    subprocess.run(command, cwd=tmp_path, check=True, env={"HOME": os.environ["HOME"]})
    assert len(list((tmp_path / "stems").rglob("*.wav"))) == 8
