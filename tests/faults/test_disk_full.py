"""The disk is full, that of the database or that of the PBX: afterwards every record is accounted for."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from support.daemon import DaemonProcess, Poller
from support.disks import fill, make_room, small_disk
from support.pbx import Pbx, number_of, record
from support.postgres import own_server
from support.sources import ask, every_record_is_accounted_for
from support.waiting import wait_until

from cdrd.store.database import Database


@pytest.fixture
def disk(passable: Path) -> Iterator[Path]:
    """A file system of 192 MiB."""
    folder = passable / "disk"
    folder.mkdir()
    with small_disk(folder, "192m"):
        yield folder


@pytest.fixture
def server_on_it(disk: Path) -> Iterator[tuple[Any, str]]:
    """A server whose data lie there, and the DSN of its database."""
    with own_server(disk) as server:
        yield server


def daemon_of(folder: Path, dsn: str, path: Path) -> DaemonProcess:
    source = {"name": "pbx1", "kind": "asterisk-csv", "path": str(path)}
    daemon = DaemonProcess(folder, dsn, [source])
    daemon.write_config()
    return daemon


def test_a_database_without_space_loses_nothing(
    tmp_path: Path, disk: Path, server_on_it: tuple[Any, str]
) -> None:
    """Whether PostgreSQL refuses to write or ends over it: with room again all is stored, once."""
    server, dsn = server_on_it
    daemon = daemon_of(tmp_path, dsn, tmp_path / "Master.csv")
    daemon.migrate()
    daemon.add_reader()
    pbx, poller = Pbx(tmp_path / "Master.csv"), Poller(daemon)
    pbx.append(50)
    daemon.start()
    try:
        poller.poll_until(50)
        fill(disk / "ballast", leave=1 << 20)
        pbx.append_at_once(20_000)
        said = wait_until(lambda: daemon.events("collecting_failed"), what="it says so")[0]
        pbx.compress(pbx.rotate_by_rename())
        pbx.append(50)
        make_room(disk / "ballast")
        server.ensure_postgres_running()  # it ends where its log of writes has no room
        poller.poll_until(pbx.written)
    finally:
        code = daemon.stop()

    assert code == 0
    assert said["kind"] == "StoreUnavailable"
    assert poller.acctids == list(range(1, pbx.written + 1))
    assert sorted(number_of(row["uniqueid"]) for row in poller.rows) == list(range(pbx.written))
    assert every_record_is_accounted_for(dsn)


async def stored(dsn: str) -> tuple[list[int], list[tuple[bytes, str]]]:
    """The numbers of the legs, and what is in suspense and why."""
    async with Database(dsn) as database:
        legs = await ask(database, "SELECT uniqueid FROM leg")
        return (
            sorted(number_of(uniqueid) for (uniqueid,) in legs),
            await ask(database, "SELECT raw, reason FROM suspense ORDER BY suspense_id"),
        )


def write_what_fits(path: Path, number: int) -> bytes:
    """Writes a record as a program does that is told of the full disk and can't help it."""
    rest = whole = record(number)
    handle = os.open(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    try:
        while rest:
            rest = rest[os.write(handle, rest) :]
    except OSError:  # ENOSPC
        pass
    finally:
        os.close(handle)
    return whole[: len(whole) - len(rest)]


def test_a_pbx_without_space_tears_no_record_but_its_own(disk: Path, dsn: str) -> None:
    """What it wrote whole is stored, also behind what it tore; what it tore is in suspense, as it was."""
    path = disk / "Master.csv"
    daemon = daemon_of(disk.parent, dsn, path)
    daemon.start()
    numbers, whole, torn = count(), list[int](), list[bytes]()
    try:
        for leave in (8192, 0, 4096):
            fill(disk / "ballast", leave=leave)
            while (written := write_what_fits(path, number := next(numbers))) == record(number):
                whole.append(number)
            torn.append(written)
            for _ in range(3):
                assert not write_what_fits(path, next(numbers))
            wait_until(lambda: asyncio.run(stored(dsn))[0] == whole, what="all are stored")
            make_room(disk / "ballast")
            number = next(numbers)
            assert write_what_fits(path, number) == record(number)
            whole.append(number)
            wait_until(lambda: asyncio.run(stored(dsn))[0] == whole, what="the next one is, too")
        _, suspended = asyncio.run(stored(dsn))
    finally:
        code = daemon.stop()

    assert code == 0
    assert [raw for raw, _ in suspended] == [piece for piece in torn if piece]
    assert every_record_is_accounted_for(dsn)
