"""The stages as they run, and how a test waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from cdrd.collect.stage import collect
from cdrd.enrich.deciding import decide_call
from cdrd.enrich.stage import RE_ENRICH, Rules, enrich
from cdrd.settings import EnrichSettings
from cdrd.source_settings import SourceSettings
from cdrd.store.database import Database
from cdrd.store.events import EVENTS
from cdrd.store.legs import ENRICH
from cdrd.store.sources import Claims
from cdrd.store.work import waiting
from support.waiting import DEADLINE, until


@asynccontextmanager
async def following(
    database: Database, *sources: SourceSettings, batch_bytes: int = 65536
) -> AsyncIterator[list[int]]:
    """These sources are collected until the end of the block; the list counts the beats."""
    claims, stopping, beats = Claims(database, "test"), asyncio.Event(), [0]

    def beat() -> None:
        beats[0] += 1

    stages = [
        asyncio.create_task(
            collect(
                source,
                database=database,
                claims=claims,
                batch_bytes=batch_bytes,
                beat=beat,
                stopping=stopping,
            )
        )
        for source in sources
    ]
    try:
        yield beats
        assert not any(stage.done() for stage in stages)
    finally:
        stopping.set()
        async with asyncio.timeout(DEADLINE):
            await asyncio.gather(*stages)
        await claims.close()


@asynccontextmanager
async def running(
    database: Database,
    rules: Rules = decide_call,
    deadline: timedelta = timedelta(seconds=10),
    **settings: Any,
) -> AsyncIterator[asyncio.Event]:
    """A stage until the end of the block, or until the event is set."""
    stopping = asyncio.Event()
    stage = asyncio.create_task(
        enrich(
            EnrichSettings().model_copy(update=settings),
            database=database,
            beat=lambda: None,
            stopping=stopping,
            deadline=deadline,
            rules=rules,
        )
    )
    try:
        yield stopping
    finally:
        stopping.set()
        async with asyncio.timeout(DEADLINE):
            await stage


async def nothing_waits(database: Database) -> None:
    """Until no leg and no event waits, to be decided or to be decided again."""

    async def done() -> bool:
        stages = (ENRICH, RE_ENRICH, EVENTS)
        return not any([(await waiting(database, stage)).legs for stage in stages])

    await until(done, "nothing waits")
