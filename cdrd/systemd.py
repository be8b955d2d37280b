"""What systemd wants to hear: READY, RELOADING, STOPPING, WATCHDOG, STATUS (sd_notify(3)).

The protocol is one datagram with lines of NAME=value to the socket in $NOTIFY_SOCKET.
"""

from __future__ import annotations

import os
import socket
import time


def notify(*lines: str) -> bool:
    """Sends lines such as `READY=1`; False when nobody listens (not started by systemd).

    As with sd_notify, it is no fault when they do not arrive.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):  # Linux's abstract namespace
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.connect(address)
            sender.sendall("\n".join(lines).encode())
    except OSError:
        return False
    return True


def notify_reloading() -> bool:
    """Says that a reload begins; `notify("READY=1")` ends it (Type=notify-reload wants the time)."""
    return notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def watchdog_seconds() -> float | None:
    """How often the watchdog wants a beat, in seconds; None when there is no watchdog."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    owner = os.environ.get("WATCHDOG_PID", str(os.getpid()))
    if not microseconds.isdigit() or owner != str(os.getpid()):
        return None
    return int(microseconds) / 1_000_000
