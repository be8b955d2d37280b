"""What every dialect does with a request before it answers: read it, find out who asks, give them a turn."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any, TypeVar

from aiohttp import web

from cdrd.owners import Principal
from cdrd.serve.access import DATABASE_SECONDS, Access
from cdrd.serve.address import Network, client_address
from cdrd.serve.body import strict_json
from cdrd.serve.credentials import Credentials, in_headers
from cdrd.serve.packed import too_large, unpacked
from cdrd.serve.refusal import away, too_many
from cdrd.serve.throttle import Address
from cdrd.store.database import Database, in_time

_T = TypeVar("_T")

_BODY_SECONDS = 30.0
"""A body has so long to arrive."""
_PUSHES = 16
"""Pushes of one principal that are in memory at once."""
_ANSWERS = 16
"""Answers that one principal may be reading at once: what a slow reader has not taken yet is in memory."""


class Door:
    """Shared by all dialects of one server."""

    def __init__(
        self, access: Access, database: Database, *, trusted: tuple[Network, ...], max_body: int
    ) -> None:
        self.access = access
        self._max_body = max_body
        self._trusted = trusted
        self._turns = asyncio.Semaphore(max(1, database.pool_size // 2))
        self._turn_seconds = database.statement_timeout + DATABASE_SECONDS
        """A database that works ends a statement before that; one that hangs does not."""
        self._pushing: defaultdict[int, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(_PUSHES)
        )
        self._reading: Counter[int] = Counter()

    async def body(self, request: web.Request) -> dict[str, Any]:
        """The JSON object of the request's body."""
        return strict_json(await self.content(request, most=self._max_body))

    async def content(self, request: web.Request, *, most: int) -> bytes:
        """The request's body, unpacked, of at most so many bytes."""
        if (request.content_length or 0) > most:
            raise too_large(most)
        async with asyncio.timeout(_BODY_SECONDS):
            return await unpacked(request, most)

    async def principal(
        self, request: web.Request, credentials: Credentials | None = None
    ) -> Principal:
        """Who asks, by these credentials or else by those in the headers."""
        if credentials is None:
            credentials = in_headers(request.headers, request.cookies)
        return await self.access.principal(credentials, self._address(request))

    def secure(self, request: web.Request) -> bool:
        """Whether the client speaks TLS, with us or with a proxy of the operator's."""
        if request.secure:
            return True
        peer = client_address(request.remote, [], ())
        return (
            any(peer in network for network in self._trusted)
            and request.headers.get("X-Forwarded-Proto", "").lower() == "https"
        )

    @contextmanager
    def reading(self, principal: Principal) -> Iterator[None]:
        """Inside, one of the answers that a principal may be reading at once."""
        number = principal.principal_id
        if self._reading[number] >= _ANSWERS:
            raise too_many(f"you are reading {_ANSWERS} answers already", seconds=1)
        self._reading[number] += 1
        try:
            yield
        finally:
            self._reading[number] -= 1
            if not self._reading[number]:
                del self._reading[number]

    def pushing(self, principal: Principal) -> AbstractAsyncContextManager[None]:
        """Inside, one of the pushes of a principal that are in memory at once; the others wait for it.

        A PBX pushes a record when a call ends, so they come in bursts, and not every PBX tries again.
        """
        return _waited_for(self._pushing[principal.principal_id])

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Inside, one of those who may ask the database at once; a turn ends, whatever becomes of that."""
        async with _waited_for(self._turns), in_time(self._turn_seconds):
            yield

    async def in_turn(self, pages: AsyncIterator[_T]) -> AsyncIterator[_T]:
        """Pages from the database, each in its turn: readers never take all connections.

        Between two pages, while the reader takes the one before, the turn is somebody else's.
        """
        while True:
            async with self._turns, in_time(self._turn_seconds):
                try:
                    page = await anext(pages)
                except StopAsyncIteration:
                    return
            yield page

    def _address(self, request: web.Request) -> Address:
        forwarded = request.headers.getall("X-Forwarded-For", [])
        return client_address(request.remote, forwarded, self._trusted)


@asynccontextmanager
async def _waited_for(places: asyncio.Semaphore) -> AsyncIterator[None]:
    """Inside, one of the places is taken."""
    try:
        async with asyncio.timeout(DATABASE_SECONDS):
            await places.acquire()
    except TimeoutError as error:
        raise away("too much is asked at the moment") from error
    try:
        yield
    finally:
        places.release()
