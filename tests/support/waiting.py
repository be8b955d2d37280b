"""How tests wait: a fact is polled until it holds, and only what is broken comes near the one deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from cdrd.store.database import Database

DEADLINE = 240.0
"""Seconds. A broken run may take long to fail; a slow machine may not fail."""
_PAUSE = 0.01


def wait_until(fact: Callable[..., Any], what: str = "", *, seconds: float = DEADLINE) -> Any:
    """The first value of the fact that is true; its parameters, if any, are values of a loop it keeps."""
    deadline = time.monotonic() + seconds
    while not (found := fact()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what or fact}"
        time.sleep(_PAUSE)
    return found


async def until(fact: Callable[[], Awaitable[Any]], what: str = "") -> Any:
    """The same while the product runs in this loop."""
    try:
        async with asyncio.timeout(DEADLINE):
            while not (found := await fact()):  # noqa: ASYNC110 - most facts are in the database
                await asyncio.sleep(_PAUSE)
    except TimeoutError:
        raise AssertionError(f"not within {DEADLINE:.0f} s: {what or fact}") from None
    return found


async def until_blocked(database: Database, others: int = 1) -> None:
    """Until so many others wait for a lock in this database."""

    async def blocked() -> bool:
        async with database.connection() as connection:
            count: int = await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
        return count >= others

    await until(blocked, f"{others} wait for a lock")
