"""What is done once a minute: partitions ahead of need, an alarm when one was missing, and forgetting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from cdrd import metrics
from cdrd.clock import wait_for
from cdrd.errors import CdrdError, RowRefused
from cdrd.logs import get_logger
from cdrd.settings import DatabaseSettings
from cdrd.store.arrivals import keep_arrivals
from cdrd.store.carriers import carrier_rows_outside_partitions
from cdrd.store.database import Database
from cdrd.store.events import events_outside_partitions
from cdrd.store.legs import create_partitions, outside_partitions

_PERIOD = 60.0
_log = get_logger(stage="upkeep")


async def upkeep(
    settings: DatabaseSettings,
    *,
    database: Database,
    remember_days: int,
    beat: Callable[[], None],
    stopping: asyncio.Event,
) -> None:
    """Looks after the tables until told to stop; a fault is said and tried again."""
    due = 0.0
    loop = asyncio.get_running_loop()
    while not stopping.is_set():
        beat()
        if loop.time() >= due:
            due = loop.time() + _PERIOD
            try:
                await keep_partitions(settings, database)
                await keep_arrivals(database, remember_days=remember_days)
            except CdrdError as error:
                metrics.faults.labels("upkeep", type(error).__name__).inc()
                _log.warning("upkeep_failed", error=str(error))
                due = loop.time() + 1
        await wait_for(stopping, 1.0)


async def keep_partitions(settings: DatabaseSettings, database: Database) -> None:
    """Creates partitions ahead, and alarms when a leg or an event missed its partition."""
    try:
        created = await create_partitions(
            database, size=settings.partition_legs, ahead=settings.partitions_ahead_legs
        )
    except RowRefused:  # the default partition holds rows of the range, which is told below
        created = 0
    if created:
        _log.info("partitions_created", count=created, legs=settings.partition_legs)
    outside = (
        await outside_partitions(database)
        or await events_outside_partitions(database)
        or await carrier_rows_outside_partitions(database)
    )
    metrics.outside_partitions.set(outside)
    if outside:
        _log.error("legs_outside_partitions", hint="Move them into a partition of their own range.")
