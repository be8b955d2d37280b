"""Files of carriers: one that comes by two ways, a drop folder and `cdrd import`, is read once."""

from __future__ import annotations

from typing import Any

from cdrd.errors import Conflict
from cdrd.records import FileMark, FilePosition, SourceId
from cdrd.store.database import Database
from cdrd.store.sources import file_position
from cdrd.store.statements import statement


async def positions_of_carrier(database: Database, source_id: SourceId) -> list[FilePosition]:
    """Every file of a source's carrier, the newest first; those of its other sources are `elsewhere`."""
    async with database.connection() as connection:
        rows = await statement("positions_of_carrier").rows(connection, source_id=source_id)
    return [file_position(row, elsewhere=row["elsewhere"]) for row in rows]


async def refuse_begun_elsewhere(connection: Any, source_id: SourceId, mark: FileMark) -> None:
    """Raises Conflict where another source of the carrier began such a file since ours looked.

    Until the transaction ends no other one begins a file.
    """
    await statement("lock_carrier").rows(connection, source_id=source_id)
    is_begun = await statement("is_begun_elsewhere").value(
        connection,
        source_id=source_id,
        head_length=mark.head_length,
        head_digest=mark.head_digest,
    )
    if is_begun:
        raise Conflict("another source of the same carrier reads such a file already")


async def carrier_rows_outside_partitions(database: Database) -> bool:
    """Whether any row is in a default partition, which must never be."""
    async with database.connection() as connection:
        return bool(await statement("carrier_rows_outside_partitions").value(connection))
