"""A stage waits, for a while or for work that takes long, and beats every second meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from cdrd.clock import stopwatch, wait_for

_T = TypeVar("_T")
_BEAT_EVERY = 1.0


async def wait(seconds: float, beat: Callable[[], None], stopping: asyncio.Event) -> None:
    """So long, or until told to stop."""
    until = stopwatch() + seconds
    while not stopping.is_set() and (left := until - stopwatch()) > 0:
        beat()
        await wait_for(stopping, min(_BEAT_EVERY, left))


async def beating(
    work: Awaitable[_T], beat: Callable[[], None], *, deadline: float | None = None
) -> _T:
    """What comes of the work; it may take its time, but no longer than the deadline."""
    task = asyncio.ensure_future(work)
    try:
        async with asyncio.timeout(deadline):
            while not task.done():
                beat()
                await asyncio.wait([task], timeout=_BEAT_EVERY)
    finally:
        task.cancel()
    return await task
