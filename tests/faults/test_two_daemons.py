"""Two daemons are started on the same settings: the second waits, and goes on when the first is gone."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.daemon import DaemonProcess, Poller
from support.pbx import Pbx, number_of
from support.sources import every_record_is_accounted_for
from support.waiting import wait_until

from cdrd.store.database import Database


def killed(daemon: DaemonProcess) -> None:
    daemon.kill()


def told_to_stop(daemon: DaemonProcess) -> None:
    assert daemon.stop() == 0


@pytest.fixture
def daemons(tmp_path: Path, dsn: str) -> Iterator[tuple[DaemonProcess, DaemonProcess]]:
    """Two processes with one configuration; each has a folder for its own log."""
    source = {"name": "pbx1", "kind": "asterisk-csv", "path": str(tmp_path / "Master.csv")}
    made = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        made.append(DaemonProcess(folder, dsn, [source]))
    first, second = made
    first.write_config()
    first.add_reader()
    shutil.copy(first.config, second.config)
    yield first, second
    for daemon in made:
        daemon.kill()


@pytest.mark.parametrize("ends", [killed, told_to_stop])
def test_the_second_doubles_nothing_and_takes_over(
    daemons: tuple[DaemonProcess, DaemonProcess],
    tmp_path: Path,
    dsn: str,
    ends: Callable[[DaemonProcess], None],
) -> None:
    """A writer goes on all the time, and whoever reads may ask either of them."""
    owner, waiting = daemons
    pbx = Pbx(tmp_path / "Master.csv")
    pollers = [Poller(daemon) for daemon in daemons]
    pbx.append_at_once(500)
    owner.start()
    waiting.start()
    wait_until(lambda: waiting.events("source_claimed_elsewhere"), what="the second one waits")
    for _ in range(2):
        pbx.append(20)
        pbx.rotate_by_rename()
        pbx.append_at_once(500)
        ends(owner)
        pbx.append(20)
        wait_until(lambda daemon=waiting: daemon.events("source_claimed"), what="it is taken over")
        owner.start()
        owner, waiting = waiting, owner
        for poller in pollers:
            poller.poll_until(pbx.written)

    for poller in pollers:
        assert poller.acctids == list(range(1, pbx.written + 1))
        assert sorted(number_of(row["uniqueid"]) for row in poller.rows) == list(range(pbx.written))
    assert [daemon.stop() for daemon in (waiting, owner)] == [0, 0]
    assert every_record_is_accounted_for(dsn)


async def test_a_machine_that_loses_its_power_lets_go_of_its_sources(database: Database) -> None:
    """It says no goodbye: the server is told to ask, and to believe silence after half a minute."""
    connection = await database.dedicated()
    rows = await connection.fetch("SELECT name, reset_val FROM pg_settings WHERE name ~ '^tcp_'")
    await connection.close()
    told = {row["name"]: int(row["reset_val"]) for row in rows}
    asked_for = (
        told["tcp_keepalives_idle"] + told["tcp_keepalives_interval"] * told["tcp_keepalives_count"]
    )

    assert 0 < asked_for <= 30
    assert 0 < told["tcp_user_timeout"] <= 30_000
