"""Several processes that decide: they share the work, and what a killed one held is done by another."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from support.daemon import DaemonProcess
from support.legs import collecting, leg
from support.sources import ask
from support.waiting import DEADLINE, wait_until

from cdrd.store.database import Database

CALLS = 1500
COMPANIES = """
companies:
  acme:
    name: Acme Ltd
    endpoints: ["PJSIP/acme-{ext}"]
    extensions: [101-199]
"""


@pytest.fixture
def workers(dsn: str, tmp_path: Path) -> Iterator[list[DaemonProcess]]:
    """Two daemons that decide in small batches; they serve only to say how much they have done."""
    daemons = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "companies.yaml").write_text(COMPANIES)
        enrich = {"companies": str(folder / "companies.yaml"), "batch_legs": "40"}
        enrich["settle_after"] = "1ms"
        daemon = DaemonProcess(folder, dsn, [], more={"enrich": enrich}, roles=("enrich", "serve"))
        daemon.write_config()
        daemons.append(daemon)
    yield daemons
    for daemon in daemons:
        daemon.stop()


def decided_by(daemon: DaemonProcess) -> int:
    """How many legs a worker says that it has decided."""
    with urlopen(f"{daemon.url}/metrics", timeout=DEADLINE) as answer:  # noqa: S310 - our own daemon
        text = answer.read().decode()
    return sum(
        int(float(count))
        for count in re.findall(r"^cdrd_attributions_total\{.*\} (\S+)$", text, re.MULTILINE)
    )


def looked(dsn: str, sql: str) -> Any:
    """The one value that a question has."""

    async def work() -> Any:
        async with Database(dsn) as database:
            [[value]] = await ask(database, sql)
            return value

    return asyncio.run(work())


def store(dsn: str, begin: int, count: int) -> None:
    """Calls of two legs each, in pieces that are claimed one by one."""

    async def work() -> None:
        async with Database(dsn) as database, collecting(database, f"pbx{begin}") as collector:
            for first in range(begin, begin + count, 20):
                names = [f"1795285487.{n}" for n in range(first, first + 20)]
                await collector.store(*(leg(name) for name in names for _ in range(2)))

    asyncio.run(work())


WAITING = "SELECT count(*) FROM work"
DECIDED = "SELECT count(*) FROM attribution"
TORN = """
    SELECT count(*)
    FROM leg
    LEFT JOIN attribution USING (acctid)
    LEFT JOIN (
        SELECT call_id, unnest(acctids) AS acctid FROM call WHERE effective
    ) AS part USING (acctid)
    LEFT JOIN call ON call.call_id = part.call_id
    WHERE
        attribution.company IS DISTINCT FROM 'acme'
        OR cardinality(acctids) IS DISTINCT FROM 2
        OR settled_by IS NULL
"""
"""Legs without a decision, or without the one call that they and one other are."""


def test_two_workers_share_the_work_and_a_killed_one_s_is_taken_over(
    dsn: str, workers: list[DaemonProcess]
) -> None:
    for worker in workers:
        worker.spawn()
    for worker in workers:
        worker.wait_ready()
    store(dsn, 0, CALLS)
    wait_until(lambda: looked(dsn, WAITING) == 0, what="everything is decided")
    shares = [decided_by(worker) for worker in workers]

    assert sum(shares) == 2 * CALLS == looked(dsn, DECIDED)
    assert min(shares) > 0

    with ThreadPoolExecutor(1) as thread:
        storing = thread.submit(store, dsn, CALLS, CALLS)
        wait_until(lambda: decided_by(workers[0]) > shares[0], what="the first one works")
        workers[0].kill()
        storing.result()
    wait_until(lambda: looked(dsn, WAITING) == 0, what="the other one has done it all")
    wait_until(lambda: looked(dsn, TORN) == 0)

    assert looked(dsn, DECIDED) == 4 * CALLS
    assert looked(dsn, "SELECT count(*) FROM call") == 2 * CALLS
    assert looked(dsn, "SELECT count(DISTINCT revision) FROM attribution") == 4 * CALLS
