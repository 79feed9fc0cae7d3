"""Before any work starts: the way into a cluster, and whether its machines can do the work."""

import logging
import os
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tfwavesep import places
from tfwavesep.batch import workers
from tfwavesep.batch.cluster._paths import absolute, model_anywhere
from tfwavesep.batch.jobs import Settings
from tfwavesep.errors import ConfigError, ModelError, TfwavesepError, needs_extra

ANSWER_SECONDS = 5.0
"""How long an address may take to answer."""

ATTEMPTS, PAUSE_SECONDS = 10, 1.0
"""How often a machine is asked that Ray tells of but does not reach yet, and the time between."""

OBJECT_STORE_BYTES = 80_000_000
"""Of a Ray of our own: only jobs and outcomes go through it, never audio."""


@dataclass(frozen=True)
class Size:
    """Of the part of a cluster that is used.

    Attributes:
        workers: processes, None for as many as there is room for, also when the cluster grows.
        cpus: cores for each.
        gpus: GPUs for each; may be a fraction.
    """

    workers: int | None = None
    cpus: float = 1.0
    gpus: float = 0.0

    def room(self, nodes: Iterable[dict[str, Any]]) -> int:
        """How many workers fit on nodes, as `ray.nodes` tells of them."""
        wanted = {"CPU": self.cpus, "GPU": self.gpus}
        needed = {name: count for name, count in wanted.items() if count}
        return sum(int(min(node["Resources"].get(name, 0) / count for name, count in needed.items())) for node in nodes)


@contextmanager
def joined(address: str | None = None) -> Iterator[None]:
    """Be a part of a Ray cluster inside the block.

    Args:
        address: HOST:PORT of its head; "auto" for the one that this machine is in; None for RAY_ADDRESS, or else a Ray
            of our own on this machine.

    Raises:
        ConfigError: nothing that is Ray answers.
        ExtraError: Ray is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    with needs_extra("ray", "engine ray"):
        import ray
    address = address or os.environ.get("RAY_ADDRESS")
    if address not in (None, "auto"):
        _knock(str(address))
    own = {} if address else {"include_dashboard": False, "object_store_memory": OBJECT_STORE_BYTES}
    try:
        ray.init(address or "local", log_to_driver=False, logging_level=logging.ERROR, **own)
    except Exception as error:
        raise ConfigError(f"Ray at {address or 'this machine'}: cannot be joined: {error}") from error
    try:
        yield
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """See whether anything answers, and speaks gRPC as Ray does: Ray itself would try for minutes."""
    import grpc

    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        raise ConfigError(
            f"address '{address}': must be HOST:PORT of a Ray cluster's head, such as 10.0.0.1:6379, or auto"
        )
    try:
        socket.create_connection((host, int(port)), ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ConfigError(f"address {address}: no Ray cluster answers: {error}") from error
    with grpc.insecure_channel(address) as channel:
        try:
            grpc.channel_ready_future(channel).result(ANSWER_SECONDS)
        except grpc.FutureTimeoutError as error:
            raise ConfigError(f"address {address}: what answers is no Ray cluster's head") from error


def check(settings: Settings, size: Size, folder: Path, songs: Sequence[Path]) -> None:
    """See whether the machines can do the work: each has this version, the same model, the songs and the folder.

    Args:
        settings: of all jobs.
        size: of the workers.
        folder: for the stems; it is made, if need be, and removed again if it stays empty.
        songs: some that must be there.

    Raises:
        ConfigError: there is no room for any worker, or a machine lacks something.
    """
    import ray

    nodes = [node for node in ray.nodes() if node["Alive"] and size.room([node])]
    if not nodes:
        raise ConfigError(f"no machine of the Ray cluster has {size.cpus:g} CPUs and {size.gpus:g} GPUs for a worker")
    model, model_sha256 = model_anywhere(settings).model, workers.model_sha256(settings.model)
    with places.token(folder) as token:
        question = (version("tfwavesep"), model, model_sha256, [*map(absolute, songs), token])
        answers = [(node, _ask(node, question)) for node in nodes]
        for node, answer in answers:
            lacking = _lacking(node, answer, question)
            if lacking:
                raise ConfigError(f"machine {node['NodeManagerAddress']} of the Ray cluster {lacking}")


def _ask(node: dict[str, Any], question: tuple[Any, ...]) -> Any:
    """Have a machine say what it `lacks`."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
    return ray.remote(num_cpus=0, max_retries=0)(lacks).options(scheduling_strategy=there).remote(*question)


def _lacking(node: dict[str, Any], answer: Any, question: tuple[Any, ...]) -> str | None:
    """What a machine lacks by its answer. One that came a moment ago may not be known everywhere in the cluster, and is
    asked again; one that has left meanwhile lacks nothing."""
    import ray

    for _ in range(ATTEMPTS):
        try:
            return ray.get(answer)  # type: ignore[no-any-return]
        except ray.exceptions.TaskUnschedulableError:
            if not any(other["Alive"] for other in ray.nodes() if other["NodeID"] == node["NodeID"]):
                return None
            time.sleep(PAUSE_SECONDS)
            answer = _ask(node, question)
        except ray.exceptions.RayError as error:
            cause = getattr(error, "cause", None) or error
            return f"cannot run tfwavesep: {str(cause).splitlines()[0]}"
    return "is not within Ray's reach"


def lacks(version_here: str, model: str, model_sha256: str | None, paths: Sequence[Path]) -> str | None:
    """What this machine lacks of what another one has; None if nothing."""
    if version("tfwavesep") != version_here:
        return f"has tfwavesep {version('tfwavesep')}, this one {version_here}"
    try:
        same = workers.model_sha256(model) == model_sha256
    except ModelError as error:
        return f"cannot reach the model: {error}; name one that is there too, or put it on a shared disk"
    if not same:
        return f"has another model of the name {model}"
    return next(filter(None, map(_unseen, paths)), None)


def _unseen(path: Path) -> str | None:
    """What is wrong if this machine does not see a place."""
    seen = path.parent if path.name.startswith(places.PREFIX) else path
    try:
        places.knock(path)
        there = places.exist([path])
    except TfwavesepError as error:
        return f"cannot reach what others see: {error}"
    return None if there else f"does not see {seen}: songs and stems must be in a store, or on a disk that all share"
