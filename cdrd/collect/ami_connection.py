"""One connection to a manager interface: logged in, kept alive, and cut into messages.

Without TLS the secret does not travel: the interface gives a challenge, and the answer is a digest of both.
Only the classes of events that are needed are asked for, so that the interface does not send what callers
can write at length (see `decode.ami`). Nothing is believed of an answer that has not the random number of
the action that asked for it.
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import Mapping
from contextlib import suppress
from hashlib import md5
from pathlib import Path
from typing import NamedTuple

from cdrd.decode.ami import AmiMessage, AmiStream
from cdrd.decode.ami_order import Order
from cdrd.decode.values import shown
from cdrd.errors import SourceUnavailable
from cdrd.records import Rejected
from cdrd.source_settings import SourceSettings

EVENTS = "cdr,call,agent"
"""The classes of events: Cdr; CEL; queues."""
_QUIET = 0.04
"""Seconds without a byte after which what was sent is whole."""
_PATIENCE = 10.0
"""Seconds that connecting and logging in may take."""
_PIECE = 65536


class Turn(NamedTuple):
    """What one look at a connection brought."""

    messages: list[AmiMessage | Rejected]
    is_open: bool = True
    silent: float = 0.0
    """Seconds for which nothing had come when the connection ended without a word."""


class AmiConnection:
    """A connection that is logged in."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        orders: Mapping[str, Order],
        keep_alive: float,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._stream = AmiStream(orders)
        self._keep_alive = keep_alive
        self._silent = 0.0
        self._is_settled = True
        """Nothing has come since it was last quiet."""
        self._early: list[AmiMessage | Rejected] = []
        """What came together with the answer to the login."""

    async def turn(self) -> Turn:
        """What has come within a while; the last turn brings what was left of an event."""
        early, self._early = self._early, []
        return Turn(early) if early else await self._look()

    async def _look(self) -> Turn:
        pause = min(1.0, self._keep_alive / 2) if self._is_settled else _QUIET
        try:
            async with asyncio.timeout(pause):
                data = await self._reader.read(_PIECE)
        except TimeoutError:
            return await self._quiet(pause)
        except OSError:
            return self._lost()
        if not data:
            return Turn(self._stream.ended(), is_open=False)
        self._silent, self._is_settled = 0.0, False
        return Turn(self._stream.feed(data))

    async def _quiet(self, seconds: float) -> Turn:
        before, self._silent, self._is_settled = self._silent, self._silent + seconds, True
        if self._silent >= 2 * self._keep_alive:
            return self._lost()
        if before < self._keep_alive <= self._silent:
            self._send("Ping")
        return Turn(self._stream.quiet())

    def _lost(self) -> Turn:
        """Nobody knows when the other side was gone: what it said last is the last that is known."""
        return Turn(self._stream.ended(), is_open=False, silent=self._silent)

    async def log_in(self, username: str, secret: str, *, is_private: bool) -> None:
        """Shows who we are. Raises SourceUnavailable with the interface's words when it says no."""
        proof = {"Secret": secret}
        if not is_private:
            challenge = (await self._ask("Challenge", AuthType="MD5")).get("Challenge")
            # the interface knows no other digest
            digest = md5(f"{challenge}{secret}".encode(), usedforsecurity=False).hexdigest()
            proof = {"AuthType": "MD5", "Key": digest}
        await self._ask("Login", Username=username, **proof, Events=EVENTS)

    async def _ask(self, action: str, **keys: str) -> AmiMessage:
        number = self._send(action, **keys)
        while True:
            messages, is_open, _ = await self._look()
            for place, message in enumerate(messages, 1):
                if isinstance(message, AmiMessage) and message.get("ActionID") == number:
                    if message.get("Response") != "Success":
                        why = shown(message.get("Message"))
                        raise SourceUnavailable(f"{action} is refused: {why}")
                    self._early = messages[place:]
                    return message
            if not is_open:
                raise SourceUnavailable(f"the connection ended during {action}")

    def _send(self, action: str, **keys: str) -> str:
        number = secrets.token_hex(8)
        lines = {"Action": action, "ActionID": number, **keys}
        self._writer.write("".join(f"{key}: {text}\r\n" for key, text in lines.items()).encode())
        self._writer.write(b"\r\n")
        return number

    async def close(self) -> None:
        """Lets go; the other side may be gone already."""
        self._writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(1.0):
                await self._writer.wait_closed()


async def connect(source: SourceSettings, orders: Mapping[str, Order]) -> AmiConnection:
    """Connects and logs in. Raises SourceUnavailable."""
    secret = _secret(source.secret_file)
    context = _tls(source) if source.tls else None
    host, _, port = (source.connect or "").rpartition(":")
    connection: AmiConnection | None = None
    try:
        async with asyncio.timeout(_PATIENCE):
            reader, writer = await asyncio.open_connection(
                host.strip("[]"), int(port), ssl=context, limit=_PIECE
            )
            keep_alive = source.keep_alive.total_seconds()
            connection = AmiConnection(reader, writer, orders=orders, keep_alive=keep_alive)
            await connection.log_in(source.username, secret, is_private=source.tls)
    except (OSError, TimeoutError) as error:
        if connection is not None:
            await connection.close()
        raise SourceUnavailable(f"{source.connect}: {str(error) or 'no answer in time'}") from error
    except SourceUnavailable:
        if connection is not None:
            await connection.close()
        raise
    return connection


def _secret(path: Path | None) -> str:
    """What the file holds, without its newline. A newline within would be another key of the action."""
    try:
        secret = (path or Path()).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceUnavailable(f"secret_file cannot be read: {error}") from None
    if not secret.isprintable():
        raise SourceUnavailable(f"secret_file: {path} holds more than one line")
    return secret


def _tls(source: SourceSettings) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=source.ca)
    except (OSError, ssl.SSLError) as error:
        raise SourceUnavailable(f"ca: {source.ca} does not load: {error}") from error
