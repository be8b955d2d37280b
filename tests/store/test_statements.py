from __future__ import annotations

import re
from typing import Any

import pytest
from support.legs import collecting, leg

from cdrd.errors import RowRefused
from cdrd.store.database import Database
from cdrd.store.legs import ENRICH
from cdrd.store.statements import copy_in, sql_folder, statement, statements
from cdrd.store.text import encoded, numbered
from cdrd.store.work import claim_work, finish_work, prepare_to_decide

HEADER = re.compile(r"^-- name: (\w+)\(([\w, ]*)\)([!$^]?)$", re.MULTILINE)
TEMPORARY = (
    "create_wanted_companies",
    "create_wanted_entries",
    "compare_companies",
    "compare_entries",
)
"""Statements that make the temporary tables that others read."""


def headers() -> dict[str, list[str]]:
    """The name of every statement and its parameters, as the files promise them."""
    return {
        name: [parameter for parameter in parameters.split(", ") if parameter]
        for path in sorted((sql_folder() / "queries").glob("*.sql"))
        for name, parameters, _ in HEADER.findall(path.read_text(encoding="utf-8"))
    }


def test_every_statement_has_a_header_with_its_parameters() -> None:
    assert headers().keys() == statements().keys()
    for name, parameters in headers().items():
        assert sorted(parameters) == sorted(statement(name).parameters), name


def test_no_name_is_given_twice() -> None:
    names = [
        name
        for path in sorted((sql_folder() / "queries").glob("*.sql"))
        for name, _, _ in HEADER.findall(path.read_text(encoding="utf-8"))
    ]
    assert sorted(names) == sorted(set(names))


async def test_every_statement_is_understood_by_the_database(database: Database) -> None:
    async with database.transaction() as connection:
        for name in TEMPORARY:
            await statement(name).rows(connection)
        for name, known in statements().items():
            prepared = await connection.prepare(known.sql)
            assert len(prepared.get_parameters()) == len(headers()[name]), name


def test_a_wrong_name_fails_before_the_database_is_asked() -> None:
    with pytest.raises(TypeError, match="add_work takes"):
        statement("add_work").arguments({"stage": "enrich", "first": 1, "lst": 2})


@pytest.fixture
async def partitioned(database: Database) -> Database:
    """Three small partitions before the large one that the template has; none with statistics."""
    async with collecting(database) as collector:
        await collector.store(leg("0.0"))
    async with database.connection() as connection:
        for table in ("leg", "attribution", "call"):
            await connection.execute(f"DROP TABLE {table}_0, {table}_10000000")
        await connection.execute("DELETE FROM partition_range WHERE family = 'leg'")
        await connection.execute("SELECT create_partitions(1000, 3000)")
    return database


async def plan(connection: Any, name: str, *arguments: str) -> str:
    """The plan of a statement inside a transaction that is prepared to decide."""
    await prepare_to_decide(connection)
    await connection.execute(f"PREPARE explained AS {statement(name).sql}")
    rows = await connection.fetch(f"EXPLAIN EXECUTE explained({', '.join(arguments)})")
    return "\n".join(row[0] for row in rows)


CALLS = "ARRAY[" + ", ".join(f"'{n}'" for n in range(2000)) + "]"


@pytest.mark.parametrize("legs", [0, 200, 3000])
async def test_the_legs_of_calls_are_found_by_index_in_the_partitions_of_the_window(
    partitioned: Database, legs: int
) -> None:
    """However many legs there are, and although nobody has counted them."""
    async with collecting(partitioned) as collector:
        if legs:
            await collector.store(*(leg(f"{n}") for n in range(legs)))
    async with partitioned.transaction() as connection:
        text = await plan(connection, "legs_of_calls", CALLS, "1500", "2500", "'{}'", "100")

    assert "Seq Scan on leg" not in text
    assert "leg_0" not in text
    assert "leg_3000" not in text
    assert "leg_default" not in text
    assert "leg_1000_coalesce_acctid_idx" in text
    assert "leg_2000_coalesce_acctid_idx" in text
    assert "_pkey on leg_" not in text


async def test_a_range_of_legs_is_read_from_its_partition(partitioned: Database) -> None:
    async with partitioned.transaction() as connection:
        text = await plan(connection, "legs_between", "1100", "1200")

    assert "leg_1000_pkey" in text
    assert "leg_0" not in text
    assert "leg_2000" not in text


@pytest.mark.parametrize("legs", [0, 3000])
async def test_what_is_decided_already_is_looked_up_range_by_range(
    partitioned: Database, legs: int
) -> None:
    async with partitioned.transaction() as connection:
        await connection.execute(
            "INSERT INTO attribution (acctid, is_ivr, is_park, is_pick, is_auth, is_bounce, reason,"
            " rule_set_id, directory_version, seen_acctid, revision) SELECT n, false, false, false, false,"
            " false, 'no_match', 1, 1, 1, 1 FROM generate_series(1, $1::integer) AS n",
            legs,
        )
        ranges = "ARRAY[" + ", ".join(map(str, range(0, 4000, 2))) + "]"
        text = await plan(connection, "already_decided", ranges, ranges)

    assert "Seq Scan on attribution" not in text
    assert text.index("Function Scan on range") < text.index("attribution_1000_pkey")


async def test_parked_legs_are_found_by_their_index(partitioned: Database) -> None:
    async with partitioned.transaction() as connection:
        text = await plan(connection, "parked_legs", "0", "100")

    assert "Seq Scan on attribution" not in text
    assert "attribution_0_reason_acctid_idx" in text


async def test_picking_up_work_reads_no_more_than_it_takes(database: Database) -> None:
    """However much waits, and although the queue was never analysed; so does finishing it."""
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO work (stage, first_acctid, last_acctid)"
            " SELECT 'enrich', n, n FROM generate_series(1, 20000) AS n"
        )
    read = "SELECT seq_scan, idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'work'"
    async with database.transaction() as connection:
        ranges = await claim_work(connection, ENRICH, most_legs=1000)
        assert len(ranges) == 1000
        assert tuple(await connection.fetchrow(read)) == (0, 1000)
        await prepare_to_decide(connection)
        await finish_work(connection, ENRICH, ranges)
        seq_scans, rows = await connection.fetchrow(read)
        assert seq_scans == 0
        assert rows <= 2100


async def test_a_text_that_is_no_unicode_is_refused_after_what_was_sent_before_it(
    database: Database,
) -> None:
    """Rows are sent in pieces: the server has some of them by then, and keeps none."""
    async with database.transaction() as connection:
        await connection.execute(
            "CREATE TEMPORARY TABLE said (number int, word text) ON COMMIT DROP"
        )
        rows = numbered(["good"] * 5000 + ["\udcff"], first=1, known="\t")
        with pytest.raises(RowRefused, match="no Unicode"):
            async with connection.transaction():
                await copy_in(connection, "said", ("number", "word"), rows)
        await copy_in(connection, "said", ("number", "word"), [encoded(["5001\tlater\n"])])
        assert await connection.fetchval("SELECT array_agg(word) FROM said") == ["later"]
