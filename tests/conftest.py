"""One real PostgreSQL for the whole session, a migrated template in it, and a clone for each test."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, settings
from support.postgres import cloned, own_server
from support.program import end_all

from cdrd.store.database import Database
from cdrd.store.legs import create_partitions
from cdrd.store.migrate import migrate

# how long an example takes to make or to run says how busy the machine is, and nothing of the product
settings.register_profile("cdrd", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("cdrd")


@pytest.fixture(scope="session", autouse=True)
def nothing_runs_on() -> Iterator[None]:
    """Also where a test has failed before it could end what it started."""
    yield
    end_all()


@pytest.fixture(scope="session")
def server_dsn() -> Iterator[str]:
    """The server of the tests: CDRD_TEST_DSN where given (any PostgreSQL from 15), else an embedded one."""
    given = os.environ.get("CDRD_TEST_DSN")
    if given:
        yield given
        return
    with own_server() as (_, dsn):
        yield dsn


@pytest.fixture(scope="session")
def template(server_dsn: str) -> Iterator[str]:
    """The name of a migrated database that is cloned for each test."""

    async def build(dsn: str) -> None:
        async with Database(dsn) as database:
            await migrate(database)
            await create_partitions(database, size=10_000_000, ahead=10_000_000)

    with cloned(server_dsn) as dsn:
        asyncio.run(build(dsn))
        yield urlsplit(dsn).path.removeprefix("/")


@pytest.fixture
def dsn(server_dsn: str, template: str) -> Iterator[str]:
    """The DSN of a database of the test's own, migrated and empty."""
    with cloned(server_dsn, template) as dsn:
        yield dsn


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    """The test's own database, open."""
    async with Database(dsn) as database:
        yield database


@pytest.fixture
def passable() -> Iterator[Path]:
    """A folder of the test's own that the ordinary user of an embedded server may pass through.

    pytest's own folder is shut to others, again by each session that begins.
    """
    with tempfile.TemporaryDirectory(prefix="cdrd-tests-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
