"""A piece of a file is stored; a record that the database refuses is found and suspended, alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from cdrd.collect.tracks import Taken
from cdrd.errors import RowRefused
from cdrd.records import Claim, Family, Reason, Rejected
from cdrd.store.batches import Batch, append
from cdrd.store.database import Database
from cdrd.store.identity import Recognition


class Destination(NamedTuple):
    """What the records of a source become, and by which right."""

    claim: Claim
    family: Family = Family.LEG
    recognition: Recognition | None = None
    """How those are recognised that another source has delivered; None where there is no other."""


class Stored(NamedTuple):
    """What became of a piece."""

    records: int
    stored: int
    """New legs, or events."""
    duplicates: int
    rejected: Sequence[Rejected]


class _Record(NamedTuple):
    """One record of a piece, from where the one before it ends."""

    offset: int
    line: int
    row: str | None
    rejected: Rejected | None


async def store(database: Database, destination: Destination, taken: Taken) -> Stored:
    """Stores a piece in one transaction; in more where the database refuses one of its records."""
    decoded = taken.decoded
    batch = Batch(
        destination.claim,
        taken.position,
        taken.start.offset,
        decoded.rows,
        decoded.rejected,
        destination.family,
        destination.recognition,
    )
    try:
        appended = await append(database, batch)
    except RowRefused:
        if not decoded.rows:
            raise
        return await _Halves(database, batch, taken).store()
    taken.generation.file_id = appended.file_id
    records = len(decoded.rows) + len(decoded.rejected)
    return Stored(records, appended.stored, appended.duplicates, decoded.rejected)


class _Halves:
    """A refused piece: halved until the refused record is alone. Each part commits with its position."""

    def __init__(self, database: Database, batch: Batch, taken: Taken) -> None:
        self._database = database
        self._batch = batch
        self._taken = taken
        self._records = _records(taken)
        end = taken.position
        self._begins = [(record.offset, record.line) for record in self._records]
        self._begins.append((end.offset, end.line))
        self._stored_to = taken.start.offset
        self._new = self._duplicates = 0

    async def store(self) -> Stored:
        """Everything but the refused records is stored as if these had never been there."""
        waiting = [range(len(self._records))]
        while waiting:
            part = waiting.pop()
            try:
                await self._append(part)
            except RowRefused as refused:
                if len(part) > 1:
                    middle = len(part) // 2
                    waiting += [part[middle:], part[:middle]]
                elif self._records[part[0]].row is not None:
                    self._suspend(part[0], refused)
                    waiting.append(part)
                else:
                    raise
        rejected = [record.rejected for record in self._records if record.rejected is not None]
        return Stored(len(self._records), self._new, self._duplicates, rejected)

    async def _append(self, part: range) -> None:
        records = self._records[part.start : part.stop]
        position = self._taken.position_at(*self._begins[part.stop])
        rows = [record.row for record in records if record.row is not None]
        rejected = [record.rejected for record in records if record.rejected is not None]
        batch = replace(
            self._batch,
            position=position,
            expected=self._stored_to,
            rows=rows,
            rejected=rejected,
        )
        appended = await append(self._database, batch)
        self._taken.generation.file_id = appended.file_id
        self._new += appended.stored
        self._duplicates += appended.duplicates
        self._stored_to = position.offset

    def _suspend(self, index: int, refused: RowRefused) -> None:
        record = self._records[index]
        end, _ = self._begins[index + 1]
        first = self._taken.chunk.offset
        raw = self._taken.chunk.data[record.offset - first : end - first]
        words = str(refused).partition("\n")[0]  # the next line would repeat the row
        rejected = Rejected(raw, record.line, record.offset, Reason.REFUSED, words)
        self._records[index] = record._replace(row=None, rejected=rejected)


def _records(taken: Taken) -> list[_Record]:
    """The records of a piece in their order; what is between two belongs to the one before."""
    records = [_Record(r.offset, r.line, None, r) for r in taken.decoded.rejected]
    for row in taken.decoded.rows:
        line, offset, _ = row.split("\t", 2)
        records.append(_Record(int(offset), int(line), row, None))
    return sorted(records, key=lambda record: record.offset)
