"""A bad line between a forwarder and its collector: by a seed it cuts, resets, delays and swallows."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import threading
import time
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import NamedTuple

from support.loopback import Loopback, listening

_SLOW = 10
"""Pieces of what is said that a slow line delays before it is cut."""
_RESET = struct.pack("ii", 1, 0)


class Fate(StrEnum):
    """What becomes of a connection, or rather of what is said in one direction of it."""

    PASS = "pass"
    RESET = "reset"
    """After so many bytes both sides are told that it never was."""
    TRUNCATE = "truncate"
    """After so many bytes both sides are told that nothing more comes."""
    DROP = "drop"
    """After so many bytes nothing arrives any more, and nobody is told."""
    DELAY = "delay"
    """After so many bytes it is slow for a while, and then nothing more comes."""


class _Drawn(NamedTuple):
    fate: Fate
    upward: bool
    after: int


class Line(Loopback):
    """Passes bytes on to a port, as the fates have it."""

    def __init__(self, port: int, seed: int, weights: dict[Fate, int]) -> None:
        super().__init__()
        self._to = port
        self._chance = random.Random(seed)
        self._weights = weights
        self.is_good = False
        """From now on everything passes."""
        self.met: dict[Fate, int] = dict.fromkeys(Fate, 0)
        """How many connections met each fate."""

    def counts(self) -> list[int]:
        """How many connections met each of the fates there are."""
        return [self.met[fate] for fate in self._weights if fate is not Fate.PASS]

    def heal(self) -> None:
        """Ends what there is, and spares whatever comes."""
        self.is_good = True
        self.hang_up()

    def _draw(self) -> _Drawn:
        with self._lock:
            fates = list(self._weights)
            fate = self._chance.choices(fates, [self._weights[one] for one in fates])[0]
            after = int(10 ** self._chance.uniform(0, 5))
            return _Drawn(Fate.PASS if self.is_good else fate, self._chance.random() < 0.5, after)

    def _serve(self, client: socket.socket) -> None:
        drawn = self._draw()
        with (
            contextlib.suppress(OSError),
            client,
            socket.create_connection(("127.0.0.1", self._to)) as server,
            self.opened(client, server),
        ):
            up = threading.Thread(
                target=self._carry, args=(client, server, drawn if drawn.upward else None)
            )
            up.start()
            self._carry(server, client, None if drawn.upward else drawn)
            up.join()

    def _carry(self, source: socket.socket, target: socket.socket, drawn: _Drawn | None) -> None:
        left, slow = (drawn.after if drawn is not None else 0), _SLOW
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if drawn is None or drawn.fate is Fate.PASS or len(data) <= left:
                    target.sendall(data)
                    left -= len(data)
                    continue
                if drawn.fate is Fate.DELAY and slow:
                    slow -= 1
                    time.sleep(0.1)  # the delay is the fault
                    target.sendall(data)
                    continue
                self._meet(drawn.fate)
                target.sendall(data[:left])
                _end(drawn.fate, source, target)
                return
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _meet(self, fate: Fate) -> None:
        with self._lock:
            self.met[fate] += 1


def _end(fate: Fate, source: socket.socket, target: socket.socket) -> None:
    if fate is Fate.DROP:
        while source.recv(65536):  # until the one who waits for an answer has had enough
            pass
    for one in (source, target):
        with contextlib.suppress(OSError):
            if fate is Fate.RESET:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            one.shutdown(socket.SHUT_RDWR)


def bad_line(port: int, seed: int, **weights: int) -> AbstractContextManager[Line]:
    """A line to that port, as long as the block lasts; weights by fate."""
    return listening(Line(port, seed, {Fate(name): weight for name, weight in weights.items()}))
