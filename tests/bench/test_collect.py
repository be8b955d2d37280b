"""A backlog becomes legs: against psql's copy, one-row inserts, rsyslog and pgloader."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from bench.backlog import Backlog
from bench.conftest import NEWEST, Daemons, Material, copied_in
from bench.figures import Figures, cpu_per_leg, per_second, ratio
from bench.loaders import pgloader, rsyslog
from bench.programs import Look, daemon_cpu, psql, psql_file, seconds_of

ROUNDS = 3
ROWS_ONE_BY_ONE = 10_000
LINES = 100_000


class Spent(NamedTuple):
    """What a backlog cost."""

    seconds: float
    """From the appearance of the file to the commit of its last leg."""
    cpu: str
    """The same in CPU."""


CollectedIn = Callable[[str, Path, int], Spent]


@pytest.fixture
def collected_in(tmp_path: Path, daemons: Daemons) -> CollectedIn:
    """Has the real daemon collect a backlog."""

    def measure(dsn: str, backlog: Path, count: int) -> Spent:
        (tmp_path / "Master.csv").unlink(missing_ok=True)
        daemon = daemons.start(dsn, tmp_path, roles=("collect",))
        with Look(dsn) as look:
            look.checkpoint()
            used, servers = daemon_cpu(daemon), look.server_cpu()
            started = time.perf_counter()
            os.link(backlog, tmp_path / "Master.csv")
            seconds = look.wait(NEWEST, count, daemon) - started
            used, servers = daemon_cpu(daemon) - used, look.server_cpu() - servers
            assert look.value("SELECT count(*) FROM leg") == count
            assert look.value("SELECT count(*) FROM suspense") == 0
        daemons.stop()
        return Spent(seconds, cpu_per_leg(used, servers, count))

    return measure


def inserted_in(dsn: str, statements: Path) -> float:
    """Seconds of inserting rows one by one as cdr_pgsql does: a text and a commit for each."""
    seconds = seconds_of(lambda: psql_file(dsn, statements))
    assert psql(dsn, "SELECT count(*) FROM leg").strip() == str(ROWS_ONE_BY_ONE)
    return seconds


def test_collect_against_copy(
    material: Material,
    make_database: Callable[[], str],
    collected_in: CollectedIn,
    figures: Figures,
) -> None:
    ours, copy = [], []
    for _ in range(ROUNDS):
        copy.append(copied_in(material, make_database()))
        ours.append(collected_in(make_database(), material.csv, material.count))
    seconds = [spent.seconds for spent in ours]
    middle = sorted(ours)[ROUNDS // 2]
    figures.add(
        f"collect: {material.count:,} records of Master.csv → committed legs, against `psql \\copy`",
        ours=f"{per_second(material.count, middle.seconds, 'legs')}, {middle.cpu}",
        other=per_second(material.count, sorted(copy)[1], "legs"),
        ratio=ratio(seconds, copy),
        goal="≥ 0.8",
    )


def test_collect_against_one_row_inserts(
    material: Material,
    make_database: Callable[[], str],
    collected_in: CollectedIn,
    tmp_path: Path,
    figures: Figures,
) -> None:
    dsn = make_database()
    ours = collected_in(dsn, material.csv, material.count).seconds / material.count
    columns = Material.copy_columns
    values = " || ', ' || ".join(f"quote_nullable({column})" for column in columns.split(", "))
    statements = tmp_path / "inserts.sql"
    statements.write_text(
        psql(
            dsn,
            f"SELECT 'INSERT INTO leg ({columns}) VALUES (' || {values} || ');'"  # noqa: S608 - own columns
            f" FROM leg WHERE strpos(clid, chr(10)) = 0 ORDER BY acctid LIMIT {ROWS_ONE_BY_ONE}",
        )
    )
    other = inserted_in(make_database(), statements) / ROWS_ONE_BY_ONE
    figures.add(
        "collect, against one-row inserts with a commit each (as cdr_pgsql does, same table)",
        ours=per_second(1, ours, "legs"),
        other=per_second(1, other, "legs"),
        ratio=ratio([ours], [other]),
        goal="≥ 30",
    )


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """Records without raw newlines and invalid UTF-8, which line-wise readers would break on."""
    path = tmp_path_factory.mktemp("plain") / "plain.csv"
    backlog = Backlog(tame=True)
    written = backlog.write(path, backlog.repetitions(LINES))
    yield path, written
    path.unlink()


@pytest.mark.parametrize(
    ("what", "program", "load"),
    [
        ("rsyslog imfile + ompgsql (raw lines, no types, only a key)", "rsyslogd", rsyslog),
        ("pgloader (18 typed columns, the same indexes)", "pgloader", pgloader),
    ],
    ids=["rsyslog", "pgloader"],
)
def test_collect_against_loaders(  # noqa: PLR0917 - fixtures are parameters
    what: str,
    program: str,
    load: Callable[[str, Path, int, Path], float],
    plain: tuple[Path, int],
    make_database: Callable[[], str],
    collected_in: CollectedIn,
    tmp_path: Path,
    figures: Figures,
) -> None:
    path, count = plain
    if shutil.which(program) is None:
        figures.add(f"collect, against {what}", ours="", other="not installed")
        pytest.skip(f"{program} is not installed")
    ours = collected_in(make_database(), path, count).seconds
    other = load(make_database(), path, count, tmp_path)
    figures.add(
        f"collect, against {what}",
        ours=per_second(count, ours, "legs"),
        other=per_second(count, other, "rows"),
        ratio=ratio([ours], [other]),
    )
