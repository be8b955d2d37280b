"""The clock is stepped by an hour, forward and back, of the daemon and of the database: nothing notices."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.request import urlopen

import pytest
from support.clock import SteppedClock, stepped_clock
from support.daemon import DaemonProcess, Poller
from support.pbx import Pbx, number_of
from support.postgres import own_server
from support.sources import ask, every_record_is_accounted_for
from support.waiting import DEADLINE

from cdrd.store.database import Database

HOUR = 3600


@pytest.fixture
def clock(passable: Path) -> Iterator[SteppedClock]:
    with stepped_clock(passable) as clock:
        yield clock


@pytest.fixture
def dsn_by_that_clock(clock: SteppedClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The database of a server whose clock it is."""
    with ExitStack() as stack:
        with monkeypatch.context() as only_while_it_starts:
            for name, value in clock.environment.items():
                only_while_it_starts.setenv(name, value)
            _, dsn = stack.enter_context(own_server())
        yield dsn


def test_a_clock_that_jumps_loses_nothing_and_delays_nothing(
    tmp_path: Path, dsn_by_that_clock: str, clock: SteppedClock
) -> None:
    """Records are served as soon as ever, readers stay logged in, and no part counts as stuck."""
    source = {"name": "pbx1", "kind": "asterisk-csv", "path": str(tmp_path / "Master.csv")}
    daemon = DaemonProcess(tmp_path, dsn_by_that_clock, [source], environment=clock.environment)
    daemon.write_config()
    daemon.migrate()
    daemon.add_reader()
    pbx, poller = Pbx(tmp_path / "Master.csv"), Poller(daemon)
    daemon.start()
    for wrong_by in (0, HOUR, 0, -HOUR, HOUR):
        clock.step(wrong_by)
        pbx.append(50)
        pbx.compress(pbx.rotate_by_rename())
        pbx.append(50)
        poller.poll_until(pbx.written)
        pbx.rotate_by_copy()
        pbx.append(50)
        poller.poll_until(pbx.written)
        with urlopen(f"{daemon.url}/readyz", timeout=DEADLINE) as response:  # noqa: S310 - our own daemon
            assert response.status == 200

    told = [event["timestamp"] for event in daemon.events("file_rotated")]
    assert len({time[:13] for time in told}) >= 3, "the daemon's clock did jump"
    assert asyncio.run(stored_over(dsn_by_that_clock)) > 2 * HOUR, "so did the database's"
    assert poller.acctids == list(range(1, pbx.written + 1))
    assert sorted(number_of(row["uniqueid"]) for row in poller.rows) == list(range(pbx.written))
    assert daemon.stop() == 0
    assert every_record_is_accounted_for(dsn_by_that_clock)


async def stored_over(dsn: str) -> float:
    """The seconds between the first leg and the last, by the clock of the database."""
    async with Database(dsn) as database:
        [(seconds,)] = await ask(
            database, "SELECT extract(epoch FROM max(stored_at) - min(stored_at))::float8 FROM leg"
        )
    found: float = seconds
    return found
