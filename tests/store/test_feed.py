from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.reading import (
    MORNING,
    decided,
    decided_legs,
    finish_work,
    many_legs,
    store_attributions,
    store_legs,
    store_work,
)

from cdrd.owners import Permission, Principal
from cdrd.records import AcctId
from cdrd.store import feed
from cdrd.store.database import Database
from cdrd.store.feed import Scope, horizon, newest, note_spans, raw_pages
from cdrd.store.statements import statement, statements

LAST = AcctId(2**63 - 1)
SECOND = timedelta(seconds=1)


def reader(*companies: str) -> Principal:
    """Sees these companies, or every company when there are none."""
    permissions = frozenset({Permission.BILLING_CALL_SUMMARY})
    return Principal(1, "reader", "Reader", permissions, companies or None)


async def rows_of(database: Database, principal: Principal, **scope: Any) -> list[dict[str, Any]]:
    """Every row of a scope, without bounds where none are given."""
    whole = replace(Scope(first=AcctId(0), upto=LAST, most=10**6), **scope)
    rows: list[dict[str, Any]] = []
    async with aclosing(raw_pages(database, principal, whole)) as pages:
        async for page in pages:
            found = json.loads(f"[{page.rows.decode()}]")
            assert len(found) == page.count
            rows += found
    return rows


async def acctids_of(database: Database, principal: Principal, **scope: Any) -> list[int]:
    return [row["acctid"] for row in await rows_of(database, principal, **scope)]


async def test_a_row_has_the_forms_of_the_dialect(database: Database) -> None:
    await store_legs(
        database,
        44493,
        [datetime(2016, 3, 22, 10, 52, 41, 999_999, tzinfo=UTC)],
        clid='"Bob\'s Desk" <01908276650>',
        src="01908276650",
        dst="441908276650",
        dcontext="voip-external",
        channel="IAX2/handbag-3265",
        dstchannel="",
        lastapp="ResetCDR",
        lastdata="wv",
        duration=45,
        billsec=45,
        disposition="NO ANSWER",
        amaflags=2,
        accountcode=">127",
        uniqueid="1458643961.228",
        linkedid="1458643961.227",
    )
    everything = {
        "target": "acme",
        "company": "globex",
        "src_ext": "01908276654",
        "dial_short": "227",
        "dial_full": "227",
        "trunk": "alpha",
        "bill_to": "globex",
        "xfer": "101",
        "is_ivr": True,
        "is_park": True,
        "is_pick": True,
        "is_auth": True,
        "auth": "4711",
        "is_bounce": True,
        "call_rec": "a.wav",
    }
    await store_attributions(database, [decided(44493, **everything)])

    assert await rows_of(database, reader()) == [
        {
            "acctid": 44493,
            "calldate": "2016-03-22 10:52:41+00",
            "clid": '"Bob\'s Desk" <01908276650>',
            "src": "01908276650",
            "dst": "441908276650",
            "dcontext": "voip-external",
            "channel": "IAX2/handbag-3265",
            "dstchannel": "",
            "lastapp": "ResetCDR",
            "lastdata": "wv",
            "duration": 45,
            "billsec": 45,
            "disposition": "NOANSWER",
            "amaflags": 2,
            "accountcode": ">127",
            "uniqueid": "1458643961.228",
            "linkedid": "1458643961.227",
            "properties": everything,
        }
    ]


async def test_properties_are_there_only_where_filled(database: Database) -> None:
    await store_legs(database, 1, [MORNING] * 3)
    await store_attributions(database, [decided(1, company="acme", is_ivr=True), decided(2)])

    rows = await rows_of(database, reader())
    assert [row["properties"] for row in rows] == [{"company": "acme", "is_ivr": True}, {}, {}]
    assert [(row["uniqueid"], row["linkedid"]) for row in rows] == [("", "")] * 3


HOSTILE = '"\\\x01\x1f\x7f\u2028</script>\u202e\U0001f600é\n\t\r'


async def test_hostile_text_comes_out_as_it_went_in(database: Database) -> None:
    texts = (
        *("clid", "src", "dst", "dcontext", "channel", "dstchannel", "lastapp", "lastdata"),
        *("disposition", "accountcode", "uniqueid", "linkedid"),
    )
    await store_legs(database, 1, [MORNING], **{name: f"{name}{HOSTILE}" for name in texts})
    properties = (
        *("target", "company", "src_ext", "dial_short", "dial_full", "trunk", "bill_to"),
        *("xfer", "auth", "call_rec"),
    )
    hostile = {name: f"{name}{HOSTILE}" for name in properties}
    await store_attributions(database, [decided(1, **hostile)])

    for principal in (reader(), reader(hostile["target"])):
        [row] = await rows_of(database, principal)
        assert {name: row[name] for name in texts} == {name: f"{name}{HOSTILE}" for name in texts}
        assert row["properties"] == hostile


async def test_the_horizon_waits_for_the_stage_until_the_deadline(database: Database) -> None:
    await decided_legs(database, 10)
    ten = timedelta(seconds=10)

    async def horizons() -> tuple[int, int, int]:
        return (
            await horizon(database, "enrich", deadline=ten),
            await horizon(database, "enrich", deadline=None),
            await newest(database),
        )

    assert await horizons() == (10, 10, 10)
    await store_work(database, 8, 10)
    await store_work(database, 4, 5, age=30)
    assert await horizons() == (7, 3, 10)
    await finish_work(database, 4)
    assert await horizons() == (7, 7, 10)
    assert await horizon(database, "rate", deadline=ten) == 10


async def test_a_page_begins_with_the_lowest_acctid_and_ends_with_the_horizon(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await decided_legs(database, 50)
    monkeypatch.setattr(feed, "SLICE", 7)

    for principal in (reader(), reader("acme")):
        assert await acctids_of(database, principal, most=20) == list(range(1, 21))
        assert await acctids_of(database, principal, first=AcctId(20), most=1) == [20]
        assert await acctids_of(database, principal, first=AcctId(40)) == list(range(40, 51))
        assert await acctids_of(database, principal, upto=AcctId(14)) == list(range(1, 15))
        assert await acctids_of(database, principal, first=AcctId(9), upto=AcctId(8)) == []
        assert await acctids_of(database, principal, first=AcctId(LAST)) == []


async def test_legs_that_nobody_decided_are_served_but_to_no_company(database: Database) -> None:
    await store_legs(database, 1, [MORNING] * 3)
    await store_attributions(database, [decided(2, company="acme")])
    scope = Scope(first=AcctId(0), upto=LAST, most=10)

    assert await acctids_of(database, reader()) == [1, 2, 3]
    assert await acctids_of(database, reader("acme")) == [2]
    [page] = [page async for page in raw_pages(database, reader(), scope)]
    assert page.undecided == 2


COMPANIES = ("acme", "globex", "umbrella")
_company = st.sampled_from([None, *COMPANIES])


class House:
    """One database for all examples, emptied for each: a clone would take fifty milliseconds."""

    def __init__(self, runner: asyncio.Runner, database: Database) -> None:
        self._runner = runner
        self._database = database

    def run(self, work: Callable[[Database], Awaitable[list[int]]]) -> list[int]:
        """Runs an example's coroutine."""

        async def emptied() -> list[int]:
            async with self._database.connection() as connection:
                await connection.execute("TRUNCATE leg, attribution, span")
            return await work(self._database)

        return self._runner.run(emptied())


@pytest.fixture
def house(dsn: str) -> Iterator[House]:
    """A house for the examples of one test."""
    database = Database(dsn)
    with asyncio.Runner() as runner:
        runner.run(database.__aenter__())
        yield House(runner, database)
        runner.run(database.__aexit__(None, None, None))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_limited_reader_gets_exactly_what_is_theirs(
    house: House, monkeypatch: pytest.MonkeyPatch, data: st.DataObject
) -> None:
    owners = data.draw(
        st.lists(st.none() | st.tuples(_company, _company, _company), max_size=25), label="owners"
    )
    mine = data.draw(st.lists(st.sampled_from(COMPANIES), min_size=1, max_size=3), label="mine")
    minutes = data.draw(
        st.lists(st.integers(0, 9), min_size=len(owners), max_size=len(owners)), label="minutes"
    )
    first, most = data.draw(st.integers(0, 27)), data.draw(st.integers(1, 30))
    upto = data.draw(st.integers(0, 27))
    dates = data.draw(st.none() | st.tuples(st.integers(0, 9), st.integers(0, 9)), label="dates")
    monkeypatch.setattr(feed, "SLICE", data.draw(st.integers(1, 6)))
    low, high = (None, None) if dates is None else (min(dates), max(dates))

    def fits(acctid: int) -> bool:
        found = owners[acctid - 1]
        in_time = low is None or high is None or low <= minutes[acctid - 1] <= high
        return (
            found is not None and bool({*found} & {*mine}) and first <= acctid <= upto and in_time
        )

    async def work(database: Database) -> list[int]:
        if owners:
            dates = [MORNING + timedelta(minutes=minute) for minute in minutes]
            await store_legs(database, 1, dates)
        attributions = [
            decided(acctid, company=found[0], target=found[1], bill_to=found[2])
            for acctid, found in enumerate(owners, 1)
            if found is not None
        ]
        if attributions:
            await store_attributions(database, attributions)
        return await acctids_of(
            database,
            reader(*mine),
            first=AcctId(first),
            upto=AcctId(upto),
            most=most,
            min_date=None if low is None else MORNING + timedelta(minutes=low),
            max_date=None if high is None else MORNING + timedelta(minutes=high),
        )

    expected = [acctid for acctid in range(1, len(owners) + 1) if fits(acctid)]
    assert house.run(work) == expected[:most]


@pytest.fixture
async def filled(database: Database) -> Database:
    """A database with 35,000 legs."""
    await many_legs(database, 35_000)
    return database


async def test_dates_find_the_same_legs_whether_their_spans_are_noted_or_not(
    filled: Database,
) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    windows = [
        (start + timedelta(hours=30), start + timedelta(hours=30, minutes=5)),
        (start + timedelta(days=3), None),
        (None, start - timedelta(hours=4, minutes=30)),
        (datetime(2030, 1, 1, tzinfo=UTC), None),
        (start + timedelta(days=1), datetime(2040, 1, 1, tzinfo=UTC)),
        (datetime(2050, 1, 1, tzinfo=UTC), None),
    ]

    async def expected(low: datetime | None, high: datetime | None) -> list[int]:
        async with filled.connection() as connection:
            rows = await connection.fetch(
                "SELECT acctid FROM leg WHERE calldate BETWEEN $1 AND $2 ORDER BY 1 LIMIT 2500",
                low or datetime(1970, 1, 1, tzinfo=UTC),
                high or datetime(2100, 1, 1, tzinfo=UTC),
            )
        return [row["acctid"] for row in rows]

    for noted in (0, 2, 1, 0):  # three spans are complete; the rest is never noted
        assert await note_spans(filled, most=min(noted + 1, 2) if noted else 0) == noted
        for low, high in windows:
            scope = {"min_date": low, "max_date": high, "most": 2500}
            assert await acctids_of(filled, reader(), **scope) == await expected(low, high)


def test_every_statement_that_returns_legs_takes_the_companies() -> None:
    """Promise 7: no path reads without the principal's companies."""
    reading = [found for found in statements().values() if "raw_cdr(" in found.sql]

    assert {found.name for found in reading} == {
        "raw_page",
        "raw_page_of_companies",
        "changed_page",
    }
    assert all("companies" in found.parameters for found in reading)


async def test_the_page_of_all_is_empty_for_whoever_sees_only_some(database: Database) -> None:
    await decided_legs(database, 3)
    values = {"first": 0, "upto": LAST, "min_date": None, "max_date": None, "most": 10}
    async with database.connection() as connection:
        row = await statement("raw_page").row(connection, companies=["acme"], **values)

    assert row is not None
    assert (row["rows"], row["count"]) == (None, 0)
