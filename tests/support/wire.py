"""A wire between the daemon and its database that a test cuts where it likes."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from support.loopback import Loopback, listening

COMMIT = b"COMMIT;\0"
"""As the driver sends it."""


class Cut(StrEnum):
    """Where a connection ends."""

    BEFORE = "before"
    """What was said never arrives."""
    WITHIN = "within"
    """Half of it arrives."""
    BEHIND = "behind"
    """It arrives, and nobody hears the answer."""


class _Where(NamedTuple):
    words: bytes
    how: Cut
    since: bytes


class Wire(Loopback):
    """Passes everything on to the server, until told where to cut."""

    def __init__(self, dsn: str) -> None:
        super().__init__()
        self._to = dsn
        self._where: _Where | None = None
        self.cuts = 0
        """How many connections were cut at the words they were to be cut at."""

    @property
    def dsn(self) -> str:
        """That of the server, by way of the wire."""
        there = urlsplit(self._to)
        user = there.netloc.rpartition("@")[0].rstrip(":") or "postgres"
        return f"postgresql://{user}@127.0.0.1:{self.port}{there.path}?sslmode=disable"

    def cut_at(self, words: bytes, how: Cut, *, since: bytes = b"") -> None:
        """Cuts the next transaction in which the client says that, and has said the other before."""
        with self._lock:
            self._where = _Where(words, how, since)

    def _serve(self, client: socket.socket) -> None:
        with (
            client,
            contextlib.suppress(OSError),
            _connected(self._to) as server,
            self.opened(client, server),
        ):
            answers = threading.Thread(target=_pass_on, args=(server, client), daemon=True)
            answers.start()
            _pass_on(client, server, _Transaction(self._meets_its_end).says)
            answers.join()

    def _meets_its_end(self, said: bytes, data: bytes) -> Cut | None:
        """Where the next piece of a conversation is cut, behind what was said in it."""
        with self._lock:
            where = self._where
            if where is None or where.words not in data or where.since not in said:
                return None
            self._where = None
            self.cuts += 1
        return where.how


class _Transaction:
    """What the client has said since the last one ended."""

    def __init__(self, cut: Callable[[bytes, bytes], Cut | None]) -> None:
        self._cut = cut
        self._said = b""

    def says(self, data: bytes) -> Cut | None:
        how = self._cut(self._said, data)
        self._said = b"" if COMMIT in data else self._said + data
        return how


def _goes_on(_data: bytes) -> None:
    """Nothing is cut."""


def _pass_on(
    source: socket.socket,
    target: socket.socket,
    cut: Callable[[bytes], Cut | None] = _goes_on,
) -> None:
    """Everything that one side says, until it ends or is cut; then both sides are told."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            how = cut(data)
            if (
                how is Cut.BEHIND
            ):  # the answer waits in the server's direction, and is not asked for
                with contextlib.suppress(OSError):
                    source.shutdown(socket.SHUT_RDWR)
            if how is not Cut.BEFORE:
                target.sendall(data[: len(data) // 2] if how is Cut.WITHIN else data)
            if how is not None:
                break
    for side in (source, target):
        with contextlib.suppress(OSError):
            side.shutdown(socket.SHUT_WR if side is target else socket.SHUT_RDWR)


def _connected(dsn: str) -> socket.socket:
    there = urlsplit(dsn)
    folder = parse_qs(there.query).get("host", [""])[0]
    if not folder.startswith("/"):
        return socket.create_connection((there.hostname or "127.0.0.1", there.port or 5432))
    server = socket.socket(socket.AF_UNIX)
    server.connect(f"{folder}/.s.PGSQL.{parse_qs(there.query).get('port', ['5432'])[0]}")
    return server


def wired(dsn: str) -> AbstractContextManager[Wire]:
    """A wire to that server, as long as the block lasts."""
    return listening(Wire(dsn))
