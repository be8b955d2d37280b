"""The whole daemon as a process: what signals do, what a reload may change, what systemd hears."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from support.daemon import DaemonProcess, Poller, cdrd
from support.pbx import Pbx, number_of
from support.systemd import listening_systemd
from support.tls import certificate_in
from support.waiting import wait_until

from cdrd import metrics
from cdrd.settings import DatabaseSettings
from cdrd.store.database import Database
from cdrd.upkeep import keep_partitions


def source(path: Path, **more: Any) -> dict[str, Any]:
    return {"name": "pbx1", "kind": "asterisk-csv", "path": str(path), **more}


@pytest.fixture
def pbx(tmp_path: Path) -> Pbx:
    return Pbx(tmp_path / "Master.csv")


@pytest.fixture
def daemon(tmp_path: Path, dsn: str, pbx: Pbx) -> Iterator[DaemonProcess]:
    """A daemon that follows the PBX, and a reader; not started."""
    daemon = DaemonProcess(tmp_path, dsn, [source(pbx.path)])
    daemon.write_config()
    daemon.add_reader()
    yield daemon
    daemon.kill()


def reload(daemon: DaemonProcess, *, event: str = "reloaded") -> dict[str, Any]:
    """SIGHUP, and what the log says of it."""
    before = len(daemon.events(event))
    daemon.send(signal.SIGHUP)
    wait_until(lambda: len(daemon.events(event)) > before, what=event)
    return daemon.events(event)[-1]


def served(daemon: DaemonProcess, pbx: Pbx) -> list[int]:
    """The number of each record that is served once all of them are."""
    poller = Poller(daemon)
    poller.poll_until(pbx.written)
    return sorted(number_of(row["uniqueid"]) for row in poller.rows)


def test_a_sigterm_under_load_loses_and_doubles_nothing(daemon: DaemonProcess, pbx: Pbx) -> None:
    finished = threading.Event()

    def write() -> None:
        while not finished.wait(0.01):
            pbx.append(5)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        codes = []
        for _ in range(2):
            daemon.start()
            wait_until(lambda: daemon.read(maxRows=1).get("numRows"), what="something is served")
            codes.append(daemon.stop())
    finally:
        finished.set()
        writer.join()
    daemon.start()

    assert codes == [0, 0]
    assert served(daemon, pbx) == list(range(pbx.written))
    assert daemon.stop() == 0
    assert daemon.events("stopped")


def test_a_reload_takes_up_what_changed_and_leaves_the_rest(
    daemon: DaemonProcess, pbx: Pbx, tmp_path: Path
) -> None:
    pbx.append(3)
    daemon.start()
    assert served(daemon, pbx) == [0, 1, 2]
    other = Pbx(tmp_path / "other" / "Master.csv")
    other.path.parent.mkdir()
    other.append(2)
    daemon.sources.append({**source(other.path), "name": "pbx2", "pbx": "other"})
    daemon.write_config()

    assert reload(daemon)["restarted"] == []
    Poller(daemon).poll_until(5)
    pbx.append(1)
    Poller(daemon).poll_until(6)


def test_status_accounts_for_every_record_in_eighty_columns(
    daemon: DaemonProcess, pbx: Pbx
) -> None:
    pbx.append(3)
    with pbx.path.open("ab") as file:
        file.write(b'"too","short"\n')
    daemon.start()
    served(daemon, pbx)

    told = wait_until(
        lambda: (
            (status := cdrd("-c", str(daemon.config), "status").stdout)
            and "waiting in suspense 1" in status
            and status
        ),
        what="the short record is in suspense",
    )

    assert told.startswith("pbx1 (asterisk-csv, PBX default): collecting")
    assert "records 4: legs 3, events 0, suspended 1, duplicates 0" in told
    assert "newest acctid 3, served up to 3, settled up to 0" in told
    assert max(map(len, told.splitlines())) <= 80


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"sources": [{"name": "pbx1", "kind": "nonsense"}]}, "cdrd.yaml:"),
    ({"enrich": {"companies": "/nowhere/companies.yaml"}}, "/nowhere/companies.yaml"),
    ({"serve": {"certificate": "/nowhere/c.pem", "key": "/nowhere/k.pem"}}, "serve.certificate"),
    ({"serve": {"trusted_proxies": ["proxy.example"]}}, "serve.trusted_proxies"),
    (
        {"sources": [{**source(Path("/x.csv")), "kind": "asterisk-custom", "columns": ["src"]}]},
        "sources: pbx1: columns: start is missing",
    ),
    (
        {"sources": [source(Path("/x/a.csv")), {**source(Path("/x/*.csv")), "name": "all"}]},
        "pbx1 and all both follow",
    ),
]


def test_a_reload_with_a_mistake_changes_nothing_and_says_why(
    daemon: DaemonProcess, pbx: Pbx
) -> None:
    daemon.start()
    good = json.loads(daemon.config.read_text())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for wrong, words in [*WRONG, ({"serve": {"port": str(port)}}, f"port {port}")]:
            daemon.config.write_text(json.dumps({**good, **wrong}))
            problems = reload(daemon, event="reload_refused")["problems"]

            assert words in " ".join(problems)
    pbx.append(2)

    assert served(daemon, pbx) == [0, 1]
    daemon.config.write_text(json.dumps(good))
    assert reload(daemon)["restarted"] == []


def test_a_certificate_renewed_under_its_name_is_taken_up(
    daemon: DaemonProcess, tmp_path: Path
) -> None:
    certificate = certificate_in(tmp_path)
    serve = {"port": "0", "certificate": str(certificate), "key": str(tmp_path / "key.pem")}
    daemon.more = {"serve": serve}
    daemon.write_config()
    daemon.start()
    assert reload(daemon)["restarted"] == []
    certificate_in(tmp_path)
    context = ssl.create_default_context(cafile=str(certificate))

    assert reload(daemon)["restarted"] == ["serve"]
    again = wait_until(lambda: daemon.events("listening")[1:], what="it listens again")
    host, port = again[-1]["url"].removeprefix("https://").split(":")
    with (
        socket.create_connection((host, int(port))) as plain,
        context.wrap_socket(plain, server_hostname=host),
    ):
        pass  # the old one would not fit


def test_a_source_that_was_taken_out_is_anothers_at_once(
    daemon: DaemonProcess, pbx: Pbx, tmp_path: Path
) -> None:
    pbx.append(3)
    daemon.start()
    assert served(daemon, pbx) == [0, 1, 2]
    daemon.sources.clear()
    daemon.write_config()
    reload(daemon)
    with urlopen(f"{daemon.url}/metrics") as answer:  # noqa: S310 - our own daemon on loopback
        assert b'cdrd_source_up{source="pbx1"}' not in answer.read()
    (tmp_path / "second").mkdir()
    second = DaemonProcess(tmp_path / "second", daemon.dsn, [source(pbx.path)])
    second.write_config()
    second.start()
    try:
        pbx.append(2)

        assert served(second, pbx) == [0, 1, 2, 3, 4]
        assert second.events("source_claimed_elsewhere") == []
    finally:
        second.stop()


def test_systemd_hears_when_it_is_ready_reloads_lives_and_stops(daemon: DaemonProcess) -> None:
    with listening_systemd(str(daemon.folder / "notify")) as systemd:
        daemon.environment = {**systemd.environment, "WATCHDOG_USEC": "300000"}
        daemon.start()
        wait_until(
            lambda: {"READY=1", "WATCHDOG=1"} <= {*systemd.heard}, what="it is ready, it beats"
        )
        systemd.heard.clear()
        reload(daemon)
        wait_until(lambda: "READY=1" in systemd.heard, what="it is ready again")
        assert systemd.heard.index("RELOADING=1") < systemd.heard.index("READY=1")
        assert any(line.startswith("MONOTONIC_USEC=") for line in systemd.heard)
        assert "STATUS=4 parts running" in systemd.heard
        daemon.config.write_text("nonsense: 1")
        reload(daemon, event="reload_refused")
        refused = "STATUS=4 parts running; the last reload was refused, the log says why"
        wait_until(lambda: refused in systemd.heard, what="it says that it runs on as before")
        assert daemon.stop() == 0
        wait_until(lambda: "STOPPING=1" in systemd.heard, what="it stops")


async def test_a_row_in_the_way_of_a_partition_alarms(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute("UPDATE counter SET value = 45_000_000 WHERE name = 'acctid'")
        await connection.execute(
            "INSERT INTO attribution (acctid, reason, is_ivr, is_park, is_pick, is_auth,"
            " is_bounce, rule_set_id, directory_version, seen_acctid, revision)"
            " VALUES (45000000, 'fault', false, false, false, false, false, 0, 0, 45000000, 1)"
        )
    await keep_partitions(DatabaseSettings(), database)

    assert metrics.REGISTRY.get_sample_value("cdrd_legs_outside_partitions") == 1


async def test_partitions_are_there_before_the_first_leg(
    tmp_path: Path, dsn: str, pbx: Pbx
) -> None:
    """Also when a daemon starts on a backlog with a schema that was made just now."""
    async with Database(dsn) as database, database.connection() as connection:
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    pbx.append_at_once(5)
    daemon = DaemonProcess(tmp_path, dsn, [source(pbx.path)])
    daemon.write_config()
    daemon.migrate()
    daemon.start()
    try:
        made = [
            daemon.log_path.read_text().index(name) for name in ("partitions_created", "started")
        ]
    finally:
        daemon.stop()

    assert made == sorted(made)
