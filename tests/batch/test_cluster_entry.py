"""What is refused before any work starts, by one clear line; no cluster is needed to see it."""

import socket
import sys
from pathlib import Path

import pytest
from click.testing import Result
from conftest import Run

from tfwavesep.batch import cluster, workers
from tfwavesep.batch.cluster import _entry


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed Ray that must not be started."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setitem(sys.modules, "ray", object())  # type: ignore[arg-type]


def refused(run: Run, folder: Path, *options: object) -> Result:
    """The plain default model, asked to separate a song that is not there."""
    result = run("separate", folder / "song.wav", "-o", folder / "stems", *options)
    assert result.exit_code != 0
    assert not (folder / "stems").exists()
    return result


def test_no_ray(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # type: ignore[arg-type]
    assert "pip install 'tfwavesep[ray]'" in str(refused(run, tmp_path, "--engine", "ray").output)


def test_nobody_answers(run: Run, tmp_path: Path, ray: None) -> None:
    output = refused(run, tmp_path, "--engine", "ray", "--address", "127.0.0.1:1").output
    assert "address 127.0.0.1:1: no Ray cluster answers" in output


def test_somebody_answers_who_is_not_ray(run: Run, tmp_path: Path, ray: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_entry, "ANSWER_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        output = refused(run, tmp_path, "--engine", "ray", "--address", address).output
    assert f"address {address}: what answers is no Ray cluster's head" in output


@pytest.mark.parametrize("address", ["head", "head:", ":6379", "ray://head:10001", "head:port"])
def test_an_address_that_is_none(run: Run, tmp_path: Path, ray: None, address: str) -> None:
    output = refused(run, tmp_path, "--engine", "ray", "--address", address).output
    assert f"address '{address}': must be HOST:PORT" in output


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["--address", "auto"], "--address: only with --engine ray"),
        (["--engine", "ray", "-o", "-"], "a pipe cannot be separated by other machines"),
    ],
)
def test_options_that_cannot_be_meant(run: Run, tmp_path: Path, options: list[str], what: str) -> None:
    assert what in str(refused(run, tmp_path, *options).output)


NODES = [{"Resources": {"CPU": 7.0, "GPU": 2.0}}, {"Resources": {"CPU": 3.0}}, {"Resources": {}}]


@pytest.mark.parametrize(
    ("size", "room"),
    [({}, 10), ({"cpus": 2}, 4), ({"cpus": 0.5}, 20), ({"gpus": 1}, 2), ({"gpus": 0.25}, 7), ({"cpus": 8}, 0)],
)
def test_room_for_workers(size: dict[str, float], room: int) -> None:
    assert cluster.Size(**size).room(NODES) == room  # type: ignore[arg-type]


def test_what_a_machine_lacks(tmp_path: Path) -> None:
    from importlib.metadata import version

    here, digest = version("tfwavesep"), workers.model_sha256("default")
    assert _entry.lacks(here, "default", digest, [tmp_path]) is None
    assert "has tfwavesep" in str(_entry.lacks("0.0.1", "default", digest, []))
    gone = str(_entry.lacks(here, str(tmp_path / "mine"), digest, []))
    assert "cannot reach the model" in gone
    assert "shared disk" in gone
    assert "another model" in str(_entry.lacks(here, "default", "0" * 64, []))
    assert f"does not see {tmp_path}" in str(_entry.lacks(here, "default", digest, [tmp_path / ".writing-token"]))


@pytest.mark.parametrize(
    ("unreached", "alive", "found"),
    [(0, True, "has no disk"), (2, True, "has no disk"), (99, True, "is not within Ray's reach"), (1, False, None)],
)
def test_a_machine_that_comes_is_waited_for_and_one_that_leaves_is_not(
    monkeypatch: pytest.MonkeyPatch, unreached: int, alive: bool, found: str | None
) -> None:
    ray = pytest.importorskip("ray")
    node = {"NodeID": "a", "Alive": alive}
    answers = iter([ray.exceptions.TaskUnschedulableError("not there")] * unreached + ["has no disk"])

    def get(_: object) -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    monkeypatch.setattr(ray, "get", get)
    monkeypatch.setattr(ray, "nodes", lambda: [node, {"NodeID": "b", "Alive": True}])
    monkeypatch.setattr(_entry, "_ask", lambda *_: None)
    monkeypatch.setattr(_entry, "PAUSE_SECONDS", 0)
    assert _entry._lacking(node, None, ()) == found
