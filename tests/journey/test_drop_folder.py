"""The stage reads a drop folder; the commands list, release and discard what it holds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.pbx import record
from support.sources import accounts_are_even, ask
from support.stages import following
from support.waiting import until

from cdrd.cli import cli
from cdrd.source_settings import SourceSettings
from cdrd.store.database import Database

DAY = b"".join(record(number) for number in range(50))


@pytest.fixture
def config(tmp_path: Path, dsn: str) -> Path:
    path = tmp_path / "cdrd.yaml"
    path.write_text(json.dumps({"database": {"dsn": dsn}}))
    return path


def command(config: Path, *words: str) -> str:
    result = CliRunner().invoke(cli, ["-c", str(config), "file", *words], env={"COLUMNS": "200"})
    return result.output if result.exit_code == 0 else f"{result.exit_code}: {result.exception}"


@asynccontextmanager
async def dropping(dsn: str, folder: Path) -> AsyncIterator[Database]:
    source = SourceSettings.model_validate(
        {
            "name": "hq",
            "kind": "asterisk-csv",
            "drop": str(folder / "*.csv*"),
            "complete_after": "100ms",
        }
    )
    async with Database(dsn) as database, following(database, source):
        yield database


async def test_a_repeated_file_waits_until_somebody_decides(
    tmp_path: Path, dsn: str, config: Path
) -> None:
    folder = tmp_path / "drop"
    folder.mkdir()
    (folder / "monday.csv").write_bytes(DAY)
    async with dropping(dsn, folder) as database:

        async def states() -> list[tuple[str]]:
            found: list[tuple[str]] = await ask(database, "SELECT state FROM file ORDER BY file_id")
            return found

        async def are(*expected: str) -> bool:
            return await states() == [(state,) for state in expected]

        await until(lambda: are("finished"))
        (folder / "again.csv").write_bytes(DAY)
        await until(lambda: are("finished", "held"))
        assert await ask(database, "SELECT count(*) FROM leg") == [(50,)]
        listed = await asyncio.to_thread(command, config, "list", "--state", "held")
        assert "again.csv" in listed
        assert "monday.csv" not in listed
        shown = await asyncio.to_thread(command, config, "show", "2")
        assert "like path" in shown
        assert "monday.csv" in shown
        assert await asyncio.to_thread(command, config, "release", "2") == "2: released\n"
        await until(lambda: are("finished", "finished"))
        assert await ask(database, "SELECT count(*) FROM leg") == [(100,)]
        (folder / "third.csv").write_bytes(DAY)
        await until(lambda: are("finished", "finished", "held"))
        assert await asyncio.to_thread(command, config, "discard", "3") == "3: discarded\n"
        assert "not held" in await asyncio.to_thread(command, config, "release", "3")
        assert "there is no file 9" in await asyncio.to_thread(command, config, "show", "9")
        assert await accounts_are_even(database)


@pytest.mark.parametrize("later", ["monday.csv", "again.csv"])
@pytest.mark.parametrize("cut", [40, len(DAY) - 30])
async def test_a_delivery_that_was_cut_off_inside_a_record_goes_on_with_that_record(
    tmp_path: Path, dsn: str, later: str, cut: int
) -> None:
    """However late the rest comes, under whichever name, whether cdrd was stopped meanwhile or not."""
    folder = tmp_path / "drop"
    folder.mkdir()
    (folder / "monday.csv").write_bytes(DAY[:-cut])
    whole = DAY[:-cut].count(b"\n")

    async def legs(database: Database, count: int) -> None:
        async def stored() -> bool:
            return await ask(database, "SELECT count(*) FROM leg") == [(count,)]

        await until(stored)

    for _ in range(2):
        async with dropping(dsn, folder) as database:
            await legs(database, whole)
            await until(lambda: said_to_be_cut(database))
            await ask(database, "UPDATE source_report SET last_error = NULL")
    async with dropping(dsn, folder) as database:
        (folder / later).write_bytes(DAY)
        await legs(database, 50)
        assert await ask(database, "SELECT count(*) FROM suspense") == [(0,)]
        assert await accounts_are_even(database)


async def said_to_be_cut(database: Database) -> bool:
    """Whether `cdrd status` tells of it."""
    found = await ask(database, "SELECT last_error FROM source_report")
    return any("file_cut" in (error or "") for (error,) in found)
