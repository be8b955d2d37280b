"""The whole walk: a backlog becomes attributed legs that a poller can read, in two processes and in one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from bench.conftest import HORIZON, Daemons, Material, copied_in
from bench.figures import Figures, cpu_per_leg, per_second, ratio
from bench.programs import Look, daemon_cpu


@pytest.mark.parametrize(
    "roles", [(("collect", "serve"), ("enrich",)), ((),)], ids=["two-processes", "one-process"]
)
def test_whole_walk_against_copy(  # noqa: PLR0917 - fixtures are parameters
    roles: tuple[tuple[str, ...], ...],
    daemons: Daemons,
    material: Material,
    make_database: Callable[[], str],
    tmp_path: Path,
    figures: Figures,
) -> None:
    copy = copied_in(material, make_database())
    dsn = make_database()
    running = [daemons.start(dsn, tmp_path / str(n), roles=some) for n, some in enumerate(roles)]
    with Look(dsn) as look:
        look.checkpoint()
        used, servers = sum(map(daemon_cpu, running)), look.server_cpu()
        started = time.perf_counter()
        os.link(material.csv, tmp_path / "0" / "Master.csv")
        seconds = look.wait(HORIZON, material.count, *running) - started
        used = sum(map(daemon_cpu, running)) - used
        servers = look.server_cpu() - servers
        assert look.value("SELECT count(*) FROM attribution") == material.count
        unowned = look.value("SELECT count(*) FROM attribution WHERE company IS NULL")
    cpu = cpu_per_leg(used, servers, material.count)
    figures.add(
        f"whole walk: {material.count:,} records → attributed and readable, {len(roles)} process(es), "
        "against `psql \\copy`",
        ours=f"{per_second(material.count, seconds, 'legs')}, {cpu}",
        other=per_second(material.count, copy, "legs"),
        ratio=ratio([seconds], [copy]),
        goal="≥ 0.33",
    )
    print(
        f"\n  {unowned / material.count:.1%} of the legs have a reason instead of a company", end=""
    )
