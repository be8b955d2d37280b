"""Two million records: the memory of the daemon that takes them in, and pages read from among them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from bench.backlog import Backlog
from bench.conftest import HORIZON, NEWEST, Daemons, new_token
from bench.figures import Figures, per_second
from bench.page_loads import ROWS, pages_by_pgbench, pages_over_http
from bench.programs import Look, peak_mib
from support.daemon import DaemonProcess

RECORDS = 2_000_000


@dataclass
class CaughtUp:
    """A daemon that has taken in the whole backlog."""

    daemon: DaemonProcess
    count: int
    seconds: float
    peaks: list[float]
    """Peak RSS in MiB after a tenth of the backlog, and after all of it."""


@pytest.fixture(scope="module")
def two_million(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """Half a gigabyte of records."""
    path = tmp_path_factory.mktemp("backlog") / "backlog.csv"
    backlog = Backlog()
    written = backlog.write(path, backlog.repetitions(RECORDS))
    yield path, written
    path.unlink()


def catch_up(daemon: DaemonProcess, backlog: tuple[Path, int], finished: str) -> CaughtUp:
    """Lets the daemon find the backlog, and waits until it has gone through it."""
    path, count = backlog
    with Look(daemon.dsn) as look:
        began = time.perf_counter()
        os.link(path, daemon.folder / "Master.csv")
        look.wait(finished, count // 10, daemon, seconds=600)
        early = peak_mib(daemon)
        seconds = look.wait(finished, count, daemon, seconds=1800) - began
        assert look.value("SELECT count(*) FROM leg") == count
    return CaughtUp(daemon, count, seconds, [early, peak_mib(daemon)])


def show_memory(figures: Figures, done: CaughtUp, roles: str) -> None:
    early, peak = done.peaks
    rate = per_second(done.count, done.seconds, "legs")
    figures.add(
        f"memory: peak RSS over a backlog of {done.count:,} records, {roles}",
        ours=f"{peak:.0f} MiB ({early:.0f} MiB after a tenth), at {rate}",
        goal="≤ 150 MiB, flat",
    )


def test_memory_of_collect_alone(
    two_million: tuple[Path, int],
    make_database: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
    figures: Figures,
) -> None:
    daemons = Daemons()
    folder = tmp_path_factory.mktemp("collect")
    try:
        daemon = daemons.start(make_database(), folder, roles=("collect",))
        show_memory(figures, catch_up(daemon, two_million, NEWEST), "`--role collect`")
    finally:
        daemons.stop()


@pytest.fixture(scope="module")
def whole_house(
    two_million: tuple[Path, int],
    make_database: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[CaughtUp]:
    """One process of all roles, that has attributed every leg and serves them."""
    daemons = Daemons()
    try:
        daemon = daemons.start(make_database(), tmp_path_factory.mktemp("house"))
        yield catch_up(daemon, two_million, HORIZON)
    finally:
        daemons.stop()


def test_memory_of_all_roles(whole_house: CaughtUp, figures: Figures) -> None:
    show_memory(figures, whole_house, "all roles in one process")


@pytest.fixture(scope="module")
def token(whole_house: CaughtUp) -> str:
    """Who reads the pages."""
    return new_token(whole_house.daemon)


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("place", ["first", "millionth", "last"])
def test_pages_against_pgbench(  # noqa: PLR0917 - fixtures are parameters
    place: str,
    connections: int,
    whole_house: CaughtUp,
    token: str,
    tmp_path: Path,
    figures: Figures,
) -> None:
    count, daemon = whole_house.count, whole_house.daemon
    first = {"first": 1, "millionth": 1_000_000, "last": count - ROWS + 1}[place]
    ours = pages_over_http(daemon.url, token, first, connections, tmp_path)
    other = pages_by_pgbench(daemon.dsn, first, count, connections, tmp_path)
    figures.add(
        f"`/rest/call/read`: {ROWS} rows from the {place} of {count:,} legs, {connections} connection(s), "
        "against pgbench with the same statements",
        ours=per_second(ours, 1, "pages"),
        other=per_second(other, 1, "pages"),
        ratio=f"{ours / other:.2f}",
        goal="≥ 0.8",
    )
