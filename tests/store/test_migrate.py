from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import asyncpg
import pytest

from cdrd.errors import SchemaError
from cdrd.store.database import Database
from cdrd.store.migrate import Migration, check_schema, migrate, migrations, pending
from cdrd.store.statements import sql_folder

_numbers = count()


async def _execute(dsn: str, sql: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


@pytest.fixture
def empty_dsn(server_dsn: str) -> Iterator[str]:
    """A database without any schema."""
    name = f"cdrd_empty_{os.getpid()}_{next(_numbers)}"
    asyncio.run(_execute(server_dsn, f'CREATE DATABASE "{name}"'))
    head, _, query = server_dsn.partition("?")
    yield f"{head.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")
    asyncio.run(_execute(server_dsn, f'DROP DATABASE "{name}" WITH (FORCE)'))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The program's migrations and one more."""
    copied = tmp_path / "migrations"
    shutil.copytree(sql_folder() / "migrations", copied)
    (copied / "9000_more.sql").write_text("CREATE TABLE more (n integer PRIMARY KEY);\n")
    return copied


async def test_several_that_start_at_once_on_an_empty_database_do_it_once(empty_dsn: str) -> None:
    async with Database(empty_dsn) as database:
        with pytest.raises(SchemaError, match="lacks") as refused:
            await check_schema(database)
        assert refused.value.hint == "Run `cdrd migrate`."
        applied = await asyncio.gather(*(migrate(database) for _ in range(5)))

        assert sorted(map(len, applied)) == [0, 0, 0, 0, len(migrations())]
        await check_schema(database)


async def test_a_migration_that_was_edited_after_it_was_applied_is_refused(
    database: Database, folder: Path
) -> None:
    await migrate(database, folder)
    (folder / "9000_more.sql").write_text("CREATE TABLE more (n bigint PRIMARY KEY);\n")

    with pytest.raises(SchemaError, match=r"9000 \(more\) was edited"):
        await migrate(database, folder)


async def test_a_newer_database_is_refused(database: Database, folder: Path) -> None:
    await migrate(database, folder)

    for attempt in (check_schema(database), migrate(database)):
        with pytest.raises(SchemaError, match="migration 9000, this program knows only up to"):
            await attempt


async def test_a_migration_that_fails_leaves_nothing_behind(
    database: Database, folder: Path
) -> None:
    (folder / "9001_broken.sql").write_text("CREATE TABLE broken (n integer); SELECT 1 / 0;\n")
    with pytest.raises(Exception, match="division by zero"):
        await migrate(database, folder)

    async with database.connection() as connection:
        assert not await connection.fetchval(
            "SELECT count(*) FROM pg_class WHERE relname IN ('more', 'broken')"
        )
    await check_schema(database)


def test_a_file_that_is_no_migration_is_refused(folder: Path) -> None:
    (folder / "readme.sql").write_text("")
    with pytest.raises(SchemaError, match=r"readme\.sql is no migration"):
        migrations(folder)


def test_a_migration_with_a_lower_number_may_come_later() -> None:
    """Two branches that were merged: what is missing is applied in order, whatever is there."""
    one, two, three = (Migration(n, f"m{n}", f"SELECT {n}") for n in (1, 2, 3))

    assert pending([one, two, three], {1: one.digest, 3: three.digest}) == [two]
