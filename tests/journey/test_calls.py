"""Calls as they are stored: decided from legs and channel events in whatever order these come."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.captured import channel_event_rows, custom_rows, master_rows
from support.commands import told
from support.legs import START, collecting, leg
from support.sources import ask, file_source
from support.stages import nothing_waits, running
from support.truth import COMPANIES, agrees, calls, directory, truths
from support.waiting import DEADLINE, until

from cdrd import metrics
from cdrd.beside import CelEvent
from cdrd.calls import CallLeg, CallRecord
from cdrd.decode.event_rows import Place, cel_row
from cdrd.enrich.deciding import decide_call
from cdrd.enrich.stage import RE_ENRICH, apply_companies
from cdrd.records import AcctId, Attribution, SourceKind
from cdrd.store.calls import settled_horizon
from cdrd.store.database import Database
from cdrd.store.feed import horizon
from cdrd.store.legs import ENRICH
from cdrd.store.work import add_work

LEGS, EVENTS = SourceKind.ASTERISK_CUSTOM, SourceKind.ASTERISK_CEL
ALL = "cdr_custom and cel"
SOON, DAY = timedelta(milliseconds=1), timedelta(days=1)
NOT_AS_THEY_ARE = ("pbx", "call", "linkedids", "legs", "rules")
"""What a row says in another way than a record."""
Store = Callable[[Sequence[str]], Awaitable[Any]]


@asynccontextmanager
async def both(database: Database) -> AsyncIterator[tuple[Store, Store]]:
    """A source of legs and one of events, of one PBX."""
    await apply_companies(database, COMPANIES, applied_by="test")
    async with (
        file_source(database, "legs", LEGS) as legs,
        file_source(database, "events", EVENTS) as events,
    ):
        yield legs.store, events.store


def pieces(rows: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for first in range(0, len(rows), size):
        yield rows[first : first + size]


async def stored_decisions(database: Database) -> dict[int, Attribution]:
    """What is decided of each leg."""
    columns = ", ".join(Attribution._fields[:-1])
    rows = await ask(database, f"SELECT {columns} FROM attribution")  # noqa: S608 - our own names
    return {row[0]: Attribution(*row) for row in rows}


def transfer_event(transferee: str, consulted: str) -> str:
    """Somebody handed the one call to the party of the other."""
    extra = {"transferee_channel_uniqueid": transferee, "channel2_uniqueid": consulted}
    event = CelEvent(START, "ATTENDEDTRANSFER", "5.0", transferee, "PJSIP/1-00000001", extra=extra)
    return cel_row(event, Place(1, 0))


def expected() -> dict[int, Attribution]:
    """What the rules decide when they are given everything at once."""
    return {
        one.acctid: one._replace(rules="{}")
        for call in calls("main", ALL)
        for one in decide_call(call.legs, directory(), call.events).attributions
    }


async def legs_first(legs: Store, events: Store) -> None:
    for rows in pieces(custom_rows("main"), 400):
        await legs(rows)
    for rows in pieces(channel_event_rows("main"), 3000):
        await events(rows)


async def events_first(legs: Store, events: Store) -> None:
    for rows in pieces(channel_event_rows("main"), 3000):
        await events(rows)
    for rows in pieces(custom_rows("main"), 400):
        await legs(rows)


async def as_they_come(legs: Store, events: Store) -> None:
    """Pieces of both by turns, as a PBX writes them."""
    turns = 40
    of_legs, of_events = custom_rows("main"), channel_event_rows("main")
    for turn in range(turns):
        for store, rows in ((events, of_events), (legs, of_legs)):
            await store(rows[turn * len(rows) // turns : (turn + 1) * len(rows) // turns])


@pytest.mark.parametrize("order", [legs_first, events_first, as_they_come])
async def test_every_captured_call_is_decided_as_it_was_meant_whatever_comes_first(
    database: Database, order: Callable[[Store, Store], Awaitable[None]]
) -> None:
    async with both(database) as (legs, events), running(database):
        await order(legs, events)
        await nothing_waits(database)

    decided = await stored_decisions(database)
    wrong = {
        (truth.scenario, name)
        for truth in truths("main")
        for name, value in truth.expected.items()
        if not agrees(value, getattr(decided[truth.leg.acctid or 0], name), name)
    }
    assert set() == wrong
    assert expected() == decided
    await rows_of_calls_are_right(database)


async def test_several_stages_at_once_decide_as_one_would(dsn: str, database: Database) -> None:
    """Legs and events of one call are in the hands of different ones, which know different parts of it."""
    async with AsyncExitStack() as stages:
        legs, events = await stages.enter_async_context(both(database))
        for size in (7, 40, 200):
            other = await stages.enter_async_context(Database(dsn))
            await stages.enter_async_context(running(other, batch_legs=size))
        await as_they_come(legs, events)
        await nothing_waits(database)

    assert expected() == await stored_decisions(database)
    await rows_of_calls_are_right(database)


CSV, CUSTOM = "cdr_csv", "cdr_custom"
PLAIN = ("variants/gmt_plain", "variants/newcols")


@pytest.mark.parametrize(
    ("capture", "kind"),
    [("v16", kind) for kind in (CSV, CUSTOM, f"{CSV} and cel", ALL)]
    + [(capture, kind) for capture in PLAIN for kind in (CSV, CUSTOM)],
)
async def test_every_input_is_decided_piece_by_piece_as_if_all_had_come_at_once(
    database: Database, capture: str, kind: str
) -> None:
    """Asterisk 16 says less in its events; of 16 columns none is a uniqueid."""
    custom = kind.startswith("cdr_custom")
    rows = custom_rows(capture) if custom else master_rows(capture)
    heard = channel_event_rows(capture) if kind.endswith("cel") else []
    await apply_companies(database, COMPANIES, applied_by="test")
    async with (
        file_source(database, "legs", LEGS if custom else SourceKind.ASTERISK_CSV) as legs,
        file_source(database, "events", EVENTS) as events,
        running(database),
    ):
        for some in pieces(heard, 500):
            await events.store(some)
        for some in pieces(rows, 30):
            await legs.store(some)
        await nothing_waits(database)

    wanted = {
        one.acctid: one._replace(rules="{}")
        for call in calls(capture, kind)
        for one in decide_call(call.legs, directory(), call.events).attributions
    }
    assert wanted == await stored_decisions(database)


@pytest.mark.parametrize(("capture", "kind"), [("main", CSV), ("v16", ALL), (PLAIN[0], CSV)])
async def test_legs_that_are_decided_again_one_by_one_stay_in_their_calls(
    database: Database, capture: str, kind: str
) -> None:
    """Also those that name no other leg of their call: it was another one that named them."""
    custom = kind.startswith(CUSTOM)
    rows = custom_rows(capture) if custom else master_rows(capture)
    await apply_companies(database, COMPANIES, applied_by="test")
    async with (
        file_source(database, "legs", LEGS if custom else SourceKind.ASTERISK_CSV) as legs,
        file_source(database, "events", EVENTS) as events,
    ):
        await legs.store(rows)
        await events.store(channel_event_rows(capture) if kind == ALL else [])
    async with running(database):
        await nothing_waits(database)
    told = "SELECT call_id, acctids, roles, events FROM call WHERE effective ORDER BY call_id"
    before = await stored_decisions(database), await ask(database, told)
    several = "SELECT unnest(acctids) FROM call WHERE effective AND cardinality(linkedids) > 1"
    one_by_one = [(AcctId(n), AcctId(n)) for (n,) in await ask(database, several)]
    assert len(one_by_one) > 10
    async with database.transaction() as connection:
        await add_work(connection, RE_ENRICH, one_by_one)
    async with running(database, batch_legs=1):
        await nothing_waits(database)

    assert before[0] == await stored_decisions(database)
    assert before[1] == await ask(database, told)


async def rows_of_calls_are_right(database: Database) -> None:
    """One row for each call, with what the rules say of it, and each leg in one of them."""
    records = [decide_call(call.legs, directory(), call.events) for call in calls("main", ALL)]
    columns = [name for name in CallRecord._fields if name not in NOT_AS_THEY_ARE]
    told = ", ".join(columns)
    rows = await ask(
        database,
        f"SELECT acctids, roles, end_reasons, linkedids, events, {told} FROM call WHERE effective",  # noqa: S608 - our own names
    )

    def order(row: Sequence[Any]) -> int:
        return int(min(row[0]))

    wanted = [
        (
            *([getattr(leg, name) for leg in one.record.legs] for name in CallLeg._fields),
            list(one.record.linkedids),
            one.events,
            *(getattr(one.record, name) for name in columns),
        )
        for one in records
        if one.record is not None
    ]
    for one, row in zip(sorted(wanted, key=order), sorted(rows, key=order), strict=True):
        assert one == row
    legs = [acctid for row in rows for acctid in row[0]]
    assert sorted(legs) == list(range(1, len(custom_rows("main")) + 1))


async def call_rows(database: Database) -> list[tuple[Any, ...]]:
    """What a call's row says of itself, in the order of the first legs."""
    return await ask(
        database,
        "SELECT call_id, acctids, settled_by, holds_from, effective, joined_into"
        " FROM call ORDER BY call_id",
    )


async def settled(database: Database) -> bool:
    """Whether nothing more is expected of any call."""
    [[unsettled]] = await ask(
        database, "SELECT count(*) FROM call WHERE effective AND settled_by IS NULL"
    )
    return not unsettled


async def test_a_call_is_settled_when_its_events_say_that_it_is_over(database: Database) -> None:
    """Although quiet calls would not be settled for a day, and nothing comes that could wake anybody."""
    names = {call.events[0].linkedid for call in calls("main", ALL)[:3]}
    async with both(database) as (legs, events), running(database, settle_after=DAY):
        await events([row for row in channel_event_rows("main") if names & {*row.split("\t")}])
        await legs([row for row in custom_rows("main") if names & {*row.split("\t")}])
        await nothing_waits(database)
        assert await settled_horizon(database) == 0
        await until(lambda: settled(database), "all calls are settled")

    assert {row[2] for row in await call_rows(database)} == {"events"}
    assert await settled_horizon(database) == len(await stored_decisions(database))


async def test_a_quiet_call_is_settled_and_a_late_leg_holds_only_itself(
    database: Database,
) -> None:
    async with collecting(database) as collector, running(database, settle_after=SOON):
        await collector.store(leg("1.0"), leg("2.0"))
        await nothing_waits(database)
        await until(lambda: settled(database), "both calls are settled")
        assert await settled_horizon(database) == 2
        [before] = await ask(database, "SELECT max(revision) FROM call")
    async with collecting(database) as collector, running(database, settle_after=DAY):
        await collector.store(leg("1.0"))
        await nothing_waits(database)
        rows = await call_rows(database)
        assert rows[0] == (1, [1, 3], None, 3, True, None)
        assert rows[1][2:4] == ("quiet", None)
        assert await settled_horizon(database) == 2
        [after] = await ask(database, "SELECT max(revision) FROM call")
        assert after > before


async def test_a_stage_says_for_how_many_legs_readers_of_settled_calls_wait(
    database: Database,
) -> None:
    async with collecting(database) as collector:
        async with running(database, settle_after=SOON):
            await collector.store(leg("1.0"), leg("2.0"))
            await until(lambda: unsettled(0, upto=2, database=database), "nobody waits")
        async with running(database, settle_after=DAY):
            await collector.store(leg("3.0"), leg("4.0"), leg("4.0"))
            await until(
                lambda: unsettled(3, upto=2, database=database), "three legs are waited for"
            )


async def unsettled(legs: int, *, upto: int, database: Database) -> bool:
    """Whether the gauge says so, and readers are where it says."""
    told: float = metrics.unsettled_legs._value.get()
    return told == legs and await settled_horizon(database) == upto


async def test_what_is_decided_again_stays_settled(database: Database) -> None:
    async with collecting(database) as collector, running(database, settle_after=SOON):
        await collector.store(leg("1.0"), leg("2.0"))
        await nothing_waits(database)
        await until(lambda: settled(database), "both calls are settled")
        async with database.transaction() as connection:
            await add_work(connection, RE_ENRICH, [(AcctId(1), AcctId(2))])
        [[before]] = await ask(database, "SELECT max(decided_at) FROM call")
        await nothing_waits(database)
        [[after]] = await ask(database, "SELECT min(decided_at) FROM call")
        assert after > before
        assert {row[2] for row in await call_rows(database)} == {"quiet"}


async def test_two_calls_that_turn_out_to_be_one_become_one_row(database: Database) -> None:
    """The row that was there says which one it was joined into."""
    async with (
        file_source(database, "events", EVENTS) as events,
        collecting(database, "hq") as collector,
        running(database),
    ):
        await collector.store(leg("10.0"), leg("20.0"))
        await nothing_waits(database)
        assert [row[1] for row in await call_rows(database)] == [[1], [2]]
        assert await settled_horizon(database) == 0
        await events.store([transfer_event("10.0", "20.0")])
        await nothing_waits(database)

    first, second = await call_rows(database)
    assert first == (1, [1, 2], None, 1, True, None)
    assert second[3:] == (None, False, 1)


@pytest.mark.parametrize("last", ["10.0", "20.0"])
async def test_a_call_that_comes_after_its_transfer_is_joined_whichever_it_is(
    database: Database, last: str
) -> None:
    """Only the event knows, and it is of the one call."""
    [before] = {"10.0", "20.0"} - {last}
    async with (
        file_source(database, "events", EVENTS) as events,
        collecting(database, "hq") as collector,
        running(database),
    ):
        await collector.store(leg(before))
        await events.store([transfer_event("10.0", "20.0")])
        await nothing_waits(database)
        await collector.store(leg(last))
        await nothing_waits(database)

    effective = [row for row in await call_rows(database) if row[4]]
    assert [set(row[1]) for row in effective] == [{1, 2}]


async def test_events_of_calls_without_legs_wait_for_nobody(database: Database) -> None:
    """Most events are of calls that still go on."""
    async with both(database) as (_, events), running(database):
        await events(channel_event_rows("main")[:500])
        await nothing_waits(database)

    assert await call_rows(database) == []


async def test_legs_of_a_plain_file_that_only_a_channel_s_name_joins_are_one_call(
    database: Database,
) -> None:
    """Without linkedid the two ends of a Local channel have nothing else in common."""
    await apply_companies(database, COMPANIES, applied_by="test")
    plain = [call for call in calls("variants/gmt_plain", "cdr_csv") if len(call.legs) > 1]
    async with file_source(database, "legs") as legs, running(database):
        for row in master_rows("variants/gmt_plain"):
            await legs.store([row])
        await nothing_waits(database)

    rows = [row[1] for row in await call_rows(database) if row[4]]
    assert len(plain) > 3
    assert sorted(sorted(row) for row in rows if len(row) > 1) == sorted(
        sorted(leg.acctid or 0 for leg in call.legs) for call in plain
    )


def test_the_story_of_a_call_is_told_by_its_linkedid(dsn: str, tmp_path: Path) -> None:
    """Also where a leg of it is meant, or one of several PBXs, and for who does not know its name."""

    async def fill() -> None:
        async with Database(dsn) as database, both(database) as (legs, events):
            mine = ("1795285775.522", "1795285776.524")
            await events(
                [row for row in channel_event_rows("main") if set(mine) & {*row.split("\t")}]
            )
            await legs([row for row in custom_rows("main") if mine[0] in row])
            async with collecting(database, "branch") as other, running(database):
                await other.store(leg(mine[0]), leg("\x1b[31m.7"))
                await nothing_waits(database)

    asyncio.run(fill())
    config = tmp_path / "cdrd.yaml"
    config.write_text(json.dumps({"database": {"dsn": dsn}}))

    def explained(*arguments: str) -> tuple[int, str]:
        code, out, err = told("-c", str(config), "explain", *arguments)
        return code, out + err

    code, story = explained("1795285775.522", "--pbx", "hq")
    assert code == 0
    assert story.startswith("Call 1795285775.522 of PBX hq\n")
    assert "internal from 101, to 102, answered by 103" in story
    assert "picks up what rings at" in story
    assert "company acme (calling-endpoint)" in story
    assert explained("--call", "1795285775.522", "--pbx", "hq") == (0, story)
    by_leg = explained("1")[1]
    assert "the event PICKUP tells of it" in by_leg
    code, refusal = explained("1795285775.522")
    assert (code, "PBXs branch, hq have a call" in refusal) == (1, True)
    code, refusal = explained("nobody.1")
    assert (code, "no leg bears the linkedid or uniqueid nobody.1" in refusal) == (1, True)
    code, story = explained("\x1b[31m.7")
    assert (code, story.startswith("Call \\x1b[31m.7 of PBX branch")) == (0, True)
    assert explained()[0] == 2
    assert explained("0")[0] == 2


@pytest.mark.parametrize("heard_first", [False, True])
async def test_what_may_have_been_served_undecided_is_a_change_when_it_is_decided(
    database: Database, heard_first: bool
) -> None:
    """Whoever decides it first: the leg's own work, or events that came later."""
    async with (
        file_source(database, "events", EVENTS) as events,
        collecting(database, "hq") as collector,
    ):
        await collector.store(leg("10.0"))
        async with database.transaction() as held:
            await held.execute("UPDATE work SET stored_at = stored_at - interval '1 hour'")
            if heard_first:
                await held.execute("COMMIT; BEGIN; SELECT FROM work FOR UPDATE")
                await events.store([transfer_event("10.0", "20.0")])
                async with running(database):
                    await until(lambda: has_decided(database, 1), "the event's call is decided")
        async with running(database):
            await nothing_waits(database)
            await collector.store(leg("30.0"))
            await nothing_waits(database)

    assert await ask(database, "SELECT acctid, changed FROM attribution ORDER BY 1") == [
        (1, True),
        (2, False),
    ]


async def test_what_is_served_undecided_while_it_is_being_decided_is_a_change(
    database: Database,
) -> None:
    """It was claimed in time, and then the machine or the database held its worker up."""
    deadline = timedelta(seconds=2)
    held, served = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def held_up(*asked: Any) -> Any:
        loop.call_soon_threadsafe(held.set)
        assert served.wait(DEADLINE)
        return decide_call(*asked)

    async def served_undecided() -> bool:
        return await horizon(database, ENRICH, deadline=deadline) == 1

    async with (
        collecting(database, "hq") as collector,
        running(database, held_up, deadline=deadline),
    ):
        await collector.store(leg("10.0"))
        await held.wait()
        await until(served_undecided, "a reader is given the leg as it is")
        served.set()
        await nothing_waits(database)

    assert await ask(database, "SELECT acctid, changed FROM attribution") == [(1, True)]


async def has_decided(database: Database, count: int) -> bool:
    return len(await stored_decisions(database)) == count
