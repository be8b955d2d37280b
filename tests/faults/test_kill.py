"""Daemon and database are killed with -9 at random moments, while a PBX writes and its files are rotated."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from support.daemon import DaemonProcess, Poller, cdrd
from support.pbx import BusyPbx, Pbx, number_of, record
from support.postgres import kill_server, own_server
from support.pushing import Pusher, pusher, until_answered
from support.sources import every_record_is_accounted_for

FIRST_PUSHED = 10_000_000
"""The numbers of records that are pushed begin here."""
PUSHED_AT_ONCE = 10


class BusyPusher(threading.Thread):
    """Pushes all the time, each body until it is answered."""

    def __init__(self, sender: Pusher) -> None:
        super().__init__()
        self.sender = sender
        self.finished = threading.Event()
        self.answered = 0

    def run(self) -> None:
        for first in count(FIRST_PUSHED, PUSHED_AT_ONCE):
            if self.finished.wait(0.02):
                break
            body = b"".join(record(first + number) for number in range(PUSHED_AT_ONCE))
            until_answered(self.sender, "pushed", body)
            self.answered += PUSHED_AT_ONCE


@dataclass
class Running:
    """Everything that runs, and what can be done to it."""

    server: Any
    daemon: DaemonProcess
    poller: Poller
    chance: random.Random
    kills: dict[str, int] = field(default_factory=lambda: {"daemon": 0, "database": 0})

    def kill_daemon(self) -> None:
        self.daemon.kill()
        self.kills["daemon"] += 1

    def kill_database(self) -> None:
        kill_server(self.server)
        self.kills["database"] += 1

    def daemon_dies(self) -> None:
        self.kill_daemon()
        self.daemon.start()

    def database_dies(self) -> None:
        self.kill_database()
        self.read_for(0.2)
        self.server.ensure_postgres_running()

    def both_die(self) -> None:
        """The daemon comes back first, as often as not."""
        fates = [self.kill_daemon, self.kill_database]
        self.chance.shuffle(fates)
        for kill in fates:
            kill()
        revivals = [self.daemon.spawn, self.server.ensure_postgres_running]
        self.chance.shuffle(revivals)
        for revive in revivals:
            revive()
        self.daemon.wait_ready()

    def read_for(self, longest: float) -> None:
        """A random time of ordinary life."""
        until = time.monotonic() + self.chance.uniform(0, longest)
        while time.monotonic() < until:
            self.poller.poll()


@contextmanager
def busy(running: Running, sender: Pusher, pbx: Pbx) -> Iterator[BusyPusher]:
    """A PBX that writes and rotates, and one that pushes."""
    writing, pushing = BusyPbx(pbx, random.Random(running.chance.random())), BusyPusher(sender)
    threads = (writing, pushing)
    for thread in threads:
        thread.start()
    try:
        yield pushing
    finally:
        for thread in threads:
            thread.finished.set()
        for thread in threads:
            thread.join()


def killed_many_times(folder: Path, kills: int, seed: int) -> None:
    """Afterwards every record is a leg, a poller saw each of them once, and all is accounted for."""
    chance = random.Random(seed)
    pbx = Pbx(folder / "Master.csv")
    sources = [
        {"name": "written", "kind": "asterisk-csv", "path": str(pbx.path), "pbx": "one"},
        {"name": "pushed", "kind": "asterisk-csv", "push": "true", "pbx": "another"},
    ]
    with own_server() as (server, dsn):
        daemon = DaemonProcess(folder, dsn, sources)
        daemon.write_config()
        assert cdrd("-c", str(daemon.config), "migrate").returncode == 0
        daemon.add_reader()
        sender = pusher(daemon, "pbx", "pushed")
        running = Running(server, daemon, Poller(daemon), chance)
        fates: list[Callable[[], None]] = [
            running.daemon_dies, running.daemon_dies, running.database_dies, running.both_die
        ]  # fmt: skip
        began = time.monotonic()
        daemon.start()
        try:
            with busy(running, sender, pbx) as pushing:
                while sum(running.kills.values()) < kills:
                    running.read_for(0.6)
                    chance.choice(fates)()
            running.poller.poll_until(pbx.written + pushing.answered, seconds=240)
            code = daemon.stop()
        finally:
            if daemon.process is not None and daemon.process.poll() is None:
                daemon.kill()
        print(f"seed {seed}, kills {running.kills}, {time.monotonic() - began:.0f} s,", end=" ")
        print(f"{pbx.written} records written, {pushing.answered} pushed")
        pushed = range(FIRST_PUSHED, FIRST_PUSHED + pushing.answered)
        served = sorted(number_of(row["uniqueid"]) for row in running.poller.rows)

        assert served == [*range(pbx.written), *pushed]
        assert running.poller.acctids == list(range(1, len(served) + 1))
        assert every_record_is_accounted_for(dsn)
        assert code == 0


def test_nothing_is_lost_or_doubled_by_kills(tmp_path: Path) -> None:
    killed_many_times(tmp_path, kills=12, seed=1)


@pytest.mark.soak
def test_nothing_is_lost_or_doubled_by_three_hundred_kills(tmp_path: Path) -> None:
    killed_many_times(tmp_path, kills=300, seed=2)
