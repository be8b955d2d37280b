"""Stored files are read again: nothing is stored twice, and what is missing is found."""

from __future__ import annotations

import asyncio
import gzip
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support.decoded import CAPTURES, FULL, master_files
from support.pbx import Pbx
from support.sources import accounts_are_even, ask
from support.stages import following
from support.waiting import until

from cdrd.cli import cli
from cdrd.source_settings import SourceSettings
from cdrd.store.database import Database

BAD = b'"acme","101"\n'


class Commands:
    """The command line with these sources."""

    def __init__(self, folder: Path, dsn: str, *sources: dict[str, Any]) -> None:
        self.config = folder / "cdrd.yaml"
        self.sources = sources
        settings = {"database": {"dsn": dsn}, "sources": list(sources)}
        self.config.write_text(json.dumps(settings))

    async def __call__(self, *words: str) -> tuple[int, str]:
        arguments = ["-c", str(self.config), *words]
        result = await asyncio.to_thread(CliRunner().invoke, cli, arguments)
        return result.exit_code, result.stdout

    async def collect(self, database: Database, *, records: int) -> None:
        """Collects until so many records are accounted for."""

        async def enough() -> bool:
            counted = await ask(database, "SELECT coalesce(sum(records), 0)::int FROM position")
            return counted == [(records,)]

        sources = [SourceSettings.model_validate(source) for source in self.sources]
        async with following(database, *sources):
            await until(enough, f"{records} records are accounted for")


@pytest.fixture
def pbx(tmp_path: Path) -> Pbx:
    return Pbx(tmp_path / "Master.csv")


@asynccontextmanager
async def collected(tmp_path: Path, dsn: str, pbx: Pbx) -> AsyncIterator[tuple[Database, Commands]]:
    """A rotated, packed file, one that is followed, and a record of it in suspense."""
    source = {"name": "hq", "kind": "asterisk-csv", "path": str(pbx.path)}
    commands = Commands(tmp_path, dsn, source)
    pbx.append_at_once(300)
    async with Database(dsn) as database:
        await commands.collect(database, records=300)
        pbx.compress(pbx.rotate_by_rename())
        pbx.append(5)
        with pbx.path.open("ab") as file:
            file.write(BAD)
        pbx.append(5)
        await commands.collect(database, records=311)
        yield database, commands


def last_line(answer: tuple[int, str]) -> tuple[int, str]:
    return answer[0], answer[1].splitlines()[-1]


async def test_a_replay_of_what_is_stored_stores_nothing(
    tmp_path: Path, dsn: str, pbx: Pbx
) -> None:
    async with collected(tmp_path, dsn, pbx) as (database, commands):
        assert last_line(await commands("replay")) == (
            0,
            "2 files, 311 records, 0 were missing and are stored now, 0 suspended, 0 from elsewhere",
        )
        assert await ask(database, "SELECT count(*) FROM leg") == [(310,)]
        assert await accounts_are_even(database)


async def test_what_was_lost_is_found_and_stored_once(tmp_path: Path, dsn: str, pbx: Pbx) -> None:
    """As after a disk was repaired: legs and a suspended record are gone, files and positions are not."""
    async with collected(tmp_path, dsn, pbx) as (database, commands):
        async with database.connection() as connection:
            await connection.execute(
                "DELETE FROM leg WHERE acctid BETWEEN 100 AND 149 OR acctid = 305"
            )
            await connection.execute("DELETE FROM suspense")
        for stored, suspended in ((51, 1), (0, 0)):
            code, words = last_line(await commands("replay"))
            assert code == 0
            assert f"{stored} were missing and are stored now, {suspended} suspended" in words
        assert await ask(database, "SELECT count(*), count(DISTINCT uniqueid) FROM leg") == [
            (310, 310)
        ]
        assert await ask(database, "SELECT count(*) FROM leg WHERE acctid > 310") == [(51,)]
        assert await accounts_are_even(database)


async def test_a_position_beyond_what_is_stored_leaves_a_hole_that_is_found(
    tmp_path: Path, dsn: str, pbx: Pbx
) -> None:
    async with collected(tmp_path, dsn, pbx) as (database, commands):
        pbx.append(20)
        async with database.connection() as connection:
            data = pbx.path.read_bytes()
            await connection.execute(
                "UPDATE position SET byte_offset = $1, line = $2, tail = $3 WHERE file_id = 2",
                len(data),
                data.count(b"\n") + 1,
                data[-64:],
            )
        pbx.append(3)
        await commands.collect(database, records=314)
        code, words = last_line(await commands("replay", "--file", "2"))
        assert (code, words[:52]) == (0, "1 files, 34 records, 20 were missing and are stored ")
        assert await ask(database, "SELECT count(*), count(DISTINCT uniqueid) FROM leg") == [
            (333, 333)
        ]
        assert await accounts_are_even(database)


async def test_only_what_is_asked_for_is_read(tmp_path: Path, dsn: str, pbx: Pbx) -> None:
    async with collected(tmp_path, dsn, pbx) as (_, commands):
        for words in (("--file", "1"), ("--file", str(pbx.path.with_name("Master.csv.1.gz")))):
            assert (await commands("replay", *words))[1].startswith("1 ")
        assert (await commands("replay", "--since", "2100-01-01"))[0] == 1
        assert (await commands("replay", "--source", "elsewhere"))[0] == 1


async def test_a_file_that_is_gone_is_named(tmp_path: Path, dsn: str, pbx: Pbx) -> None:
    async with collected(tmp_path, dsn, pbx) as (_, commands):
        pbx.path.with_name("Master.csv.1.gz").unlink()
        code, words = await commands("replay")

    assert code == 1
    assert "1 " in words.splitlines()[0]
    assert "not found" in words.splitlines()[0]


async def test_what_two_sources_delivered_is_replayed_from_either(tmp_path: Path, dsn: str) -> None:
    """Legs are lost that both had delivered: the first that is read again brings them back."""
    master, full = tmp_path / "Master.csv", tmp_path / "full.csv"
    master.write_bytes(b"".join(file.read_bytes() for file in master_files("main")))
    shutil.copy(CAPTURES / "main" / "cdr-custom" / "full.csv", full)
    zone = "America/New_York"
    commands = Commands(
        tmp_path,
        dsn,
        {"name": "csv", "kind": "asterisk-csv", "path": str(master), "zone": zone},
        {
            "name": "own",
            "kind": "asterisk-custom",
            "path": str(full),
            "zone": zone,
            "columns": FULL,
        },
    )
    async with Database(dsn) as database:
        await commands.collect(database, records=2 * 1232)
        assert await ask(database, "SELECT count(*) FROM leg") == [(1232,)]
        assert await accounts_are_even(database)
        assert "2464 records, 0 were missing" in (await commands("replay"))[1]
        async with database.connection() as connection:
            await connection.execute("DELETE FROM leg WHERE acctid % 10 = 3")
        lost = 1232 - (await ask(database, "SELECT count(*)::int FROM leg"))[0][0]
        _, words = await commands("replay")
        assert f"{lost} were missing and are stored now" in words.splitlines()[-1]
        assert await ask(database, "SELECT count(*) FROM leg") == [(1232,)]
        assert await ask(database, "SELECT count(*), count(DISTINCT stored_as) FROM arrival") == [
            (2464, 1232)
        ]
        assert "2464 records, 0 were missing" in (await commands("replay"))[1]
        assert await accounts_are_even(database)


async def test_events_are_replayed(tmp_path: Path, dsn: str) -> None:
    cel, queue_log = tmp_path / "cel.csv", tmp_path / "queue_log"
    cel.write_bytes(gzip.decompress((CAPTURES / "v16" / "cel.csv.gz").read_bytes()))
    shutil.copy(CAPTURES / "v16" / "queue_log", queue_log)
    zone = "America/New_York"
    commands = Commands(
        tmp_path,
        dsn,
        {"name": "cel", "kind": "asterisk-cel", "path": str(cel), "zone": zone},
        {"name": "queues", "kind": "asterisk-queue-log", "path": str(queue_log), "zone": zone},
    )
    async with Database(dsn) as database:
        await commands.collect(database, records=13364 + 34)
        async with database.connection() as connection:
            await connection.execute("DELETE FROM cel_event WHERE event_id % 1000 = 7")
            await connection.execute("DELETE FROM queue_event WHERE line < 11")
        lost = (
            "SELECT 13398 - (SELECT count(*) FROM cel_event) - (SELECT count(*) FROM queue_event)"
        )
        [(missing,)] = await ask(database, lost)
        _, words = await commands("replay")
        assert f"{missing} were missing and are stored now" in words.splitlines()[-1]
        assert await ask(database, lost) == [(0,)]
        assert await accounts_are_even(database)
