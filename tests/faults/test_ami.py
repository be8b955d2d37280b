"""A manager interface is heard by the real daemon, through everything that can happen to a connection."""

from __future__ import annotations

import asyncio
import gzip
import random
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import asyncpg
import pytest
from support.ami import CAPTURED_MAPPINGS, MAPPINGS, cdr_block
from support.daemon import DaemonProcess, cdrd
from support.decoded import CAPTURES, master_files
from support.loopback import listening
from support.manager import Manager
from support.postgres import own_server
from support.sources import every_record_is_accounted_for
from support.waiting import DEADLINE, until, wait_until

CDRS = gzip.decompress((CAPTURES / "main" / "ami_cdr.log.gz").read_bytes())
STRETCHES = gzip.decompress((CAPTURES / "main" / "ami_stretches.log.gz").read_bytes())


@pytest.fixture
def manager() -> Iterator[Manager]:
    with listening(Manager()) as manager:
        yield manager


def source(folder: Path, manager: Manager, **more: Any) -> dict[str, Any]:
    secret = folder / "secret"
    secret.write_text("s3cret\n")
    return {
        "name": "ami",
        "kind": "asterisk-ami",
        "connect": manager.address,
        "username": "cdrd",
        "secret_file": str(secret),
        "zone": "America/New_York",
        "mappings": CAPTURED_MAPPINGS,
        **more,
    }


@pytest.fixture
def daemon(tmp_path: Path, dsn: str, manager: Manager) -> Iterator[DaemonProcess]:
    daemon = DaemonProcess(tmp_path, dsn, [source(tmp_path, manager)])
    daemon.write_config()
    daemon.add_reader()
    yield daemon
    daemon.kill()
    assert every_record_is_accounted_for(dsn)


def asked(dsn: str, sql: str) -> Any:
    """One value of the database."""

    async def ask() -> Any:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(ask())


def count(dsn: str, table: str) -> int:
    found: int = asked(dsn, f"SELECT count(*) FROM {table}")  # noqa: S608 - a name of ours
    return found


def stored(dsn: str, table: str, number: int) -> None:
    wait_until(lambda: count(dsn, table) >= number, what=f"{number} in {table}")


def metric(daemon: DaemonProcess, name: str) -> float:
    with urlopen(f"{daemon.url}/metrics", timeout=DEADLINE) as response:  # noqa: S310 - our own daemon
        lines = response.read().decode().splitlines()
    return next(
        float(line.split()[-1]) for line in lines if line.startswith(f'{name}{{source="ami"}}')
    )


def test_what_it_says_in_any_pieces_is_stored_once_beside_the_file_of_the_same_calls(
    daemon: DaemonProcess, manager: Manager, dsn: str
) -> None:
    """All 1232 legs come by both ways, those with events injected through a userfield as well."""
    path = daemon.folder / "Master.csv"
    path.write_bytes(b"".join(file.read_bytes() for file in master_files("main")))
    beside = {
        "name": "file",
        "kind": "asterisk-csv",
        "path": str(path),
        "zone": "America/New_York",
    }
    daemon.sources.append(beside)
    daemon.write_config()
    daemon.start()
    line = manager.connected()
    line.say_in_pieces(CDRS, random.Random(1), 300)
    stored(dsn, "leg", 1232)
    wait_until(
        lambda: asked(dsn, "SELECT count(*) FROM arrival") == 2 * 1232, what="both have delivered"
    )

    assert count(dsn, "leg") == 1232
    assert count(dsn, "suspense") == 0
    assert daemon.stop() == 0


def test_what_it_says_together_with_the_answer_to_the_login_is_heard(
    daemon: DaemonProcess, dsn: str
) -> None:
    at_once = b"\r\n\r\n".join(CDRS.split(b"\r\n\r\n")[:3]) + b"\r\n\r\n"
    with listening(Manager(at_once=at_once)) as manager:
        daemon.sources = [source(daemon.folder, manager)]
        daemon.write_config()
        daemon.start()
        stored(dsn, "leg", 3)

    assert count(dsn, "leg") == 3


def test_channel_events_and_queue_events_are_stored_beside_the_legs(
    daemon: DaemonProcess, manager: Manager, dsn: str
) -> None:
    daemon.start()
    manager.connected().say_in_pieces(STRETCHES, random.Random(2), 50)
    legs = STRETCHES.count(b"\r\nEvent: Cdr\r\n")
    stored(dsn, "leg", legs)
    stored(dsn, "queue_event", 16)
    events = STRETCHES.count(b"\r\nEvent: CEL\r\n")
    stored(dsn, "cel_event", events)

    found = [count(dsn, table) for table in ("leg", "cel_event", "queue_event", "suspense")]
    assert found == [legs, events, 16, 0]
    assert manager.logins[0]["Events"] == "cdr,call,agent"
    assert "Secret" not in manager.logins[0]


def test_a_peer_that_stops_inside_an_event_is_connected_to_again(
    daemon: DaemonProcess, manager: Manager, dsn: str
) -> None:
    """Once it hangs up, once it only falls silent."""
    first, second = CDRS.split(b"\r\n\r\n")[:2]
    daemon.sources = [{**daemon.sources[0], "keep_alive": "1s"}]
    daemon.write_config()
    daemon.start()
    line = manager.connected()
    line.say(first + b"\r\n\r\n" + second[:100])
    line.hang_up()
    line = manager.connected()
    manager.is_mute = True
    line.say(second + b"\r\n\r\n" + first[:200])
    stored(dsn, "suspense", 2)
    manager.is_mute = False
    manager.connected()
    stored(dsn, "leg", 2)

    assert count(dsn, "leg") == 2
    assert asked(dsn, "SELECT array_agg(DISTINCT reason) FROM suspense") == ["torn"]
    wait_until(
        lambda: metric(daemon, "cdrd_source_blind_since_seconds") == 0, what="it hears again"
    )
    # it was heard last two `keep_alive` before its silence was taken for an end
    assert metric(daemon, "cdrd_source_blind_seconds_total") >= 2.0


def test_an_event_inside_a_value_is_believed_in_nothing(
    daemon: DaemonProcess, manager: Manager, dsn: str
) -> None:
    daemon.sources = [{**daemon.sources[0], "mappings": MAPPINGS}]
    daemon.write_config()
    forged = cdr_block(Source="666").decode().rstrip()
    daemon.start()
    line = manager.connected()
    line.say(cdr_block(UniqueID="1795285487.1", UserField=f"x\r\n\r\n{forged}"))
    line.say(cdr_block(UniqueID="1795285487.2"))
    stored(dsn, "leg", 1)
    stored(dsn, "suspense", 1)

    assert asked(dsn, "SELECT array_agg(uniqueid) FROM leg") == ["1795285487.2"]
    assert asked(dsn, "SELECT array_agg(reason) FROM suspense") == ["ambiguous"]


def test_whoever_does_not_know_the_secret_hears_nothing_and_says_so(
    daemon: DaemonProcess, manager: Manager, dsn: str
) -> None:
    (daemon.folder / "secret").write_text("another-one\n")
    daemon.start()
    failed = wait_until(lambda: daemon.events("connecting_failed"), what="it says so")
    since = metric(daemon, "cdrd_source_blind_since_seconds")
    wait_until(lambda: asked(dsn, "SELECT failing_since FROM source_report"), what="status says so")
    shown = cdrd("-c", str(daemon.config), "status").stdout

    assert "Authentication failed" in failed[0]["error"]
    assert since > 0
    assert "blind" in shown
    assert "another-one" not in daemon.log_path.read_text() + shown
    assert manager.logins[0]["Username"] == "cdrd"


def test_a_peer_that_takes_the_connection_and_says_nothing_is_told_of(
    daemon: DaemonProcess, manager: Manager
) -> None:
    manager.is_mute = True
    daemon.start()
    failed = wait_until(lambda: daemon.events("connecting_failed"), what="it says so")

    assert failed[0]["error"] == f"{manager.address}: no answer in time"


def test_with_tls_the_peer_is_known_by_its_certificate(daemon: DaemonProcess, dsn: str) -> None:
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    key, certificate = daemon.folder / "key.pem", daemon.folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    with listening(Manager(tls=context)) as manager:
        daemon.sources = [source(daemon.folder, manager, tls="true", ca=str(certificate))]
        daemon.write_config()
        daemon.start()
        manager.connected().say(CDRS.split(b"\r\n\r\n")[0] + b"\r\n\r\n")
        stored(dsn, "leg", 1)

    assert manager.logins[0]["Secret"] == "s3cret"


def test_what_a_killed_daemon_missed_comes_by_the_file_beside(
    daemon: DaemonProcess, manager: Manager, dsn: str
) -> None:
    master = daemon.folder / "Master.csv"
    beside = {
        "name": "file",
        "kind": "asterisk-csv",
        "path": str(master),
        "zone": "America/New_York",
    }
    daemon.sources.append(beside)
    daemon.write_config()
    events = [event + b"\r\n\r\n" for event in CDRS.split(b"\r\n\r\n")[:9]]
    records = (CAPTURES / "main" / "cdr-csv" / "Master.csv.renamed-1").read_bytes()
    written = records.splitlines(keepends=True)[:9]

    def happen(numbers: range, line: Any = None) -> None:
        with master.open("ab") as file:
            file.write(b"".join(written[number] for number in numbers))
        if line is not None:
            line.say(b"".join(events[number] for number in numbers))

    daemon.start()
    happen(range(3), manager.connected())
    stored(dsn, "arrival", 6)
    daemon.kill()
    happen(range(3, 6))
    daemon.start()
    happen(range(6, 9), manager.connected())
    stored(dsn, "leg", 9)
    wait_until(lambda: count(dsn, "arrival") == 9 + 6, what="everything was delivered by everybody")

    assert count(dsn, "leg") == 9
    heard = daemon.events("source_heard")
    assert heard[0]["seconds"] > 0


def test_what_is_heard_while_the_database_is_away_is_stored_when_it_is_back(
    tmp_path: Path, manager: Manager
) -> None:
    with own_server() as (server, dsn):
        daemon = DaemonProcess(tmp_path, dsn, [source(tmp_path, manager)])
        daemon.write_config()
        daemon.migrate()
        events = [event + b"\r\n\r\n" for event in CDRS.split(b"\r\n\r\n")[:60]]
        daemon.start()
        try:
            line = manager.connected()
            line.say(b"".join(events[:20]))
            stored(dsn, "leg", 20)
            server.stop()
            line.say(b"".join(events[20:40]))
            server.ensure_postgres_running()
            line.say(b"".join(events[40:]))
            stored(dsn, "leg", 60)
        finally:
            code = daemon.stop()
        found = count(dsn, "leg")
        assert every_record_is_accounted_for(dsn)

    assert (found, code) == (60, 0)


def test_a_claim_whose_answer_was_lost_is_not_that_of_another_daemon(
    daemon: DaemonProcess, manager: Manager, dsn: str
) -> None:
    """The epoch is one further than the daemon knows; nothing that was heard is dropped for that."""
    events = [event + b"\r\n\r\n" for event in CDRS.split(b"\r\n\r\n")[:40]]
    daemon.start()
    line = manager.connected()
    line.say(b"".join(events[:20]))
    stored(dsn, "leg", 20)
    asked(dsn, "UPDATE source SET epoch = epoch + 1 RETURNING epoch")
    line.say(b"".join(events[20:]))
    stored(dsn, "leg", 40)

    assert len(daemon.events("source_heard")) == 1
    assert not daemon.events("heard_records_dropped")


async def test_what_is_heard_waits_while_the_database_takes_a_connection_that_ended_for_alive(
    daemon: DaemonProcess, manager: Manager, dsn: str
) -> None:
    """Somebody else holds the lock instead of the connection that the daemon has lost."""
    events = [event + b"\r\n\r\n" for event in CDRS.split(b"\r\n\r\n")[:40]]
    daemon.start()
    line = manager.connected()
    line.say(b"".join(events[:20]))
    await asyncio.to_thread(stored, dsn, "leg", 20)
    database, dead = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
    source_id = await database.fetchval("SELECT source_id FROM source")
    taking = asyncio.ensure_future(
        dead.execute("SELECT pg_advisory_lock(1129202276, $1)", source_id)
    )
    claims = (
        "FROM pg_locks JOIN pg_database ON oid = database"
        " WHERE datname = current_database() AND classid = 1129202276"
    )
    waits = f"SELECT EXISTS (SELECT {claims} AND NOT granted)"
    await until(lambda: database.fetchval(waits), "it waits for the lock")
    await database.execute(f"SELECT pg_terminate_backend(pid) {claims} AND granted")
    await taking
    line.say(b"".join(events[20:]))
    asks = (
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()"
        " AND query ~ 'try_advisory' AND state = 'idle')"
    )
    await until(lambda: database.fetchval(asks), "the daemon asks for its claim")
    await dead.close()
    await asyncio.to_thread(stored, dsn, "leg", 40)
    await database.close()

    assert len(daemon.events("source_heard")) == 1
    assert not daemon.events("heard_records_dropped")
