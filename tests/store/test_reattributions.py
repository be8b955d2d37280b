"""What is decided, read to be compared; and what shall be decided again, put before the stage."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from support.reading import MORNING, decided, store_attributions, store_legs
from support.waiting import until_blocked

from cdrd.records import AcctId, Direction
from cdrd.store.database import Database
from cdrd.store.legs import ENRICH
from cdrd.store.reattributions import (
    company_was_ever,
    decide_again,
    decisions_of,
    ranges_of_dates,
)
from cdrd.store.work import claim_work, finish_work, waiting

STAGE = "re-enrich"


def ids(*acctids: int) -> list[AcctId]:
    return list(map(AcctId, acctids))


async def again(database: Database, *ranges: tuple[int, int]) -> None:
    await decide_again(database, STAGE, [(AcctId(a), AcctId(b)) for a, b in ranges])


async def claimed(database: Database) -> list[tuple[AcctId, AcctId]]:
    async with database.transaction() as connection:
        return await claim_work(connection, STAGE, most_legs=1000)


async def test_decisions_are_read_as_they_were_written_without_their_rules(
    database: Database,
) -> None:
    first = decided(1, company="acme", direction=Direction.INBOUND, is_ivr=True, trunk="räksmörgås")
    await store_legs(database, 1, [MORNING] * 4)
    await store_attributions(database, [first, decided(3), decided(4, company="globex")])

    async with database.connection() as connection:
        assert await decisions_of(connection, ids(1, 2, 3)) == {1: first, 3: decided(3)}
        assert await decisions_of(connection, []) == {}


async def test_legs_of_a_time_are_within_the_ranges(database: Database) -> None:
    hours = [MORNING + timedelta(hours=n) for n in range(6)]
    await store_legs(database, 1, hours)

    assert await ranges_of_dates(database, hours[2], None) == [(1, 6)]
    assert await ranges_of_dates(database, hours[2], hours[4]) == [(1, 6)]


async def test_what_waits_already_waits_once_as_far_as_the_longer_of_both(
    database: Database,
) -> None:
    await again(database, (1, 3), (7, 7), (10, 19))
    await again(database, (1, 1), (7, 9), (30, 30))

    assert await claimed(database) == [(1, 3), (7, 9), (10, 19), (30, 30)]
    assert (await waiting(database, ENRICH)).legs == 0


async def test_what_somebody_is_deciding_is_decided_once_more(database: Database) -> None:
    """It may have been read before the correction was made."""
    await again(database, (1, 3))
    async with asyncio.TaskGroup() as tasks:
        async with database.transaction() as connection:
            assert await claim_work(connection, STAGE, most_legs=1000) == [(1, 3)]
            asking = tasks.create_task(again(database, (1, 3)))
            await until_blocked(database)
            assert not asking.done()
            await finish_work(connection, STAGE, [(AcctId(1), AcctId(3))])
        await asking

    assert await claimed(database) == [(1, 3)]


async def test_a_company_that_was_withdrawn_is_remembered(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO directory_version (version, digest, applied_by) VALUES (1, '', ''), (2, '', '');"
            "INSERT INTO company (company, name, pays, detail, introduced_in, withdrawn_in)"
            " VALUES ('acme', 'Acme', '{}', '{}', 1, 2)"
        )

    assert await company_was_ever(database, "acme")
    assert not await company_was_ever(database, "globex")
