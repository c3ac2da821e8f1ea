"""A Ray cluster for tests: three nodes with one core each, on this machine."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NODES = 3


@contextmanager
def cluster(folder: Path) -> Iterator[Any]:
    """A ``ray.cluster_utils.Cluster``. This process does not connect to it; whoever has its address in RAY_ADDRESS may."""
    token = folder / "token"
    token.write_text(secrets.token_hex(32))
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token), "RAY_USAGE_STATS_ENABLED": "0"}
    from ray.cluster_utils import Cluster

    made = Cluster()
    try:
        for _ in range(NODES):
            made.add_node(num_cpus=1, object_store_memory=100_000_000, include_dashboard=False)
        yield made
    finally:
        made.shutdown()
        for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH", "RAY_USAGE_STATS_ENABLED"):
            del os.environ[name]
