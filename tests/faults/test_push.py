"""A push meets a killed daemon and a database that is away: repeated until it is answered, stored once."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.daemon import DaemonProcess
from support.pbx import number_of, record
from support.postgres import frozen_server
from support.pushing import Pusher, pusher, until_answered
from support.sources import accounts_are_even, every_record_is_accounted_for
from support.waiting import until_blocked

from cdrd.store.database import Database

SOURCE = {"name": "csv", "kind": "asterisk-csv", "push": "true"}


@contextmanager
def pushed_to(folder: Path, dsn: str) -> Iterator[Pusher]:
    """A daemon that takes pushes, and a program that pushes to it."""
    daemon = DaemonProcess(folder, dsn, [SOURCE])
    daemon.write_config()
    daemon.migrate()
    daemon.add_reader()
    made = pusher(daemon, "pbx", "csv")
    daemon.start()
    try:
        yield made
    finally:
        daemon.kill()


def numbers(pushing: Pusher) -> list[int]:
    page = pushing.daemon.read(minID=0, maxRows=10_000, raw=True)
    return [number_of(row["uniqueid"]) for row in page["values"]]


def batch(number: int) -> bytes:
    return b"".join(record(10 * number + one) for one in range(10))


def test_a_push_that_is_cut_off_by_a_kill_is_stored_once_when_it_is_repeated(
    tmp_path: Path, dsn: str
) -> None:
    """Killed at any moment between the first byte of the request and the last of the answer."""
    chance = random.Random(3)
    with pushed_to(tmp_path, dsn) as pushing, ThreadPoolExecutor(1) as thread:
        until_answered(pushing, "csv", batch(0))
        for number in range(1, 5):
            answer = thread.submit(pushing.post, "csv", batch(number))
            time.sleep(chance.uniform(0, 0.02))  # the moment of the kill is the test's data
            pushing.daemon.kill()
            answer.exception()
            pushing.daemon.start()
            said = until_answered(pushing, "csv", batch(number))
            assert (said["records"], said["stored"], said["duplicates"]) == (10, 10, 0)

        assert numbers(pushing) == list(range(50))
    assert every_record_is_accounted_for(dsn)


async def test_a_push_is_not_answered_before_it_is_committed(
    tmp_path: Path, dsn: str, database: Database
) -> None:
    """While another transaction holds the table the client waits; then the daemon dies: nothing is stored."""
    with pushed_to(tmp_path, dsn) as pushing, ThreadPoolExecutor(1) as thread:
        until_answered(pushing, "csv", batch(0))
        async with database.transaction() as connection:
            await connection.execute("LOCK TABLE source IN ACCESS EXCLUSIVE MODE")
            answer = thread.submit(pushing.post, "csv", batch(1))
            await until_blocked(database)
            assert not answer.done()
            pushing.daemon.kill()
        assert isinstance(answer.exception(), OSError)
        pushing.daemon.start()

        assert numbers(pushing) == list(range(10))
        assert until_answered(pushing, "csv", batch(1))["stored"] == 10
        assert numbers(pushing) == list(range(20))
    assert await accounts_are_even(database)


def test_while_the_database_is_away_a_push_is_told_to_come_again(
    tmp_path: Path, server_of_its_own: tuple[Any, str]
) -> None:
    server, dsn = server_of_its_own
    with pushed_to(tmp_path, dsn) as pushing:
        until_answered(pushing, "csv", batch(0))
        server.stop()
        status, said, headers = pushing.post("csv", batch(1))
        server.ensure_postgres_running()

        assert (status, said["result"], int(headers["Retry-After"]) > 0) == (503, "retry", True)
        assert until_answered(pushing, "csv", batch(1))["stored"] == 10
        assert numbers(pushing) == list(range(20))
    assert every_record_is_accounted_for(dsn)


async def test_while_the_database_hangs_a_push_is_told_to_come_again(
    tmp_path: Path, server_of_its_own: tuple[Any, str]
) -> None:
    """Its connections are open, and nothing comes: a frozen machine, a network that is cut.

    The first push was being stored when it began, the second one comes later.
    """
    server, dsn = server_of_its_own
    with pushed_to(tmp_path, dsn) as pushing, ThreadPoolExecutor(2) as threads:
        until_answered(pushing, "csv", batch(0))
        async with Database(dsn) as database, database.transaction() as connection:
            await connection.execute("LOCK TABLE source IN ACCESS EXCLUSIVE MODE")
            pushes = [threads.submit(pushing.post, "csv", batch(1))]
            await until_blocked(database)
            with frozen_server(server):
                pushes.append(threads.submit(pushing.post, "csv", batch(2)))
                answers = [push.result() for push in pushes]

        for number, (status, said, headers) in enumerate(answers, 1):
            assert (status, said["result"], int(headers["Retry-After"]) > 0) == (503, "retry", True)
            assert until_answered(pushing, "csv", batch(number))["stored"] == 10
        assert numbers(pushing) == list(range(30))
    async with Database(dsn) as database:
        assert await accounts_are_even(database)
