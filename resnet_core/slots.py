"""How many trainings may run on one device at a time, as its user has set it."""

from __future__ import annotations

import os

from resnet_core.errors import RunError

MAX_SLOTS = 16


def slots() -> int:
    """``RESNET_LAB_SLOTS``, 1 by default; 0 starts none, so that runs stay in the queue.

    Raises:
        RunError: it is no whole number from 0 to ``MAX_SLOTS``.
    """
    text = os.environ.get("RESNET_LAB_SLOTS", "").strip() or "1"
    if not text.isdecimal() or int(text) > MAX_SLOTS:
        raise RunError(f"RESNET_LAB_SLOTS: {text!r} is not a whole number from 0 to {MAX_SLOTS}.")
    return int(text)
