"""The time, as something that is passed in: nothing else asks the system for it. And waiting for so long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the present as an aware datetime in UTC."""

Stopwatch = Callable[[], float]
"""Returns seconds that only ever grow, whatever happens to the system's clock."""


def utc_now() -> datetime:
    """The present, aware, in UTC."""
    return datetime.now(UTC)


stopwatch: Stopwatch = time.monotonic


async def wait_for(event: asyncio.Event, seconds: float) -> bool:
    """Waits until the event or for that long; whether it was the event."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
