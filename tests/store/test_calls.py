"""Rows of calls: settling them, and where readers of settled calls stop, cost what they touch."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from support.legs import START
from support.waiting import until

from cdrd.calls import CallLeg, CallRecord, Confidence, EndReason, LeaveReason, LegRole
from cdrd.errors import RowRefused
from cdrd.records import AcctId, Attribution
from cdrd.store.attributions import write_by_halves, write_decisions
from cdrd.store.calls import call_of, settle_calls, settled_horizon
from cdrd.store.database import Database
from cdrd.store.decided import Decided
from cdrd.store.statements import Row, statement
from cdrd.store.work import prepare_to_decide

HOSTILE = "tab\t newline\n return\r backslash\\ \\N quote'\"{},NULL \x1b[31m \u202eéß€😀"


def decided(
    *acctids: int, caller: str | None = "101", events: int = 0, over: bool = False
) -> Decided:
    """A call of these legs."""
    record = CallRecord(
        pbx="hq", call=f"{min(acctids)}.0", linkedids=(f"{min(acctids)}.0", HOSTILE),
        legs=tuple(
            CallLeg(AcctId(n), LegRole.ANSWERED, EndReason.REPLACED if n % 2 else None)
            for n in acctids
        ),
        caller=caller, caller_name=HOSTILE, dialled=None, requested="102", answered_by=None,
        direction=None, started=START, rang=None, answered=START, ended=START, talk_seconds=3,
        end_reason=EndReason.CANCELLED, reroute_reason=None, status_code=486, queue="support",
        agent=HOSTILE, waited_seconds=7, leave_reason=LeaveReason.TIMED_OUT,
        trunk_in=None, trunk_out=None, company="acme", target=None, bill_to=None,
        confidence=Confidence.RECORDS, rules='{"company":"a \\"rule\\""}',
    )  # fmt: skip
    return Decided([Attribution(AcctId(n), "acme") for n in acctids], record, events, over)


async def write(
    database: Database, *calls: Decided, quiet: float = 3600.0, seen: int = 100_000
) -> None:
    async with database.transaction() as connection:
        known = await prepare_to_decide(connection)
        known = known._replace(seen_acctid=AcctId(seen), quiet=timedelta(seconds=quiet))
        await write_decisions(connection, calls, known)
        await connection.execute("UPDATE counter SET value = 100000 WHERE name = 'acctid'")


WRONG = [
    {"talk_seconds": 2**31},
    {"waited_seconds": 2**31},
    {"status_code": 2**15},
    {"talk_seconds": None},
    {"started": START.replace(tzinfo=None)},
    {"caller": "\udcff"},
    {"caller": "nul\0"},
    {"linkedids": ("1.0", "nul\0")},
]


@pytest.mark.parametrize("count", [1, 200])
@pytest.mark.parametrize("wrong", WRONG, ids=str)
async def test_only_the_call_that_has_no_room_in_its_row_is_replaced(
    database: Database, wrong: dict[str, Any], count: int
) -> None:
    """Two calls of one linkedid, a hundred years apart, talk for longer than an integer has room for."""
    good = [decided(acctid) for acctid in range(2, count + 1)]
    bad = decided(1)
    assert bad.record is not None
    bad = bad._replace(record=bad.record._replace(**wrong))
    replaced: list[Decided] = []

    def instead(call: Decided, _: RowRefused) -> Decided:
        replaced.append(call)
        return decided(1, caller="instead")

    async with database.transaction() as connection:
        known = (await prepare_to_decide(connection))._replace(seen_acctid=AcctId(1000))
        await write_by_halves(connection, [bad, *good], known, instead=instead)
        callers = await connection.fetch("SELECT caller FROM call")

    assert replaced == [bad]
    assert sorted(row["caller"] for row in callers) == ["101"] * (count - 1) + ["instead"]


async def row_of(database: Database, call_id: int) -> Row:
    async with database.connection() as connection:
        row = await call_of(connection, AcctId(call_id))
    assert row is not None
    return row


@pytest.mark.parametrize("others", [0, 200])
async def test_a_call_keeps_every_character(database: Database, others: int) -> None:
    """In small batches and in large ones, which are written in another way."""
    await write(
        database, decided(3, 1, 2, caller=HOSTILE), *(decided(n) for n in range(10, 10 + others))
    )

    row = await row_of(database, 1)
    assert (row["acctids"], row["roles"]) == ([3, 1, 2], ["answered"] * 3)
    assert row["end_reasons"] == ["REPLACED", "REPLACED", None]
    assert (row["linkedid"], row["linkedids"]) == ("1.0", ["1.0", HOSTILE])
    assert (row["caller"], row["caller_name"], row["dialled"]) == (HOSTILE, HOSTILE, None)
    assert (row["started"], row["rang"], row["status_code"]) == (START, None, 486)
    assert (row["agent"], row["waited_seconds"]) == (HOSTILE, 7)
    assert (row["queue"], row["leave_reason"]) == ("support", "TIMED_OUT")
    assert row["rules"] == {"company": 'a "rule"'}
    assert (row["holds_from"], row["settled_by"], row["settles_by"]) == (1, None, "quiet")


async def test_the_revision_of_a_call_moves_only_when_something_changes(database: Database) -> None:
    await write(database, decided(1), decided(2))
    first = await row_of(database, 1)
    await write(database, decided(1), decided(2, caller="105"))

    assert (await row_of(database, 1))["revision"] == first["revision"]
    assert (await row_of(database, 2))["revision"] > first["revision"] + 1


async def test_who_knew_more_stays(database: Database) -> None:
    await write(database, decided(1, 2, caller="late"), seen=20)
    await write(database, decided(1, caller="early"), seen=10)

    assert (await row_of(database, 1))["caller"] == "late"


async def test_legs_stay_with_the_call_that_theirs_was_joined_into(database: Database) -> None:
    """Whoever still writes the former call, and did not know that, takes none of them back."""
    await write(database, decided(2, 3), seen=10)
    await write(database, decided(1, 2, 3), seen=20)
    await write(database, decided(2, 3), seen=15)

    async with database.connection() as connection:
        rows = await connection.fetch("SELECT acctid, call_id FROM attribution ORDER BY acctid")
    assert [tuple(row) for row in rows] == [(1, 1), (2, 1), (3, 1)]


@pytest.mark.parametrize("others", [0, 200])
async def test_a_call_is_joined_with_its_later_legs_that_were_decided_before(
    database: Database, others: int
) -> None:
    """In small batches and in large ones, which are written in another way."""
    await write(database, decided(2))
    earlier = decided(1, 2)
    earlier = earlier._replace(attributions=earlier.attributions[:1])
    await write(database, earlier, *(decided(n) for n in range(10, 10 + others)))

    assert (await row_of(database, 2))["call_id"] == 1


async def test_a_call_that_was_joined_leads_to_the_one_that_it_is_of(database: Database) -> None:
    await write(database, decided(1), decided(2), decided(3))
    await write(database, decided(2, 3))
    await write(database, decided(1, 2, 3))

    assert (await row_of(database, 3))["call_id"] == 1
    async with database.connection() as connection:
        rows = await connection.fetch("SELECT joined_into, holds_from FROM call ORDER BY call_id")
    assert [tuple(row) for row in rows] == [(None, 1), (1, None), (1, None)]


READ = """
    SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)::integer
    FROM pg_stat_xact_user_tables
    WHERE relname ~ '^call_'
"""


async def test_settling_reads_no_more_calls_than_it_settles(database: Database) -> None:
    """However many wait for their time, and however many are settled; nor does looking for any."""
    await write(database, *(decided(n) for n in range(1, 5001)))
    await write(database, *(decided(n) for n in range(5001, 10_001)), quiet=-1)
    async with database.transaction() as connection:
        assert await statement("calls_to_settle").value(connection)
        settled = await statement("settle_calls").value(connection, first_revision=1, most=1000)
        assert await statement("settled_horizon").value(connection) == 0
        read = await connection.fetchval(READ)

    assert settled == 1000
    assert read <= 3500
    assert await settle_calls(database, most=10_000) == 4000
    assert await settle_calls(database, most=10_000) == 0


async def test_two_that_settle_at_once_settle_each_call_once(database: Database) -> None:
    await write(database, *(decided(n) for n in range(1, 501)), quiet=-1)

    done = await asyncio.gather(*(settle_calls(database, most=300) for _ in range(4)))

    assert sum(done) == 500
    assert await settled_horizon(database) == 100_000


async def test_what_waits_for_a_stage_may_belong_to_any_call(database: Database) -> None:
    """A call is not settled by a time that ends after something came that nobody has looked at."""
    await write(database, decided(1), quiet=0.001)
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO work (stage, first_acctid, last_acctid, stored_at)"
            " VALUES ('events', 1, 1, now() - interval '1 hour')"
        )
        assert await settle_calls(database, most=10) == 0
        await connection.execute("DELETE FROM work")
        await until(lambda: settle_calls(database, most=10), "the call is settled")
    assert (await row_of(database, 1))["settled_by"] == "quiet"


async def test_a_call_that_is_over_is_settled_by_its_events(database: Database) -> None:
    await write(database, decided(1, events=7, over=True))
    row = await row_of(database, 1)

    assert (row["settles_by"], row["events"]) == ("events", 7)
    assert row["settles_at"] - row["decided_at"] < timedelta(seconds=10)
