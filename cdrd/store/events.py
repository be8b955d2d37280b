"""Channel events and queue events, read again: what a call's legs alone do not tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NewType

from cdrd.beside import CelEvent, QueueEvent
from cdrd.store.database import Database
from cdrd.store.statements import Row, statement
from cdrd.store.text import text_array

EVENTS = "events"
"""The stage that every new event waits for. Its work is ranges of event_id, which channel events and
queue events share: a range has events of one of the two."""

EventId = NewType("EventId", int)
"""Given in commit order, as acctid is."""


async def channels_between(connection: Any, ranges: Sequence[tuple[int, int]]) -> list[CelEvent]:
    """The channels that ranges of event_id tell of, and whom else their events name.

    As channel events with nothing in them but that: of each the earliest.
    """
    firsts, lasts = zip(*ranges, strict=True)
    rows = await statement("channels_between").rows(connection, firsts=firsts, lasts=lasts)
    return [
        CelEvent(eventtime, "", uniqueid, linkedid, "", extra=extra, pbx=pbx)
        for eventtime, uniqueid, linkedid, extra, pbx in (row.values() for row in rows)
    ]


async def callers_between(connection: Any, ranges: Sequence[tuple[int, int]]) -> list[CelEvent]:
    """The callers that queue events in ranges of event_id tell of; in the same form."""
    firsts, lasts = zip(*ranges, strict=True)
    rows = await statement("callers_between").rows(connection, firsts=firsts, lasts=lasts)
    return [
        CelEvent(eventtime, "", callid, callid, "", pbx=pbx)
        for eventtime, callid, pbx in (row.values() for row in rows)
    ]


async def channel_events_of_calls(
    connection: Any, calls: Sequence[str], *, within: tuple[int, int], most: int
) -> dict[EventId, CelEvent]:
    """Channel events of calls and channels by linkedid and uniqueid, at most so many, in no order.

    `within` is after < event_id <= upto.
    """
    after, upto = within
    rows = await statement("channel_events_of_calls").rows(
        connection, calls=text_array(calls), after=after, upto=upto, most=most
    )
    found: dict[EventId, CelEvent] = {}
    for row in rows:
        *fields, event_id = row.values()
        found[event_id] = CelEvent._make(fields)
    return found


async def pbxs_with_events(database: Database) -> frozenset[str]:
    """The PBXs of which events were ever stored."""
    async with database.connection() as connection:
        return await pbxs_heard(connection)


async def pbxs_heard(connection: Any) -> frozenset[str]:
    """The same inside a transaction: those of every event that it can see."""
    rows = await statement("pbxs_with_events").rows(connection)
    return frozenset(row["pbx"] for row in rows)


async def queue_events_of_callers(
    connection: Any, callers: Sequence[str], *, within: tuple[int, int], most: int
) -> list[QueueEvent]:
    """Queue events of callers by their uniqueid, at most so many, in no order.

    `within` is after < event_id <= upto.
    """
    after, upto = within
    rows = await statement("queue_events_of_callers").rows(
        connection, callers=text_array(callers), after=after, upto=upto, most=most
    )
    return [_queue_event(row) for row in rows]


def _queue_event(row: Row) -> QueueEvent:
    event = QueueEvent._make(row.values())
    return event._replace(data=tuple(event.data))


async def events_outside_partitions(database: Database) -> bool:
    """Whether any event is in a default partition, which must never be."""
    async with database.connection() as connection:
        return bool(await statement("events_outside_partitions").value(connection))
