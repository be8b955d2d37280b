from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support.legs import collecting, leg, write_attributions
from support.waiting import until, until_blocked

from cdrd.errors import RowRefused
from cdrd.records import AcctId, Attribution, Direction, UnattributedReason
from cdrd.store.attributions import (
    attribution_of,
    parked_legs,
    wait_for_writers,
    write_by_halves,
)
from cdrd.store.database import Database
from cdrd.store.decided import Decided
from cdrd.store.legs import ENRICH, Window, legs_of_calls
from cdrd.store.statements import Row
from cdrd.store.work import (
    Known,
    add_work,
    claim_work,
    finish_work,
    prepare_to_decide,
    waiting,
)


def decided(acctid: int, company: str | None = "acme", **properties: Any) -> Attribution:
    """A decision with little to it."""
    reason = None if company else UnattributedReason.NO_MATCH
    return Attribution(AcctId(acctid), company=company, **{"reason": reason, **properties})


async def write(
    database: Database, *attributions: Attribution, seen: int, version: int = 1
) -> None:
    """Writes in a transaction of its own."""
    async with database.transaction() as connection:
        await write_attributions(connection, attributions, Known(AcctId(seen), version))


async def known_of(database: Database, acctid: int) -> Row:
    """What is decided of a leg that somebody decided."""
    row = await attribution_of(database, AcctId(acctid))
    assert row is not None
    return row


async def add(database: Database, *ranges: tuple[int, int], stage: str = ENRICH) -> None:
    async with database.transaction() as connection:
        await add_work(connection, stage, [(AcctId(a), AcctId(b)) for a, b in ranges])


async def test_two_workers_never_hold_the_same_work(database: Database) -> None:
    await add(database, (1, 5), (6, 10), (11, 15))
    async with database.transaction() as one, database.transaction() as other:
        assert await claim_work(one, ENRICH, most_legs=6) == [(1, 5), (6, 6)]
        assert await claim_work(other, ENRICH, most_legs=100) == [(11, 15)]
        assert await claim_work(other, "another stage", most_legs=100) == []


async def test_the_work_of_a_killed_worker_is_free_again(database: Database) -> None:
    await add(database, (1, 5))
    worker = await database.dedicated()
    await worker.execute("BEGIN")
    assert await claim_work(worker, ENRICH, most_legs=10) == [(1, 5)]
    worker.terminate()

    async with database.connection() as connection:
        claimed = await until(lambda: claim_work(connection, ENRICH, most_legs=10))
    assert claimed == [(1, 5)]


async def test_a_large_range_is_done_in_pieces_and_waits_as_long_as_it_did(
    database: Database,
) -> None:
    await add(database, (1, 5), (6, 1000))
    async with database.transaction() as connection:
        before = await connection.fetchval("SELECT max(stored_at) FROM work")
        ranges = await claim_work(connection, ENRICH, most_legs=10)
        assert ranges == [(1, 5), (6, 10)]
        await finish_work(connection, ENRICH, ranges)

    async with database.connection() as connection:
        [row] = await connection.fetch("SELECT first_acctid, last_acctid, stored_at FROM work")
    assert tuple(row) == (11, 1000, before)
    assert (await waiting(database, ENRICH)).legs == 990


async def test_work_waits_from_the_moment_that_it_is_there(database: Database) -> None:
    """Not from the begin of its transaction, which may have waited long for the append lock."""
    async with database.transaction() as connection:
        begun = await connection.fetchval("SELECT now()")
        await add_work(connection, ENRICH, [(AcctId(1), AcctId(2))])
        stored_at = await connection.fetchval("SELECT stored_at FROM work")

    assert stored_at > begun


async def test_work_that_was_not_finished_waits_on(database: Database) -> None:
    await add(database, (1, 5))
    async with database.transaction() as connection:
        await claim_work(connection, ENRICH, most_legs=10)

    waits = await waiting(database, ENRICH)
    assert (waits.ranges, waits.legs) == (1, 5)
    assert (await waiting(database, "another stage")).ranges == 0


async def test_what_is_known_is_read_after_the_claim(database: Database) -> None:
    async with collecting(database) as collector:
        await collector.store(leg("1.0"))
    async with database.transaction() as connection:
        assert (await prepare_to_decide(connection))[:3] == (1, 0, 0)
    async with database.connection() as connection:
        assert await connection.fetchval("SHOW enable_seqscan") == "on"


async def test_a_slow_worker_does_not_overwrite_who_knew_more(database: Database) -> None:
    """The slow one began first, saw leg 1 alone, and writes last."""
    async with database.transaction() as slow:
        slow_view = Known(AcctId(1), 1)
        await slow.fetchval("SELECT 1")
        await write(database, decided(1, "late"), decided(2, "late"), seen=2)
        await write_attributions(slow, [decided(1, "early")], slow_view)

    assert (await known_of(database, 1))["company"] == "late"


async def test_a_slow_worker_that_stalls_while_it_writes_is_overwritten(database: Database) -> None:
    """The slow one holds an uncommitted decision; who knows more waits for it and puts its own there."""
    async with database.transaction() as slow:
        await write_attributions(slow, [decided(1, "early")], Known(AcctId(1), 1))
        faster = asyncio.create_task(
            write(database, decided(1, "late"), decided(2, "late"), seen=2)
        )
        await until_blocked(database)
    await faster

    row = await known_of(database, 1)
    assert (row["company"], row["seen_acctid"]) == ("late", 2)


async def test_legs_outrank_the_directory_and_the_directory_decides_among_equals(
    database: Database,
) -> None:
    """What is known is (seen, version): the first decision was made from (10, 1)."""
    stays = {(9, 1), (9, 2), (10, 0)}
    goes = {(10, 1), (10, 2), (11, 1), (11, 0)}
    for acctid, (seen, version) in enumerate(sorted(stays | goes), 1):
        await write(database, decided(acctid, "first"), seen=10, version=1)
        await write(database, decided(acctid, "second"), seen=seen, version=version)

        company = (await known_of(database, acctid))["company"]
        assert company == ("first" if (seen, version) in stays else "second"), (seen, version)


async def test_the_revision_moves_only_when_something_changes(database: Database) -> None:
    await write(database, decided(1, rules='{"company": "one"}'), decided(2), seen=1)
    first = await known_of(database, 1)
    await write(database, decided(1, rules='{"company": "other"}'), decided(2), seen=2, version=2)
    same = await known_of(database, 1)
    await write(database, decided(1, trunk="carrier"), decided(2), seen=3)
    changed = await known_of(database, 1)

    assert (same["revision"], same["seen_acctid"], same["directory_version"]) == (
        first["revision"],
        2,
        2,
    )
    assert same["rules"] == {"company": "other"}
    assert changed["revision"] > (await known_of(database, 2))["revision"] > first["revision"]


async def test_revisions_are_in_commit_order_while_a_writer_stalls(database: Database) -> None:
    async with database.transaction() as stalled:
        await write_attributions(stalled, [decided(1)], Known(AcctId(1), 1))
        other = asyncio.create_task(write(database, decided(2), seen=2))
        await until_blocked(database)
        assert await attribution_of(database, AcctId(2)) is None
    await other

    revisions = [(await known_of(database, acctid))["revision"] for acctid in (1, 2)]
    assert revisions == sorted(revisions)


async def test_who_waits_for_the_writers_sees_what_they_wrote(database: Database) -> None:
    async with database.transaction() as writer:
        await write_attributions(writer, [decided(1, None)], Known(AcctId(1), 0))

        async def look() -> object:
            async with database.transaction() as connection:
                await wait_for_writers(connection)
            return await attribution_of(database, AcctId(1))

        looking = asyncio.create_task(look())
        await until_blocked(database)
    assert await looking is not None


HOSTILE = "tab\t newline\n return\r backslash\\ \\N \\t quote'\" nul-free \x1b[31m \u202eéß€😀"


async def test_a_large_batch_keeps_every_character(database: Database) -> None:
    """Some of it is decided for the first time and copied, some is decided again."""
    await write(database, *(decided(n, "before") for n in range(1, 51)), seen=1)
    attributions = [
        decided(
            n,
            HOSTILE,
            target="",
            direction=Direction.ONNET,
            src_ext=f"{n}",
            is_ivr=n % 2 == 0,
            auth="\\N",
            rules='{"company": "a \\"rule\\"", "auth": "back\\\\slash"}',
        )
        for n in range(1, 301)
    ]
    await write(database, *attributions, seen=300)

    for acctid in (1, 50, 51, 300):
        row = await known_of(database, acctid)
        assert row["company"] == HOSTILE
        assert (row["target"], row["bill_to"], row["auth"]) == ("", None, "\\N")
        assert (row["direction"], row["src_ext"]) == ("onnet", f"{acctid}")
        assert (row["is_ivr"], row["is_park"]) == (acctid % 2 == 0, False)
        assert row["rules"] == {"company": 'a "rule"', "auth": "back\\slash"}
    async with database.connection() as connection:
        distinct, most = await connection.fetchrow(
            "SELECT count(DISTINCT revision), max(revision) FROM attribution"
        )
    assert (distinct, most) == (300, 350)


WRONG = [
    Attribution(AcctId(1)),  # neither company nor reason
    decided(1, rules="not json"),
    decided(1, src_ext=101),
    decided(1, is_ivr=None),
    decided(1, company="\udcff"),
    decided(1, company="nul\0"),
]


@pytest.mark.parametrize("count", [1, 200])
async def test_what_the_database_refuses_is_found_and_replaced(
    database: Database, count: int
) -> None:
    """In small batches and in large ones, which are written in another way."""
    replaced: list[Decided] = []

    def instead(call: Decided, _: RowRefused) -> Decided:
        replaced.append(call)
        return Decided([decided(1, "instead")])

    for wrong in WRONG:
        calls = [Decided([wrong]), *(Decided([decided(n)]) for n in range(2, count + 1))]
        with pytest.raises(RowRefused):
            await write(database, *(one for call in calls for one in call.attributions), seen=1)
        async with database.transaction() as connection:
            await write_by_halves(connection, calls, Known(AcctId(1), 1), instead=instead)
            companies = await connection.fetch("DELETE FROM attribution RETURNING company")

        assert replaced == [Decided([wrong])]
        replaced.clear()
        assert sorted(row["company"] for row in companies) == ["acme"] * (count - 1) + ["instead"]


async def test_parked_legs_are_found_in_order_and_by_one_worker_at_a_time(
    database: Database,
) -> None:
    async with collecting(database) as collector:
        await collector.store(*(leg(f"{n}.0") for n in range(6)))
    reasons = ["no_directory", "fault", "no_match", "no_directory", "ambiguous", "fault"]
    await write(
        database,
        *(
            decided(n, None, reason=UnattributedReason(reason))
            for n, reason in enumerate(reasons, 1)
        ),
        seen=6,
    )
    async with database.transaction() as one, database.transaction() as other:
        legs = await parked_legs(one, after=AcctId(1), most=2)
        assert legs is not None
        assert [leg.acctid for leg in legs] == [2, 4]
        assert await parked_legs(other, after=AcctId(0), most=2) is None
    async with database.transaction() as other:
        assert await parked_legs(other, after=AcctId(6), most=2) == []


async def test_the_other_legs_of_a_call_are_found_within_what_was_seen(database: Database) -> None:
    async with collecting(database) as collector, collecting(database, "pbx2") as second:
        await collector.store(leg("a"), leg("b"), leg("a", linkedid=None))
        await second.store(leg("a"))
        await collector.store(leg("x", linkedid="a"), leg("a", linkedid="y"), leg("a"), leg())
    async with database.connection() as connection:

        async def found(*calls: str, after: int, upto: int, most: int = 100) -> list[Any]:
            window = Window(after, AcctId(upto), without=[(AcctId(1), AcctId(1))])
            legs = await legs_of_calls(connection, calls, window=window, most=most)
            return sorted((leg.acctid, leg.pbx) for leg in legs)

        assert await found("a", after=-5, upto=8) == [
            (3, "pbx1"),
            (4, "pbx2"),
            (5, "pbx1"),
            (7, "pbx1"),
        ]
        assert await found("a", "b", after=1, upto=4) == [(2, "pbx1"), (3, "pbx1"), (4, "pbx2")]
        assert await found("y", "nobody", after=0, upto=8) == [(6, "pbx1")]
        assert len(await found("a", after=0, upto=8, most=2)) == 2
