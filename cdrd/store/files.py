"""Files, for whoever looks at them and decides about those that are held."""

from __future__ import annotations

from collections.abc import Sequence

from cdrd.errors import Conflict, NotFound
from cdrd.records import FileId, FileState, SourceId
from cdrd.store.database import Database
from cdrd.store.statements import Row, statement


async def files(
    database: Database,
    *,
    source: str | None = None,
    state: FileState | None = None,
    most: int = 100,
) -> Sequence[Row]:
    """Files with what became of their records, the newest first."""
    async with database.connection() as connection:
        return await statement("files").rows(
            connection, source=source, state=state and state.value, most=most
        )


async def file_story(database: Database, file_id: FileId) -> Row:
    """Everything about one file."""
    async with database.connection() as connection:
        row = await statement("file_story").row(connection, file_id=file_id)
    if row is None:
        raise NotFound(f"there is no file {file_id}", hint="See `cdrd file list`.")
    return row


async def held_files(database: Database, source_id: SourceId) -> int:
    """How many files of a source wait for a decision."""
    async with database.connection() as connection:
        return int(await statement("held_files").value(connection, source_id=source_id))


async def decide(database: Database, file_id: FileId, state: FileState) -> None:
    """Ends the wait of a held file: `RELEASED`, it is read after all, or `DISCARDED`, it never is."""
    async with database.connection() as connection:
        decided = await statement("decide_file").value(
            connection, file_id=file_id, state=state.value
        )
    if decided is None:
        story = await file_story(database, file_id)
        raise Conflict(f"file {file_id} is not held: it is {story['state']}")
