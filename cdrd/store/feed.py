"""What the dialects read: up to a horizon, and only what the principal may see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cdrd.records import AcctId, Principal
from cdrd.store.database import Database
from cdrd.store.statements import statement


@dataclass(frozen=True, slots=True)
class Scope:
    """Which legs a reader wants. Bounds are inclusive; None is no bound."""

    first: AcctId
    upto: AcctId
    most: int
    min_date: datetime | None = None
    max_date: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """JSON objects separated by commas, as PostgreSQL built them, in the order of acctid."""

    rows: str
    count: int
    last_acctid: AcctId | None


async def horizon(database: Database, stage: str, *, deadline: timedelta) -> AcctId:
    """The newest acctid below which every leg is through the stage or waited longer than the deadline."""
    async with database.connection() as connection:
        return AcctId(await statement("horizon").value(connection, stage=stage, deadline=deadline))


async def newest(database: Database) -> AcctId:
    """The newest acctid that is committed, decided or not."""
    async with database.connection() as connection:
        return AcctId(await statement("last_acctid").value(connection))


async def raw_page(database: Database, principal: Principal, scope: Scope) -> Page:
    """One page of raw CDRs with their properties."""
    async with database.connection() as connection:
        row = await statement("raw_page").row(
            connection,
            companies=principal.companies,
            first=scope.first,
            upto=scope.upto,
            min_date=scope.min_date,
            max_date=scope.max_date,
            most=scope.most,
        )
    if row is None or row["rows"] is None:
        return Page("", 0, None)
    return Page(row["rows"], row["count"], AcctId(row["last_acctid"]))
