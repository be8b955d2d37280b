"""A manager interface that says what a test tells it to, as Asterisk's would: every byte once."""

from __future__ import annotations

import contextlib
import queue
import random
import socket
import ssl
import threading
from collections.abc import Sequence
from hashlib import md5
from itertools import pairwise

from support.loopback import Loopback
from support.waiting import DEADLINE

_GREETING = b"Asterisk Call Manager/11.0.0\r\n"
_CHALLENGE = "301274817"


class Manager(Loopback):
    """Lets in who knows the secret, and answers; the test says the rest."""

    def __init__(
        self, *, secret: str = "s3cret", tls: ssl.SSLContext | None = None, at_once: bytes = b""
    ) -> None:
        super().__init__()
        self._at_once = at_once
        """It says this in one breath with its answer to the login."""
        self._secret = secret
        self._tls = tls
        self._lines: queue.Queue[Line] = queue.Queue()
        self.logins: list[dict[str, str]] = []
        self.is_mute = False
        """It answers nothing any more."""

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def connected(self) -> Line:
        """The next connection that logs in."""
        return self._lines.get(timeout=DEADLINE)

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if self._tls is not None:
                client = self._tls.wrap_socket(client, server_side=True)
            with client, self.opened(client):
                client.sendall(_GREETING)
                line = Line(client)
                waiting = b""
                while data := client.recv(4096):
                    *actions, waiting = (waiting + data).split(b"\r\n\r\n")
                    for action in actions:
                        self._answer(line, dict(_field(text) for text in action.split(b"\r\n")))

    def _answer(self, line: Line, action: dict[str, str]) -> None:
        if self.is_mute:
            return
        says = {"Response": "Success", "ActionID": action.get("ActionID", "")}
        match action["Action"]:
            case "Challenge":
                says["Challenge"] = _CHALLENGE
            case "Ping":
                says["Ping"] = "Pong"
            case "Login":
                self.logins.append(action)
                if not self._knows(action):
                    says |= {"Response": "Error", "Message": "Authentication failed"}
        is_in = action["Action"] == "Login" and says["Response"] == "Success"
        answer = "".join(f"{k}: {v}\r\n" for k, v in says.items()).encode() + b"\r\n"
        line.say(answer + (self._at_once if is_in else b""))
        if is_in:
            self._lines.put(line)

    def _knows(self, action: dict[str, str]) -> bool:
        digest = md5(f"{_CHALLENGE}{self._secret}".encode()).hexdigest()  # noqa: S324 - as Asterisk does
        return action.get("Key") == digest or (
            self._tls is not None and action.get("Secret") == self._secret
        )


class Line:
    """One connection that somebody has made."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._turn = threading.Lock()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def say(self, data: bytes, cuts: Sequence[int] = ()) -> None:
        """Says it, in pieces cut there."""
        with self._turn:
            for start, end in pairwise((0, *sorted(cuts), len(data))):
                self._connection.sendall(data[start:end])

    def say_in_pieces(self, data: bytes, chance: random.Random, pieces: int) -> None:
        self.say(data, [chance.randrange(len(data)) for _ in range(pieces)])

    def hang_up(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()


def _field(line: bytes) -> tuple[str, str]:
    key, _, value = line.decode().partition(": ")
    return key, value
