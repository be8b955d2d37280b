"""Sources, who may collect from them, and how far their files are stored."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

from cdrd.clock import stopwatch
from cdrd.errors import Unavailable
from cdrd.records import (
    Claim,
    FileId,
    FileMark,
    FilePosition,
    FileState,
    SourceId,
    SourceKind,
)
from cdrd.store.database import Database, in_time, translated
from cdrd.store.filenames import as_path, as_text
from cdrd.store.statements import Row, statement

_ASK_EVERY = 10.0
"""Seconds between two looks whether the connection of the claims still has another end."""
_PATIENCE = 5.0
"""So long it has to answer."""


async def register_source(
    database: Database, *, name: str, kind: SourceKind, pbx: str, carrier: str | None = None
) -> SourceId:
    """The id of a configured source; it is made when first seen."""
    async with database.transaction() as connection:
        source_id = SourceId(
            await statement("register_source").value(
                connection,
                name=name,
                kind=kind.value,
                pbx=pbx,
                families=sorted(family.value for family in kind.families),
            )
        )
        await statement("name_carrier").rows(connection, source_id=source_id, carrier=carrier)
    return source_id


async def positions(database: Database, source_id: SourceId) -> list[FilePosition]:
    """Every file of a source and how far it is stored, the newest first."""
    async with database.connection() as connection:
        rows = await statement("positions").rows(connection, source_id=source_id)
    return [file_position(row) for row in rows]


def file_position(row: Row, *, elsewhere: bool = False) -> FilePosition:
    """A file as the database has it."""
    return FilePosition(
        file_id=FileId(row["file_id"]),
        path=as_path(row["path"]),
        physical=row["physical"],
        mark=FileMark(row["head_length"], row["head_digest"], row["tail"]),
        offset=row["byte_offset"],
        line=row["line"],
        seen_size=row["seen_size"],
        seen_mtime_ns=row["seen_mtime_ns"],
        unread_bytes=row["unread_bytes"],
        state=FileState(row["state"]),
        sha256=row["sha256"],
        like=row["like_file_id"],
        elsewhere=elsewhere,
    )


class Report(NamedTuple):
    """How a source is doing, as whoever collects from it sees it."""

    lag_bytes: int | None = None
    """None where nothing is there to be read: what is pushed has no lag."""
    behind_since: datetime | None = None
    """Since when the oldest unread byte is known to be there."""
    failing_since: datetime | None = None
    last_error: str | None = None
    """None changes nothing: the last error is remembered."""
    blind_since: datetime | None = None
    """Since when what the source sends is lost, because it cannot send it again."""


async def report_source(database: Database, source_id: SourceId, report: Report) -> None:
    """Writes down how a source is doing now."""
    async with database.connection() as connection:
        await write_report(connection, source_id, report)


async def write_report(connection: Any, source_id: SourceId, report: Report) -> None:
    """The same within what else is done with the connection."""
    error = report.last_error
    values = report._replace(last_error=None if error is None else as_text(error))._asdict()
    await statement("report_source").rows(connection, source_id=source_id, **values)


async def last_heard(database: Database, source_id: SourceId) -> datetime | None:
    """Until when a source is known to have been heard, of one that says everything once; None: never."""
    async with database.connection() as connection:
        found: datetime | None = await statement("last_heard").value(
            connection, source_id=source_id
        )
    return found


async def source_status(database: Database) -> Sequence[Row]:
    """One row a source: who it is, whether somebody collects from it, what became of its records, its lag.

    records = legs + events + suspended + duplicates, always; `waiting` of the suspended wait for a decision.
    """
    async with database.connection() as connection:
        return await statement("source_status").rows(connection)


class Claims:
    """The claims of one daemon, held by one connection of its own.

    A claim is an advisory lock, so that it ends with its holder however that dies, and an epoch, so
    that a holder that was cut off and does not know it yet can store nothing any more.
    """

    def __init__(self, database: Database, owner: str) -> None:
        self._database = database
        self._owner = owner
        self._connection: Any = None
        self._locked: set[SourceId] = set()
        """The sources whose lock that connection holds."""
        self._turn = asyncio.Lock()
        self._asked_at = float("-inf")

    async def claim(self, source_id: SourceId) -> Claim | None:
        """The claim on a source, or None while another daemon has it. Claiming again raises the epoch."""
        async with self._turn:
            connection = await self._connected()
            with _answering(connection):
                if not await self._lock(connection, source_id):
                    return None
                epoch = await statement("claim_source").value(
                    connection, source_id=source_id, owner=self._owner
                )
        return Claim(source_id, epoch)

    async def is_held(self, claim: Claim) -> bool:
        """Whether the lock is still ours: a network may forget a connection without telling either end."""
        connection = self._connection
        if connection is None or connection.is_closed() or claim.source_id not in self._locked:
            return False
        if self._turn.locked() or stopwatch() - self._asked_at < _ASK_EVERY:
            return True
        async with self._turn:
            self._asked_at = stopwatch()
            try:
                with translated():
                    async with in_time(_PATIENCE):
                        await statement("alive").value(connection)
            except Unavailable:
                connection.terminate()
                return False
        return True

    async def release(self, source_id: SourceId) -> None:
        """Lets another daemon have a source; does nothing where the claim is lost already."""
        async with self._turn:
            if source_id not in self._locked:
                return
            self._locked.remove(source_id)
            if not self._connection.is_closed():
                with _answering(self._connection):
                    await statement("unlock_source").value(self._connection, source_id=source_id)

    async def _lock(self, connection: Any, source_id: SourceId) -> bool:
        """Locks count: one that is held is not taken again, so that letting go once is enough."""
        if source_id not in self._locked:
            if not await statement("try_source_lock").value(connection, source_id=source_id):
                return False
            self._locked.add(source_id)
        return True

    async def _connected(self) -> Any:
        if self._connection is None or self._connection.is_closed():
            self._locked.clear()
            self._connection = await self._database.dedicated()
        return self._connection

    async def close(self) -> None:
        """Let go of every claim."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()


@contextmanager
def _answering(connection: Any) -> Iterator[None]:
    """Where nobody waits for the answer any more, nobody knows what is locked: the connection ends."""
    try:
        with translated():
            yield
    except asyncio.CancelledError:
        connection.terminate()
        raise
