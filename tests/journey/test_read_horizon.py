"""Promise 3: who polls by minID gets each row once, decided, and need not look back."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta

from support.reading import (
    MORNING,
    Served,
    add_user,
    decided,
    finish_work,
    serving,
    store_attributions,
    store_legs,
    store_work,
)
from support.waiting import DEADLINE

from cdrd import metrics
from cdrd.store.database import Database


async def test_a_row_waits_for_its_attribution_and_raw_does_not(database: Database) -> None:
    await store_legs(database, 1, [MORNING] * 6)
    await store_work(database, 4, 6)
    await store_attributions(database, [decided(n, company="acme") for n in (1, 2, 3, 5)])
    everybody = await add_user(database, "everybody")
    acme = await add_user(database, "acme", companies=["acme"])
    async with serving(database) as served:
        assert (await served.read(everybody)).acctids == [1, 2, 3]
        assert (await served.read(acme)).acctids == [1, 2, 3]
        raw = await served.read(everybody, raw=True)
        assert raw.acctids == [1, 2, 3, 4, 5, 6]
        undecided = [row["acctid"] for row in raw.json["values"] if not row["properties"]]
        assert undecided == [4, 6]
        await store_attributions(database, [decided(n, company="acme") for n in (4, 6)])
        await finish_work(database, 4)
        assert (await served.read(acme, minID=4)).acctids == [4, 5, 6]


async def test_after_the_deadline_a_row_is_served_as_it_is_and_the_metric_tells(
    database: Database,
) -> None:
    await store_legs(database, 1, [MORNING] * 3)
    await store_attributions(database, [decided(1, company="acme"), decided(3, company="acme")])
    await store_work(database, 2, 2, age=11)
    everybody = await add_user(database, "everybody")
    acme = await add_user(database, "acme", companies=["acme"])
    before = metrics.served_undecided._value.get()
    async with serving(database, deadline=timedelta(seconds=10)) as served:
        assert (await served.read(everybody)).acctids == [1, 2, 3]
        assert metrics.served_undecided._value.get() == before + 1
        await served.read(everybody, raw=True)
        assert metrics.served_undecided._value.get() == before + 1
        # of leg 2 nobody knows yet that it is theirs: to go past it would be to miss it for ever
        assert (await served.read(acme)).acctids == [1]
        await store_attributions(database, [decided(2, target="acme")])
        await finish_work(database, 2)
        assert (await served.read(acme, minID=2)).acctids == [2, 3]


class LateStage:
    """A writer that commits batches, and a stage that decides them late and out of order."""

    def __init__(self, database: Database, owners: list[str | None]) -> None:
        self._database = database
        self._owners = owners
        self._random = random.Random(7)
        self._waiting: list[tuple[int, int]] = []
        self._written = False

    async def write(self) -> None:
        first = 1
        while first <= len(self._owners):
            last = min(first + self._random.randint(0, 12), len(self._owners))
            await store_work(self._database, first, last)
            await store_legs(self._database, first, [MORNING] * (last - first + 1))
            self._waiting.append((first, last))
            first = last + 1
        self._written = True

    async def decide(self) -> None:
        while self._waiting or not self._written:
            if len(self._waiting) < 4 and not self._written:
                await asyncio.sleep(0)  # let the writer get ahead
                continue
            first, last = self._waiting.pop(self._random.randrange(len(self._waiting)))
            decisions = [decided(n, company=self._owners[n - 1]) for n in range(first, last + 1)]
            await store_attributions(self._database, decisions)
            await finish_work(self._database, first)


async def polled(served: Served, token: str, count: int) -> list[tuple[int, str | None]]:
    """What a poller sees that follows minID: acctid and company."""
    seen: list[tuple[int, str | None]] = []
    while len(seen) < count:
        page = await served.read(token, minID=seen[-1][0] + 1 if seen else 0, maxRows=9)
        seen += [(row["acctid"], row["properties"].get("company")) for row in page.json["values"]]
    return seen


async def test_pollers_see_every_row_once_and_decided_while_the_stage_lags(
    database: Database,
) -> None:
    choices = random.Random(11)
    owners = [choices.choice(["acme", "globex", None]) for _ in range(400)]
    expected = list(enumerate(owners, 1))
    mine = [row for row in expected if row[1] == "acme"]
    everybody = await add_user(database, "everybody")
    acme = await add_user(database, "acme", companies=["acme"])
    stage = LateStage(database, owners)
    async with serving(database) as served, asyncio.timeout(DEADLINE), asyncio.TaskGroup() as tasks:
        all_seen = tasks.create_task(polled(served, everybody, len(expected)))
        mine_seen = tasks.create_task(polled(served, acme, len(mine)))
        tasks.create_task(stage.write())
        tasks.create_task(stage.decide())

    assert all_seen.result() == expected
    assert mine_seen.result() == mine
