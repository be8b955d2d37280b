"""Between a PBX and its collector everything goes wrong: nothing is lost and nothing doubled."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.forwarding import Collector, ForwarderProcess, collecting, followed, forwarding
from support.line import bad_line
from support.pbx import BusyPbx, Pbx, number_of
from support.sources import every_record_is_accounted_for
from support.waiting import wait_until

from cdrd.store.database import Database
from cdrd.store.migrate import migrate

SOURCE = {"name": "hq", "kind": "asterisk-csv", "pbx": "hq"}


@contextmanager
def writing(pbx: Pbx, seed: int) -> Iterator[None]:
    """Inside, the PBX is busy."""
    busy = BusyPbx(pbx, random.Random(seed))
    busy.start()
    try:
        yield
    finally:
        busy.finished.set()
        busy.join()


@contextmanager
def everything(
    folder: Path, dsn: str, **settings: Any
) -> Iterator[tuple[Pbx, Collector, ForwarderProcess]]:
    """A PBX, a collector that runs, and a forwarder that does not yet."""
    with collecting(folder, dsn, [SOURCE]) as collector:
        source = followed(folder, "hq")
        with forwarding(folder, collector, [source], **settings) as forwarder:
            yield Pbx(Path(source["path"])), collector, forwarder


def all_is_there(pbx: Pbx, collector: Collector) -> None:
    """Everything that was written is stored, once; what cannot be known is not missing either."""
    collector.wait_for_legs("hq", pbx.written)
    numbers = [number_of(place[3]) for place in collector.places("hq")]
    assert sorted(numbers) == list(range(pbx.written))
    assert every_record_is_accounted_for(collector.dsn)
    assert collector.asked("SELECT sum(unread_bytes)::int FROM position") == [(0,)]


def killed_at_random(folder: Path, dsn: str, *, kills: int, seed: int) -> None:
    """Kills the forwarder or the collector, whichever it hits, while the PBX writes and rotates."""
    chance = random.Random(seed)
    with everything(folder, dsn) as (pbx, collector, forwarder):
        forwarder.start()
        with writing(pbx, seed):
            for _ in range(kills):
                time.sleep(chance.uniform(0, 0.6))  # the moment of the kill is the test's data
                if chance.random() < 0.6:
                    forwarder.kill()
                    forwarder.start()
                else:
                    collector.daemon.kill()
                    collector.daemon.start()
        all_is_there(pbx, collector)
        assert (forwarder.stop(), collector.daemon.stop()) == (0, 0)


def test_nothing_is_lost_or_doubled_when_either_side_is_killed(tmp_path: Path, dsn: str) -> None:
    killed_at_random(tmp_path, dsn, kills=8, seed=1)


@pytest.mark.soak
@pytest.mark.parametrize("seed", [2, 3])
def test_nothing_is_lost_or_doubled_in_a_hundred_kills_of_either_side(
    tmp_path: Path, dsn: str, seed: int
) -> None:
    killed_at_random(tmp_path, dsn, kills=100, seed=seed)


def over_a_bad_line(folder: Path, dsn: str, *, fates: int, seed: int) -> None:
    """Until every fate was met so many times; then the line is well, and everything arrives."""
    with everything(folder, dsn, timeout="1s") as (pbx, collector, forwarder):
        port = int(collector.url.rpartition(":")[2])
        with bad_line(port, seed, reset=3, truncate=3, delay=3, drop=2) as line:
            forwarder.url = f"http://127.0.0.1:{line.port}"
            forwarder.write_config()
            forwarder.start()
            with writing(pbx, seed):
                wait_until(
                    lambda: min(line.counts()) >= fates, seconds=600, what="every fate is met"
                )
            line.heal()
            all_is_there(pbx, collector)
            assert forwarder.stop() == 0


def test_nothing_is_lost_or_doubled_over_a_line_that_cuts_resets_delays_and_swallows(
    tmp_path: Path, dsn: str
) -> None:
    over_a_bad_line(tmp_path, dsn, fates=2, seed=4)


@pytest.mark.soak
def test_nothing_is_lost_or_doubled_over_a_bad_line_for_long(tmp_path: Path, dsn: str) -> None:
    over_a_bad_line(tmp_path, dsn, fates=60, seed=5)


def test_a_collector_that_was_away_for_many_rotations_gets_all_of_them(
    tmp_path: Path, dsn: str
) -> None:
    """By every method, while the forwarder runs, is stopped, and runs again."""
    with everything(tmp_path, dsn) as (pbx, collector, forwarder):
        pbx.append(10)
        forwarder.start()
        collector.wait_for_legs("hq", 10)
        collector.daemon.stop()
        for _ in range(3):
            pbx.append(10)
            pbx.compress(pbx.rotate_by_rename())
            pbx.append(10)
            pbx.rotate_by_rename()
            forwarder.wait_for("forwarding_failed")
            forwarder.stop()
            pbx.append(10)
            pbx.rotate_by_copy()
            pbx.append(10)
            forwarder.start()
        collector.daemon.start()
        all_is_there(pbx, collector)


async def prepare(dsn: str) -> None:
    async with Database(dsn) as database:
        await migrate(database)


def test_while_the_database_is_away_the_forwarder_waits_as_long_as_it_is_told(
    tmp_path: Path, server_of_its_own: tuple[Any, str]
) -> None:
    """The collector says 503 with Retry-After; the forwarder is told once, and goes on by itself."""
    server, dsn = server_of_its_own
    asyncio.run(prepare(dsn))
    with everything(tmp_path, dsn) as (pbx, collector, forwarder):
        pbx.append(10)
        forwarder.start()
        collector.wait_for_legs("hq", 10)
        server.stop()
        pbx.append(10)
        failed = forwarder.wait_for("forwarding_failed")
        server.ensure_postgres_running()
        all_is_there(pbx, collector)

        assert "answers 503: " in failed["error"]
        assert forwarder.wait_for("forwarding_again")
        assert len(forwarder.events("forwarding_failed")) == 1
        assert forwarder.stop() == 0


def is_connected(forwarder: ForwarderProcess) -> bool:
    connections = psutil.Process(forwarder.pid).net_connections("tcp4")
    return any(one.status == psutil.CONN_ESTABLISHED for one in connections)


def test_a_forwarder_that_hangs_in_an_answer_is_ended_by_a_signal_at_once(
    tmp_path: Path, dsn: str
) -> None:
    """It need not finish anything."""
    with everything(tmp_path, dsn, timeout="60s") as (pbx, collector, forwarder):
        pbx.append(10)
        collector.daemon.send(signal.SIGSTOP)
        forwarder.start()
        wait_until(lambda: is_connected(forwarder), what="it waits for an answer")
        assert forwarder.stop() == 0
        assert not forwarder.events("forwarding_failed")  # it has not waited for its timeout
        collector.daemon.send(signal.SIGCONT)
