"""Legs: appended in commit order together with all that follows from them, and read again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from asyncpg import Range

from cdrd.errors import Conflict
from cdrd.records import (
    COPY_COLUMNS,
    AcctId,
    Claim,
    FileId,
    FilePosition,
    Leg,
    Rejected,
    SourceId,
)
from cdrd.store.database import CHANNEL, Database
from cdrd.store.statements import Row, statement

ENRICH = "enrich"
"""The stage that every new leg waits for; readers are served up to what does."""

_COLUMNS = ("acctid", "source_id", "file_id", *COPY_COLUMNS)
_SUSPENSE = ("source_id", "file_id", "line", "byte_offset", "raw", "reason", "detail")


@dataclass(frozen=True, slots=True)
class Batch:
    """What is stored in one transaction: legs, rejected records, and the position behind them."""

    claim: Claim
    position: FilePosition
    """Where the file is stored up to, once this is committed."""
    expected: int
    """The offset it is stored up to now; 0 for a file of which nothing is."""
    rows: Sequence[str] = ()
    rejected: Sequence[Rejected] = ()


@dataclass(frozen=True, slots=True)
class Appended:
    """What a committed batch became."""

    file_id: FileId
    last_acctid: AcctId | None
    """None when the batch had no leg."""


async def append(database: Database, batch: Batch) -> Appended:
    """Stores a batch whole or not at all.

    Raises Conflict when the claim or the position is not what the caller believes (somebody else
    collects, or an earlier commit arrived after all), RowRefused when PostgreSQL refuses a row.
    """
    async with database.transaction() as connection:
        file_id = await _move_position(connection, batch)
        await _suspend(connection, batch.claim.source_id, file_id, batch.rejected)
        last = None
        if batch.rows:
            last = await _copy_legs(connection, batch.claim.source_id, file_id, batch.rows)
    return Appended(file_id, last)


async def _move_position(connection: Any, batch: Batch) -> FileId:
    position, claim = batch.position, batch.claim
    values = {
        "physical": position.physical,
        "byte_offset": position.offset,
        "line": position.line,
        "tail": position.mark.tail,
        "seen_size": position.seen_size,
        "seen_mtime_ns": position.seen_mtime_ns,
        "unread_bytes": position.unread_bytes,
        "legs": len(batch.rows),
        "suspended": len(batch.rejected),
    }
    if position.file_id is None:
        file_id = await statement("create_file").value(
            connection,
            source_id=claim.source_id,
            epoch=claim.epoch,
            path=position.path,
            head_length=position.mark.head_length,
            head_digest=position.mark.head_digest,
        )
        if file_id is not None:
            await statement("create_position").rows(connection, file_id=file_id, **values)
    else:
        file_id = await statement("advance_position").value(
            connection,
            source_id=claim.source_id,
            epoch=claim.epoch,
            expected=batch.expected,
            file_id=position.file_id,
            **values,
        )
    if file_id is None:
        raise Conflict(
            f"{position.path}: another daemon collects from this source now, or has stored this part"
        )
    if position.file_id is not None:
        await statement("note_path").rows(connection, file_id=file_id, path=position.path)
    return FileId(file_id)


async def _suspend(
    connection: Any, source_id: SourceId, file_id: FileId | None, rejected: Sequence[Rejected]
) -> None:
    if not rejected:
        return
    await connection.copy_records_to_table(
        "suspense",
        columns=_SUSPENSE,
        records=[
            (source_id, file_id, r.line, r.offset, r.raw, r.reason.value, r.detail)
            for r in rejected
        ],
    )


async def _copy_legs(
    connection: Any, source_id: SourceId, file_id: FileId | None, rows: Sequence[str]
) -> AcctId:
    """From reserve_acctids on this holds the append lock, until the transaction ends."""
    last = await statement("reserve_acctids").value(connection, count=len(rows))
    first = last - len(rows) + 1
    await connection.copy_to_table(
        "leg",
        source=BytesIO(copy_text(rows, first=first, source_id=source_id, file_id=file_id)),
        columns=_COLUMNS,
        format="text",
    )
    await statement("add_work").rows(connection, stage=ENRICH, first=first, last=last)
    await statement("wake").rows(connection, channel=f"{CHANNEL}_{ENRICH}")
    return AcctId(last)


def copy_text(
    rows: Iterable[str], *, first: int, source_id: SourceId, file_id: FileId | None
) -> bytes:
    """Rows for COPY with what only the store knows in front: acctid, source, file."""
    known = f"\t{source_id}\t{file_id if file_id is not None else chr(92) + 'N'}\t"
    return "".join([f"{acctid}{known}{row}\n" for acctid, row in enumerate(rows, first)]).encode()


async def append_suspended(
    connection: Any, *, source_id: SourceId, file_id: FileId | None, row: str
) -> AcctId:
    """Stores the leg that a suspended record became at last, inside the caller's transaction."""
    return await _copy_legs(connection, source_id, file_id, [row])


async def last_acctid(connection: Any) -> AcctId:
    """The newest acctid that is committed."""
    return AcctId(await statement("last_acctid").value(connection))


async def legs_between(connection: Any, first: AcctId, last: AcctId) -> list[Leg]:
    """The legs of a range of acctid, in order."""
    rows = await statement("legs_between").rows(connection, first=first, last=last)
    return [Leg._make(row.values()) for row in rows]


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
        calls=calls,
        after=window.after,
        upto=window.upto,
        without=[Range(first, last + 1) for first, last in window.without],
        most=most,
    )
    return [Leg._make(row.values()) for row in rows]


async def leg_story(database: Database, acctid: AcctId) -> Row | None:
    """Everything stored of one leg, and where it came from."""
    async with database.connection() as connection:
        return await statement("leg_story").row(connection, acctid=acctid)


async def create_partitions(database: Database, *, size: int, ahead: int) -> int:
    """Creates the partitions that `ahead` more legs will need; returns how many."""
    async with database.connection() as connection:
        return int(await statement("create_partitions").value(connection, size=size, ahead=ahead))


async def outside_partitions(database: Database) -> bool:
    """Whether any row is in a default partition, which must never be."""
    async with database.connection() as connection:
        return bool(await statement("legs_outside_partitions").value(connection))
