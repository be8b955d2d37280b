"""What is decided, to be compared with what would be decided now; and what shall be decided again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from cdrd.records import AcctId, Attribution
from cdrd.store.database import CHANNEL, Database
from cdrd.store.legs import ENRICH
from cdrd.store.ranges import Ranges, ranges_of
from cdrd.store.statements import statement


async def ranges_of_dates(database: Database, since: datetime, until: datetime | None) -> Ranges:
    """Ranges of acctid outside which no leg of that time is stored now."""
    async with database.connection() as connection:
        newest = await statement("last_acctid").value(connection)
        rows = await statement("spans_of_dates").rows(
            connection, first=1, upto=newest, min_date=since, max_date=until
        )
    return [(AcctId(row["first_acctid"]), AcctId(row["last_acctid"])) for row in rows]


async def decisions_of(connection: Any, acctids: Iterable[AcctId]) -> dict[AcctId, Attribution]:
    """What is stored of these legs, without the rules that decided."""
    ranges = ranges_of(acctids)
    if not ranges:
        return {}
    firsts, lasts = zip(*ranges, strict=True)
    rows = await statement("decisions_between").rows(connection, firsts=firsts, lasts=lasts)
    return {row["acctid"]: Attribution._make((*row.values(), "{}")) for row in rows}


async def company_was_ever(database: Database, company: str) -> bool:
    """Whether any version of the directory knows the company."""
    async with database.connection() as connection:
        return bool(await statement("company_was_ever").value(connection, company=company))


async def decide_again(
    database: Database, stage: str, ranges: Sequence[tuple[AcctId, AcctId]]
) -> None:
    """Puts ranges before the stage, all of them or none, and wakes whoever does its work."""
    firsts, lasts = zip(*ranges, strict=True)
    async with database.transaction() as connection:
        await statement("decide_again").rows(connection, stage=stage, firsts=firsts, lasts=lasts)
        await statement("wake").rows(connection, channel=f"{CHANNEL}_{ENRICH}")
