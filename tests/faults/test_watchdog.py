"""What systemd's watchdog hears while the database is away: that the daemon lives."""

from __future__ import annotations

import socket
from pathlib import Path

from support.daemon import DaemonProcess, cdrd
from support.postgres import own_server
from support.waiting import wait_until


def test_a_daemon_whose_database_is_away_goes_on_beating(tmp_path: Path) -> None:
    """A new start would help nobody, and lose what a manager interface has said meanwhile."""
    path = tmp_path / "notify"
    with own_server() as (server, dsn), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(path))
        systemd.settimeout(5)
        told = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "900000"}
        daemon = DaemonProcess(tmp_path, dsn, [], environment=told)
        daemon.write_config()
        assert cdrd("-c", str(daemon.config), "migrate").returncode == 0
        daemon.start()
        try:
            wait_until(lambda: "WATCHDOG=1" in heard(systemd), what="it beats")
            server.stop()
            drain(systemd)
            for _ in range(3):  # one may have been on its way
                wait_until(lambda: "WATCHDOG=1" in heard(systemd), what="it beats on")
        finally:
            assert daemon.stop() == 0


def test_systemd_is_asked_for_time_while_the_database_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with own_server() as (server, dsn), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(path))
        systemd.settimeout(5)
        daemon = DaemonProcess(tmp_path, dsn, [], environment={"NOTIFY_SOCKET": str(path)})
        daemon.write_config()
        assert cdrd("-c", str(daemon.config), "migrate").returncode == 0
        server.stop()
        daemon.spawn()
        try:
            wait_until(
                lambda: heard(systemd).startswith("EXTEND_TIMEOUT_USEC="), what="it asks for time"
            )
            server.ensure_postgres_running()
            daemon.wait_ready()
        finally:
            assert daemon.stop() == 0


def heard(systemd: socket.socket) -> str:
    """The next message; nothing where none came."""
    try:
        return systemd.recv(4096).decode()
    except TimeoutError:
        return ""


def drain(systemd: socket.socket) -> None:
    """Takes what was said so far."""
    systemd.setblocking(False)
    try:
        while systemd.recv(4096):
            pass
    except BlockingIOError:
        systemd.settimeout(5)
