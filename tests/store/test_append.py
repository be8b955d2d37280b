from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from support.waiting import until, until_blocked

from cdrd.errors import Conflict, RowRefused
from cdrd.records import (
    AcctId,
    Claim,
    FileId,
    FileMark,
    FilePosition,
    Reason,
    Rejected,
    SourceKind,
)
from cdrd.store.batches import Batch, append
from cdrd.store.database import Database
from cdrd.store.feed import newest
from cdrd.store.legs import legs_between
from cdrd.store.sources import Claims, positions, register_source
from cdrd.store.suspense import waiting_suspense
from cdrd.store.work import claim_work, finish_work


def row(line: int, *, src: str = "101", duration: str = "5") -> str:
    """One COPY text line as a decoder makes it."""
    return (
        f"{line}\t{line * 100}\t2026-11-21 13:24:47-05\t\\N\t2026-11-21 13:24:52-05\t"
        f'"A" <101>\t{src}\t102\tctx\tPJSIP/a-1\tPJSIP/b-2\tDial\tPJSIP/b\t{duration}\t0\tNO ANSWER\t3\t'
        f"acme\t1795285487.{line}\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N"
    )


def at(offset: int, line: int, file_id: FileId | None = None) -> FilePosition:
    """A position of the one file of these tests."""
    return FilePosition(file_id, "Master.csv", "1:2", FileMark(4, b"head", b"tail"), offset, line)


async def claimed(database: Database) -> tuple[Claims, Claim]:
    """A source with a claim on it."""
    source_id = await register_source(
        database, name="pbx1", kind=SourceKind.ASTERISK_CSV, pbx="pbx1"
    )
    claims = Claims(database, "test")
    claim = await claims.claim(source_id)
    assert claim is not None
    return claims, claim


async def test_legs_suspense_and_position_commit_together(database: Database) -> None:
    claims, claim = await claimed(database)
    rejected = Rejected(b'"torn', 3, 300, Reason.TORN, "the file ended in the record")
    done = await append(
        database, Batch(claim, at(305, 4), 0, rows=[row(1), row(2)], rejected=[rejected])
    )

    assert done.last_id == 2
    [position] = await positions(database, claim.source_id)
    assert (position.offset, position.line, position.file_id) == (305, 4, done.file_id)
    [suspended] = await waiting_suspense(database)
    assert (suspended["reason"], suspended["line"]) == ("torn", 3)
    async with database.transaction() as connection:
        legs = await legs_between(connection, AcctId(1), AcctId(2))
        assert [leg.uniqueid for leg in legs] == ["1795285487.1", "1795285487.2"]
        assert legs[0].calldate == datetime(2026, 11, 21, 18, 24, 47, tzinfo=UTC)
        assert await claim_work(connection, "enrich", most_legs=10) == [(1, 2)]
        await finish_work(connection, "enrich", [(AcctId(1), AcctId(2))])
    await claims.close()


async def test_a_refused_row_stores_nothing_and_leaves_no_gap(database: Database) -> None:
    claims, claim = await claimed(database)
    with pytest.raises(RowRefused):
        await append(database, Batch(claim, at(300, 3), 0, rows=[row(1), row(2, duration="x")]))
    done = await append(database, Batch(claim, at(300, 3), 0, rows=[row(1)]))

    assert done.last_id == 1
    await claims.close()


async def test_a_position_that_moved_meanwhile_refuses_the_batch(database: Database) -> None:
    claims, claim = await claimed(database)
    done = await append(database, Batch(claim, at(100, 2), 0, rows=[row(1)]))
    await append(database, Batch(claim, at(200, 3, done.file_id), 100, rows=[row(2)]))
    with pytest.raises(Conflict):
        await append(database, Batch(claim, at(200, 3, done.file_id), 100, rows=[row(2)]))
    await claims.close()


async def test_a_former_owner_can_store_nothing(database: Database) -> None:
    claims, claim = await claimed(database)
    await claims.close()
    others = Claims(database, "other")
    await until(lambda: others.claim(claim.source_id), "the source is free")
    with pytest.raises(Conflict):
        await append(database, Batch(claim, at(100, 2), 0, rows=[row(1)]))
    await others.close()


async def test_a_claim_that_nobody_waits_for_any_more_is_free(database: Database) -> None:
    """Its lock would be held by a daemon that does not know of it."""
    claims, others = Claims(database, "test"), Claims(database, "other")
    source_id = await register_source(
        database, name="pbx1", kind=SourceKind.ASTERISK_CSV, pbx="pbx1"
    )
    async with database.transaction() as connection:
        await connection.execute("SELECT FROM source FOR UPDATE")
        claiming = asyncio.create_task(claims.claim(source_id))
        await until_blocked(database)
        claiming.cancel()
        await asyncio.wait([claiming])

    await until(lambda: others.claim(source_id), "the source is free")
    assert await claims.claim(source_id) is None
    await others.close()
    await until(lambda: claims.claim(source_id), "the source is free again")
    await claims.close()


async def test_acctid_is_in_commit_order_while_a_writer_stalls(database: Database) -> None:
    """One writer stalls inside its transaction: the others wait, and no reader ever sees a gap fill."""
    claims, claim = await claimed(database)
    done = await append(database, Batch(claim, at(1, 1), 0, rows=[row(1)]))
    seen: list[int] = []
    async with database.transaction() as stalled:
        await stalled.fetchval("UPDATE counter SET value = value + 3 WHERE name = 'acctid'")
        others = [
            asyncio.create_task(append(database, Batch(claim, at(10, 1), 0, rows=[row(n)])))
            for n in (2, 3)
        ]
        await until_blocked(database, 2)
        seen.append(await newest(database))
        await stalled.execute(
            "INSERT INTO leg SELECT 2 + n, source_id, file_id, line, byte_offset, calldate, answerdate,"
            " enddate, clid, src, dst, dcontext, channel, dstchannel, lastapp, lastdata, duration,"
            " billsec, disposition, amaflags, accountcode FROM leg, generate_series(0, 2) AS n"
            " WHERE acctid = 1"
        )
    results = await asyncio.gather(*others)

    assert set(seen) <= {1}
    assert {result.last_id for result in results} == {5, 6}
    async with database.connection() as connection:
        legs = await legs_between(connection, AcctId(1), AcctId(100))
    assert [leg.acctid for leg in legs] == [1, 2, 3, 4, 5, 6]
    assert done.last_id == 1
    await claims.close()
