"""The connection that holds the claims ends, while the PBX writes nothing: the source is claimed again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.daemon import DaemonProcess
from support.pbx import Pbx
from support.waiting import wait_until

from cdrd.cli.status import state_of
from cdrd.store.database import Database
from cdrd.store.sources import source_status


@pytest.fixture
def daemon(tmp_path: Path, dsn: str) -> Iterator[DaemonProcess]:
    source = {"name": "pbx1", "kind": "asterisk-csv", "path": str(tmp_path / "Master.csv")}
    daemon = DaemonProcess(tmp_path, dsn, [source])
    daemon.write_config()
    Pbx(tmp_path / "Master.csv").append(3)
    daemon.start()
    yield daemon
    daemon.stop()


def state(dsn: str) -> str:
    async def work() -> str:
        async with Database(dsn) as database:
            return " ".join(map(state_of, await source_status(database)))

    return asyncio.run(work())


def end_claims(dsn: str) -> int:
    """Ends the connections that hold claims; how many it were."""

    async def work() -> int:
        async with Database(dsn) as database, database.connection() as connection:
            ended = await connection.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
                " AND classid = 1129202276 AND database = (SELECT oid FROM pg_database"
                " WHERE datname = current_database())"
            )
            return len(ended)

    return asyncio.run(work())


def test_a_quiet_source_whose_claim_was_lost_is_claimed_again(
    daemon: DaemonProcess, dsn: str
) -> None:
    """`cdrd status` would say for ever that nobody collects from it."""
    wait_until(lambda: state(dsn) == "collecting", what="it is collected")
    assert end_claims(dsn) == 1
    wait_until(lambda: len(daemon.events("source_claimed")) > 1, what="it is claimed again")
    wait_until(lambda: state(dsn) == "collecting", what="it is collected again")
