"""Until the database knows a source, nobody can hand records over to it: it is tried again and again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from cdrd import metrics
from cdrd.errors import Conflict, Unavailable
from cdrd.logs import get_logger

_T = TypeVar("_T")
_LONGEST_PAUSE = 5.0
"""Seconds between two attempts to make a source ready."""


async def until_made(
    make: Callable[[], Coroutine[Any, Any, _T]],
    source: str,
    beat: Callable[[], None],
    stopping: asyncio.Event,
) -> _T | None:
    """What is made, once the database answers; None when told to stop before."""
    log = get_logger(source=source)
    failures = 0
    while not stopping.is_set():
        making = asyncio.create_task(make())
        try:
            while not making.done():
                beat()
                await asyncio.wait([making], timeout=1.0)
            return await making
        except (Unavailable, Conflict) as fault:
            metrics.faults.labels("push", type(fault).__name__).inc()
            if not failures:
                log.warning("collecting_failed", kind=type(fault).__name__, error=str(fault))
            failures = min(failures + 1, 10)
            longest = min(_LONGEST_PAUSE, 0.1 * 2**failures)
            pause = random.uniform(longest / 2, longest)  # noqa: S311 - jitter is no secret
            await wait(pause, beat, stopping)
        finally:
            making.cancel()
    return None


async def wait(seconds: float, beat: Callable[[], None], stopping: asyncio.Event) -> None:
    """So long, or until told to stop."""
    beat()
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopping.wait()
