"""What a page costs: its own rows by primary key, or a company's own by index, however much is stored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest
from support.reading import many_legs

from cdrd.store.database import Database
from cdrd.store.statements import Statement, statement

LAST = 2**63 - 1
Node = dict[str, Any]


def nodes_of(plan: Node) -> Iterator[Node]:
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes_of(below)


async def scans(dsn: str, wanted: Statement, values: dict[str, str], *, mode: str) -> list[Node]:
    """The parts of a plan that touched a table when it ran."""
    types = {"companies": "text[]", "min_date": "timestamptz", "max_date": "timestamptz"}
    named = ", ".join(types.get(name, "bigint") for name in wanted.parameters)
    given = ", ".join(values.get(name, "NULL") for name in wanted.parameters)
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(f"SET plan_cache_mode = {mode}")
        await connection.execute(f"PREPARE page ({named}) AS {wanted.sql}")
        explained = await connection.fetchval(
            f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) EXECUTE page ({given})"
        )
    finally:
        await connection.close()
    nodes = nodes_of(json.loads(explained)[0]["Plan"])
    return [node for node in nodes if "Relation Name" in node and node["Actual Loops"]]


def rows_read(node: Node) -> float:
    removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return float((node["Actual Rows"] + removed) * node["Actual Loops"])


MODES = ("force_generic_plan", "force_custom_plan")
SECOND_PARTITION = 10_000_000


@pytest.fixture
async def two_partitions(database: Database) -> Database:
    """20,000 legs, half of them in the second partition."""
    await many_legs(database, 20_000, first=SECOND_PARTITION - 10_000)
    async with database.connection() as connection:
        await connection.execute("ANALYZE leg, attribution")
    return database


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("first", [SECOND_PARTITION, SECOND_PARTITION + 9_000])
@pytest.mark.usefixtures("two_partitions")
async def test_a_page_reads_its_own_rows_of_its_own_partition_by_primary_key(
    dsn: str, mode: str, first: int
) -> None:
    values = {"first": str(first), "upto": str(first + 5000), "most": "500"}
    found = await scans(dsn, statement("raw_page"), values, mode=mode)

    assert {node["Relation Name"] for node in found} == {"leg_10000000", "attribution_10000000"}
    assert {node.get("Index Name") for node in found} == {
        "leg_10000000_pkey",
        "attribution_10000000_pkey",
    }
    assert all(rows_read(node) <= 501 for node in found)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.usefixtures("two_partitions")
async def test_a_company_with_few_legs_is_read_without_walking_over_the_others(
    dsn: str, mode: str
) -> None:
    """20 of 20,000 legs are theirs; the plans are within a function, so what they read is counted."""
    values: dict[str, Any] = {"first": 0, "upto": LAST, "min_date": None, "max_date": None}
    values |= {"looked_at": 500, "most": 500, "companies": ["rare", "nobody"]}
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(f"SET plan_cache_mode = {mode}")
        async with connection.transaction():
            row = await statement("raw_page_of_companies").row(connection, **values)
            rows_read = await connection.fetchval(
                "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables"
                " WHERE relname ~ '^(leg|attribution)_'"
            )
    finally:
        await connection.close()

    assert row is not None
    assert row["count"] == 20
    assert 40 <= rows_read <= 80


@pytest.mark.parametrize("name", ["raw_page", "raw_page_of_companies"])
async def test_the_plan_that_is_made_while_nothing_is_stored_reads_no_whole_table(
    dsn: str, name: str
) -> None:
    """A connection keeps its plan for minutes, and the table may grow fast meanwhile."""
    values = {
        "companies": "ARRAY['acme']" if name != "raw_page" else "NULL",
        "first": "0",
        "upto": str(LAST),
        "looked_at": "500",
        "most": "500",
    }
    found = await scans(dsn, statement(name), values, mode="force_generic_plan")

    assert not [node for node in found if node["Node Type"] == "Seq Scan"]


@pytest.mark.parametrize("companies", [None, ["acme", "rare"]])
async def test_changes_are_found_by_their_revisions(
    two_partitions: Database, companies: list[str] | None
) -> None:
    """However many legs changed since anybody counted them, and however many never did."""
    values = {"companies": companies, "since": 100, "upto": LAST, "looked_at": 500, "most": 500}
    async with two_partitions.transaction() as connection:
        await statement("look_in_order").row(connection)
        nothing = await statement("changed_page").row(connection, **values)
        assert await connection.fetchval(_READ) == 0
        await connection.execute(
            "UPDATE attribution SET changed = true WHERE acctid % 2 = 0;"
            "UPDATE counter SET value = 20000000 WHERE name = 'revision'"
        )
        before = await connection.fetchval(_READ)
        page = await statement("changed_page").row(connection, **values)
        assert await connection.fetchval(_READ) - before <= 3100

    assert nothing is not None
    assert page is not None
    assert (nothing["count"], page["count"], page["more"]) == (0, 500, True)


_READ = """
    SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::integer
    FROM pg_stat_xact_user_tables
    WHERE relname ~ '^(leg|attribution|withdrawn)_'
"""
