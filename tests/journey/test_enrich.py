"""The enrich stage as it runs, on a real database; the rules are often simpler than the real ones."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from support.legs import Collector, collecting, leg
from support.stages import nothing_waits, running
from support.waiting import DEADLINE, until

from cdrd import metrics
from cdrd.beside import CelEvent
from cdrd.enrich.deciding import decide_call
from cdrd.enrich.directory import Directory
from cdrd.enrich.stage import RE_ENRICH, apply_companies, enrich
from cdrd.errors import SettingsError
from cdrd.owners import Company
from cdrd.records import AcctId, Attribution, CompanyId, Leg, UnattributedReason
from cdrd.settings import EnrichSettings
from cdrd.store.database import Database
from cdrd.store.decided import Decided
from cdrd.store.directory import apply_directory, current_version
from cdrd.store.feed import horizon
from cdrd.store.legs import ENRICH
from cdrd.store.work import waiting

LONG = timedelta(days=1)


async def decided(database: Database, column: str = "company") -> dict[int, Any]:
    """One property of every decided leg."""
    async with database.connection() as connection:
        rows = await connection.fetch(f"SELECT acctid, {column} FROM attribution ORDER BY acctid")  # noqa: S608
    return dict(map(tuple, rows))


async def apply(database: Database, name: str = "Acme") -> int | None:
    """A directory of one company; the rules of these tests do not read it."""
    company = Company(CompanyId("acme"), name)
    return await apply_directory(database, [company], [], digest="", applied_by="test")


def together(
    legs: Sequence[Leg], directory: Directory | None, events: Sequence[CelEvent] = ()
) -> Decided:
    """Tells which legs were decided together, and by which version of the directory."""
    decided = decide_call(legs, directory, events)
    if directory is None:
        return decided
    company = " ".join(str(leg.acctid) for leg in legs)
    told = [
        Attribution(leg.acctid or AcctId(0), company, trunk=f"v{directory.version}") for leg in legs
    ]
    return decided._replace(attributions=told)


class Held:
    """Rules that wait, once somebody asks them, until they are let go."""

    def __init__(self) -> None:
        self.deciding, self.release = threading.Event(), threading.Event()

    def __call__(
        self, legs: Sequence[Leg], directory: Directory | None, _: Sequence[CelEvent]
    ) -> Decided:
        self.deciding.set()
        assert self.release.wait(DEADLINE)
        return together(legs, directory)


@pytest.fixture
async def collector(database: Database) -> AsyncIterator[Collector]:
    async with collecting(database) as collector:
        yield collector


COMPANIES = """
companies:
  acme:
    name: Acme Ltd
    endpoints: ["PJSIP/acme-{ext}"]
    extensions: [101-199]
"""


async def test_legs_are_attributed_by_companies_yaml(
    database: Database, collector: Collector, tmp_path: Path
) -> None:
    path = tmp_path / "companies.yaml"
    path.write_text(COMPANIES)
    assert await apply_companies(database, path, applied_by="test") == 1
    stranger = {"channel": "PJSIP/stranger-1", "dstchannel": "", "src": "999", "dst": "9"}
    await collector.store(leg("1.0"), leg("2.0", accountcode="", dcontext="other", **stranger))
    async with running(database):
        await nothing_waits(database)
        await collector.store(leg("3.0"))
        await nothing_waits(database)

    assert await decided(database) == {1: "acme", 2: None, 3: "acme"}
    assert await decided(database, "direction") == {1: "internal", 2: None, 3: "internal"}
    assert (await decided(database, "reason"))[2] == UnattributedReason.NO_MATCH
    assert await horizon(database, ENRICH, deadline=LONG) == 3


async def test_the_same_companies_are_applied_once_and_bad_ones_never(
    database: Database, tmp_path: Path
) -> None:
    path = tmp_path / "companies.yaml"
    path.write_text(COMPANIES)
    await apply_companies(database, path, applied_by="test")
    assert await apply_companies(database, path, applied_by="test") is None
    path.write_text(COMPANIES + "    nonsense: 1\n    extensions: x\n")

    with pytest.raises(SettingsError) as refused:
        await apply_companies(database, path, applied_by="test")
    assert str(path) in refused.value.problems[0]
    assert await current_version(database) == 1


async def test_a_late_leg_decides_its_call_again(database: Database, collector: Collector) -> None:
    await apply(database)
    async with running(database, together):
        await collector.store(leg("call"), leg("other"))
        await nothing_waits(database)
        before = await decided(database, "revision")
        await collector.store(leg("late", linkedid="call"))
        await nothing_waits(database)

    assert await decided(database) == {1: "1 3", 2: "2", 3: "1 3"}
    after = await decided(database, "revision")
    assert after[2] == before[2]
    assert min(after[1], after[3]) > max(before.values())


async def test_a_call_is_looked_for_only_so_far_back(
    database: Database, collector: Collector
) -> None:
    await apply(database)
    async with running(database, together, lookback_legs=2):
        await collector.store(leg("call"), leg("call"), leg("other"))
        await nothing_waits(database)
        await collector.store(leg("call"))
        await nothing_waits(database)

    assert await decided(database) == {1: "1 2", 2: "2 4", 3: "3", 4: "2 4"}


async def test_legs_that_no_directory_decided_are_decided_when_there_is_one(
    database: Database, collector: Collector
) -> None:
    """Readers were served meanwhile, and their horizon does not go back."""
    await collector.store(*(leg(f"{n // 2}") for n in range(7)))
    async with running(database, together, batch_legs=3):
        await nothing_waits(database)
        assert set((await decided(database, "reason")).values()) == {"no_directory"}
        horizons = [await horizon(database, ENRICH, deadline=LONG)]
        await apply(database)

        async def all_decided() -> bool:
            horizons.append(await horizon(database, ENRICH, deadline=LONG))
            return None not in (await decided(database)).values()

        await until(all_decided, "all legs have a company")

    assert await decided(database) == {
        1: "1 2",
        2: "1 2",
        3: "3 4",
        4: "3 4",
        5: "5 6",
        6: "5 6",
        7: "7",
    }
    assert set(horizons) == {7}


async def test_a_directory_that_cannot_be_loaded_leaves_the_last_good_one_in_use(
    database: Database, collector: Collector
) -> None:
    """And when one can be loaded again, it decides what the broken one should have decided."""
    await apply(database)
    faults = metrics.faults.labels("enrich", "KeyError")
    before = faults._value.get()
    with capture_logs() as logs:
        async with running(database, together):
            await collector.store(leg("1"))
            await nothing_waits(database)
            async with database.transaction() as connection:
                await connection.execute(
                    "UPDATE counter SET value = 2 WHERE name = 'directory';"
                    "INSERT INTO directory_version (version, digest, applied_by) VALUES (2, '', '');"
                    "INSERT INTO entry (kind, pattern, detail, introduced_in)"
                    " VALUES ('from the future', '', '{}', 2)"
                )
            await collector.store(leg("2"))

            async def decided_by_the_old_one() -> bool:
                return (await decided(database, "trunk")) == {1: "v1", 2: "v1"}

            await until(decided_by_the_old_one, "the new leg is decided")
            assert (await waiting(database, RE_ENRICH)).legs == 1
            assert await horizon(database, ENRICH, deadline=LONG) == 2
            await apply(database, "Acme plc")
            await nothing_waits(database)

    assert await decided(database, "trunk") == {1: "v1", 2: "v3"}
    assert faults._value.get() == before + 1
    [told] = [event for event in logs if event["event"] == "directory_not_loaded"]
    assert (told["version"], told["kept"], told["log_level"]) == (2, 1, "error")


async def test_what_was_decided_while_a_directory_was_applied_is_decided_by_it(
    database: Database, collector: Collector
) -> None:
    await apply(database)
    slow = Held()
    await collector.store(leg("1"))
    async with running(database, slow):
        await asyncio.to_thread(slow.deciding.wait, DEADLINE)
        await apply(database, "Acme plc")
        slow.release.set()

        async def by_the_new_one() -> bool:
            return (await decided(database, "trunk")) == {1: "v2"}

        await until(by_the_new_one, "the leg is decided by the new directory")
        await nothing_waits(database)


class Poison:
    """Rules that fail on calls named poison until they are repaired."""

    repaired = False

    def __call__(
        self, legs: Sequence[Leg], directory: Directory | None, _: Sequence[CelEvent]
    ) -> Decided:
        if legs[0].linkedid in ("poison", "venom") and not self.repaired:
            raise KeyError("01908555101")
        if legs[0].linkedid == "refused" and not self.repaired:
            decided = together(legs, directory)
            wrong = [attribution._replace(rules="{") for attribution in decided.attributions]
            return decided._replace(attributions=wrong)
        return together(legs, directory)


@pytest.mark.parametrize("more", [0, 300])
async def test_poison_calls_are_parked_and_stop_nobody(
    database: Database, collector: Collector, more: int
) -> None:
    """The log tells of them once, without telephone numbers; a newer directory decides them again."""
    await apply(database)
    poison = Poison()
    names = ["good", "poison", "venom", "good", "poison", "refused"]
    with capture_logs() as logs:
        async with running(database, poison):
            await collector.store(*map(leg, names), *(leg(f"{n}") for n in range(more)))
            await nothing_waits(database)
            reasons = await decided(database, "reason")
            fault = UnattributedReason.FAULT
            assert {n: reason for n, reason in reasons.items() if reason} == dict.fromkeys(
                (2, 3, 5, 6), fault
            )
            assert (await decided(database))[4] == "1 4"

            poison.repaired = True
            await apply(database, "Acme plc")

            async def all_decided() -> bool:
                return None not in (await decided(database)).values()

            await until(all_decided, "all legs have a company")

    assert (await decided(database))[5] == "2 5"
    told = [event for event in logs if event["event"] == "attribution_failed"]
    rules = [event for event in told if "KeyError" in event["error"]]
    assert [event["acctids"] for event in rules[:1]] == [[2, 5, 3]]
    assert all("01908555101" not in str(event) for event in told)
    assert any(event["acctids"] == [6] for event in told)


async def test_two_stages_share_the_work_and_no_call_is_torn(
    database: Database, collector: Collector
) -> None:
    """Their legs come in small batches, the legs of a call far from one another."""
    await apply(database)
    for part in range(3):
        for first in range(0, 60, 4):
            await collector.store(
                *(leg(f"call{n}", sequence=part) for n in range(first, first + 4))
            )
    async with running(database, together, batch_legs=7), running(database, together, batch_legs=5):
        for first in range(0, 60, 20):
            await collector.store(*(leg(f"call{n}") for n in range(first, first + 20)))
        await nothing_waits(database)

    wanted: dict[int, str] = {}
    for call in range(60):
        acctids = [call + 1 + 60 * part for part in range(4)]
        wanted |= dict.fromkeys(acctids, " ".join(map(str, acctids)))
    assert await decided(database) == dict(sorted(wanted.items()))


async def test_a_slow_stage_does_not_put_back_what_another_knew_better(
    database: Database, collector: Collector
) -> None:
    """It saw the first leg of a call alone, and writes after the other has seen both."""
    await apply(database)
    slow = Held()
    await collector.store(leg("call"))
    async with running(database, slow):
        await asyncio.to_thread(slow.deciding.wait, DEADLINE)
        async with running(database, together):
            await collector.store(leg("call"))

            async def both() -> bool:
                return await decided(database) == {1: "1 2", 2: "1 2"}

            await until(both, "the faster stage has decided the call")
        slow.release.set()
        await nothing_waits(database)

    assert await decided(database) == {1: "1 2", 2: "1 2"}


async def test_many_other_legs_are_read_in_pieces(
    database: Database, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cdrd.enrich.gathering.MOST_OTHERS", 4)
    await apply(database)
    for _ in range(2):
        await collector.store(*(leg(f"{call}") for call in range(7)))
    async with running(database, together):
        await nothing_waits(database)
        await collector.store(*(leg(f"{call}") for call in range(7)))
        await nothing_waits(database)

    companies = await decided(database)
    assert {companies[n] for n in range(1, 22)} == {f"{n} {n + 7} {n + 14}" for n in range(1, 8)}


async def test_the_work_of_a_stage_that_died_is_done_by_another(
    dsn: str, database: Database, collector: Collector
) -> None:
    await apply(database)
    stuck = Held()
    await collector.store(leg("1"), leg("2"))
    async with Database(dsn, application="dies") as other:
        stage = asyncio.create_task(
            enrich(
                EnrichSettings(),
                database=other,
                beat=lambda: None,
                stopping=asyncio.Event(),
                rules=stuck,
            )
        )
        await asyncio.to_thread(stuck.deciding.wait, DEADLINE)
        stage.cancel()
        await asyncio.wait([stage])
    async with running(database, together):
        await nothing_waits(database)
    stuck.release.set()

    assert await decided(database) == {1: "1", 2: "2"}


async def test_a_stage_that_is_told_to_stop_finishes_its_batch(
    database: Database, collector: Collector
) -> None:
    await apply(database)
    slow = Held()
    await collector.store(leg("1"), leg("2"), leg("3"))
    async with running(database, slow, batch_legs=2) as stopping:
        await asyncio.to_thread(slow.deciding.wait, DEADLINE)
        stopping.set()
        slow.release.set()

    assert await decided(database) == {1: "1", 2: "2"}
    assert (await waiting(database, ENRICH)).legs == 1


async def test_a_database_that_cuts_every_connection_is_asked_again(
    dsn: str, database: Database, collector: Collector
) -> None:
    await apply(database)
    async with Database(dsn, application="cut") as cut, running(cut, together):
        await collector.store(leg("1"))
        await nothing_waits(database)
        for number in range(3):
            async with database.connection() as connection:
                await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'cut' AND datname = current_database()"
                )
            await collector.store(leg(f"again {number}"))
            await nothing_waits(database)

    assert len(await decided(database)) == 4


async def test_a_stage_says_how_much_waits(database: Database, collector: Collector) -> None:
    await collector.store(*(leg(f"{n}") for n in range(5)))
    slow = Held()
    gauge = metrics.waiting_legs.labels(ENRICH)
    attributed = metrics.attributions.labels("no_directory")
    before = attributed._value.get()
    async with running(database, slow):

        async def measured(legs: int) -> bool:
            return bool(gauge._value.get() == legs)

        await until(lambda: measured(5), "the gauge says that five legs wait")
        slow.release.set()
        await until(lambda: measured(0), "the gauge says that none wait")

    assert attributed._value.get() == before + 5
