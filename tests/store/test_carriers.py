"""Two sources of one carrier never begin the same file, however close together they look at it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from cdrd.collect.identity import beginning
from cdrd.collect.imports import claim_import
from cdrd.errors import Conflict
from cdrd.records import (
    Claim,
    Family,
    FileId,
    FileMark,
    FilePosition,
    FileState,
    Reason,
    Rejected,
    SourceId,
    SourceKind,
)
from cdrd.store.batches import Batch, append
from cdrd.store.carriers import positions_of_carrier
from cdrd.store.database import Database
from cdrd.store.sources import Claims, register_source

TEXT = b"ID,Start,From,To,Seconds,Cost\n" * 10
BEGUN = FilePosition(
    None, "/srv/july.csv", "1:2", replace(beginning(TEXT), tail=TEXT[-64:]), len(TEXT), 11
)
BAD = [Rejected(b"x\n", 11, 0, Reason.TOO_FEW_COLUMNS, "1 column")]


async def claimed(database: Database, claims: Claims, name: str, carrier: str) -> Claim:
    source_id = await register_source(
        database, name=name, kind=SourceKind.CARRIER, pbx="default", carrier=carrier
    )
    claim = await claims.claim(source_id)
    assert claim is not None
    return claim


def batch(claim: Claim, position: FilePosition = BEGUN) -> Batch:
    return Batch(claim, position, 0, (), BAD, Family.CARRIER_ROW)


@pytest.fixture
async def claims(database: Database) -> AsyncIterator[Claims]:
    claims = Claims(database, "test")
    yield claims
    await claims.close()


async def test_who_comes_second_with_a_file_must_look_again(
    database: Database, claims: Claims
) -> None:
    folder = await claimed(database, claims, "bills", "alpha")
    by_hand = await claimed(database, claims, "import:alpha", "alpha")
    other = await claimed(database, claims, "others", "beta")
    await append(database, batch(folder))

    with pytest.raises(Conflict, match="another source of the same carrier"):
        await append(database, batch(by_hand))
    held = replace(
        BEGUN, offset=0, line=1, state=FileState.HELD, like=FileId(1), mark=FileMark(4, b"x", b"")
    )
    await append(database, replace(batch(by_hand, held), rejected=()))
    await append(database, batch(other))


async def test_one_at_a_time_imports_files_of_a_carrier(
    database: Database, claims: Claims, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cdrd.collect.imports._CLAIM_SECONDS", 0.1)
    first = await claim_import(database, claims, "alpha")
    others = Claims(database, "somebody else")
    try:
        with pytest.raises(Conflict, match="somebody else imports files of alpha now"):
            await claim_import(database, others, "alpha")
        await claim_import(database, others, "beta")
        await claims.release(first.source_id)
        await claim_import(database, others, "alpha")
    finally:
        await others.close()


async def test_a_source_sees_the_files_of_its_carriers_other_sources_as_such(
    database: Database, claims: Claims
) -> None:
    folder = await claimed(database, claims, "bills", "alpha")
    by_hand = await claimed(database, claims, "import:alpha", "alpha")
    await append(database, batch(folder))

    assert [p.elsewhere for p in await positions_of_carrier(database, folder.source_id)] == [False]
    [seen] = await positions_of_carrier(database, by_hand.source_id)
    assert (seen.elsewhere, seen.offset, seen.path) == (True, len(TEXT), "/srv/july.csv")
    assert await positions_of_carrier(database, SourceId(999)) == []
