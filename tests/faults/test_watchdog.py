"""What systemd's watchdog hears while the database is away: that the daemon lives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.daemon import DaemonProcess
from support.systemd import listening_systemd
from support.waiting import wait_until


def test_a_daemon_whose_database_is_away_goes_on_beating(
    tmp_path: Path, server_of_its_own: tuple[Any, str]
) -> None:
    """A new start would help nobody, and lose what a manager interface has said meanwhile."""
    server, dsn = server_of_its_own
    with listening_systemd(str(tmp_path / "notify")) as systemd:
        told = {**systemd.environment, "WATCHDOG_USEC": "900000"}
        daemon = DaemonProcess(tmp_path, dsn, [], environment=told)
        daemon.write_config()
        daemon.migrate()
        daemon.start()
        try:
            wait_until(lambda: "WATCHDOG=1" in systemd.heard, what="it beats")
            server.stop()
            systemd.heard.clear()
            # one may have been on its way
            wait_until(lambda: systemd.heard.count("WATCHDOG=1") >= 3, what="it beats on")
            away = "STATUS=3 parts running; the database does not answer"
            wait_until(lambda: away in systemd.heard, what="systemctl status says so")
            server.ensure_postgres_running()
            systemd.heard.clear()
            wait_until(lambda: "STATUS=3 parts running" in systemd.heard, what="it answers again")
        finally:
            assert daemon.stop() == 0


def test_systemd_is_asked_for_time_while_the_database_is_waited_for(
    tmp_path: Path, server_of_its_own: tuple[Any, str]
) -> None:
    server, dsn = server_of_its_own
    with listening_systemd(str(tmp_path / "notify")) as systemd:
        daemon = DaemonProcess(tmp_path, dsn, [], environment=systemd.environment)
        daemon.write_config()
        daemon.migrate()
        server.stop()
        daemon.spawn()
        try:
            wait_until(
                lambda: any(line.startswith("EXTEND_TIMEOUT_USEC=") for line in systemd.heard),
                what="it asks for time",
            )
            server.ensure_postgres_running()
            daemon.wait_ready()
        finally:
            assert daemon.stop() == 0
