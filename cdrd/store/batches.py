"""A piece of a file is stored: records, suspense, the new position and the work that follows, at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from cdrd.errors import Conflict
from cdrd.records import Claim, Family, FileId, FilePosition, Rejected, SourceId
from cdrd.store.arrivals import look_up, note_arrivals
from cdrd.store.carriers import refuse_begun_elsewhere
from cdrd.store.database import CHANNEL, Database
from cdrd.store.families import TABLES
from cdrd.store.filenames import as_text
from cdrd.store.identity import Recognition, keys_of
from cdrd.store.statements import copy_in, statement
from cdrd.store.text import numbered

_SUSPENSE = ("source_id", "file_id", "line", "byte_offset", "raw", "reason", "detail")


@dataclass(frozen=True, slots=True)
class Batch:
    """What is stored in one transaction: rows, rejected records, and the position behind them."""

    claim: Claim
    position: FilePosition
    """Where the file is stored up to, once this is committed."""
    expected: int
    """The offset it is stored up to now; 0 for a file of which nothing is."""
    rows: Sequence[str] = ()
    rejected: Sequence[Rejected] = ()
    family: Family = Family.LEG
    recognition: Recognition | None = None
    """How records are recognised that another source may have delivered; None where there is none."""


@dataclass(frozen=True, slots=True)
class Appended:
    """What a committed batch became."""

    file_id: FileId
    last_id: int | None
    """The last acctid or event_id; None when nothing was new."""
    stored: int
    duplicates: int


class Origin(NamedTuple):
    """Where records come from, and what they become."""

    source_id: SourceId
    file_id: FileId | None
    family: Family


class Counts(NamedTuple):
    """What became of records; none is missing."""

    records: int = 0
    legs: int = 0
    events: int = 0
    carrier_rows: int = 0
    suspended: int = 0
    duplicates: int = 0


def counts(family: Family, *, stored: int = 0, suspended: int = 0, duplicates: int = 0) -> Counts:
    """So many records of a family became that."""
    became = {TABLES[family].counted: stored}
    return Counts(
        stored + suspended + duplicates, **became, suspended=suspended, duplicates=duplicates
    )


async def append(database: Database, batch: Batch) -> Appended:
    """Stores a batch whole or not at all.

    Raises Conflict when the claim or the position is not what the caller believes (somebody else
    collects, an earlier commit arrived after all, or the records must be recognised by now), RowRefused
    when PostgreSQL refuses a row.
    """
    source_id = batch.claim.source_id
    async with database.transaction() as connection:
        if batch.recognition is None:
            file_id = await _move_position(connection, batch, stored=len(batch.rows))
            origin = Origin(source_id, file_id, batch.family)
            await suspend(connection, origin, batch.rejected)
            last = await store_rows(connection, origin, batch.rows)
            return Appended(file_id, last, len(batch.rows), 0)
        return await _append_recognised(connection, batch, batch.recognition)


async def _append_recognised(connection: Any, batch: Batch, recognition: Recognition) -> Appended:
    source_id = batch.claim.source_id
    keys = keys_of(batch.rows, batch.family, recognition)
    recognised = await look_up(connection, keys, source_id, recognition)
    new = recognised.new(batch.rows)
    file_id = await _move_position(connection, batch, stored=len(new))
    origin = Origin(source_id, file_id, batch.family)
    await suspend(connection, origin, batch.rejected)
    last = await store_rows(connection, origin, new)
    ids = recognised.ids(0 if last is None else last - len(new) + 1)
    await note_arrivals(connection, recognised.arrivals, ids, source_id=source_id, file_id=file_id)
    return Appended(file_id, last, len(new), len(batch.rows) - len(new))


async def _move_position(connection: Any, batch: Batch, *, stored: int) -> FileId:
    position, claim = batch.position, batch.claim
    duplicates = len(batch.rows) - stored
    values = {
        "physical": position.physical,
        "byte_offset": position.offset,
        "line": position.line,
        "tail": position.mark.tail,
        "seen_size": position.seen_size,
        "seen_mtime_ns": position.seen_mtime_ns,
        "unread_bytes": position.unread_bytes,
        **counts(
            batch.family, stored=stored, suspended=len(batch.rejected), duplicates=duplicates
        )._asdict(),
    }
    file = {
        "path": as_text(position.path),
        "state": position.state.value,
        "sha256": position.sha256,
        "header": position.header,
    }
    fence = {
        "source_id": claim.source_id,
        "epoch": claim.epoch,
        "keyed": batch.recognition is not None,
    }
    if position.file_id is None:
        if batch.family is Family.CARRIER_ROW and position.like is None:
            await refuse_begun_elsewhere(connection, claim.source_id, position.mark)
        file_id = await statement("create_file").value(
            connection,
            head_length=position.mark.head_length,
            head_digest=position.mark.head_digest,
            like_file_id=position.like,
            **file,
            **fence,
        )
        if file_id is not None:
            await statement("create_position").rows(connection, file_id=file_id, **values)
    else:
        file_id = await statement("advance_position").value(
            connection, expected=batch.expected, file_id=position.file_id, **file, **fence, **values
        )
    if file_id is None:
        raise Conflict(
            f"{position.path}: another daemon collects from this source now, or has stored this part"
        )
    return FileId(file_id)


async def suspend(connection: Any, origin: Origin, rejected: Sequence[Rejected]) -> None:
    """Keeps records that became nothing, until somebody decides about them."""
    if not rejected:
        return
    await connection.copy_records_to_table(
        "suspense",
        columns=_SUSPENSE,
        records=[
            (*origin[:2], r.line, r.offset, r.raw, r.reason.value, r.detail) for r in rejected
        ],
    )


async def store_rows(connection: Any, origin: Origin, rows: Sequence[str]) -> int | None:
    """Stores rows and returns the last new id; None where there are none.

    From here on this holds the append lock of their family, until the transaction ends.
    """
    if not rows:
        return None
    table = TABLES[origin.family]
    last: int = await statement(table.reserve).value(connection, count=len(rows))
    first = last - len(rows) + 1
    file_id = "\\N" if origin.file_id is None else origin.file_id
    lines = numbered(rows, first=first, known=f"\t{origin.source_id}\t{file_id}\t")
    await copy_in(connection, origin.family.value, table.columns, lines)
    if table.stage is not None:
        await statement("add_work").rows(connection, stage=table.stage, first=first, last=last)
        await statement("wake").rows(connection, channel=f"{CHANNEL}_{table.stage}")
    return last


async def store_late(
    connection: Any, origin: Origin, row: str, *, recognition: Recognition | None
) -> int:
    """Stores the row that a suspended record became at last, inside the caller's transaction.

    Returns its id, or that of the record that it turns out to be a duplicate of.
    """
    if recognition is None:
        is_new, stored_as = True, await store_rows(connection, origin, [row])
    else:
        keys = keys_of([row], origin.family, recognition)
        recognised = await look_up(connection, keys, origin.source_id, recognition)
        is_new = recognised.arrivals[0].is_new
        last = await store_rows(connection, origin, recognised.new([row]))
        ids = recognised.ids(last or 0)
        await note_arrivals(
            connection,
            recognised.arrivals,
            ids,
            source_id=origin.source_id,
            file_id=origin.file_id,
        )
        [stored_as] = ids
    assert stored_as is not None  # noqa: S101 - one row was given
    became = counts(origin.family, stored=int(is_new), duplicates=int(not is_new))
    await correct(connection, origin, became._replace(records=0, suspended=-1))
    return stored_as


async def correct(connection: Any, origin: Origin, differences: Counts) -> None:
    """Counts of a file, or of what comes without one, become others."""
    values = differences._asdict()
    if origin.file_id is None:
        await statement("add_tally").rows(connection, source_id=origin.source_id, **values)
    else:
        await statement("correct_position").rows(connection, file_id=origin.file_id, **values)
