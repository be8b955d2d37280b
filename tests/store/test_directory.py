from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from support.waiting import DEADLINE

from cdrd.owners import Company, DirectoryVersion, Entry, EntryKind
from cdrd.records import CompanyId
from cdrd.store.database import Database
from cdrd.store.directory import (
    apply_directory,
    current_version,
    load_directory,
    version_applied,
)

ACME = Company(
    CompanyId("acme"), "Acme Ltd", "retail", {"forward": "forwarder"}, {"area_code": "01908"}
)
GLOBEX = Company(CompanyId("globex"), "Globex; Räksmörgås 'x' \\N", None)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)


def entry(pattern: str, company: str | None = "acme", **changes: Any) -> Entry:
    """An extension that always was the company's, on every PBX."""
    owner = CompanyId(company) if company else None
    told = Entry(owner, None, EntryKind.EXTENSION, pattern, {}, None, None)
    return told._replace(**changes)


ENTRIES = [
    entry("101"),
    entry("102", pbx="hq", detail={"name": "Bob", "floors": ["1", "2"]}),
    entry("01908555101", kind=EntryKind.DID, valid_from=APRIL),
    entry("01908555101", kind=EntryKind.DID, company="globex", valid_until=APRIL),
    entry("carrier", None, kind=EntryKind.TRUNK),
]


async def apply(
    database: Database,
    companies: Sequence[Company] = (ACME, GLOBEX),
    entries: Sequence[Entry] = ENTRIES,
) -> int | None:
    """Applies it as an operator does."""
    return await apply_directory(
        database, companies, entries, digest="d1", applied_by="test's operator"
    )


def content(directory: DirectoryVersion) -> tuple[object, ...]:
    """What a version says, whatever the order."""
    return (
        directory.version,
        sorted(map(repr, directory.companies)),
        sorted(map(repr, directory.entries)),
    )


async def test_before_the_first_version_the_directory_is_empty(database: Database) -> None:
    assert await current_version(database) == 0
    assert await load_directory(database) == DirectoryVersion(0, [], [])


async def test_what_was_applied_is_loaded_as_it_was(database: Database) -> None:
    assert await apply(database) == 1

    wanted = DirectoryVersion(1, [ACME, GLOBEX], ENTRIES)
    assert content(await load_directory(database)) == content(wanted)
    row = await version_applied(database, 1)
    assert row is not None
    assert (row["digest"], row["applied_by"]) == ("d1", "test's operator")


async def test_the_same_again_is_no_new_version(database: Database) -> None:
    await apply(database)

    assert await apply(database, (GLOBEX, ACME), [*reversed(ENTRIES), ENTRIES[0]]) is None
    assert await current_version(database) == 1


async def test_only_what_differs_is_withdrawn_and_introduced(database: Database) -> None:
    await apply(database)
    renamed = replace(ACME, name="Acme plc")
    entries = [*ENTRIES[1:], entry("101", detail={"name": "Ann"}), entry("103")]
    assert await apply(database, (renamed, GLOBEX), entries) == 2

    async with database.connection() as connection:
        rows = await connection.fetch(
            "SELECT pattern, introduced_in, withdrawn_in FROM entry ORDER BY entry_id"
        )
        companies = await connection.fetch(
            "SELECT name, introduced_in, withdrawn_in FROM company WHERE company = 'acme' ORDER BY 2"
        )
    assert sorted(map(tuple, rows), key=str) == sorted(
        [
            ("101", 1, 2),
            ("102", 1, None),
            ("01908555101", 1, None),
            ("01908555101", 1, None),
            ("carrier", 1, None),
            ("101", 2, None),
            ("103", 2, None),
        ],
        key=str,
    )
    assert [tuple(row) for row in companies] == [("Acme Ltd", 1, 2), ("Acme plc", 2, None)]


async def test_any_difference_is_one_and_going_back_is_another(database: Database) -> None:
    await apply(database)
    for changed in (
        {"pbx": "hq"},
        {"company": None},
        {"valid_from": APRIL},
        {"valid_until": APRIL},
        {"detail": {"name": ""}},
        {"kind": EntryKind.FEATURE_CODE},
    ):
        version = await current_version(database)
        other = [entry("101", **changed), *ENTRIES[1:]]
        assert await apply(database, entries=other) == version + 1, changed
        assert await apply(database, entries=other) is None, changed
        assert await apply(database) == version + 2, changed

        back = await load_directory(database)
        assert content(back) == content(DirectoryVersion(version + 2, [ACME, GLOBEX], ENTRIES))


async def test_every_version_can_be_read_as_it_was(database: Database) -> None:
    await apply(database)
    await apply(database, (ACME,), ENTRIES[:2])
    await apply(database, (GLOBEX,), ENTRIES[1:])

    for version, companies, entries in (
        (1, [ACME, GLOBEX], ENTRIES),
        (2, [ACME], ENTRIES[:2]),
        (3, [GLOBEX], ENTRIES[1:]),
    ):
        loaded = await load_directory(database, version)
        assert content(loaded) == content(DirectoryVersion(version, companies, entries))


async def test_everything_may_be_withdrawn(database: Database) -> None:
    await apply(database)

    assert await apply(database, (), ()) == 2
    assert content(await load_directory(database)) == (2, [], [])


async def test_two_operators_at_once_make_two_versions_and_the_last_one_holds(
    database: Database,
) -> None:
    one, other = await asyncio.gather(
        apply(database, (ACME,), ENTRIES[:2]), apply(database, (GLOBEX,), ENTRIES[3:])
    )

    assert {one, other} == {1, 2}
    last = ([ACME], ENTRIES[:2]) if one == 2 else ([GLOBEX], ENTRIES[3:])
    assert content(await load_directory(database)) == content(DirectoryVersion(2, *last))


async def test_a_large_directory_is_read_in_pieces(database: Database) -> None:
    companies = [ACME, *(Company(CompanyId(f"one{n}"), f"One {n}") for n in range(1000))]
    entries = [entry(f"{number}") for number in range(20_000)]
    await apply(database, companies, entries)
    assert await apply(database, companies, entries[:-1]) == 2

    loaded = await load_directory(database, 1)
    assert sorted(c.company for c in loaded.companies) == sorted(c.company for c in companies)
    assert {e.pattern for e in loaded.entries} == {e.pattern for e in entries}
    assert len((await load_directory(database)).entries) == 19_999


async def test_whoever_listens_hears_of_a_new_version(database: Database) -> None:
    heard = asyncio.Event()
    async with database.listening("directory", heard.set), asyncio.timeout(DEADLINE):
        await apply(database)
        await heard.wait()
