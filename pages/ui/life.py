"""What the app does as long as its server lives, whether anybody looks or not: it keeps workers standing by."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from resnet_core.runs import home, launch

#: Seconds between two looks whether the places of the workers are filled: one may have ended.
_LOOK_SECONDS = 30.0


async def _keep_standing_by() -> None:
    while True:
        await asyncio.to_thread(launch.stand_by, home())
        await asyncio.sleep(_LOOK_SECONDS)


@contextlib.asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    """From the start of the server to its end."""
    task = asyncio.create_task(_keep_standing_by())
    try:
        yield
    finally:
        task.cancel()
