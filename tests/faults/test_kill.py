"""Daemon, forwarder and database are killed with -9 at random moments, while PBXs write, rotate and push."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from support.daemon import DaemonProcess, Poller
from support.forwarding import ForwarderProcess, followed
from support.pbx import BusyPbx, Pbx, number_of, record
from support.ports import held_port
from support.postgres import kill_server, own_server
from support.pushing import Pusher, pusher, until_answered
from support.sources import every_record_is_accounted_for

FIRST_PUSHED, FIRST_FORWARDED = 10_000_000, 20_000_000
"""Where the numbers of records begin that are not in the file which the daemon itself follows."""
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
    forwarder: ForwarderProcess
    poller: Poller
    chance: random.Random
    kills: Counter[str] = field(default_factory=Counter)

    def kill_daemon(self) -> None:
        self.daemon.kill()
        self.kills["daemon"] += 1

    def kill_database(self) -> None:
        kill_server(self.server)
        self.kills["database"] += 1

    def forwarder_dies(self) -> None:
        self.forwarder.kill()
        self.kills["forwarder"] += 1
        self.read_for(0.2)
        self.forwarder.start()

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
def busy(*threads: BusyPbx | BusyPusher) -> Iterator[None]:
    """PBXs that write, rotate and push."""
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.finished.set()
        for thread in threads:
            thread.join()


@contextmanager
def everything(folder: Path, chance: random.Random) -> Iterator[tuple[Running, Pusher]]:
    """A database, a daemon and a forwarder that ships to it, all running; and who may push."""
    sources = [
        {"name": "written", "kind": "asterisk-csv", "path": str(folder / "Master.csv")},
        {"name": "pushed", "kind": "asterisk-csv", "push": "true", "pbx": "another"},
        {"name": "forwarded", "kind": "asterisk-csv", "forward": "true", "pbx": "branch"},
    ]
    branch = folder / "branch"
    branch.mkdir()
    with own_server() as (server, dsn), held_port() as port:
        daemon = DaemonProcess(folder, dsn, sources, {"serve": {"port": str(port)}})
        daemon.write_config()
        daemon.migrate()
        daemon.add_reader()
        sender = pusher(daemon, "pbx", "pushed", "forwarded")
        daemon.start()
        shipped = [followed(branch, "forwarded")]
        forwarder = ForwarderProcess(branch, daemon.url, sender.token, shipped)
        forwarder.write_config()
        forwarder.start()
        try:
            yield Running(server, daemon, forwarder, Poller(daemon), chance), sender
        finally:
            forwarder.kill()
            daemon.kill()


def killed_many_times(folder: Path, kills: int, seed: int) -> None:
    """Afterwards every record is a leg, a poller saw each of them once, and all is accounted for."""
    chance, began = random.Random(seed), time.monotonic()
    with everything(folder, chance) as (running, sender):
        here = Pbx(folder / "Master.csv")
        branch = Pbx(folder / "branch" / "Master.csv", FIRST_FORWARDED)
        pushing = BusyPusher(sender)
        fates: list[Callable[[], None]] = [
            *[running.daemon_dies] * 3, *[running.forwarder_dies] * 3,
            *[running.database_dies] * 2, running.both_die,
        ]  # fmt: skip
        writing = [BusyPbx(pbx, random.Random(chance.random())) for pbx in (here, branch)]
        with busy(*writing, pushing):
            while running.kills.total() < kills:
                running.read_for(0.6)
                chance.choice(fates)()
        pushed = range(FIRST_PUSHED, FIRST_PUSHED + pushing.answered)
        expected = [*here.numbers, *pushed, *branch.numbers]
        running.poller.poll_until(len(expected))
        ended = [running.forwarder.stop(), running.daemon.stop()]
        print(
            f"seed {seed}, kills {dict(running.kills)}, {time.monotonic() - began:.0f} s,", end=" "
        )
        print(f"records: {here.written} followed, {branch.written} forwarded, {len(pushed)} pushed")

        served = sorted(number_of(row["uniqueid"]) for row in running.poller.rows)
        assert served == expected
        assert running.poller.acctids == list(range(1, len(expected) + 1))
        assert every_record_is_accounted_for(running.daemon.dsn)
        assert ended == [0, 0]


def test_nothing_is_lost_or_doubled_by_kills(tmp_path: Path) -> None:
    killed_many_times(tmp_path, kills=9, seed=1)


@pytest.mark.soak
def test_nothing_is_lost_or_doubled_by_three_hundred_kills(tmp_path: Path) -> None:
    killed_many_times(tmp_path, kills=300, seed=2)
