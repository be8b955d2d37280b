"""Every statement the program runs, by its name in sql/queries."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import aiosql

from cdrd.store import binary

Row = Mapping[str, Any]


class Connection(Protocol):
    """What a statement needs of a connection; the driver's own, or one of its pool."""

    async def fetch(self, query: str, *args: object) -> list[Any]:
        """Every row."""

    async def fetchrow(self, query: str, *args: object) -> Any:
        """The first row or None."""

    async def fetchval(self, query: str, *args: object) -> Any:
        """The first column of the first row or None."""


def sql_folder() -> Path:
    """The folder with migrations and queries: inside an installed package, or the checkout's own."""
    packaged = Path(__file__).parent.parent / "sql"
    return packaged if packaged.is_dir() else packaged.parent.parent / "sql"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement: its text with numbered parameters, and the names of these in order."""

    name: str
    sql: str
    parameters: tuple[str, ...]

    def arguments(self, values: dict[str, Any]) -> list[Any]:
        """The values in the statement's order; a wrong or missing name fails here, not in the database."""
        if values.keys() != set(self.parameters):
            message = f"{self.name} takes {sorted(self.parameters)}, not {sorted(values)}"
            raise TypeError(message)
        return [values[name] for name in self.parameters]

    async def rows(self, connection: Connection, **values: Any) -> list[Row]:
        """Every row."""
        return await connection.fetch(self.sql, *self.arguments(values))

    async def row(self, connection: Connection, **values: Any) -> Row | None:
        """The first row, or None."""
        row: Row | None = await connection.fetchrow(self.sql, *self.arguments(values))
        return row

    async def value(self, connection: Connection, **values: Any) -> Any:
        """The first column of the first row, or None."""
        return await connection.fetchval(self.sql, *self.arguments(values))


@cache
def statements() -> dict[str, Statement]:
    """All statements by name, read once."""
    queries = aiosql.from_path(sql_folder() / "queries", "asyncpg", mandatory_parameters=False)
    order: dict[str, list[str]] = queries.driver_adapter.var_sorted
    return {
        name: Statement(name, getattr(queries, name).sql, tuple(order[name]))
        for name in queries.available_queries
        if not name.endswith("_cursor")
    }


def statement(name: str) -> Statement:
    """The statement of that name."""
    return statements()[name]


async def copy_in(
    connection: Any, table: str, columns: Sequence[str], rows: Iterable[bytes]
) -> None:
    """COPY of rows in text format, several together; the server begins with the first meanwhile."""
    await connection.copy_to_table(table, source=_one_by_one(rows), columns=columns, format="text")


async def copy_in_binary(
    connection: Any, table: str, columns: Sequence[str], rows: Iterable[bytes]
) -> None:
    """The same, of rows in binary format."""
    pieces = _one_by_one(chain((binary.BEGIN,), rows, (binary.END,)))
    await connection.copy_to_table(table, source=pieces, columns=columns, format="binary")


async def _one_by_one(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    """As the driver wants them."""
    for piece in pieces:
        yield piece
