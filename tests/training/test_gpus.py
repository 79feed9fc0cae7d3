"""Several devices of one machine learn what one does."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tfwavesep.config import Preset
from tfwavesep.errors import ConfigError
from tfwavesep.training import read_history, train


@pytest.mark.slow
def test_two_devices_learn_what_one_does(data_root: Path, tmp_path: Path) -> None:
    """At the same global batch; two logical CPUs stand for GPUs, and are found by themselves."""
    script = str(Path(__file__).with_name("mirrored.py"))
    curves = []
    for count in (1, 2):
        command = [sys.executable, script, str(count), str(tmp_path / str(count)), str(data_root)]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert output.splitlines()[-1] == f"replicas {count}"
        curves.append([(row["loss"], row["val_loss"]) for row in read_history(tmp_path / str(count))])
    assert len(curves[0]) == 2
    np.testing.assert_allclose(curves[1], curves[0], rtol=1e-5)


def test_several_machines_are_refused(
    tiny: Preset, data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = {"cluster": {"chief": ["a:1"], "worker": ["b:1"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(cluster))
    with pytest.raises(ConfigError, match=r"TF_CONFIG asks for several machines: .* \(keras#20585\)"):
        train(tiny, data_root, tmp_path / "run")
    assert not (tmp_path / "run").exists()
