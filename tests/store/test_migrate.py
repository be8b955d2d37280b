from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.postgres import cloned

from cdrd.errors import SchemaError
from cdrd.records import AcctId
from cdrd.store.attributions import attributions_of
from cdrd.store.calls import call_of
from cdrd.store.database import Database
from cdrd.store.migrate import Migration, check_schema, migrate, migrations, pending
from cdrd.store.statements import sql_folder


@pytest.fixture
def empty_dsn(server_dsn: str) -> Iterator[str]:
    """A database without any schema."""
    with cloned(server_dsn) as dsn:
        yield dsn


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The program's migrations and one more."""
    copied = tmp_path / "migrations"
    shutil.copytree(sql_folder() / "migrations", copied)
    (copied / "9000_more.sql").write_text("CREATE TABLE more (n integer PRIMARY KEY);\n")
    return copied


def first_migrations(number: int, tmp_path: Path) -> Path:
    """A folder with the program's first so many migrations."""
    early = tmp_path / "early"
    early.mkdir()
    for path in sorted((sql_folder() / "migrations").glob("*.sql"))[:number]:
        shutil.copy(path, early)
    return early


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


async def test_records_that_were_counted_before_are_accounted_for(
    empty_dsn: str, tmp_path: Path
) -> None:
    """A file's counts from before: ten legs, and two suspended of which one became a leg later."""
    async with Database(empty_dsn) as database:
        await migrate(database, first_migrations(2, tmp_path))
        async with database.transaction() as connection:
            await connection.execute("""
                INSERT INTO source (name, kind, pbx) VALUES ('hq', 'asterisk-csv', 'hq');
                INSERT INTO file (source_id, path, head_length, head_digest)
                VALUES (1, 'Master.csv', 0, ''), (1, 'other.csv', 0, '');
                INSERT INTO position (
                    file_id, physical, byte_offset, line, tail, seen_size, seen_mtime_ns, legs, suspended
                )
                VALUES (1, '1:2', 0, 1, '', 0, 0, 10, 2), (2, '1:3', 0, 1, '', 0, 0, 5, 0);
                INSERT INTO suspense (source_id, file_id, raw, reason, detail, state, acctid, closed_at)
                VALUES
                    (1, 1, '', 'torn', '', 'retried', 11, now()),
                    (1, 1, '', 'torn', '', 'waiting', NULL, NULL);
            """)
        await migrate(database)
        async with database.connection() as connection:
            counts = await connection.fetch(
                "SELECT records, legs, suspended, duplicates FROM position ORDER BY file_id"
            )
            stored_as = await connection.fetch("SELECT stored_as FROM suspense ORDER BY 1")

    assert [tuple(row) for row in counts] == [(12, 11, 1, 0), (5, 5, 0, 0)]
    assert [tuple(row) for row in stored_as] == [(11,), (None,)]


async def test_decisions_keep_their_rules_and_learn_of_which_call_they_are(
    empty_dsn: str, tmp_path: Path
) -> None:
    """Two legs of one call, and one that no rules could decide."""
    async with Database(empty_dsn) as database:
        await migrate(database, first_migrations(7, tmp_path))
        async with database.transaction() as connection:
            await connection.execute("""
                INSERT INTO attribution (
                    acctid, company, is_ivr, is_park, is_pick, is_auth, is_bounce, reason, rules,
                    directory_version, seen_acctid, revision
                )
                VALUES
                    (1, 'acme', false, false, false, false, false, NULL, '{"company": "one"}', 1, 3, 1),
                    (2, NULL, false, false, false, false, false, 'fault', '{}', 1, 3, 2),
                    (3, 'acme', false, false, false, false, false, NULL, '{"company": "one"}', 1, 3, 3);
                INSERT INTO call (
                    call_id, pbx, linkedid, linkedids, acctids, roles, end_reasons, started, talk_seconds,
                    status_code, confidence, rules, events, settles_at, settles_by, directory_version,
                    seen_acctid, seen_event_id, revision
                )
                VALUES (
                    1, 'hq', '1.0', '{1.0,3.0}', '{1,3}', '{answered,answered}', '{NULL,NULL}', now(), 0,
                    0, 'records', '{"company": "one", "answered": "first"}', 0, now(), 'quiet', 1, 3, 0, 4
                );
            """)
        await migrate(database)
        async with database.connection() as connection:
            decided = [
                (row["acctid"], row["call_id"], row["rules"])
                for row in await attributions_of(connection, [AcctId(n) for n in (1, 2, 3)])
            ]
            call = await call_of(connection, AcctId(1))

    assert decided == [(1, 1, {"company": "one"}), (2, None, {}), (3, 1, {"company": "one"})]
    assert call is not None
    assert call["rules"] == {"company": "one", "answered": "first"}


async def test_room_for_what_queues_tell_writes_no_call_anew(
    empty_dsn: str, tmp_path: Path
) -> None:
    """However many calls there are, the upgrade takes no longer."""
    where = (
        "SELECT oid, pg_relation_filenode(oid) FROM pg_class WHERE relname ~ '^call_' ORDER BY 1"
    )
    async with Database(empty_dsn) as database:
        await migrate(database, first_migrations(8, tmp_path))
        async with database.connection() as connection:
            before = await connection.fetch(where)
        await migrate(database)
        async with database.connection() as connection:
            after = await connection.fetch(where)
            called = await connection.fetchval("SELECT count(agent) FROM call")

    assert before == after
    assert called == 0
