"""The whole walk: a backlog becomes attributed legs that a poller can read, in two processes and in one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from bench.conftest import HORIZON, Daemons, Material, copied_in
from bench.figures import Figures, per_second, ratio
from bench.programs import Look


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
    for number, roles_of_one in enumerate(roles):
        daemons.start(dsn, tmp_path / str(number), roles=roles_of_one)
    with Look(dsn) as look:
        look.checkpoint()
        started = time.perf_counter()
        os.link(material.csv, tmp_path / "0" / "Master.csv")
        ended = look.wait(HORIZON, material.count)
        assert look.value("SELECT count(*) FROM attribution") == material.count
        unowned = look.value("SELECT count(*) FROM attribution WHERE company IS NULL")
    figures.add(
        f"whole walk: {material.count:,} records → attributed and readable, {len(roles)} process(es), "
        "against `psql \\copy`",
        ours=per_second(material.count, ended - started, "legs"),
        other=per_second(material.count, copy, "legs"),
        ratio=ratio([ended - started], [copy]),
        goal="≥ 0.33",
    )
    print(
        f"\n  {unowned / material.count:.1%} of the legs have a reason instead of a company", end=""
    )
