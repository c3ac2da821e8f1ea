"""How the tests wait for another process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

#: Seconds that nothing takes longer than, even on a machine that has much else to do: whatever does is a fault.
PATIENCE = 600.0


def wait_for(condition: Callable[[], Any], what: str, interval: float = 0.02) -> Any:
    """The first true value of ``condition``."""
    end = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < end, f"waited {PATIENCE:g} s in vain for {what}"
        time.sleep(interval)
    return value
