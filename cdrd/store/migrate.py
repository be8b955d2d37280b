"""Migrations: numbered plain SQL, forward only, one transaction under one lock.

The ledger keeps a checksum of each, so that a migration edited after it was applied is refused, and
several programs that start at once wait for one another and find the work done.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdrd.errors import SchemaError
from cdrd.store.database import Database
from cdrd.store.statements import sql_folder

_LOCK = 1129202275
"""The advisory lock of migrations: the letters CDRc as a number."""

_LEDGER = """
CREATE TABLE IF NOT EXISTS migration (
    number     integer     NOT NULL PRIMARY KEY,
    name       text        NOT NULL,
    digest     text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of sql/migrations."""

    number: int
    name: str
    sql: str

    @property
    def digest(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations(folder: Path | None = None) -> list[Migration]:
    """Every migration of the program, in order."""
    found = []
    for path in sorted((folder or sql_folder() / "migrations").glob("*.sql")):
        match = re.fullmatch(r"(\d{4})_(\w+)\.sql", path.name)
        if match is None:
            raise SchemaError(f"{path.name} is no migration: its name must be like 0001_words.sql")
        found.append(Migration(int(match[1]), match[2], path.read_text(encoding="utf-8")))
    return found


def pending(known: list[Migration], applied: dict[int, str]) -> list[Migration]:
    """The migrations that a database still needs, given number → digest of what it has."""
    newest = max((migration.number for migration in known), default=0)
    if applied and max(applied) > newest:
        raise SchemaError(
            f"the database has migration {max(applied)}, this program knows only up to {newest}",
            hint="Run the newer cdrd, or restore the database of this version.",
        )
    for migration in known:
        if migration.number in applied and applied[migration.number] != migration.digest:
            raise SchemaError(
                f"migration {migration.number:04} ({migration.name}) was edited after it was applied",
                hint="Migrations are forward only: undo the edit and add a new one.",
            )
    return [migration for migration in known if migration.number not in applied]


async def _applied(connection: Any) -> dict[int, str]:
    exists = await connection.fetchval("SELECT to_regclass('migration') IS NOT NULL")
    if not exists:
        return {}
    rows = await connection.fetch("SELECT number, digest FROM migration")
    return {row["number"]: row["digest"] for row in rows}


async def check_schema(database: Database) -> None:
    """Raises SchemaError unless the database has exactly the migrations of this program."""
    async with database.connection() as connection:
        missing = pending(migrations(), await _applied(connection))
    if missing:
        raise SchemaError(
            f"the database lacks {len(missing)} migration(s), the first is {missing[0].name}",
            hint="Run `cdrd migrate`.",
        )


async def migrate(database: Database, folder: Path | None = None) -> list[Migration]:
    """Applies what is missing and returns it. Safe when several start at once."""
    known = migrations(folder)
    async with database.transaction() as connection:
        await connection.execute("SET LOCAL statement_timeout = 0")
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await connection.execute(_LEDGER)
        missing = pending(known, await _applied(connection))
        for migration in missing:
            await connection.execute(migration.sql)
            await connection.execute(
                "INSERT INTO migration (number, name, digest) VALUES ($1, $2, $3)",
                migration.number,
                migration.name,
                migration.digest,
            )
    return missing
