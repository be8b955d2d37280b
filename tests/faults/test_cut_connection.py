"""The connection to the database is cut anywhere, also where nobody knows what was committed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.daemon import DaemonProcess, Poller
from support.pbx import Pbx, number_of, record
from support.pushing import pusher, until_answered
from support.sources import ask, every_record_is_accounted_for
from support.waiting import wait_until
from support.wire import COMMIT, Cut, Wire, wired

from cdrd.store.database import Database

COPY = b'COPY "leg"'
"""What the driver says before it sends rows."""
ROWS = b"acme-internal"
"""Something that is in every row."""


@pytest.fixture
def wire(dsn: str) -> Iterator[Wire]:
    with wired(dsn) as wire:
        yield wire


@pytest.fixture
def daemon(tmp_path: Path, wire: Wire) -> Iterator[DaemonProcess]:
    sources = [
        {"name": "pbx1", "kind": "asterisk-csv", "path": str(tmp_path / "Master.csv")},
        {"name": "pushed", "kind": "asterisk-csv", "push": "true", "pbx": "other"},
    ]
    daemon = DaemonProcess(tmp_path, wire.dsn, sources, roles=("collect", "serve"))
    daemon.write_config()
    yield daemon
    daemon.kill()


@pytest.mark.parametrize("how", Cut)
def test_a_batch_is_stored_once_wherever_its_connection_is_cut(
    daemon: DaemonProcess, wire: Wire, dsn: str, how: Cut
) -> None:
    """Before, within and behind the COPY, its rows, and the COMMIT: also where that was done, unheard."""
    pbx = Pbx(daemon.folder / "Master.csv")
    pbx.append(1)
    daemon.start()
    for cuts, words in enumerate((COPY, ROWS, COMMIT, COMMIT), 1):
        numbers_are_stored(dsn, pbx.written)
        wire.cut_at(words, how, since=b"" if words == COPY else COPY)
        pbx.append_at_once(300)
        wait_until(lambda expected=cuts: wire.cuts == expected, what="the connection is cut")
        if cuts == 4:
            pbx.rotate_by_rename()
            pbx.append(3)
    numbers_are_stored(dsn, pbx.written)

    assert daemon.stop() == 0
    assert every_record_is_accounted_for(dsn)


def test_a_push_that_is_not_known_to_be_stored_is_told_to_come_again(
    daemon: DaemonProcess, wire: Wire, dsn: str
) -> None:
    """It is stored once, also where the first attempt had been committed."""
    sender = pusher(daemon, "pbx", "pushed")
    daemon.start()
    until_answered(sender, "pushed", record(0))
    count = 1
    for how in Cut:
        body = b"".join(record(number) for number in range(count, count + 10))
        wire.cut_at(COMMIT, how, since=COPY)
        statuses = [sender.post("pushed", body)[0] for _ in range(3)]
        assert statuses == [503, 200, 200]
        count += 10
        numbers_are_stored(dsn, count)

    assert wire.cuts == len(Cut)
    assert daemon.stop() == 0
    assert every_record_is_accounted_for(dsn)


def test_every_connection_cut_at_once_again_and_again_loses_nothing(
    daemon: DaemonProcess, wire: Wire, dsn: str
) -> None:
    """Those of the claims and of whoever waits for work, too."""
    daemon.roles = ()
    daemon.add_reader()
    pbx, poller = Pbx(daemon.folder / "Master.csv"), Poller(daemon)
    daemon.start()
    for _ in range(4):
        pbx.append_at_once(200)
        wire.hang_up()
        pbx.rotate_by_rename()
        pbx.append(5)
        poller.poll_until(pbx.written - 100)
    poller.poll_until(pbx.written)

    assert poller.acctids == list(range(1, pbx.written + 1))
    assert sorted(number_of(row["uniqueid"]) for row in poller.rows) == list(range(pbx.written))
    assert daemon.stop() == 0
    assert every_record_is_accounted_for(dsn)


def numbers_are_stored(dsn: str, count: int) -> None:
    """Each record is a leg, once."""

    async def stored() -> list[int]:
        async with Database(dsn) as database:
            rows = await ask(database, "SELECT uniqueid FROM leg")
        return sorted(number_of(uniqueid) for (uniqueid,) in rows)

    wait_until(lambda: len(asyncio.run(stored())) >= count, what="every record is stored")
    assert asyncio.run(stored()) == list(range(count))
