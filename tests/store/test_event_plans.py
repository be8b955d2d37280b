"""What it costs to hear of events: those that are new, however many are stored."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from support.sources import ask, file_source

from cdrd.beside import CelEvent
from cdrd.records import SourceKind
from cdrd.store.database import Database
from cdrd.store.events import callers_between, channels_between
from cdrd.store.work import prepare_to_decide

STORED, NEW = 20_000, 1000
QUEUE_EVENTS = """
    INSERT INTO queue_event (event_id, source_id, eventtime, callid, queue, agent, event, data)
    SELECT n, $1, now(), n::text, 'support', 'NONE', 'ENTERQUEUE', '{}'
    FROM generate_series(1, $2::bigint) AS n
"""
CHANNEL_EVENTS = """
    INSERT INTO cel_event (
        event_id, source_id, eventtime, eventtype, uniqueid, linkedid, channame, exten, context, appname,
        appdata, cid_name, cid_num, cid_ani, cid_rdnis, cid_dnid, amaflags, accountcode, peeraccount,
        userfield, peer, userdeftype
    )
    SELECT
        n, $1, now(), 'ANSWER', n::text, n::text, 'PJSIP/101-00000001', '', '', '', '', '', '', '', '', '', 0,
        '', '', '', '', ''
    FROM generate_series(1, $2::bigint) AS n
"""
READ = """
    SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::integer
    FROM pg_stat_xact_user_tables
    WHERE relname ~ '^(cel|queue)_event_'
"""
Between = Callable[[Any, Sequence[tuple[int, int]]], Awaitable[list[CelEvent]]]


@pytest.mark.parametrize(
    ("between", "kind", "store"),
    [
        (callers_between, SourceKind.ASTERISK_QUEUE_LOG, QUEUE_EVENTS),
        (channels_between, SourceKind.ASTERISK_CEL, CHANNEL_EVENTS),
    ],
)
async def test_events_that_came_one_by_one_are_read_without_the_rest_of_their_partition(
    database: Database, between: Between, kind: SourceKind, store: str
) -> None:
    """Nothing is known yet of a partition that fills, but what its rows are looked up by."""
    async with file_source(database, "events", kind) as source:
        await ask(database, store, source.source_id, STORED)
    new = range(1, STORED, STORED // NEW)
    async with database.transaction() as connection:
        await prepare_to_decide(connection)
        await connection.execute(
            "SET LOCAL max_parallel_workers_per_gather = 0"
        )  # they are not counted
        found = await between(connection, [(one, one) for one in new])
        read = await connection.fetchval(READ)

    assert sorted(int(event.uniqueid) for event in found) == list(new)
    assert read == NEW
