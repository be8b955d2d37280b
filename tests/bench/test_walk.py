"""The whole walk: a backlog becomes attributed legs that a poller can read, by one process and by several."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from bench.conftest import HORIZON, Daemons, Material, copied_in
from bench.figures import Figures, cpu_per_leg, per_second, ratio
from bench.programs import Look, daemon_cpu

ROUNDS = 3
COLLECT, ENRICH = ("collect", "serve"), ("enrich",)
Roles = tuple[tuple[str, ...], ...]
"""The roles of each process; of the only one all."""


class Spent(NamedTuple):
    """What a walk cost."""

    seconds: float
    """From the appearance of the file until its last leg can be read."""
    cpu: str


@pytest.mark.parametrize(
    ("roles", "who"),
    [
        (((),), "one process"),
        ((COLLECT, ENRICH), "one that collects and one that enriches"),
        ((COLLECT, ENRICH, ENRICH), "one that collects and two that enrich"),
    ],
    ids=["one", "two", "three"],
)
def test_whole_walk_against_copy(  # noqa: PLR0917 - fixtures are parameters
    roles: Roles,
    who: str,
    daemons: Daemons,
    material: Material,
    make_database: Callable[[], str],
    tmp_path: Path,
    figures: Figures,
) -> None:
    copies, walks = [], []
    for number in range(ROUNDS):
        copies.append(copied_in(material, make_database()))
        folder = tmp_path / str(number)
        folder.mkdir()
        walks.append(walked(roles, daemons, material, make_database(), folder))
        daemons.stop()
    walk = sorted(walks)[ROUNDS // 2]
    figures.add(
        f"whole walk: {material.count:,} records → attributed and readable, {who}, "
        "against `psql \\copy`",
        ours=f"{per_second(material.count, walk.seconds, 'legs')}, {walk.cpu}",
        other=per_second(material.count, sorted(copies)[ROUNDS // 2], "legs"),
        ratio=ratio([spent.seconds for spent in walks], copies),
        goal="≥ 0.33",
    )


def walked(roles: Roles, daemons: Daemons, material: Material, dsn: str, folder: Path) -> Spent:
    """Has real daemons do it, with an empty database."""
    running = [daemons.start(dsn, folder / str(n), roles=some) for n, some in enumerate(roles)]
    with Look(dsn) as look:
        look.checkpoint()
        used, servers = sum(map(daemon_cpu, running)), look.server_cpu()
        started = time.perf_counter()
        os.link(material.csv, folder / "0" / "Master.csv")
        seconds = look.wait(HORIZON, material.count, *running) - started
        used = sum(map(daemon_cpu, running)) - used
        servers = look.server_cpu() - servers
        assert look.value("SELECT count(*) FROM attribution") == material.count
        unowned = look.value("SELECT count(*) FROM attribution WHERE company IS NULL")
        assert unowned < material.count / 10
    return Spent(seconds, cpu_per_leg(used, servers, material.count))
