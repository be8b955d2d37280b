"""Attribution: the rules alone, and the stage over legs that are already stored, with a large directory."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
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


@pytest.mark.parametrize("workers", [1, 2])
def test_stage_against_copy(  # noqa: PLR0917 - fixtures are parameters
    workers: int,
    daemons: Daemons,
    material: Material,
    make_database: Callable[[], str],
    tmp_path: Path,
    figures: Figures,
) -> None:
    copy = copied_in(material, make_database())
    dsn = make_database()
    daemon = daemons.start(dsn, tmp_path, roles=("collect",))
    os.link(material.csv, tmp_path / "Master.csv")
    with Look(dsn) as look:
        look.wait(NEWEST, material.count, daemon)
        daemons.stop()
        asyncio.run(apply(dsn, write_companies(tmp_path / "companies.yaml", COMPANIES)))
        look.checkpoint()
        running = [
            daemons.start(dsn, tmp_path / str(n), roles=("enrich",), companies=None)
            for n in range(workers)
        ]
        wait_until(lambda: all(daemon.events("directory_loaded") for daemon in running))
        before = look.value("SELECT count(*) FROM attribution")
        used, servers = sum(map(daemon_cpu, running)), look.server_cpu()
        started = time.perf_counter()
        seconds = look.wait(HORIZON, material.count, *running) - started
        used = sum(map(daemon_cpu, running)) - used
        servers = look.server_cpu() - servers
        assert look.value("SELECT count(*) FROM attribution") == material.count
    decided = material.count - before
    figures.add(
        f"attribution stage alone over {material.count:,} stored legs, {COMPANIES:,} companies, "
        f"{workers} of its workers, against `psql \\copy`",
        ours=f"{per_second(decided, seconds, 'legs')}, {cpu_per_leg(used, servers, decided)}",
        other=per_second(material.count, copy, "legs"),
        ratio=ratio([seconds / decided], [copy / material.count]),
        goal="≥ 0.5",
    )
