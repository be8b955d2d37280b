"""Records that became no leg: listed, shown, tried again, discarded."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from cdrd.errors import NotFound
from cdrd.records import SuspenseId
from cdrd.store.database import Database
from cdrd.store.statements import Row, statement


async def waiting_suspense(
    database: Database, *, source: str | None = None, after: int = 0, most: int = 100
) -> Sequence[Row]:
    """Records that wait for a decision, oldest first, without their bytes."""
    async with database.connection() as connection:
        return await statement("waiting_suspense").rows(
            connection, source=source, after=after, most=most
        )


async def suspended_record(database: Database, suspense_id: SuspenseId) -> Row:
    """One record with its bytes, whatever became of it."""
    async with database.connection() as connection:
        row = await statement("suspended_record").row(connection, suspense_id=suspense_id)
    if row is None:
        raise NotFound(
            f"there is no suspended record {suspense_id}", hint="See `cdrd suspense list`."
        )
    return row


@asynccontextmanager
async def deciding(database: Database, suspense_id: SuspenseId) -> AsyncIterator[Any]:
    """A transaction that holds a waiting record; raises NotFound when it waits no more."""
    async with database.transaction() as connection:
        held = await statement("hold_suspense").value(connection, suspense_id=suspense_id)
        if held is None:
            raise NotFound(f"suspended record {suspense_id} does not wait any more")
        yield connection


async def close(
    connection: Any, suspense_id: SuspenseId, *, state: str, stored_as: int | None = None
) -> None:
    """Ends the wait of a held record: `retried` as that leg or event, or `discarded`."""
    await statement("close_suspense").value(
        connection, suspense_id=suspense_id, state=state, stored_as=stored_as
    )
