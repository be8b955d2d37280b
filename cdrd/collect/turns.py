"""One daemon at a time collects from a source: claims it, collects until a fault, and all of that again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from cdrd import metrics
from cdrd.collect.pauses import Pauses
from cdrd.collect.reporter import Reporter
from cdrd.collect.waiting import beating, wait
from cdrd.errors import Conflict, RowRefused, Unavailable
from cdrd.logs import get_logger
from cdrd.records import Claim
from cdrd.source_settings import SourceSettings
from cdrd.store.database import Database, in_time
from cdrd.store.sources import Claims, register_source

_T = TypeVar("_T")
_FAULTS = (Unavailable, Conflict, RowRefused, TimeoutError)
"""What is tried again. After each of them only the database knows what is stored."""
_CLAIM_EVERY = 1.0
"""Seconds between two attempts to claim a source that another daemon has."""
_LONGEST_PAUSE = 5.0
"""Seconds between two attempts after faults."""
_DEADLINE = 120.0
"""Seconds after which a database that says nothing at all counts as away."""
_RELEASE_SECONDS = 2.0
"""So long the database has to take back a claim; who waits for it gets it anyway in the end."""


class Turns:
    """Those of one source, whatever it is that collects from it."""

    def __init__(
        self,
        source: SourceSettings,
        database: Database,
        claims: Claims,
        beat: Callable[[], None],
        stopping: asyncio.Event,
    ) -> None:
        self.source = source
        self.database = database
        self.claims = claims
        self.beat = beat
        self.stopping = stopping
        self.log = get_logger(source=source.name)
        self.reporter = Reporter(source.name)
        self._claimed: Claim | None = None
        self._pauses = Pauses()

    async def run(self, collect: Callable[[Claim], Awaitable[None]]) -> None:
        """Until told to stop."""
        up = metrics.source_up.labels(self.source.name)
        up.set(0)
        try:
            while not self.stopping.is_set():
                try:
                    claim = await self._claim()
                    if claim is not None:
                        up.set(1)
                        await collect(claim)
                except _FAULTS as fault:
                    up.set(0)
                    await self.failed("collecting", fault)
        finally:
            up.set(0)
            await self._release()

    async def _claim(self) -> Claim | None:
        """The claim, once no other daemon has it; None when told to stop before."""
        source = self.source
        source_id = await self.beating(
            register_source(
                self.database,
                name=source.name,
                kind=source.kind,
                pbx=source.pbx,
                carrier=source.carrier,
            )
        )
        told = False
        while not self.stopping.is_set():
            claim = await self.beating(self.claims.claim(source_id))
            if claim is not None:
                self.log.info("source_claimed", epoch=claim.epoch)
                self._claimed = claim
                return claim
            if not told:
                self.log.info("source_claimed_elsewhere")
                told = True
            await self.wait(_CLAIM_EVERY)
        return None

    async def check(self, claim: Claim) -> None:
        """Raises Conflict where another daemon may have the source by now."""
        if not await self.beating(self.claims.is_held(claim)):
            raise Conflict("the connection that held the claim has ended")

    async def _release(self) -> None:
        """What this daemon collects from no more, another one may at once."""
        if self._claimed is not None:
            with suppress(Unavailable):  # then the claim ends with its connection
                async with in_time(_RELEASE_SECONDS):
                    await self.claims.release(self._claimed.source_id)

    async def failed(self, what: str, fault: Exception, *, longest: float = _LONGEST_PAUSE) -> None:
        """Said once until it goes well again, counted each time, and tried again a little later."""
        kind, event = type(fault).__name__, f"{what}_failed"
        metrics.faults.labels("collect", kind).inc()
        if not self._pauses.failures:
            self.log.warning(event, kind=kind, error=str(fault))
        self.reporter.fails(what, str(fault) or kind)
        await self.wait(self._pauses.next(longest))

    def goes_well(self, what: str) -> None:
        """That goes again; the next fault is the first one."""
        self._pauses.over()
        self.reporter.well(what)

    async def beating(self, work: Awaitable[_T], *, deadline: float | None = _DEADLINE) -> _T:
        """What the database answers, or whatever else it is that takes long."""
        return await beating(work, self.beat, deadline=deadline)

    async def wait(self, seconds: float) -> None:
        """So long, or until told to stop."""
        await wait(seconds, self.beat, self.stopping)
