"""The right to read is taken away and given back: the daemon says so, and afterwards nothing is missing."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.daemon import DaemonProcess, Poller, cdrd
from support.pbx import Pbx, number_of
from support.sources import ask, every_record_is_accounted_for
from support.waiting import wait_until
from support.wire import wired

from cdrd.store.database import Database

NO_PRIVILEGE = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--")
"""Starts a program of root's that modes of files apply to, as they do to everybody else."""


@pytest.fixture
def daemon(passable: Path, dsn: str) -> Iterator[DaemonProcess]:
    if os.geteuid() != 0:
        pytest.skip("only root can write what nobody may read")
    if not shutil.which(NO_PRIVILEGE[0]):
        pytest.skip("root may read everything, and setpriv is not installed")
    logs = passable / "logs"
    logs.mkdir()
    source = {"name": "pbx1", "kind": "asterisk-csv", "path": str(logs / "Master.csv")}
    # the embedded server's own socket is in a folder that others may not enter
    with wired(dsn) as wire:
        daemon = DaemonProcess(passable, wire.dsn, [source], prefix=NO_PRIVILEGE)
        daemon.write_config()
        daemon.add_reader()
        yield daemon
        daemon.kill()
    logs.chmod(0o755)


def everything_is_served_once(poller: Poller, pbx: Pbx) -> None:
    poller.poll_until(pbx.written)
    wait_until(lambda: not fails(poller.daemon), what="it is known to be well")
    assert poller.acctids == list(range(1, pbx.written + 1))
    assert sorted(number_of(row["uniqueid"]) for row in poller.rows) == list(range(pbx.written))


def fails(daemon: DaemonProcess) -> bool:
    async def asked() -> bool:
        async with Database(daemon.dsn) as database:
            [[known]] = await ask(
                database,
                "SELECT coalesce(bool_or(failing_since IS NOT NULL), false) FROM source_report",
            )
            return bool(known)

    return asyncio.run(asked())


def it_says_so(daemon: DaemonProcess) -> None:
    wait_until(lambda: fails(daemon), what="it is known to fail")


def so_does_status(daemon: DaemonProcess) -> None:
    said = cdrd("-c", str(daemon.config), "status").stdout
    assert ": failing" in said
    assert "Permission denied" in said


def test_a_file_that_may_not_be_read_is_waited_for(daemon: DaemonProcess) -> None:
    """A rotation made the new file with the wrong mode; the writer is root and does not mind."""
    pbx, poller = Pbx(daemon.folder / "logs" / "Master.csv"), Poller(daemon)
    pbx.append(20)
    daemon.start()
    everything_is_served_once(poller, pbx)
    for is_running in (True, False):
        pbx.rotate_by_rename()
        pbx.path.touch(mode=0o000)
        pbx.append(20)
        if not is_running:
            daemon.stop()
            daemon.start()
        it_says_so(daemon)
        pbx.append(5)
        if is_running:
            so_does_status(daemon)
        pbx.path.chmod(0o640)
        everything_is_served_once(poller, pbx)

    assert daemon.stop() == 0
    assert every_record_is_accounted_for(daemon.dsn)


def test_a_folder_that_may_not_be_entered_is_waited_for(daemon: DaemonProcess) -> None:
    """Meanwhile the file in it is written, rotated and packed."""
    pbx, poller = Pbx(daemon.folder / "logs" / "Master.csv"), Poller(daemon)
    pbx.append(20)
    daemon.start()
    everything_is_served_once(poller, pbx)
    for is_rotated in (False, True):
        pbx.path.parent.chmod(0o000)
        pbx.append(20)
        it_says_so(daemon)
        pbx.append(5)
        if is_rotated:
            pbx.compress(pbx.rotate_by_rename())
            pbx.append(5)
        pbx.path.parent.chmod(0o755)
        everything_is_served_once(poller, pbx)

    assert daemon.stop() == 0
    assert every_record_is_accounted_for(daemon.dsn)


@pytest.mark.parametrize("more", [{"path": "*/Master.csv"}, {"drop": "logs/*.csv"}])
def test_a_folder_of_a_pattern_that_may_not_be_entered_is_waited_for(
    daemon: DaemonProcess, more: dict[str, str]
) -> None:
    """Nothing matches there, as if there were nothing; also when the daemon has never seen it otherwise."""
    pbx, poller = Pbx(daemon.folder / "logs" / "Master.csv"), Poller(daemon)
    named = {key: str(daemon.folder / pattern) for key, pattern in more.items()}
    daemon.sources = [{"name": "pbx1", "kind": "asterisk-csv", "complete_after": "100ms", **named}]
    daemon.write_config()
    pbx.append(20)
    pbx.path.parent.chmod(0o000)
    daemon.start()
    it_says_so(daemon)
    so_does_status(daemon)
    pbx.path.parent.chmod(0o755)
    everything_is_served_once(poller, pbx)

    assert daemon.stop() == 0
    assert every_record_is_accounted_for(daemon.dsn)
