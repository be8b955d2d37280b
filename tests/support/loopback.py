"""Servers of the tests' own on loopback: a thread listens, and another one serves each connection."""

from __future__ import annotations

import contextlib
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar


class Loopback(ABC):
    """Takes every connection, and knows which are open."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()

    @abstractmethod
    def _serve(self, client: socket.socket) -> None:
        """One connection, until it ends."""

    @property
    def port(self) -> int:
        number: int = self._socket.getsockname()[1]
        return number

    def listen(self) -> None:
        """Until it is closed."""
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    @contextmanager
    def opened(self, *sockets: socket.socket) -> Iterator[None]:
        """These are open until the end of the block."""
        with self._lock:
            self._open.update(sockets)
        try:
            yield
        finally:
            with self._lock:
                self._open.difference_update(sockets)

    def hang_up(self) -> None:
        """Ends every connection there is."""
        with self._lock:
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Lets nobody in any more, and everybody go."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self.hang_up()


Server = TypeVar("Server", bound=Loopback)


@contextmanager
def listening(server: Server) -> Iterator[Server]:
    """A server that listens as long as the block lasts."""
    thread = threading.Thread(target=server.listen, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join()
