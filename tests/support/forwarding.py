"""The real forwarder as a process of its own, and the collector that it ships to."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cdrd.store.database import Database
from support.daemon import DaemonProcess, cdrd
from support.ports import held_port
from support.program import Program
from support.pushing import pusher
from support.sources import ask
from support.waiting import wait_until


@dataclass
class ForwarderProcess(Program):
    """`cdrd forward` with settings of its own."""

    name = "forward"

    url: str
    token: str
    sources: list[dict[str, Any]]
    collector: dict[str, Any] = field(default_factory=dict)

    def write_config(self) -> None:
        """JSON is YAML; the token is in a file beside it."""
        settings = {
            "collector": {"url": self.url, "longest_pause": "1s", **self.collector},
            "sources": self.sources,
            "logs": {"form": "json"},
        }
        self.config.write_text(json.dumps(settings, indent=1))
        (self.folder / "token").write_text(self.token + "\n")

    def start(self) -> None:
        """Starts it without waiting for anything."""
        self.launch("forward", "--config", str(self.config))

    def check(self) -> subprocess.CompletedProcess[str]:
        """`cdrd forward --check`."""
        return cdrd("forward", "--config", str(self.config), "--check")

    def memory_kib(self) -> int:
        """The most that it ever had in memory."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1])


@dataclass
class Collector:
    """A daemon that takes what is forwarded to it, its database, and a token for all of its sources."""

    daemon: DaemonProcess
    dsn: str
    token: str = ""

    @property
    def url(self) -> str:
        return self.daemon.url

    def asked(self, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """The rows of a question to its database."""

        async def work() -> list[tuple[Any, ...]]:
            async with Database(self.dsn) as database:
                return await ask(database, sql, *arguments)

        return asyncio.run(work())

    def stored_bytes(self, source: str) -> int:
        """How many bytes of all files of a source are stored."""
        [(count,)] = self.asked(
            "SELECT coalesce(sum(byte_offset), 0)::bigint"
            " FROM position JOIN file USING (file_id) JOIN source USING (source_id) WHERE name = $1",
            source,
        )
        return int(count)

    def places(self, source: str) -> list[tuple[int, int, int, str]]:
        """File, line, offset and uniqueid of each leg of a source, in the order they were stored."""
        rows = self.asked(
            "SELECT file_id, line, byte_offset, uniqueid FROM leg JOIN source USING (source_id)"
            " WHERE name = $1 ORDER BY acctid",
            source,
        )
        return [(int(row[0]), int(row[1]), int(row[2]), str(row[3])) for row in rows]

    def wait_for_bytes(self, source: str, count: int) -> None:
        """Until so many bytes are stored."""
        wait_until(lambda: self.stored_bytes(source) >= count, what=f"{count} of {source}")

    def wait_for_legs(self, source: str, count: int) -> None:
        """Until so many legs are stored."""
        wait_until(lambda: len(self.places(source)) >= count, what=f"{count} of {source}")


@contextmanager
def collecting(
    folder: Path, dsn: str, sources: list[dict[str, Any]], **serve: Any
) -> Iterator[Collector]:
    """A collector, and its end. It has the same port each time that it is started."""
    with held_port() as port:
        settings = {"serve": {"port": str(port), **serve}}
        taken = [{"forward": "true", **one} for one in sources]
        daemon = DaemonProcess(folder, dsn, taken, settings)
        daemon.write_config()
        daemon.start()
        try:
            token = pusher(daemon, "branch", *(source["name"] for source in sources)).token
            yield Collector(daemon, dsn, token)
        finally:
            daemon.kill()


@contextmanager
def forwarding(
    folder: Path, collector: Collector, sources: list[dict[str, Any]], **settings: Any
) -> Iterator[ForwarderProcess]:
    """A forwarder, not started yet; what is left of it at the end is killed."""
    url = settings.pop("url", collector.url)
    forwarder = ForwarderProcess(folder, url, collector.token, sources, settings)
    forwarder.write_config()
    try:
        yield forwarder
    finally:
        forwarder.kill()


def followed(folder: Path, name: str, file: str = "Master.csv") -> dict[str, Any]:
    """A source as the forwarder's settings have it."""
    return {"name": name, "path": str(folder / file), "idle_poll": "20ms"}
