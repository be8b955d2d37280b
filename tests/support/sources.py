"""Sources that hand over rows as a collector stores them, and the accounts that must come out even."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from cdrd.records import Claim, FileMark, FilePosition, Rejected, SourceId, SourceKind
from cdrd.store.arrivals import recognition_of
from cdrd.store.batches import Appended, Batch, append
from cdrd.store.database import Database
from cdrd.store.identity import Recognition
from cdrd.store.sources import Claims, register_source


class FileSource:
    """One file of one source, appended to batch by batch; the offset counts records."""

    def __init__(self, database: Database, claim: Claim, kind: SourceKind) -> None:
        self._database = database
        self.claim = claim
        self._kind = kind
        self.recognition: Recognition | None = None
        mark = FileMark(4, b"head", b"tail")
        self.position = FilePosition(None, f"{claim.source_id}.csv", "1:2", mark, 0, 1)

    @property
    def source_id(self) -> SourceId:
        return self.claim.source_id

    async def recognise(self) -> None:
        """What the stage asks when it begins, and after each fault."""
        self.recognition = await recognition_of(self._database, self.source_id, self._kind)

    async def store(self, rows: Sequence[str], rejected: Sequence[Rejected] = ()) -> Appended:
        """The next records of the file."""
        [family] = self._kind.families
        before = self.position
        count = before.offset + len(rows) + len(rejected)
        position = replace(before, offset=count, line=count + 1)
        batch = Batch(self.claim, position, before.offset, rows, rejected, family, self.recognition)
        appended = await append(self._database, batch)
        self.position = replace(position, file_id=appended.file_id)
        return appended


@asynccontextmanager
async def file_source(
    database: Database, name: str, kind: SourceKind = SourceKind.ASTERISK_CSV, *, pbx: str = "hq"
) -> AsyncIterator[FileSource]:
    """A claimed source, until the end of the block."""
    source_id = await register_source(database, name=name, kind=kind, pbx=pbx)
    claims = Claims(database, "test")
    claim = await claims.claim(source_id)
    assert claim is not None
    try:
        source = FileSource(database, claim, kind)
        await source.recognise()
        yield source
    finally:
        await claims.close()


async def ask(database: Database, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
    """The rows of a question to the database, as plain tuples."""
    async with database.connection() as connection:
        return [tuple(row) for row in await connection.fetch(sql, *arguments)]


ACCOUNTS = """
    SELECT
        source.name,
        counted.records - counted.legs - counted.events - counted.carrier_rows - counted.suspended
        - counted.duplicates,
        counted.legs - (SELECT count(*) FROM leg WHERE leg.source_id = source.source_id),
        counted.events
        - (SELECT count(*) FROM cel_event WHERE cel_event.source_id = source.source_id)
        - (SELECT count(*) FROM queue_event WHERE queue_event.source_id = source.source_id),
        counted.carrier_rows
        - (SELECT count(*) FROM carrier_row WHERE carrier_row.source_id = source.source_id),
        counted.suspended - (
            SELECT count(*) FROM suspense
            WHERE suspense.source_id = source.source_id AND state <> 'retried'
        )
    FROM source
    CROSS JOIN LATERAL (
        SELECT
            coalesce(sum(records), 0) AS records, coalesce(sum(legs), 0) AS legs,
            coalesce(sum(events), 0) AS events, coalesce(sum(carrier_rows), 0) AS carrier_rows,
            coalesce(sum(suspended), 0) AS suspended, coalesce(sum(duplicates), 0) AS duplicates
        FROM (
            SELECT records, legs, events, carrier_rows, suspended, duplicates
            FROM position JOIN file USING (file_id) WHERE file.source_id = source.source_id
            UNION ALL
            SELECT records, legs, events, carrier_rows, suspended, duplicates
            FROM tally WHERE tally.source_id = source.source_id
        ) AS parts
    ) AS counted
"""
"""Of every source: lines in less what became of them, and each of these against its table."""


async def accounts_are_even(database: Database) -> bool:
    """Whether every record of every source is accounted for."""
    return all(tuple(row[1:]) == (0, 0, 0, 0, 0) for row in await ask(database, ACCOUNTS))


def every_record_is_accounted_for(dsn: str) -> bool:
    """The same, for tests that look at a daemon from outside."""

    async def work() -> bool:
        async with Database(dsn) as database:
            return await accounts_are_even(database)

    return asyncio.run(work())
