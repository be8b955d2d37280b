"""The directory: applied whole and compared by value, kept as a history, read as it was in any version."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

from cdrd.owners import Company, DirectoryVersion, Entry, EntryKind
from cdrd.records import CompanyId
from cdrd.store.database import CHANNEL, Database
from cdrd.store.statements import Row, statement

DIRECTORY = "directory"
"""The topic that is notified when another version is in force."""

_PIECE = 250
"""Entries or companies read at once: so few that whatever else the process does hardly waits."""
_REMEMBERED = 50_000
"""Details that are told apart while a directory is read."""
_KINDS = {kind.value: kind for kind in EntryKind}
_COMPANY_COLUMNS = ("company", "name", "billing_group", "pays", "detail")
_ENTRY_COLUMNS = ("company", "pbx", "kind", "pattern", "detail", "valid_from", "valid_until")


async def current_version(database: Database) -> int:
    """The version in force; 0 before the first."""
    async with database.connection() as connection:
        return int(await statement("current_version").value(connection))


async def version_applied(database: Database, version: int) -> Row | None:
    """When a version was applied, by whom, and the digest of the file."""
    async with database.connection() as connection:
        return await statement("version_applied").row(connection, version=version)


async def load_directory(
    database: Database,
    version: int | None = None,
    *,
    pause: Callable[[], Awaitable[None]] | None = None,
) -> DirectoryVersion:
    """A version of the directory, by default the one in force; version 0 is empty.

    It is read in pieces; whoever has other things to do does them in the pause between two.
    """
    async with database.connection() as connection:
        version = await _version(connection, version)
        companies = await _companies(connection, version, pause)
        entries: list[Entry] = []
        alike, after = _Alike(), 0
        while True:
            rows = await statement("entries_of_version").rows(
                connection, version=version, after=after, most=_PIECE
            )
            entries += map(alike.entry, rows)
            if len(rows) < _PIECE:
                return DirectoryVersion(version, companies, entries)
            after = rows[-1]["entry_id"]
            if pause is not None:
                await pause()


async def load_company(
    database: Database, company: str, version: int | None = None
) -> DirectoryVersion:
    """The same with every company, but the entries of one alone."""
    async with database.connection() as connection:
        version = await _version(connection, version)
        companies = await _companies(connection, version)
        rows = await statement("entries_of_company").rows(
            connection, version=version, company=company
        )
    return DirectoryVersion(version, companies, list(map(_Alike().entry, rows)))


async def load_overview(
    database: Database, version: int | None = None
) -> tuple[DirectoryVersion, Counter[str | None]]:
    """A version without its entries, and how many each company has; those of None are shared by all."""
    async with database.connection() as connection:
        version = await _version(connection, version)
        companies = await _companies(connection, version)
        rows = await statement("entries_owned").rows(connection, version=version)
    owned = Counter({row["company"]: row["entries"] for row in rows})
    return DirectoryVersion(version, companies, ()), owned


async def _version(connection: Any, version: int | None) -> int:
    if version is None:
        return int(await statement("current_version").value(connection))
    return version


async def _companies(
    connection: Any, version: int, pause: Callable[[], Awaitable[None]] | None = None
) -> list[Company]:
    companies: list[Company] = []
    while True:
        after = companies[-1].company if companies else ""
        rows = await statement("companies_of_version").rows(
            connection, version=version, after=after, most=_PIECE
        )
        companies += map(_company, rows)
        if len(rows) < _PIECE:
            return companies
        if pause is not None:
            await pause()


def _company(row: Row) -> Company:
    key, name, billing_group, pays, detail = row.values()
    return Company(CompanyId(key), name, billing_group, pays, detail)


class _Alike:
    """Rows become entries. What many of a million have in common is one value, and not a million."""

    def __init__(self) -> None:
        self._values: dict[Any, Any] = {}
        self._details: dict[str, dict[str, Any]] = {}

    def entry(self, row: Row) -> Entry:
        """The entry of a row."""
        _, company, pbx, kind, pattern, detail, valid_from, valid_until = row.values()
        one = self._values.setdefault
        said = self._details.get(detail)
        return Entry(
            one(company, company),
            one(pbx, pbx),
            _KINDS[kind],
            pattern,
            self._detail(detail) if said is None else said,
            one(valid_from, valid_from),
            one(valid_until, valid_until),
        )

    def _detail(self, text: str) -> dict[str, Any]:
        if len(self._details) >= _REMEMBERED:
            self._details.clear()
        return self._details.setdefault(text, json.loads(text))


async def apply_directory(
    database: Database,
    companies: Iterable[Company],
    entries: Iterable[Entry],
    *,
    digest: str,
    applied_by: str,
) -> int | None:
    """Makes this the directory in force and returns its version, or None where nothing differs.

    What is the same in both keeps its row, so that a version costs what it changes, and everything that
    was decided in an earlier version can be understood from it.
    """
    async with database.transaction() as connection:
        await statement("take_time").rows(connection)
        await statement("hold_directory").rows(connection)
        await _compare(connection, companies, entries)
        if not await statement("directory_changes").value(connection):
            return None
        version: int = await statement("new_version").value(
            connection, digest=digest, applied_by=applied_by
        )
        for change in (
            "withdraw_companies",
            "introduce_companies",
            "withdraw_entries",
            "introduce_entries",
        ):
            await statement(change).rows(connection, version=version)
        await statement("wake").rows(connection, channel=f"{CHANNEL}_{DIRECTORY}")
    return version


async def _compare(connection: Any, companies: Iterable[Company], entries: Iterable[Entry]) -> None:
    await statement("create_wanted_companies").rows(connection)
    await statement("create_wanted_entries").rows(connection)
    await connection.copy_records_to_table(
        "wanted_company", columns=_COMPANY_COLUMNS, records=_company_rows(companies)
    )
    await connection.copy_records_to_table(
        "wanted_entry", columns=_ENTRY_COLUMNS, records=_entry_rows(entries)
    )
    await statement("compare_companies").rows(connection)
    await statement("compare_entries").rows(connection)


def _company_rows(companies: Iterable[Company]) -> Iterator[tuple[Any, ...]]:
    for company in companies:
        yield (
            company.company,
            company.name,
            company.billing_group,
            json.dumps(company.pays),
            json.dumps(company.detail),
        )


def _entry_rows(entries: Iterable[Entry]) -> Iterator[tuple[Any, ...]]:
    for company, pbx, kind, pattern, detail, *dates in entries:
        yield company, pbx, kind, pattern, json.dumps(detail) if detail else "{}", *dates
