"""Is the process alive, is it ready, and how is it doing: told to anybody, so it names no company."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from cdrd import metrics
from cdrd.clock import Stopwatch, stopwatch
from cdrd.errors import CdrdError, SchemaError
from cdrd.serve.dialect import Dialect
from cdrd.serve.refusal import Refusal
from cdrd.serve.sending import compress, json_answer
from cdrd.store.database import Database
from cdrd.store.migrate import check_schema

_PATIENCE = 3.0
"""Seconds the database has to answer."""
_FRESH = 1.0
"""Seconds that what was found out counts: whoever asks more often does not make us ask more often."""


class Health:
    """The paths that no dialect owns."""

    def __init__(
        self,
        database: Database,
        readiness: Callable[[], Sequence[str]],
        *,
        clock: Stopwatch = stopwatch,
    ) -> None:
        self._database = database
        self._readiness = readiness
        self._clock = clock
        self._turn = asyncio.Lock()
        self._telling = asyncio.Lock()
        self._asked: float | None = None
        self._found: str | None = None

    def dialect(self) -> Dialect:
        """Everything that belongs to no other dialect, too."""
        return Dialect(
            name="health",
            prefix="",
            routes=[
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics),
            ],
            envelope=_envelope,
        )

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        reasons = [*self._readiness()]
        away = await self._database_trouble()
        if away is not None:
            reasons.append(away)
        return json_answer(
            {"ready": not reasons, "reasons": reasons}, status=503 if reasons else 200
        )

    async def _metrics(self, request: web.Request) -> web.Response:
        async with self._telling:  # of a thousand sources it is half a megabyte
            body = await asyncio.to_thread(metrics.exposition)
        response = web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})
        compress(request, response, size=len(body))
        return response

    async def _database_trouble(self) -> str | None:
        async with self._turn:
            if self._asked is None or self._clock() - self._asked > _FRESH:
                self._found = await self._ask_database()
                self._asked = self._clock()
            return self._found

    async def _ask_database(self) -> str | None:
        """What is wrong, in words that tell nothing of where the database is."""
        try:
            async with asyncio.timeout(_PATIENCE):
                if not await self._database.alive():
                    return "the database takes no writes"
                await check_schema(self._database)
        except TimeoutError:
            return "the database does not answer in time"
        except CdrdError as error:
            return str(error) if isinstance(error, SchemaError) else "the database does not answer"
        return None


def _envelope(refusal: Refusal) -> dict[str, str]:
    return {"error": refusal.message}
