"""A Ray cluster of several nodes, all on this machine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

NODE = {"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False}


@contextmanager
def three_nodes() -> Iterator[Any]:
    """A head and two more, as Ray's `Cluster`."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    made = Cluster(initialize_head=True, head_node_args=NODE)
    for _ in range(2):
        made.add_node(**NODE)
    yield made
    made.shutdown()
