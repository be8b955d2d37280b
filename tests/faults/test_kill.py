"""The daemon is killed with -9 at random moments while a PBX writes and its files are rotated."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.daemon import DaemonProcess, Poller
from support.pbx import Pbx, number_of
from support.sources import every_record_is_accounted_for


@pytest.fixture
def daemon(tmp_path: Path, dsn: str) -> Iterator[DaemonProcess]:
    source = {"name": "pbx1", "kind": "asterisk-csv", "path": str(tmp_path / "Master.csv")}
    daemon = DaemonProcess(tmp_path, dsn, [source])
    daemon.write_config()
    daemon.add_reader()
    yield daemon
    if daemon.process is not None and daemon.process.poll() is None:
        daemon.kill()


class BusyPbx(threading.Thread):
    """Writes and rotates all the time, by every method, from a seeded schedule."""

    def __init__(self, pbx: Pbx, chance: random.Random) -> None:
        super().__init__()
        self.pbx, self.chance = pbx, chance
        self.finished = threading.Event()

    def run(self) -> None:
        while not self.finished.wait(self.chance.uniform(0, 0.02)):
            self.pbx.append(self.chance.randrange(1, 20))
            action = self.chance.random()
            if action < 0.01:
                self.pbx.rotate_by_copy()
            elif action < 0.02:
                self.pbx.compress(self.pbx.rotate_by_rename())
            elif action < 0.03:
                self.pbx.rotate_by_rename()


def killed_many_times(daemon: DaemonProcess, kills: int, seed: int) -> None:
    """Kills the daemon so many times; afterwards every record is a leg, and a poller saw each once."""
    chance = random.Random(seed)
    pbx = Pbx(daemon.folder / "Master.csv")
    poller = Poller(daemon)
    busy = BusyPbx(pbx, chance)
    busy.start()
    try:
        for _ in range(kills):
            daemon.start()
            until = time.monotonic() + chance.uniform(0, 0.6)
            while time.monotonic() < until:
                poller.poll()
            daemon.kill()
    finally:
        busy.finished.set()
        busy.join()
    daemon.start()
    poller.poll_until(pbx.written, seconds=120)

    assert poller.acctids == list(range(1, pbx.written + 1))
    assert sorted(number_of(row["uniqueid"]) for row in poller.rows) == list(range(pbx.written))
    assert every_record_is_accounted_for(daemon.dsn)
    assert daemon.stop() == 0


def test_nothing_is_lost_or_doubled_when_the_daemon_is_killed(daemon: DaemonProcess) -> None:
    killed_many_times(daemon, kills=15, seed=1)


@pytest.mark.soak
def test_nothing_is_lost_or_doubled_in_a_hundred_kills(daemon: DaemonProcess) -> None:
    killed_many_times(daemon, kills=100, seed=2)
