"""Work that waits for a stage: claimed by whoever is free, and gone in the transaction that does it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any, NamedTuple

from cdrd.clock import stopwatch
from cdrd.records import AcctId
from cdrd.store.database import Database
from cdrd.store.ranges import BEYOND, Ranges
from cdrd.store.statements import statement


@dataclass(frozen=True, slots=True)
class Waiting:
    """How much waits for a stage."""

    ranges: int
    legs: int
    oldest_seconds: float


class Known(NamedTuple):
    """What a decision may be made from, and what is written beside it.

    Both counters are read at one moment, so that of two of these one knows at least as much of either.
    """

    seen_acctid: AcctId
    """The newest leg that is committed: every leg up to here can be read."""
    directory_version: int
    """The directory in force; 0 before the first."""
    seen_event_id: int = 0
    """The newest event that is committed."""
    known_at: datetime = datetime.min.replace(tzinfo=UTC)
    """By the database's clock."""
    waits_since: float = inf
    """When the oldest leg began to wait to be decided for the first time, by our `stopwatch()`."""
    claimed_from: AcctId = BEYOND
    """The first of the legs that were claimed, which nobody has been given as decided."""
    quiet: timedelta = timedelta(minutes=5)
    """A call of which nothing came for so long is settled."""
    queue_pbxs: frozenset[str] = frozenset()
    """The PBXs of which a source may have queue events."""
    late: bool = False
    """Legs that are decided for the first time may have been served before they were."""


async def claim_work(connection: Any, stage: str, *, most_legs: int) -> Ranges:
    """The oldest ranges of acctid that nobody else holds; ours until the transaction ends.

    The last one is cut so that there are not more legs than asked for; what is left of it waits on.
    Of the stage `events` they are ranges of event_id.
    """
    rows = await statement("claim_work").rows(connection, stage=stage, most_legs=most_legs)
    ranges: Ranges = []
    for row in rows:
        first, last = row["first_acctid"], row["last_acctid"]
        ranges.append((AcctId(first), AcctId(min(last, first + most_legs - 1))))
        most_legs -= last - first + 1
    return ranges


async def add_work(connection: Any, stage: str, ranges: Iterable[tuple[AcctId, AcctId]]) -> None:
    """Puts ranges before a stage."""
    for first, last in ranges:
        await statement("add_work").rows(connection, stage=stage, first=first, last=last)


async def prepare_to_decide(connection: Any) -> Known:
    """What is known now, after work was claimed; the rest of the transaction looks calls up by index."""
    asked_at = stopwatch()
    row = await statement("prepare_to_decide").row(connection)
    assert row is not None  # noqa: S101 - a SELECT without FROM has one row
    seen, version = AcctId(row["seen_acctid"]), row["directory_version"]
    known_at, since = row["known_at"], row["waits_since"]
    waits_since = asked_at - (known_at - since).total_seconds() if since is not None else inf
    known = Known(seen, version, row["seen_event_id"], known_at, waits_since)
    return known._replace(queue_pbxs=frozenset(row["queue_pbxs"])) if row["queue_pbxs"] else known


async def finish_work(connection: Any, stage: str, ranges: Sequence[tuple[AcctId, AcctId]]) -> None:
    """What was claimed is done, once the transaction commits."""
    first, last = ranges[-1]
    firsts = [first for first, _ in ranges]
    await statement("finish_work").rows(
        connection, stage=stage, firsts=firsts, first=first, last=last
    )


async def waiting(database: Database, stage: str) -> Waiting:
    """How much waits for a stage now."""
    async with database.connection() as connection:
        row = await statement("waiting_work").row(connection, stage=stage)
    return Waiting(**dict(row)) if row else Waiting(0, 0, 0.0)
