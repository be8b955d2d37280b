"""Until the database knows a source, nobody can hand records over to it: it is tried again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from cdrd import metrics
from cdrd.collect.pauses import Pauses
from cdrd.collect.waiting import beating, wait
from cdrd.errors import Conflict, Unavailable
from cdrd.logs import get_logger

_T = TypeVar("_T")
_LONGEST_PAUSE = 5.0
"""Seconds between two attempts to make a source ready."""


async def until_made(
    make: Callable[[], Awaitable[_T]],
    source: str,
    beat: Callable[[], None],
    stopping: asyncio.Event,
) -> _T | None:
    """What is made, once the database answers; None when told to stop before."""
    log = get_logger(source=source)
    pauses = Pauses()
    while not stopping.is_set():
        try:
            return await beating(make(), beat)
        except (Unavailable, Conflict) as fault:
            metrics.faults.labels("push", type(fault).__name__).inc()
            if not pauses.failures:
                log.warning("collecting_failed", kind=type(fault).__name__, error=str(fault))
            await wait(pauses.next(_LONGEST_PAUSE), beat, stopping)
    return None
