"""Forwarders ship pieces of files: `/forward/SOURCE`, spoken by `cdrd forward` and by nobody else.

| request | answer |
|---|---|
| `GET /forward/SOURCE` | the files of the source, and how far each is stored |
| `POST /forward/SOURCE/begin` | the same, and an epoch: what was sent before is stored by now or never |
| `POST /forward/SOURCE` | how much of a piece is stored now, which is all of its whole records |

| status | meaning |
|---|---|
| 200 | what the answer says is committed |
| 409 | the piece does not go on where the file is stored up to, or another forwarder has begun: begin again |
| 400, 401, 403, 404, 405, 413, 415 | nothing was stored, and `message` says why |
| 408, 429, 503 | nothing is known to be stored: begin again, after the seconds of `Retry-After` |
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

from aiohttp import web

from cdrd.errors import Conflict, NotFound, RequestError, SourceUnavailable
from cdrd.serve.dialect import Dialect
from cdrd.serve.door import Door
from cdrd.serve.push import failure, require_push
from cdrd.serve.refusal import Refusal, away, bad_input
from cdrd.serve.sending import json_answer

_LONGEST_NAME = 255


class Forwards(Protocol):
    """Where pieces are stored. NotFound where there is no such source, Unavailable to be asked again."""

    def limit(self, source: str) -> int:
        """How many bytes may be sent at once, unpacked."""

    async def files(self, source: str) -> dict[str, Any]:
        """Return the files of a source."""

    async def begin(self, source: str, machine: str) -> dict[str, Any]:
        """Begin; raises Conflict while a forwarder on another machine is heard."""

    async def take(self, source: str, body: bytes) -> dict[str, Any]:
        """Store a piece; raises Conflict where it does not follow on what is stored."""


class Forwarding:
    """What the dialect answers."""

    def __init__(self, door: Door, forwards: Forwards) -> None:
        self._door = door
        self._forwards = forwards

    def dialect(self) -> Dialect:
        """Its paths; the envelope is that of pushes."""
        return Dialect(
            name="forward",
            prefix="/forward",
            routes=[
                web.get("/forward/{source}", self._files),
                web.post("/forward/{source}/begin", self._begin),
                web.post("/forward/{source}", self._piece),
            ],
            envelope=failure,
        )

    async def _files(self, request: web.Request) -> web.StreamResponse:
        async with self._admitted(request) as source, self._door.turn():
            return _success(await self._forwards.files(source))

    async def _begin(self, request: web.Request) -> web.StreamResponse:
        async with self._admitted(request) as source:
            machine = (await self._door.body(request)).get("machine")
            if not isinstance(machine, str) or not machine.isprintable() or not machine:
                raise bad_input("machine: the name of the forwarder's machine is expected")
            async with self._door.turn():
                return _success(await self._forwards.begin(source, machine[:_LONGEST_NAME]))

    async def _piece(self, request: web.Request) -> web.StreamResponse:
        async with self._admitted(request) as source:
            body = await self._door.content(request, most=self._forwards.limit(source))
            async with self._door.turn():
                return _success(await self._forwards.take(source, body))

    @asynccontextmanager
    async def _admitted(self, request: web.Request) -> AsyncIterator[str]:
        """The source, for whoever may ship to it; faults inside become what a forwarder understands."""
        source = request.match_info["source"]
        principal = await self._door.principal(request)
        require_push(principal, source)
        with self._door.reading(principal):
            try:
                yield source
            except Refusal:
                raise
            except NotFound as error:
                raise Refusal(404, f"there is no source {source[:63]} to forward to") from error
            except Conflict as error:
                raise Refusal(409, str(error), again=True) from error
            except SourceUnavailable as error:
                raise away(str(error)) from error
            except RequestError as error:
                raise bad_input(str(error)) from error


def _success(said: dict[str, Any]) -> web.StreamResponse:
    return json_answer({"result": "success", **said})
