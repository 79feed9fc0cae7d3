"""Several machines learn what one does; processes stand for machines."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from tfwavesep.config import Preset
from tfwavesep.errors import ConfigError
from tfwavesep.training import hosts, read_history, train


def on_hosts(count: int, workdir: Path, root: Path, *stop: str) -> None:
    """Train in so many processes, each with its part of every batch."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    script = str(Path(__file__).with_name("on_hosts.py"))
    processes = [
        subprocess.Popen(
            [sys.executable, script, str(workdir), str(root), *stop],
            env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", hosts.COUNT: str(count),
                 hosts.ADDRESSES: address, hosts.ID: str(number)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for number in range(count)
    ]  # fmt: skip
    for number, process in enumerate(processes):
        output, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors
        assert ("validation" in output) == (number == 0)


@pytest.mark.slow
def test_two_machines_learn_what_one_does(data_root: Path, tmp_path: Path) -> None:
    """At the same global batch, also when they go on after an interruption; two processes stand for machines."""
    pytest.importorskip("jax", reason="several machines: needs pip install 'tfwavesep[jax]'")
    one, two = tmp_path / "one", tmp_path / "two"
    on_hosts(1, one, data_root)
    on_hosts(2, two, data_root, "1")
    assert not (two / "model.keras").exists()
    on_hosts(2, two, data_root)
    curves = [[(row["loss"], row["val_loss"]) for row in read_history(folder)] for folder in (one, two)]
    assert len(curves[0]) == 2
    np.testing.assert_allclose(curves[1], curves[0], rtol=1e-5)
    assert {path.name for path in one.iterdir()} == {path.name for path in two.iterdir()}
    ours, theirs = (keras.saving.load_model(folder / "model.keras").get_weights() for folder in (one, two))
    for one_weight, two_weight in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(two_weight, one_weight, atol=1e-5)


@pytest.mark.parametrize(
    ("count", "address", "number", "message"),
    [
        ("2", "first:1234", "0", "only JAX trains on several machines"),
        ("2", "first:1234", "2", "must be a number of machines, HOST:PORT of the first"),
        ("two", "first:1234", "0", "must be a number of machines"),
        ("2", "", "0", "must be a number of machines"),
    ],
)
def test_several_machines_that_cannot_meet_are_refused(
    count: str, address: str, number: str, message: str, tiny: Preset, data_root: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for name, value in ((hosts.COUNT, count), (hosts.ADDRESSES, address), (hosts.ID, number)):
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=message):
        train(tiny, data_root, tmp_path / "run")
    assert not (tmp_path / "run").exists()
