"""The collect stage on real files and a real database, while both of them misbehave."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from support.pbx import Pbx, number_of, record
from support.sources import accounts_are_even
from support.stages import following
from support.waiting import DEADLINE, until, until_blocked

from cdrd.collect.stage import shape_of
from cdrd.collect.suspense import retry
from cdrd.errors import NotFound
from cdrd.metrics import REGISTRY
from cdrd.records import AcctId, Reason, Rejected, SourceKind, SuspenseId
from cdrd.source_settings import SourceSettings
from cdrd.store.database import Database
from cdrd.store.sources import positions, register_source
from cdrd.store.suspense import close, deciding, suspended_record, waiting_suspense


def source_at(path: Path, **settings: Any) -> SourceSettings:
    return SourceSettings(
        name="pbx1", kind=SourceKind.ASTERISK_CSV, path=str(path), idle_poll="10ms", **settings
    )


async def fetch(database: Database, sql: str, *arguments: Any) -> list[Any]:
    async with database.connection() as connection:
        return list(await connection.fetch(sql, *arguments))


async def stored(database: Database) -> Counter[int]:
    """The number of each record that is a leg, and how often."""
    rows = await fetch(database, "SELECT uniqueid FROM leg")
    return Counter(number_of(row["uniqueid"]) for row in rows)


async def all_stored(database: Database, pbx: Pbx) -> None:
    """Every record is a leg, once."""

    async def enough() -> bool:
        return (await stored(database)).total() >= pbx.written

    await until(enough, "every record is stored")
    assert await stored(database) == Counter(range(pbx.written))


@pytest.fixture
def pbx(tmp_path: Path) -> Pbx:
    return Pbx(tmp_path / "Master.csv")


@pytest.fixture(autouse=True)
async def every_record_is_accounted_for(database: Database) -> AsyncIterator[None]:
    """After whatever a test does to it."""
    yield
    assert await accounts_are_even(database)


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, {"source": "pbx1", **labels}) or 0.0


async def test_every_rotation_under_a_writer(database: Database, pbx: Pbx) -> None:
    async with following(database, source_at(pbx.path)):
        for rotation in range(12):
            pbx.append(7)
            if rotation % 3 == 0:
                pbx.rotate_by_copy()
            elif rotation % 3 == 1:
                pbx.rotate_by_rename()
            else:
                pbx.compress(pbx.rotate_by_rename())
            await asyncio.sleep(0)
            pbx.append(3)
        await all_stored(database, pbx)


async def test_copytruncate_while_stopped_and_while_running(database: Database, pbx: Pbx) -> None:
    unread = metric("cdrd_unread_bytes_total")
    pbx.append(5)
    async with following(database, source_at(pbx.path)):
        await all_stored(database, pbx)
        pbx.append(5)
        pbx.rotate_by_copy()
        pbx.append(5)
        await all_stored(database, pbx)
    pbx.append(5)
    pbx.rotate_by_copy()
    pbx.append(5)
    pbx.rotate_by_copy()
    async with following(database, source_at(pbx.path)):
        pbx.append(5)
        await all_stored(database, pbx)

    assert metric("cdrd_unread_bytes_total") == unread


async def test_a_stopped_stage_goes_on_where_it_stopped(database: Database, pbx: Pbx) -> None:
    for _ in range(3):
        pbx.append_at_once(400)
        async with following(database, source_at(pbx.path), batch_bytes=4096):
            pass
    async with following(database, source_at(pbx.path), batch_bytes=4096):
        await all_stored(database, pbx)
    source_id = await register_source(
        database, name="pbx1", kind=SourceKind.ASTERISK_CSV, pbx="default"
    )
    [position] = await positions(database, source_id)

    assert position.offset == pbx.path.stat().st_size
    assert position.line == pbx.written + 1


async def test_a_file_name_need_not_be_utf8(database: Database, tmp_path: Path) -> None:
    pbx = Pbx(tmp_path / os.fsdecode(b"soci\xe9t\xe9.csv"))
    pbx.append(3)
    for _ in range(2):
        async with following(database, source_at(tmp_path / "*.csv")):
            pbx.append(2)
            pbx.rotate_by_rename()
            pbx.append(1)
            await all_stored(database, pbx)
    source_id = await register_source(
        database, name="pbx1", kind=SourceKind.ASTERISK_CSV, pbx="default"
    )
    rotated = [f"{pbx.path}.2", f"{pbx.path}.1"]

    assert {one.path for one in await positions(database, source_id)} == {str(pbx.path), *rotated}


async def test_a_path_that_cannot_be_read_is_read_when_it_can(database: Database, pbx: Pbx) -> None:
    pbx.path.symlink_to(pbx.path)  # unreadable for root too
    async with following(database, source_at(pbx.path)) as beats:
        before = beats[0]
        await until(lambda: _true(beats[0] > before + 5), "the stage beats on")
        pbx.path.unlink()
        pbx.append(3)
        await all_stored(database, pbx)


async def _true(fact: bool) -> bool:
    return fact


async def test_a_record_that_the_database_refuses_is_suspended_alone(
    database: Database, pbx: Pbx
) -> None:
    refused = {0, 17, 18, 499}
    await fetch(
        database,
        "ALTER TABLE leg ADD CONSTRAINT no_mallory CHECK (clid !~ 'Mallory')",
    )
    with pbx.path.open("ab") as file:
        for number in range(500):
            file.write(record(number, name="Mallory" if number in refused else "Alice"))
        file.write(b'"torn\n')
    async with following(database, source_at(pbx.path)):

        async def enough() -> bool:
            return len(await waiting_suspense(database)) >= len(refused)

        await until(enough, "they are suspended")
        waiting = await waiting_suspense(database)

    assert await stored(database) == Counter(set(range(500)) - refused)
    assert [row["line"] for row in waiting] == [number + 1 for number in sorted(refused)]
    assert {row["reason"] for row in waiting} == {"refused"}
    assert waiting[0]["detail"].endswith('violates check constraint "no_mallory"')
    suspended = await suspended_record(database, SuspenseId(waiting[1]["suspense_id"]))
    assert suspended["raw"] == record(17, name="Mallory")


async def test_two_daemons_on_one_source_store_it_once(database: Database, pbx: Pbx) -> None:
    source = source_at(pbx.path)
    async with following(database, source):
        pbx.append(5)
        await all_stored(database, pbx)
        async with following(database, source) as beats:
            await until(lambda: _true(beats[0] >= 2), "the second one waits for the claim")
            pbx.append(5)
            await all_stored(database, pbx)


async def test_a_source_is_taken_over_when_its_owner_ends(database: Database, pbx: Pbx) -> None:
    source = source_at(pbx.path)
    async with following(database, source):
        pbx.append(5)
        await all_stored(database, pbx)
    async with following(database, source):
        pbx.append(5)
        await all_stored(database, pbx)
    rows = await fetch(database, "SELECT epoch FROM source")

    assert rows[0]["epoch"] == 2


async def test_a_lost_claim_is_claimed_again(database: Database, pbx: Pbx) -> None:
    """Another daemon had the source meanwhile: what it stored is not stored again."""
    async with following(database, source_at(pbx.path)):
        pbx.append(5)
        await all_stored(database, pbx)
        await fetch(database, "UPDATE source SET epoch = epoch + 10")
        pbx.append(5)
        await all_stored(database, pbx)
    rows = await fetch(database, "SELECT epoch FROM source")

    assert rows[0]["epoch"] == 12


async def test_cut_connections_lose_and_double_nothing(
    dsn: str, database: Database, pbx: Pbx
) -> None:
    cut = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name <> 'beside'"
    )
    faults = REGISTRY.get_sample_value
    labels = {"stage": "collect", "kind": "StoreUnavailable"}
    before = faults("cdrd_stage_faults_total", labels) or 0.0
    async with (
        Database(dsn, application="beside") as beside,
        following(database, source_at(pbx.path), batch_bytes=4096),
    ):
        for _ in range(4):
            async with beside.transaction() as blocking:
                await blocking.execute("LOCK TABLE position IN ACCESS EXCLUSIVE MODE")
                pbx.append_at_once(100)
                await until_blocked(beside)
                await blocking.execute(cut)
            pbx.rotate_by_rename()
        await all_stored(beside, pbx)

    assert (faults("cdrd_stage_faults_total", labels) or 0.0) > before


async def test_a_file_removed_while_the_database_is_away_is_not_lost(
    database: Database, pbx: Pbx
) -> None:
    """The open file is all that is left of it: it is kept while the database is waited for."""
    async with following(database, source_at(pbx.path)):
        pbx.append(1)
        await all_stored(database, pbx)
        async with database.transaction() as blocking:
            await blocking.execute("LOCK TABLE position IN ACCESS EXCLUSIVE MODE")
            pbx.append(100)
            await until_blocked(database)
            pbx.append(100)
            pbx.rotate_by_rename().unlink()
            pbx.append(1)
            await blocking.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks"
                " WHERE NOT granted AND relation = 'position'::regclass"
            )
        await all_stored(database, pbx)


async def test_a_disk_that_takes_its_time_is_no_stuck_stage(
    database: Database, pbx: Pbx, monkeypatch: pytest.MonkeyPatch
) -> None:
    pbx.append(3)
    pread, reads, answers = os.pread, Event(), Event()

    def read(descriptor: int, count: int, offset: int) -> bytes:
        reads.set()
        answers.wait(DEADLINE)
        return pread(descriptor, count, offset)

    monkeypatch.setattr(os, "pread", read)
    async with following(database, source_at(pbx.path)) as beats:
        await until(lambda: _true(reads.is_set()), "the disk is asked")
        before = beats[0]
        try:
            await until(lambda: _true(beats[0] > before + 1), "the stage beats on")
        finally:
            answers.set()
        await all_stored(database, pbx)


async def test_the_metrics_tell_what_was_collected(database: Database, pbx: Pbx) -> None:
    names = ("cdrd_collected_bytes_total", "cdrd_legs_total")
    before = [metric(name) for name in names]
    suspended = metric("cdrd_suspended_records_total", reason="too_few_columns")
    pbx.append(10)
    legs = pbx.path.stat().st_size
    with pbx.path.open("ab") as file:
        file.write(b'"a","b"\n')
    async with following(database, source_at(pbx.path)):
        await until(lambda: waiting_suspense(database), "the short record is suspended")
        await all_stored(database, pbx)
        await until(
            lambda: _true(metric("cdrd_legs_total") > before[1]), "the metrics are told of it"
        )
        assert metric("cdrd_source_up") == 1

    assert [metric(name) - old for name, old in zip(names, before, strict=True)] == [legs + 8, 10]
    assert metric("cdrd_suspended_records_total", reason="too_few_columns") == suspended + 1
    assert metric("cdrd_source_up") == 0


async def suspended_one(database: Database, pbx: Pbx) -> SuspenseId:
    """One record in suspense, of 17 columns, the last of which is declared to be the userfield."""
    await fetch(database, "ALTER TABLE leg ADD CONSTRAINT no_mallory CHECK (clid !~ 'Mallory')")
    pbx.path.write_bytes(record(0) + record(1, name="Mallory"))
    async with following(database, source_at(pbx.path)):
        [row] = await until(lambda: waiting_suspense(database), "it is suspended")
    return SuspenseId(row["suspense_id"])


async def test_a_suspended_record_is_stored_once_when_it_is_tried_again(
    database: Database, pbx: Pbx
) -> None:
    suspense_id = await suspended_one(database, pbx)
    shape = shape_of(source_at(pbx.path))
    again = await retry(database, suspense_id, shape)
    assert isinstance(again, Rejected)
    assert again.reason is Reason.REFUSED
    await fetch(database, "ALTER TABLE leg DROP CONSTRAINT no_mallory")
    first, second = await asyncio.gather(
        retry(database, suspense_id, shape), retry(database, suspense_id, shape)
    )

    assert first == second == await retry(database, suspense_id, shape) == AcctId(2)
    assert await stored(database) == Counter(range(2))
    [leg] = await fetch(
        database,
        "SELECT line, byte_offset, path FROM leg JOIN file USING (file_id) WHERE acctid = 2",
    )
    assert tuple(leg) == (2, len(record(0)), str(pbx.path))
    assert await waiting_suspense(database) == []


async def test_a_discarded_record_is_not_tried_again(database: Database, pbx: Pbx) -> None:
    suspense_id = await suspended_one(database, pbx)
    async with deciding(database, suspense_id) as connection:
        await close(connection, suspense_id, state="discarded")
    with pytest.raises(NotFound, match="discarded"):
        await retry(database, suspense_id, shape_of(source_at(pbx.path)))
