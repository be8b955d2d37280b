"""The script that the documentation gives to billers, run against the real daemon."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.daemon import DaemonProcess
from support.legs import leg
from support.ports import held_port
from support.postgres import kill_server, own_server
from support.reading import add_user
from support.waiting import wait_until

from cdrd.decode.cdr_csv import write_csv
from cdrd.records import Leg
from cdrd.store.database import Database

SCRIPT = Path(__file__).parents[2] / "config" / "examples" / "poll.py"
CALLS = 30


def companies(owner: str) -> str:
    """Every telephone belongs to one company, the other has none."""
    other = "globex" if owner == "acme" else "acme"
    owns = {"name": owner, "endpoints": ["PJSIP/acme-{ext}"], "extensions": ["101-199"]}
    return json.dumps({"companies": {owner: owns, other: {"name": other, "contexts": ["other"]}}})


class Biller:
    """The script as a process, and the copy that it keeps."""

    def __init__(self, folder: Path, url: str, token: str) -> None:
        self._path = folder / "calls.sqlite"
        self._command = [sys.executable, str(SCRIPT), url, str(self._path)]
        self._environment = {**os.environ, "CDRD_TOKEN": token, "CDRD_PAUSE": "0.02"}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, env=self._environment)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def rows(self) -> dict[int, Any]:
        """What is in the copy."""
        try:
            with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)) as copy:
                return {n: json.loads(row) for n, row in copy.execute("SELECT * FROM record")}
        except sqlite3.OperationalError:  # it has not made its table yet
            return {}


@pytest.fixture
def server() -> Iterator[tuple[Any, str]]:
    """A PostgreSQL that the test may kill, and its DSN."""
    with own_server() as server:
        yield server


@pytest.fixture
def daemon(server: tuple[Any, str], tmp_path: Path) -> Iterator[DaemonProcess]:
    """It comes back at the same address."""
    path = tmp_path / "companies.yaml"
    path.write_text(companies("acme"))
    source = {"name": "hq", "kind": "asterisk-csv", "path": str(tmp_path / "Master.csv")}
    (tmp_path / "Master.csv").touch()
    with held_port() as port:
        more = {
            "enrich": {"companies": str(path), "settle_after": "1ms"},
            "serve": {"port": str(port)},
        }
        daemon = DaemonProcess(tmp_path, server[1], [source], more=more)
        daemon.write_config()
        daemon.migrate()
        daemon.start()
        yield daemon
        daemon.stop()


def token_of(daemon: DaemonProcess, login: str, *companies: str) -> str:
    async def work() -> str:
        async with Database(daemon.dsn) as database:
            return await add_user(database, login, companies=companies or None)

    return asyncio.run(work())


def append(daemon: DaemonProcess, *legs: Leg) -> None:
    with (daemon.folder / "Master.csv").open("ab") as file:
        for one in legs:
            file.write(write_csv(one, zone="UTC", columns=21))


def reload(daemon: DaemonProcess, owner: str) -> None:
    """The telephones change hands, for calls that are decided from now on."""
    told = len(daemon.events("directory_loaded"))
    (daemon.folder / "companies.yaml").write_text(companies(owner))
    daemon.send(signal.SIGHUP)
    wait_until(
        lambda: len(daemon.events("directory_loaded")) > told, what="the directory is loaded"
    )


def somebody_dies(turn: int, daemon: DaemonProcess, server: Any) -> None:
    """In some turns the database, in some the daemon; each comes back."""
    if turn % 16 == 2:
        kill_server(server)
        server.ensure_postgres_running()
    elif turn % 16 == 5:
        daemon.kill()
        daemon.start()


def served(daemon: DaemonProcess) -> dict[int, Any]:
    """Everything, as it is served at last."""
    page = daemon.read(minID=0, maxRows=10_000)
    return {row["acctid"]: row for row in page.get("values", ())}


def test_a_biller_neither_misses_nor_doubles_a_row_and_ends_with_the_last_word(
    server: tuple[Any, str],
    daemon: DaemonProcess,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    """Calls come while their late legs move others to another company; billers, daemon and database die."""
    daemon.add_reader()
    billers = {}
    for login, companies in (("all", ()), ("acme", ("acme",)), ("globex", ("globex",))):
        folder = tmp_path / login
        folder.mkdir()
        billers[login] = Biller(folder, daemon.url, token_of(daemon, login, *companies))
        billers[login].start()
        request.addfinalizer(billers[login].kill)
    chance = random.Random(20)
    names = [f"1795285487.{n}" for n in range(CALLS)]
    owners = iter(("globex", "acme", "globex"))
    count = 0
    for turn, name in enumerate(names):
        late = chance.sample(names[:turn], min(turn, 2))
        append(daemon, *(leg(one) for one in (name, *late)))
        count += 1 + len(late)
        somebody_dies(turn, daemon, server[0])
        if turn % 8 == 7:
            wait_until(lambda n=count: len(served(daemon)) == n, what="every leg is served")
            reload(daemon, next(owners))
            for biller in billers.values():
                biller.kill()
                biller.start()

    def right(biller: Biller, sees: Callable[[Any], bool]) -> bool:
        wanted = {n: row for n, row in served(daemon).items() if sees(row)}
        return biller.rows() == wanted

    def of(company: str) -> Callable[[Any], bool]:
        seen = ("company", "target", "bill_to")
        return lambda row: company in {row["properties"].get(name) for name in seen}

    wait_until(lambda: len(served(daemon)) == count, what="every leg is served")
    for login, biller in billers.items():
        sees = (lambda _: True) if login == "all" else of(login)
        wait_until(lambda b=biller, s=sees: right(b, s), what=f"the copy of {login} is right")
    moved = {row["properties"]["company"] for row in served(daemon).values()}
    assert moved == {"acme", "globex"}
