"""Attribution: the rules alone, and the stage over legs that are already stored, with a large directory."""

from __future__ import annotations

import asyncio
import io
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from bench.backlog import ZONE, Backlog, split_records
from bench.companies import companies, write_companies
from bench.conftest import HORIZON, NEWEST, Daemons, Material, copied_in
from bench.figures import Figures, cpu_per_leg, per_second, ratio
from bench.programs import Look, daemon_cpu
from structlog.testing import capture_logs
from support.waiting import wait_until

from cdrd.decode.decoders import Shape, decoder_for
from cdrd.enrich.batch import Gathered, decide_calls
from cdrd.enrich.companies import parse_companies
from cdrd.enrich.deciding import decide_call
from cdrd.enrich.directory import Directory
from cdrd.enrich.stage import apply_companies
from cdrd.records import AcctId, Decoded, Leg, SourceKind
from cdrd.store.database import Database
from cdrd.store.legs import legs_between
from cdrd.yamlfile import YamlDocument

COMPANIES = 10_000
REPETITIONS = 24
BATCH = 5000
ROUNDS = 3


def large_directory() -> Directory:
    content, problems = parse_companies(
        YamlDocument(Path("companies.yaml"), companies(COMPANIES), {})
    )
    assert problems == []
    return Directory.compile(content.as_version(1))


def decoded_legs() -> list[Leg]:
    decoder = decoder_for(Shape(SourceKind.ASTERISK_CSV, zone=ZONE))
    whole = b"".join(Backlog().chunks(REPETITIONS))
    legs = []
    for acctid, raw in enumerate(split_records(whole), start=1):
        record = decoder.record(raw, line=1, offset=0)
        assert isinstance(record, Decoded)
        legs.append(record.leg._replace(acctid=AcctId(acctid), pbx="default"))
    return legs


def test_rules_alone(figures: Figures) -> None:
    directory, legs = large_directory(), decoded_legs()
    batches = [legs[first : first + BATCH] for first in range(0, len(legs), BATCH)]
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        decided = [
            decide_calls(
                batch, Gathered(), lambda call, events: decide_call(call, directory, events)
            )
            for batch in batches
        ]
        seconds.append(time.perf_counter() - started)
        attributions = [one for each in decided for call in each.calls for one in call.attributions]
        assert len(attributions) == len(legs)
        assert not any(each.faults for each in decided)
    owned = sum(one.company is not None for one in attributions)
    figures.add(
        f"attribution rules alone, {COMPANIES:,} companies ({owned / len(legs):.1%} of the legs are owned)",
        ours=per_second(len(legs), sorted(seconds)[ROUNDS // 2], "legs"),
    )


async def apply(dsn: str, path: Path) -> None:
    with capture_logs():
        async with Database(dsn) as database:
            await apply_companies(database, path, applied_by="the benchmark")


@dataclass(frozen=True)
class Stored:
    """A database in which the legs are, and the directory, and nothing is decided."""

    dsn: str
    count: int
    copy: float
    """Seconds of `psql \\copy` of the same legs."""


@pytest.fixture
def stored(
    daemons: Daemons, material: Material, make_database: Callable[[], str], tmp_path: Path
) -> Stored:
    """The material, as a collector stores it."""
    copy = copied_in(material, make_database())
    dsn = make_database()
    daemon = daemons.start(dsn, tmp_path, roles=("collect",))
    os.link(material.csv, tmp_path / "Master.csv")
    with Look(dsn) as look:
        look.wait(NEWEST, material.count, daemon)
        daemons.stop()
        asyncio.run(apply(dsn, write_companies(tmp_path / "companies.yaml", COMPANIES)))
        look.checkpoint()
    return Stored(dsn, material.count, copy)


@pytest.mark.parametrize("workers", [1, 2])
def test_stage_against_copy(
    workers: int, daemons: Daemons, stored: Stored, tmp_path: Path, figures: Figures
) -> None:
    with Look(stored.dsn) as look:
        running = [
            daemons.start(stored.dsn, tmp_path / str(n), roles=("enrich",), companies=None)
            for n in range(workers)
        ]
        wait_until(lambda: all(daemon.events("directory_loaded") for daemon in running))
        before = look.value("SELECT count(*) FROM attribution")
        used, servers = sum(map(daemon_cpu, running)), look.server_cpu()
        started = time.perf_counter()
        seconds = look.wait(HORIZON, stored.count, *running) - started
        used = sum(map(daemon_cpu, running)) - used
        servers = look.server_cpu() - servers
        assert look.value("SELECT count(*) FROM attribution") == stored.count
    decided = stored.count - before
    figures.add(
        f"attribution stage alone over {stored.count:,} stored legs, {COMPANIES:,} companies, "
        f"{workers} of its workers, against `psql \\copy`",
        ours=f"{per_second(decided, seconds, 'legs')}, {cpu_per_leg(used, servers, decided)}",
        other=per_second(stored.count, stored.copy, "legs"),
        ratio=ratio([seconds / decided], [stored.copy / stored.count]),
        goal="≥ 0.5",
    )


def test_what_a_stage_without_rules_would_need(
    daemons: Daemons, stored: Stored, tmp_path: Path, figures: Figures
) -> None:
    """The floor below the stage: its legs read, and the very rows of its decisions copied in again."""
    with Look(stored.dsn) as look:
        daemon = daemons.start(stored.dsn, tmp_path / "enrich", roles=("enrich",), companies=None)
        look.wait(HORIZON, stored.count, daemon)
        daemons.stop()
        servers = look.server_cpu()
        seconds, used = asyncio.run(read_and_copied_back(stored))
        servers = look.server_cpu() - servers
        assert look.value("SELECT count(*) FROM attribution") == stored.count
    figures.add(
        "the same without deciding anything: legs read, and the rows of what was decided copied in, "
        "by one connection, against `psql \\copy`",
        ours=f"{per_second(stored.count, seconds, 'legs')}, {cpu_per_leg(used, servers, stored.count)}",
        other=per_second(stored.count, stored.copy, "legs"),
        ratio=ratio([seconds], [stored.copy]),
    )


async def read_and_copied_back(stored: Stored) -> tuple[float, float]:
    """Seconds, and those of our own CPU, without what it takes to have the rows."""
    seconds = used = 0.0
    async with Database(stored.dsn) as database, database.connection() as connection:
        for table in ("attribution", "call"):
            rows = io.BytesIO()
            await connection.copy_from_query(f"TABLE {table}", output=rows, format="binary")
            await connection.execute(f"TRUNCATE {table}")
            rows.seek(0)
            started, before = time.perf_counter(), time.process_time()
            await connection.copy_to_table(table, source=rows, format="binary")
            seconds += time.perf_counter() - started
            used += time.process_time() - before
        started, before = time.perf_counter(), time.process_time()
        for first in range(1, stored.count + 1, BATCH):
            await legs_between(connection, AcctId(first), AcctId(first + BATCH - 1))
        return seconds + time.perf_counter() - started, used + time.process_time() - before
