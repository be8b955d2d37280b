"""A 3CX writes its records to a socket: it connects to the daemon, or the daemon to it."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from support.daemon import DaemonProcess
from support.posted import THREECX
from support.waiting import DEADLINE, wait_until


def record(number: int) -> bytes:
    return THREECX.replace(b"265500", b"%d" % (265500 + number))


def uniqueids(daemon: DaemonProcess) -> list[str]:
    page = daemon.read(minID=0, raw=True)
    return sorted(row["uniqueid"] for row in page.get("values", ()))


def daemon_with(folder: Path, dsn: str, **way: str) -> DaemonProcess:
    source: dict[str, Any] = {"name": "3cx", "kind": "3cx", **way}
    daemon = DaemonProcess(folder, dsn, [source])
    daemon.write_config()
    daemon.add_reader()
    daemon.start()
    return daemon


def test_a_3cx_that_connects_is_listened_to(tmp_path: Path, dsn: str) -> None:
    """Records are stored while the connection is open, those it sends again only once."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    daemon = daemon_with(tmp_path, dsn, listen=address)
    wait_until(lambda: daemon.events("source_listening"), what="it listens")
    host, port = address.split(":")
    with socket.create_connection((host, int(port))) as pbx:
        pbx.sendall(record(0) + record(1) + record(2)[:40])
        wait_until(lambda: len(uniqueids(daemon)) == 2, what="two are stored")
        pbx.sendall(record(2)[40:])
        wait_until(lambda: len(uniqueids(daemon)) == 3, what="three are stored")
    with socket.create_connection((host, int(port))) as pbx:
        pbx.sendall(record(1) + record(2) + record(3))
        wait_until(lambda: len(uniqueids(daemon)) == 4, what="four are stored")

    assert daemon.stop() == 0


def test_a_3cx_that_listens_is_connected_to_again_and_again(tmp_path: Path, dsn: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as pbx:
        pbx.settimeout(DEADLINE)
        daemon = daemon_with(tmp_path, dsn, connect=f"127.0.0.1:{pbx.getsockname()[1]}")
        for number in range(2):
            connection, _ = pbx.accept()
            with connection:
                connection.sendall(record(number))
        connection, _ = pbx.accept()
        with connection:
            connection.sendall(record(2))
            wait_until(lambda: len(uniqueids(daemon)) == 3, what="three are stored")
            assert daemon.stop() == 0
