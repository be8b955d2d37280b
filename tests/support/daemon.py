"""The real daemon as a process of its own, and a client that polls it as a billing script would."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from support.commands import Commands
from support.program import Program
from support.waiting import DEADLINE, wait_until

LOGIN, PASSWORD = "poller", "a long enough password"


def cdrd(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs a command of cdrd to its end."""
    return subprocess.run(
        [sys.executable, "-m", "cdrd", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
        **options,
    )


@dataclass
class DaemonProcess(Program):
    """`cdrd run` with settings of its own."""

    name = "cdrd"

    dsn: str
    sources: list[dict[str, Any]]
    more: dict[str, Any] = field(default_factory=dict)
    roles: tuple[str, ...] = ()
    prefix: tuple[str, ...] = ()
    """What it is started by: a program that takes something away from it."""
    environment: dict[str, str] = field(default_factory=dict)
    url: str = field(default="", init=False)

    def write_config(self) -> None:
        """JSON is YAML. No leg is served undecided because the machine is slow."""
        settings = {
            "database": {"dsn": self.dsn},
            "sources": self.sources,
            "logs": {"form": "json"},
            **self.more,
            "serve": {"port": "0", "deadline": "1h", **self.more.get("serve", {})},
        }
        self.config.write_text(json.dumps(settings, indent=1))

    def command(self, *words: str, answer: str = "") -> str:
        """What a command of cdrd prints that must end well.

        For what a test needs and does not ask about; in a thread, which has no loop yet.
        """
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(Commands(self.config).well, *words, given=answer).result()

    def migrate(self) -> None:
        """Makes the schema, where the database is not a clone that has it."""
        self.command("migrate")

    def add_reader(self) -> None:
        """A principal that may read every raw record."""
        permission = ("--permission", "billing call-summary", "--password-stdin")
        self.command("user", "add", LOGIN, *permission, answer=PASSWORD + "\n")

    def spawn(self) -> None:
        """Starts it without waiting for anything."""
        roles = [word for role in self.roles for word in ("--role", role)]
        self.launch(
            "-c", str(self.config), "run", *roles, prefix=self.prefix, environment=self.environment
        )

    def start(self) -> None:
        """Starts it and waits until it serves."""
        self.spawn()
        self.wait_ready()

    def wait_ready(self) -> None:
        """Until it has said where it listens, and all its parts run."""
        self.wait_for("started")
        listening = self.events("listening")
        self.url = listening[-1]["url"].rstrip("/") if listening else ""

    def read(self, **scope: Any) -> dict[str, Any]:
        """One page of /rest/call/read; a dictionary with result `away` when nobody answers."""
        body = json.dumps({"type": "cdr", "scope": scope}).encode()
        credentials = b64encode(f"{LOGIN}:{PASSWORD}".encode()).decode()
        request = Request(  # noqa: S310 - our own daemon on loopback
            f"{self.url}/rest/call/read",
            data=body,
            headers={"Authorization": f"Basic {credentials}", "Content-Type": "application/json"},
        )
        try:
            with urlopen(request, timeout=DEADLINE) as response:  # noqa: S310 - as above
                page: dict[str, Any] = json.load(response)
        except HTTPError as error:
            with error:
                page = json.load(error)
        except (OSError, HTTPException):
            page = {"result": "away"}
        return page


class Poller:
    """Follows minID as the documentation tells billing scripts to, and remembers every row it was given."""

    def __init__(self, daemon: DaemonProcess) -> None:
        self.daemon = daemon
        self.rows: list[dict[str, Any]] = []

    @property
    def acctids(self) -> list[int]:
        return [row["acctid"] for row in self.rows]

    def poll(self, most: int = 500) -> str:
        """One request; the rows behind the last seen acctid."""
        next_id = self.rows[-1]["acctid"] + 1 if self.rows else 0
        page = self.daemon.read(minID=next_id, maxRows=most)
        if page["result"] == "success":
            self.rows += page["values"]
        return str(page["result"])

    def poll_until(self, count: int) -> None:
        """Until so many rows were given."""

        def enough() -> bool:
            self.poll()
            return len(self.rows) >= count

        wait_until(enough, what=f"{count} rows served")
