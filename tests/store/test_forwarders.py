"""A forwarder has its source while it is heard; what it sends later counts for nothing."""

from __future__ import annotations

import pytest

from cdrd.cli.status import state_of
from cdrd.errors import Conflict
from cdrd.records import SourceId, SourceKind
from cdrd.store.database import Database
from cdrd.store.forwarders import begin_forwarding, heard_forwarder
from cdrd.store.sources import Report, register_source, source_status


async def registered(database: Database) -> SourceId:
    return await register_source(
        database, name="branch", kind=SourceKind.ASTERISK_CSV, pbx="branch"
    )


async def state(database: Database) -> str:
    """As `cdrd status` has it."""
    [row] = await source_status(database)
    return state_of(row)


async def fall_silent(database: Database) -> None:
    """Half a minute passes without a word."""
    async with database.connection() as connection:
        await connection.execute("UPDATE source_report SET reported_at = now() - interval '31 s'")


async def test_status_says_whether_a_forwarder_is_heard(database: Database) -> None:
    source = await registered(database)
    before = await state(database)
    claim = await begin_forwarding(database, source, "pbx")
    await heard_forwarder(database, claim, Report(lag_bytes=0))
    heard = await state(database)
    await fall_silent(database)

    assert (before, heard, await state(database)) == ("open", "collecting", "not collected")


async def test_another_machine_may_begin_once_the_first_is_not_heard(database: Database) -> None:
    source = await registered(database)
    first = await begin_forwarding(database, source, "pbx")
    await heard_forwarder(database, first, Report())
    with pytest.raises(Conflict, match="forwarder pbx has this source"):
        await begin_forwarding(database, source, "another")
    await fall_silent(database)
    second = await begin_forwarding(database, source, "another")

    assert second.epoch > first.epoch
    with pytest.raises(Conflict, match="another forwarder has begun"):
        await heard_forwarder(database, first, Report())


async def test_the_same_machine_may_begin_at_any_time(database: Database) -> None:
    """It was killed, or does not know what became of what it sent."""
    source = await registered(database)
    first = await begin_forwarding(database, source, "pbx")
    await heard_forwarder(database, first, Report())

    assert (await begin_forwarding(database, source, "pbx")).epoch == first.epoch + 1
