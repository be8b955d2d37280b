"""A directory of many files is taken up by the running daemon, which meanwhile goes on."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.daemon import DaemonProcess, Poller, cdrd
from support.pbx import Pbx
from support.waiting import until_blocked, wait_until

from cdrd.enrich.applying import apply_file
from cdrd.enrich.companies import load_companies
from cdrd.errors import SettingsError, StoreUnavailable
from cdrd.store.database import Database
from cdrd.store.directory import current_version, load_directory, version_applied

NUMBERS = "company,kind,value\n"
PLAN = """
import: [numbers.csv]
companies:
  acme: {endpoints: ["PJSIP/acme-{ext}"]}
  globex: {}
"""


@pytest.fixture
def daemon(tmp_path: Path, dsn: str) -> Iterator[DaemonProcess]:
    (tmp_path / "companies.yaml").write_text(PLAN)
    (tmp_path / "numbers.csv").write_text(NUMBERS + "acme,extension,101\n")
    source = {"name": "hq", "kind": "asterisk-csv", "path": str(tmp_path / "Master.csv")}
    more = {"enrich": {"companies": str(tmp_path / "companies.yaml")}}
    daemon = DaemonProcess(tmp_path, dsn, [source], more=more)
    daemon.write_config()
    daemon.add_reader()
    daemon.start()
    yield daemon
    daemon.stop()


def version(dsn: str) -> int:
    async def asked() -> int:
        async with Database(dsn) as database:
            return await current_version(database)

    return asyncio.run(asked())


def test_imported_files_come_into_force_on_sighup_and_bad_ones_do_not(
    daemon: DaemonProcess, tmp_path: Path
) -> None:
    pbx, poller = Pbx(tmp_path / "Master.csv"), Poller(daemon)
    numbers = tmp_path / "numbers.csv"
    pbx.append(3)
    poller.poll_until(3)
    assert version(daemon.dsn) == 1

    numbers.write_text(NUMBERS + "globex,extension,101\nglobex,did,telephone\n")
    daemon.send(signal.SIGHUP)
    (refused,) = wait_until(lambda: daemon.events("reload_refused"), what="it is refused")
    assert [problem.split(": ")[0] for problem in refused["problems"]] == [f"{numbers}:3"]

    numbers.write_text(
        NUMBERS + "".join(f"globex,did,+441908{number:06}\n" for number in range(30_000))
    )
    daemon.send(signal.SIGHUP)
    pbx.append(50)
    poller.poll_until(53)
    wait_until(lambda: daemon.events("reloaded"), what="it is reloaded")
    (loaded,) = wait_until(
        lambda: [e for e in daemon.events("directory_loaded") if e["version"] == 2],
        what="the large directory is in use",
    )
    assert loaded["entries"] > 30_000
    pbx.append(20)
    poller.poll_until(73)
    assert {row["properties"]["company"] for row in poller.rows} == {"acme"}
    assert poller.acctids == list(range(1, 74))

    daemon.stop()
    daemon.start()
    assert version(daemon.dsn) == 2


def test_companies_that_are_written_elsewhere_let_the_stage_go_on(
    daemon: DaemonProcess, tmp_path: Path
) -> None:
    """It need not load what it has in use, during which nobody would decide anything."""
    (tmp_path / "others.yaml").write_text("companies: {globex: {}}")
    daemon.more["enrich"]["companies"] = str(tmp_path / "others.yaml")
    daemon.write_config()
    daemon.send(signal.SIGHUP)
    (reloaded,) = wait_until(lambda: daemon.events("reloaded"), what="it is reloaded")

    assert reloaded["restarted"] == []
    assert version(daemon.dsn) == 2


@pytest.mark.parametrize("meanwhile", ["reload", "start"])
def test_who_is_told_to_stop_does_not_wait_until_companies_are_applied(
    daemon: DaemonProcess, tmp_path: Path, meanwhile: str
) -> None:
    (tmp_path / "numbers.csv").write_text(NUMBERS + "globex,extension,101\n")
    if meanwhile == "start":
        daemon.stop()

    async def held_up() -> int:
        async with Database(daemon.dsn) as database, database.transaction() as connection:
            await connection.execute("SELECT FROM counter WHERE name = 'directory' FOR UPDATE")
            if meanwhile == "start":
                daemon.spawn()
            else:
                daemon.send(signal.SIGHUP)
            await until_blocked(database)
            return await asyncio.to_thread(daemon.stop)

    assert asyncio.run(held_up()) == 0
    assert version(daemon.dsn) == 1


def test_large_diffs_and_lists_stay_readable(daemon: DaemonProcess, tmp_path: Path) -> None:
    (tmp_path / "numbers.csv").write_text(
        NUMBERS + "".join(f"globex,extension,{number}\n" for number in range(10_000, 15_000))
    )
    told = cdrd("-c", str(daemon.config), "directory", "apply", "--yes")

    lines = told.stdout.splitlines()
    assert len(lines) < 220
    assert lines[-4:] == [
        "  + extension: 5,000",
        "  - extension: 1",
        "5000 added, 1 removed, 0 changed",
        "version 2 is in force",
    ]
    told = cdrd("-c", str(daemon.config), "directory", "show")
    rows = [line.split() for line in told.stdout.splitlines()]
    assert rows[2:] == [["acme", "acme", "2"], ["globex", "globex", "5001"]]
    told = cdrd("-c", str(daemon.config), "directory", "show", "acme")
    assert [line.split()[0] for line in told.stdout.splitlines()[2:]] == ["account", "endpoint"]


async def test_what_the_reading_process_meets_is_told_as_if_it_were_this_one(
    database: Database, tmp_path: Path
) -> None:
    path, numbers = tmp_path / "companies.yaml", tmp_path / "numbers.csv"
    path.write_text(PLAN)
    with pytest.raises(SettingsError) as raised:
        await apply_file(database, path, applied_by="test")
    assert raised.value.problems[0].startswith(f"{numbers}: cannot be read: ")
    assert raised.value.hint

    numbers.write_text(NUMBERS + "acme,extension,101\n")
    async with Database("postgresql://nobody@127.0.0.1:1/none") as nowhere:
        with pytest.raises(StoreUnavailable):
            await apply_file(nowhere, path, applied_by="test")

    assert await apply_file(database, path, applied_by="O'Brien \\u2028 {}") == 1
    row = await version_applied(database, 1)
    assert row is not None
    assert (row["applied_by"], row["digest"]) == (
        "O'Brien \\u2028 {}",
        load_companies(path).digest(),
    )
    loaded = await load_directory(database)
    found = {entry.pattern for entry in loaded.entries if entry.company == "acme"}
    assert found == {"PJSIP/acme-{ext}", "acme", "101"}


async def test_files_that_are_in_force_are_not_read_again(
    database: Database, tmp_path: Path
) -> None:
    path, numbers = tmp_path / "companies.yaml", tmp_path / "numbers.csv"
    path.write_text(PLAN)
    numbers.write_text(NUMBERS)
    assert await apply_file(database, path, applied_by="test") == 1
    assert await apply_file(database, path, applied_by="test") is None

    numbers.write_text(NUMBERS + "acme,extension,101\n")
    assert await apply_file(database, path, applied_by="test") == 2
    # another order, another digest, and the same directory
    path.write_text(PLAN.replace("  globex: {}\n", "  globex: {name: globex}\n"))
    assert await apply_file(database, path, applied_by="test") is None
    assert await current_version(database) == 2
