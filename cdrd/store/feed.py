"""What the dialects read: up to a horizon, and only what the principal may see."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from cdrd.owners import Principal
from cdrd.records import AcctId, Revision
from cdrd.store.database import Database
from cdrd.store.statements import statement

SLICE = 1000
"""Rows that are fetched at once; a longer page is several of these."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which legs a reader wants. Bounds are inclusive; None is no bound."""

    first: AcctId
    upto: AcctId
    most: int
    min_date: datetime | None = None
    max_date: datetime | None = None

    @property
    def dated(self) -> bool:
        """Whether dates matter."""
        return self.min_date is not None or self.max_date is not None


@dataclass(frozen=True, slots=True)
class Page:
    """JSON objects separated by commas, as PostgreSQL built them, in the order of acctid."""

    rows: bytes
    count: int
    undecided: int
    """How many of them the enrich stage has not decided."""
    last: AcctId
    """The acctid of the last one."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What became otherwise after a revision, up to another one."""

    rows: bytes
    """As of a page, in the order of their revisions."""
    count: int
    withdrawn: list[AcctId]
    """Rows that the principal saw once, and does not see any more."""
    revision: Revision
    """All changes up to here are told; from here it goes on."""
    more: bool
    """There is more already."""
    first: AcctId | None = None
    """From which acctid on nothing new is told yet; None where nothing new was asked for."""
    undecided: int = 0
    """How many of the new ones the enrich stage has not decided."""


async def horizon(database: Database, stage: str, *, deadline: timedelta | None) -> AcctId:
    """The newest acctid below which every leg is through the stage or waited longer than the deadline.

    With None it is the newest below which every leg is through, however long that takes.
    """
    async with database.connection() as connection:
        return AcctId(await statement("horizon").value(connection, stage=stage, deadline=deadline))


async def newest(database: Database) -> AcctId:
    """The newest acctid that is committed, decided or not."""
    async with database.connection() as connection:
        return AcctId(await statement("last_acctid").value(connection))


async def note_spans(database: Database, *, most: int) -> int:
    """Notes the dates of so many spans of acctid that are complete by now; returns how many it were."""
    async with database.connection() as connection:
        return int(await statement("note_spans").value(connection, most=most))


async def raw_pages(
    database: Database, principal: Principal, scope: Scope
) -> AsyncGenerator[Page, None]:
    """Raw CDRs with their properties, in slices. Between two slices no connection is held.

    Legs up to `scope.upto` never change and none are added, so slices read one after the other are
    what one statement would have read.
    """
    left = scope.most
    for part in await _parts(database, scope):
        first: AcctId | None = part.first
        while first is not None and left > 0:
            wanted = replace(part, first=first, most=min(left, SLICE))
            page, first = await _slice(database, principal, wanted)
            if page.count:
                left -= page.count
                yield page


async def _parts(database: Database, scope: Scope) -> list[Scope]:
    """The scope itself, or with dates the ranges of acctid outside which no leg has such a date."""
    if scope.first > scope.upto:
        return []
    if not scope.dated:
        return [scope]
    async with database.connection() as connection:
        rows = await statement("spans_of_dates").rows(
            connection,
            first=scope.first,
            upto=scope.upto,
            min_date=scope.min_date,
            max_date=scope.max_date,
        )
    return [replace(scope, first=row["first_acctid"], upto=row["last_acctid"]) for row in rows]


async def _slice(
    database: Database, principal: Principal, scope: Scope
) -> tuple[Page, AcctId | None]:
    """One statement's worth, and where to go on; None when the range is exhausted."""
    values: dict[str, Any] = {
        "companies": principal.companies,
        "first": scope.first,
        "upto": scope.upto,
        "min_date": scope.min_date,
        "max_date": scope.max_date,
        "most": scope.most,
    }
    name = "raw_page"
    if principal.companies is not None:
        name = "raw_page_of_companies"
        # dates leave only some of the legs that are looked at, so looking at one at a time won't do
        values["looked_at"] = SLICE if scope.dated else scope.most
    async with database.connection() as connection:
        row = await statement(name).row(connection, **values)
    assert row is not None  # noqa: S101 - an aggregate has one row
    page = Page(row["rows"] or b"", row["count"], row["undecided"], AcctId(row["last"] or 0))
    return page, row["rest_from"]


_MOST_LOOKS = 20
"""Statements of an answer: a principal that sees little would have all changes looked through at once."""


async def changes(
    database: Database, principal: Principal, *, since: Revision, scope: Scope
) -> Changes:
    """What changed of the rows that were served: up to `scope.upto`, and at most `scope.most` of them.

    Whoever asks again with the revision that is returned gets the next ones. Between two statements
    no connection is held.
    """
    told = Changes(b"", 0, [], since, more=True)
    for _ in range(_MOST_LOOKS):
        async with database.transaction() as connection:
            await statement("look_in_order").row(connection)
            row = await statement("changed_page").row(
                connection,
                companies=principal.companies,
                since=told.revision,
                upto=scope.upto,
                looked_at=SLICE,
                most=min(scope.most - told.count, SLICE),
            )
        assert row is not None  # noqa: S101 - an aggregate has one row
        told = Changes(
            b",".join(rows for rows in (told.rows, row["rows"]) if rows),
            told.count + row["count"],
            [*told.withdrawn, *row["withdrawn"]],
            Revision(row["revision"]),
            row["more"],
        )
        # a later look may tell of a row that is back: that it was withdrawn must have been heard before
        if not told.more or told.count >= scope.most or told.withdrawn:
            break
    return told


async def changes_and_news(
    database: Database, principal: Principal, *, since: Revision, scope: Scope
) -> Changes:
    """What changed of the rows before `scope.first`, and then the rows from there on: none is in both.

    In this order: a row that is not looked at as changed, since it is still to come, comes as it is then.
    """
    seen = replace(scope, upto=min(scope.upto, AcctId(scope.first - 1)))
    told = await changes(database, principal, since=since, scope=seen)
    new = replace(scope, most=scope.most - told.count)
    pages = [page async for page in raw_pages(database, principal, new)]
    count = sum(page.count for page in pages)
    return replace(
        told,
        rows=b",".join(rows for rows in (told.rows, *(page.rows for page in pages)) if rows),
        count=told.count + count,
        more=told.more or count == new.most,
        first=AcctId(pages[-1].last + 1) if pages else scope.first,
        undecided=sum(page.undecided for page in pages),
    )
