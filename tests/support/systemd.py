"""What systemd hears of a daemon."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Systemd:
    """Every line that a daemon with this environment says, in its order."""

    environment: dict[str, str]
    heard: list[str] = field(default_factory=list)

    def listen(self, notified: socket.socket) -> None:
        """Until it is closed. Whoever did not listen all the time would make the daemon wait."""
        with contextlib.suppress(OSError):
            while message := notified.recv(4096):
                self.heard.extend(message.decode().splitlines())


@contextmanager
def listening_systemd(path: str) -> Iterator[Systemd]:
    """It listens as long as the block lasts, at a socket of that path."""
    systemd = Systemd({"NOTIFY_SOCKET": path})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(path)
        thread = threading.Thread(target=systemd.listen, args=(notified,))
        thread.start()
        try:
            yield systemd
        finally:
            notified.shutdown(socket.SHUT_RD)
            thread.join()
