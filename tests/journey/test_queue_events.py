"""Queue events beside stored legs: the rows of calls know of them, whatever comes first."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from support.captured import channel_event_rows, custom_rows, queue_event_rows
from support.commands import told
from support.events import queue_stored
from support.sources import ask, file_source
from support.stages import nothing_waits, running
from support.truth import COMPANIES, calls, directory
from support.waiting import until

from cdrd.enrich.deciding import decide_call
from cdrd.enrich.queue_row import by_caller, queue_events_of, told_by_queue
from cdrd.enrich.stage import apply_companies
from cdrd.records import SourceKind
from cdrd.store.database import Database
from cdrd.store.statements import statements

SOON, DAY = timedelta(milliseconds=1), timedelta(days=1)
Store = Callable[[Sequence[str]], Awaitable[Any]]
ROW = """
    SELECT linkedid, queue, agent, waited_seconds, leave_reason FROM call
    WHERE effective AND leave_reason IS NOT NULL ORDER BY linkedid
"""
EXPECTED = [
    ("1795285582.194", "acme-support", "Carol Cole", 0, "ANSWERED"),
    ("1795285586.201", "globex-sales", "Liam Lane", 1, "ANSWERED"),
    ("1795285590.216", "acme-support", None, 2, "ABANDONED"),
    ("1795285592.223", "globex-sales", None, 1, "ABANDONED"),
    ("1795285595.238", "acme-support", None, 5, "TIMED_OUT"),
    ("1795285602.253", "globex-sales", None, 5, "TIMED_OUT"),
    ("1795285608.284", "acme-support", "Carol Cole", 1, "ANSWERED"),
]
"""The calls to queues of the capture, as they were meant."""
ONE = EXPECTED[0][0]
COLUMNS = (
    *("started", "ended", "queue", "agent", "waited_seconds", "leave_reason"),
    *("answered", "talk_seconds", "answered_by"),
)


@asynccontextmanager
async def sources(database: Database) -> AsyncIterator[tuple[Store, Store]]:
    """A source of legs and one of queue events, of one PBX."""
    await apply_companies(database, COMPANIES, applied_by="test")
    async with (
        file_source(database, "legs", SourceKind.ASTERISK_CUSTOM) as legs,
        file_source(database, "queues", SourceKind.ASTERISK_QUEUE_LOG) as queued,
    ):
        yield legs.store, queued.store


def legs_of(call: str) -> list[str]:
    return [row for row in custom_rows("main") if call in row.split("\t")]


def queued(call: str) -> list[str]:
    return [row for row in queue_event_rows("main") if call in row.split("\t")]


async def legs_first(legs: Store, queues: Store) -> None:
    await legs(custom_rows("main"))
    for row in queue_event_rows("main"):
        await queues([row])


async def queues_first(legs: Store, queues: Store) -> None:
    await queues(queue_event_rows("main"))
    await legs(custom_rows("main"))


async def one_by_one(legs: Store, queues: Store) -> None:
    """Events a few at a time among the legs of the same calls, the last of them first."""
    for call, *_ in EXPECTED:
        for leg, event in zip(legs_of(call), reversed(queued(call)), strict=False):
            await legs([leg])
            await queues([event])
        await legs(legs_of(call)[len(queued(call)) :])
        await queues(queued(call)[: -len(legs_of(call))])


@pytest.mark.parametrize("order", [legs_first, queues_first, one_by_one])
async def test_the_rows_of_calls_say_what_their_queues_tell_whatever_comes_first(
    database: Database, order: Callable[[Store, Store], Awaitable[None]]
) -> None:
    async with sources(database) as (legs, queues), running(database):
        await order(legs, queues)
        await nothing_waits(database)

    assert await ask(database, ROW) == EXPECTED


@pytest.mark.parametrize("restarted", [False, True])
async def test_queue_events_beside_channel_events_change_nothing_else(
    database: Database, restarted: bool
) -> None:
    """What channel events tell of a call is exact already, and known to a daemon that was just started."""
    columns = "started, rang, answered, ended, talk_seconds, answered_by, queue, confidence"
    exact = f"SELECT {columns} FROM call WHERE effective ORDER BY call_id"  # noqa: S608 - our own names
    decisions = (
        "SELECT (to_jsonb(a) - '{seen_event_id,decided_at}'::text[])::text FROM attribution a"
    )
    async with (
        sources(database) as (legs, queues),
        file_source(database, "events", SourceKind.ASTERISK_CEL) as events,
    ):
        async with running(database) as stopping:
            await legs(custom_rows("main"))
            await events.store(channel_event_rows("main"))
            await nothing_waits(database)
            before = await ask(database, exact), sorted(await ask(database, decisions))
            if restarted:
                stopping.set()
            else:
                await queues(queue_event_rows("main"))
                await nothing_waits(database)
        if restarted:
            await queues(queue_event_rows("main"))
            async with running(database):
                await nothing_waits(database)

    assert await ask(database, ROW) == EXPECTED
    assert before == (await ask(database, exact), sorted(await ask(database, decisions)))


@pytest.mark.parametrize("heard", [False, True])
async def test_calls_that_are_stored_piece_by_piece_are_told_as_if_all_had_come_at_once(
    database: Database, heard: bool
) -> None:
    """Transfers into and out of queues too, with channel events and without."""
    rows = queue_event_rows("queues")
    callers = by_caller([queue_stored(row).event for row in rows])
    expected = []
    for call in calls("queues", "cdr_custom and cel" if heard else "cdr_custom"):
        said = queue_events_of(call.legs, call.events, callers)
        plain = decide_call(call.legs, directory(), call.events)
        record = told_by_queue(plain, call.legs, said).record
        assert record is not None
        expected.append((*(getattr(record, name) for name in COLUMNS), json.loads(record.rules)))
    async with (
        sources(database) as (legs, queues),
        file_source(database, "events", SourceKind.ASTERISK_CEL) as events,
        running(database),
    ):
        for at in range(0, len(rows), 5):
            await queues(rows[at : at + 5])
        for row in custom_rows("queues"):
            await legs([row])
        await events.store(channel_event_rows("queues") if heard else [])
        await nothing_waits(database)

    told = f"SELECT {', '.join(COLUMNS)}, rules FROM call JOIN rule_set USING (rule_set_id)"  # noqa: S608 - our own names
    stored = await ask(database, f"{told} WHERE effective")
    by_start = [sorted(told, key=lambda row: row[:2]) for told in (expected, stored)]
    assert by_start[0] == by_start[1]


async def test_a_queue_event_that_comes_late_decides_its_settled_call_again(
    database: Database,
) -> None:
    """As a late channel event does: with a new revision, and settled anew."""
    state = "SELECT agent, leave_reason, settled_by, revision FROM call"

    async def settled() -> bool:
        return all(row[2] for row in await ask(database, state))

    async with sources(database) as (legs, queues):
        enters, connects, ends = queued(ONE)
        async with running(database, settle_after=SOON):
            await queues([enters])
            await legs(legs_of(ONE))
            await nothing_waits(database)
            await until(settled, "the call is settled")
        [before] = await ask(database, state)
        async with running(database, settle_after=DAY):
            await queues([connects, ends])
            await nothing_waits(database)
        [after] = await ask(database, state)

    assert before[:3] == (None, None, "quiet")
    assert after[:3] == ("Carol Cole", "ANSWERED", None)
    assert after[3] > before[3]


async def test_queue_events_that_were_written_twice_are_told_once(database: Database) -> None:
    """By whoever appended one queue_log to another."""
    async with sources(database) as (legs, queues), running(database):
        await queues([*queue_event_rows("main"), *queue_event_rows("main")])
        await legs(custom_rows("main"))
        await nothing_waits(database)

    assert await ask(database, ROW) == EXPECTED


async def test_a_caller_with_more_queue_events_than_are_looked_at_has_none_and_the_log_says_so(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others of the same batch keep theirs."""
    monkeypatch.setattr("cdrd.enrich.gathering.MOST_EVENTS", 6)
    many = {call for call, *_ in EXPECTED if len(queued(call)) >= 6}
    async with sources(database) as (legs, queues):
        await queues(queue_event_rows("main"))
        await legs(custom_rows("main"))
        with capture_logs() as logs:
            async with running(database):
                await nothing_waits(database)

    assert await ask(database, ROW) == [row for row in EXPECTED if row[0] not in many]
    told = {entry["call"] for entry in logs if entry["event"] == "call_too_large"}
    assert told == many != set()


async def test_callers_of_another_pbx_are_not_mixed_up(database: Database) -> None:
    """Two PBXs may give a channel the same uniqueid."""
    await apply_companies(database, COMPANIES, applied_by="test")
    kind = SourceKind.ASTERISK_QUEUE_LOG
    async with (
        sources(database) as (legs, queues),
        file_source(database, "elsewhere", kind, pbx="branch") as elsewhere,
        running(database),
    ):
        await queues(queued(EXPECTED[1][0]))
        await elsewhere.store(queued(ONE))
        await legs([*legs_of(ONE), *legs_of(EXPECTED[1][0])])
        await nothing_waits(database)

    assert await ask(database, ROW) == [EXPECTED[1]]


async def test_without_a_source_of_queue_events_nobody_is_asked_for_any(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has no queues pays nothing for them."""
    for name in ("queue_events_of_callers", "callers_between"):
        monkeypatch.delitem(statements(), name)
    await apply_companies(database, COMPANIES, applied_by="test")
    async with (
        file_source(database, "legs", SourceKind.ASTERISK_CUSTOM) as legs,
        file_source(database, "events", SourceKind.ASTERISK_CEL) as events,
        running(database),
    ):
        await events.store(channel_event_rows("main")[:2000])
        await legs.store(custom_rows("main")[:200])
        await nothing_waits(database)

    [[decided]] = await ask(database, "SELECT count(*) FROM attribution")
    assert decided == 200


def test_the_story_of_a_call_tells_what_happened_in_its_queue(dsn: str, tmp_path: Path) -> None:
    async def fill() -> None:
        async with Database(dsn) as database, sources(database) as (legs, queues):
            await queues(queue_event_rows("main"))
            await legs(custom_rows("main"))
            async with running(database):
                await nothing_waits(database)

    asyncio.run(fill())
    config = tmp_path / "cdrd.yaml"
    config.write_text(json.dumps({"database": {"dsn": dsn}}))

    code, story, _ = told("-c", str(config), "explain", EXPECTED[4][0])
    assert code == 0
    assert "queue acme-support" in story
    assert "5 s in the queue, left: TIMED_OUT" in story
    assert "leave_reason by queue-event" in story
    assert f"queue events: {len(queued(EXPECTED[4][0]))}" in story
    texts = [line.split("  ", 2)[-1].strip() for line in story.splitlines()]
    happened = [
        "queue acme-support: a caller enters at position 1",
        "queue acme-support: Carol Cole does not answer, rung for 3000 ms",
        "queue acme-support: the caller's time is up after 5 s",
    ]
    places = [texts.index(text) for text in happened]
    assert places == sorted(places)
    times = [line[2:14] for line in story.splitlines() if line[2:4].isdigit() and line[4] == ":"]
    assert times == sorted(times)

    code, story, _ = told("-c", str(config), "explain", ONE)
    assert "queue acme-support, agent Carol Cole" in story
    assert "Carol Cole answers after 0 s" in story
    assert "the caller ends the talk with Carol Cole after 2 s" in story
