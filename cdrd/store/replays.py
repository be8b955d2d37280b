"""Files that are read again: what of them is stored already, by its place in the file, and the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from cdrd.records import (
    Family,
    FileId,
    FileMark,
    FilePosition,
    Rejected,
    SourceId,
    SourceKind,
)
from cdrd.store.arrivals import known_recognition, look_up, note_arrivals
from cdrd.store.batches import Counts, Origin, correct, counts, store_rows, suspend
from cdrd.store.database import Database
from cdrd.store.filenames import as_path, as_text
from cdrd.store.identity import Recognition, keys_of
from cdrd.store.statements import Row, statement


@dataclass(frozen=True, slots=True)
class Replayable:
    """A file that can be read again, as it was when it was asked for."""

    source: str
    source_id: SourceId
    file_id: FileId
    position: FilePosition
    counts: Counts


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which files are read again; None is all of them."""

    source: str | None = None
    file_id: FileId | None = None
    path: str | None = None
    since: datetime | None = None


class Piece(NamedTuple):
    """Records between two places of a file."""

    first: int
    upto: int
    rows: Sequence[str]
    rejected: Sequence[Rejected]


class Mended(NamedTuple):
    """What became of the records of a piece that were nowhere."""

    stored: int = 0
    suspended: int = 0
    duplicates: int = 0
    """Another source has delivered them."""


async def replayable_files(database: Database, wanted: Wanted) -> list[Replayable]:
    """Files of which something is stored, the oldest first."""
    async with database.connection() as connection:
        rows = await statement("replayable_files").rows(
            connection,
            source=wanted.source,
            file_id=wanted.file_id,
            path=wanted.path and as_text(wanted.path),
            since=wanted.since,
        )
    return [_replayable(row) for row in rows]


def _replayable(row: Row) -> Replayable:
    file_id = FileId(row["file_id"])
    mark = FileMark(row["head_length"], row["head_digest"], row["tail"])
    return Replayable(
        row["source"],
        SourceId(row["source_id"]),
        file_id,
        FilePosition(
            file_id, as_path(row["path"]), row["physical"], mark, row["byte_offset"], row["line"]
        ),
        Counts(*(row[name] for name in Counts._fields)),
    )


async def mend(database: Database, file: Replayable, kind: SourceKind, piece: Piece) -> Mended:
    """Stores what of a piece is nowhere: no leg or event, not in suspense, and not delivered by another."""
    [family] = kind.families
    if not await _missing(database, file, family, piece):
        return Mended()
    async with database.transaction() as connection:
        recognition = await known_recognition(connection, file.source_id, kind)
        await statement("hold_position").rows(connection, file_id=file.file_id)
        there = await _places(connection, file.file_id, family, piece)
        origin = Origin(file.source_id, file.file_id, family)
        rejected = [record for record in piece.rejected if record.offset not in there]
        await suspend(connection, origin, rejected)
        rows = [row for row in piece.rows if _offset(row) not in there]
        if recognition is None:
            await store_rows(connection, origin, rows)
            return Mended(len(rows), len(rejected))
        stored, duplicates = await _store_recognised(connection, origin, rows, recognition)
        return Mended(stored, len(rejected), duplicates)


async def _missing(database: Database, file: Replayable, family: Family, piece: Piece) -> bool:
    async with database.transaction() as connection:
        there = await _places(connection, file.file_id, family, piece)
    return not all(_offset(row) in there for row in piece.rows) or not all(
        record.offset in there for record in piece.rejected
    )


async def _places(connection: Any, file_id: FileId, family: Family, piece: Piece) -> set[int]:
    """Where the records begin that are stored or suspended."""
    await statement("look_by_place").rows(connection)
    values = {"file_id": file_id, "first": piece.first, "upto": piece.upto}
    stored = await statement(f"{family.value}_places").rows(connection, **values)
    suspended = await statement("suspense_places").rows(connection, **values)
    return {row["byte_offset"] for row in (*stored, *suspended)}


def _offset(row: str) -> int:
    return int(row.split("\t", 2)[1])


async def _store_recognised(
    connection: Any, origin: Origin, rows: Sequence[str], recognition: Recognition
) -> tuple[int, int]:
    """How many were new, and how many another source had delivered that are noted only now.

    What has arrived from this very place is there; but not if what it was stored as is lost.
    """
    keys = keys_of(rows, origin.family, recognition)
    there: set[int] = set()
    for day in {key.day for key in keys}:
        digests = list({key.digest for key in keys if key.day == day})
        await statement("forget_lost").rows(
            connection, day=day, digests=digests, family=origin.family.value
        )
        found = await statement("arrived_places").rows(
            connection, day=day, digests=digests, file_id=origin.file_id
        )
        there |= {row["byte_offset"] for row in found}
    kept = [(row, key) for row, key in zip(rows, keys, strict=True) if key.offset not in there]
    rows, keys = [row for row, _ in kept], [key for _, key in kept]
    recognised = await look_up(connection, keys, origin.source_id, recognition)
    new = recognised.new(rows)
    last = await store_rows(connection, origin, new)
    await note_arrivals(
        connection,
        recognised.arrivals,
        recognised.ids(0 if last is None else last - len(new) + 1),
        source_id=origin.source_id,
        file_id=origin.file_id,
    )
    return len(new), len(rows) - len(new)


async def settle_counts(
    database: Database, file: Replayable, family: Family, records: int
) -> Counts:
    """Makes a file's counts say what is true of the part that was read again; returns the differences.

    `records` is how many there are in that part. Whoever follows the file meanwhile counts on behind it.
    """
    part = Piece(0, file.position.offset, (), ())
    async with database.transaction() as connection:
        await statement("look_by_place").rows(connection)
        values = {"file_id": file.file_id, "first": part.first, "upto": part.upto}
        stored = len(await statement(f"{family.value}_places").rows(connection, **values))
        waiting = await statement("suspense_places").rows(connection, **values)
        suspended = sum(not row["retried"] for row in waiting)
        duplicates = records - stored - suspended
        true = counts(family, stored=stored, suspended=suspended, duplicates=duplicates)
        differences = Counts(*(now - before for now, before in zip(true, file.counts, strict=True)))
        if any(differences) and true.duplicates >= 0:
            await correct(connection, Origin(file.source_id, file.file_id, family), differences)
    return differences
