"""PostgreSQL is stopped and started under load: the daemon waits and goes on, the reader is told to retry."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from support.daemon import DaemonProcess, Poller, cdrd
from support.pbx import Pbx, number_of
from support.postgres import frozen_server
from support.reading import add_user, decided_legs, serving
from support.sources import every_record_is_accounted_for
from support.waiting import until_blocked, wait_until

from cdrd.store.database import Database
from cdrd.store.migrate import migrate


def test_the_daemon_goes_on_when_the_database_comes_back(
    tmp_path: Path, server_of_its_own: tuple[Any, str]
) -> None:
    server, dsn = server_of_its_own
    source = {"name": "pbx1", "kind": "asterisk-csv", "path": str(tmp_path / "Master.csv")}
    daemon = DaemonProcess(tmp_path, dsn, [source])
    daemon.write_config()
    daemon.migrate()
    daemon.add_reader()
    pbx, poller = Pbx(tmp_path / "Master.csv"), Poller(daemon)
    pbx.append(50)
    daemon.start()
    try:
        poller.poll_until(50)
        for _ in range(2):
            server.stop()
            pbx.append(200)
            assert wait_until(lambda: poller.poll() == "retry", what="the reader is told to retry")
            server.ensure_postgres_running()
            pbx.append(50)
            poller.poll_until(pbx.written)
    finally:
        code = daemon.stop()

    assert code == 0
    assert every_record_is_accounted_for(dsn)
    assert poller.acctids == list(range(1, pbx.written + 1))
    assert sorted(number_of(row["uniqueid"]) for row in poller.rows) == list(range(pbx.written))


def test_the_daemon_waits_for_a_database_that_comes_later(
    tmp_path: Path, server_of_its_own: tuple[Any, str]
) -> None:
    server, dsn = server_of_its_own
    daemon = DaemonProcess(tmp_path, dsn, [])
    daemon.write_config()
    daemon.migrate()
    server.stop()
    daemon.spawn()
    try:
        wait_until(
            lambda: daemon.events("database_away"), what="the daemon says the database is away"
        )
        server.ensure_postgres_running()
        daemon.wait_ready()
    finally:
        assert daemon.stop() == 0


def test_a_database_without_the_schema_ends_the_daemon_with_what_to_do(
    tmp_path: Path, server_of_its_own: tuple[Any, str]
) -> None:
    _, dsn = server_of_its_own
    daemon = DaemonProcess(tmp_path, dsn, [])
    daemon.write_config()
    done = cdrd("-c", str(daemon.config), "run")

    assert done.returncode == 69
    assert "cdrd migrate" in done.stderr
    assert "Traceback" not in done.stderr


async def test_pages_under_way_when_the_database_hangs_are_told_to_come_again(
    server_of_its_own: tuple[Any, str],
) -> None:
    """What they asked for was sent, and nothing comes: of rows, of changes, of how far may be read."""
    server, dsn = server_of_its_own
    scopes: list[dict[str, Any]] = [{"minID": 1}, {"sinceRevision": 0}, {"settled": True}]
    async with Database(dsn, statement_timeout=3) as database:
        await migrate(database)
        await decided_legs(database, 1)
        token = await add_user(database, "biller")
        locking = await database.dedicated()
        await locking.execute("BEGIN; LOCK TABLE attribution, call IN ACCESS EXCLUSIVE MODE")
        async with serving(database) as served:
            pages = [asyncio.create_task(served.read(token, **scope)) for scope in scopes]
            await until_blocked(database, len(pages))
            with frozen_server(server):
                answers = await asyncio.gather(*pages)
            locking.terminate()

    for answer in answers:
        assert (answer.status, answer.json["result"]) == (503, "retry")
        assert int(answer.headers["Retry-After"]) > 0
