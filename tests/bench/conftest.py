"""What every benchmark stands on: the figures, fresh databases of one server, and the same backlog."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from bench.backlog import ZONE, Backlog
from bench.companies import write_companies
from bench.figures import Figures
from bench.programs import Look, psql, seconds_of
from support.daemon import LOGIN, DaemonProcess, cdrd

from cdrd.records import COPY_COLUMNS

LEGS = 300_000
OTHER_COMPANIES = 1000
"""How many companies the daemons know beside those that call."""
_numbers = count()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is a benchmark."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.bench)


@pytest.fixture(scope="session")
def figures(server_dsn: str) -> Iterator[Figures]:
    """The table, printed when all is measured."""
    with Look(server_dsn) as look:
        settings = look.rows(
            "SELECT name, current_setting(name) AS value FROM pg_settings WHERE name = ANY($1)",
            ["server_version", "fsync", "synchronous_commit", "shared_buffers", "max_wal_size"],
        )
    words = ", ".join(f"{row['name']} {row['value']}" for row in settings)
    print(f"\n{os.cpu_count()} cores; PostgreSQL: {words}")
    figures = Figures()
    yield figures
    print(f"\n\n{figures.table()}")


@pytest.fixture(scope="session")
def make_database(server_dsn: str, template: str) -> Iterator[Callable[[], str]]:
    """Makes migrated, empty databases, told by their DSN; each goes when the next one is asked for."""
    made: list[str] = []

    async def execute(sql: str) -> None:
        connection = await asyncpg.connect(server_dsn)
        await connection.execute(sql)
        await connection.close()

    def drop() -> None:
        while made:
            asyncio.run(execute(f'DROP DATABASE "{made.pop()}" WITH (FORCE)'))

    def make() -> str:
        drop()
        made.append(f"cdrd_bench_{os.getpid()}_{next(_numbers)}")
        asyncio.run(execute(f'CREATE DATABASE "{made[0]}" TEMPLATE "{template}"'))
        return urlunsplit(urlsplit(server_dsn)._replace(path=f"/{made[0]}"))

    yield make
    drop()


@dataclass(frozen=True)
class Material:
    """The same records as a PBX wrote them, and as COPY text of the legs they become."""

    csv: Path
    legs: Path
    count: int

    copy_columns = ", ".join(("acctid", "source_id", "file_id", *COPY_COLUMNS))

    def copy(self, dsn: str) -> None:
        """The plain COPY that everything is measured by: one transaction, nothing but the legs."""
        psql(dsn, f"\\copy leg ({self.copy_columns}) FROM '{self.legs}'")


def copied_in(material: Material, dsn: str) -> float:
    """Seconds of psql's copy of the same legs."""
    with Look(dsn) as look:
        look.checkpoint()
        seconds = seconds_of(lambda: material.copy(dsn))
        assert look.value("SELECT count(*) FROM leg") == material.count
    return seconds


NEWEST = "SELECT value FROM counter WHERE name = 'acctid'"
HORIZON = """
SELECT coalesce(
    (SELECT min(first_acctid) - 1 FROM work WHERE stage = 'enrich'),
    (SELECT value FROM counter WHERE name = 'acctid')
)
"""
"""The horizon of the feed as it is when no deadline cuts the wait short."""


def master_csv_source(folder: Path) -> dict[str, str]:
    """The source of a daemon that follows Master.csv of a folder."""
    path = str(folder / "Master.csv")
    return {"name": "pbx1", "kind": "asterisk-csv", "path": path, "zone": ZONE}


class Daemons:
    """Daemons that run until they are told to stop together."""

    def __init__(self) -> None:
        self._running: list[DaemonProcess] = []

    def start(
        self,
        dsn: str,
        folder: Path,
        *,
        roles: tuple[str, ...] = (),
        companies: int | Path | None = OTHER_COMPANIES,
    ) -> DaemonProcess:
        """Starts one that follows Master.csv of the folder and knows the companies of the captured calls.

        Or those of a file; with None it has no such file: what was applied before is in force.
        """
        folder.mkdir(exist_ok=True)
        if isinstance(companies, int):
            companies = write_companies(folder / "companies.yaml", companies)
        more = {"enrich": {"companies": str(companies)}} if companies else {}
        daemon = DaemonProcess(folder, dsn, [master_csv_source(folder)], more=more, roles=roles)
        daemon.write_config()
        self._running.append(daemon)
        daemon.start()
        return daemon

    def stop(self) -> None:
        """Stops those that run; each must end well."""
        ended = [self._running.pop().stop() for _ in tuple(self._running)]
        assert not any(ended), ended


def new_token(daemon: DaemonProcess) -> str:
    """The token of a reader who may read everything."""
    daemon.add_reader()
    done = cdrd("-c", str(daemon.config), "token", "add", LOGIN, "--quiet")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def daemons() -> Iterator[Daemons]:
    """Daemons that are stopped when the benchmark ends."""
    daemons = Daemons()
    yield daemons
    daemons.stop()


@pytest.fixture(scope="session")
def material(
    tmp_path_factory: pytest.TempPathFactory, make_database: Callable[[], str]
) -> Iterator[Material]:
    """Some three hundred thousand records, collected once so that their legs can be copied out."""
    folder = tmp_path_factory.mktemp("material")
    backlog = Backlog()
    csv, legs = folder / "backlog.csv", folder / "legs.copy"
    written = backlog.write(csv, backlog.repetitions(LEGS))
    dsn = make_database()
    daemons = Daemons()
    try:
        daemon = daemons.start(dsn, folder, roles=("collect",))
        os.link(csv, folder / "Master.csv")
        with Look(dsn) as look:
            look.wait(NEWEST, written, daemon)
    finally:
        daemons.stop()
    columns = Material.copy_columns
    psql(dsn, f"\\copy (SELECT {columns} FROM leg ORDER BY acctid) TO '{legs}'")  # noqa: S608 - own columns
    yield Material(csv, legs, written)
    for path in (csv, legs, folder / "Master.csv"):
        path.unlink()
