"""Legs, read again: by acctid, by call, one with its story; and the partitions that they are in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from asyncpg import Range

from cdrd.calls import made
from cdrd.records import AcctId, Leg
from cdrd.store.database import Database
from cdrd.store.statements import Row, statement
from cdrd.store.text import text_array

ENRICH = "enrich"
"""The stage that every new leg waits for; readers are served up to what does."""


async def legs_between(connection: Any, first: AcctId, last: AcctId) -> list[Leg]:
    """The legs of a range of acctid, in order."""
    rows = await statement("legs_between").rows(connection, first=first, last=last)
    return [made(Leg, row) for row in rows]


@dataclass(frozen=True, slots=True)
class Window:
    """Which legs of a call are looked for: after < acctid <= upto."""

    after: int
    upto: AcctId
    without: Sequence[tuple[AcctId, AcctId]] = ()
    """Ranges (first and last included) that the caller has already."""


async def legs_of_calls(
    connection: Any, calls: Sequence[str], *, window: Window, most: int
) -> list[Leg]:
    """Legs of calls (by linkedid, or uniqueid where there is none), at most so many, in no order."""
    rows = await statement("legs_of_calls").rows(
        connection,
        calls=text_array(calls),
        after=window.after,
        upto=window.upto,
        without=[Range(first, last + 1) for first, last in window.without],
        most=most,
    )
    return [made(Leg, row) for row in rows]


async def legs_of_joined_calls(
    connection: Any, acctids: Sequence[AcctId], *, upto: AcctId, most: int
) -> list[Leg]:
    """Other legs of calls that were joined with calls of these, under another linkedid."""
    rows = await statement("legs_of_joined_calls").rows(
        connection, acctids=acctids, upto=upto, most=most
    )
    return [Leg._make(row.values()) for row in rows]


async def legs_by_channel(
    connection: Any, channels: Sequence[str], *, near: Sequence[tuple[int, int]], most: int
) -> list[Leg]:
    """Legs of channels by their names, among those of some ranges of acctid, which are all read."""
    firsts, lasts = zip(*near, strict=True)
    rows = await statement("legs_by_channel").rows(
        connection, channels=text_array(channels), firsts=firsts, lasts=lasts, most=most
    )
    return [made(Leg, row) for row in rows]


async def leg_story(database: Database, acctid: AcctId) -> Row | None:
    """Everything stored of one leg, and where it came from."""
    async with database.connection() as connection:
        return await statement("leg_story").row(connection, acctid=acctid)


async def create_partitions(database: Database, *, size: int, ahead: int) -> int:
    """Creates the partitions that `ahead` more legs, and as many events, will need; returns how many."""
    async with database.connection() as connection:
        return int(await statement("create_partitions").value(connection, size=size, ahead=ahead))


async def outside_partitions(database: Database) -> bool:
    """Whether any row is in a default partition, which must never be."""
    async with database.connection() as connection:
        return bool(await statement("legs_outside_partitions").value(connection))
