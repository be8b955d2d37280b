"""The stage: hears what a manager interface says, and stores it; says since when it heard nothing.

The interface says everything once. What it says while nobody listens is lost, so each such time is
reported, also that before the daemon started; and what was heard is held in memory until it is stored,
however long the database is away, as far as there is room for it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import TypeVar

from cdrd import metrics
from cdrd.clock import stopwatch, utc_now
from cdrd.collect.ami_batch import heard
from cdrd.collect.ami_connection import AmiConnection, connect
from cdrd.collect.ami_held import Held, Storing
from cdrd.collect.reporter import Reporter
from cdrd.decode.ami_events import AmiReader
from cdrd.errors import Conflict, SourceUnavailable, Unavailable
from cdrd.logs import get_logger
from cdrd.records import Claim, SourceId
from cdrd.settings import SourceSettings
from cdrd.store.arrivals import recognition_of
from cdrd.store.database import Database
from cdrd.store.identity import Recognition
from cdrd.store.sources import Claims, last_heard, register_source

_T = TypeVar("_T")
_LONGEST_PAUSE = 15.0
"""Seconds between two attempts to connect."""
_LASTING = 5.0
"""A connection that lasted so long was a good one."""
_EVERY = 1.0
"""Seconds between two attempts to claim, two reports, and two beats."""


async def hear(
    source: SourceSettings,
    *,
    database: Database,
    claims: Claims,
    beat: Callable[[], None],
    stopping: asyncio.Event,
) -> None:
    """Hears one manager interface until `stopping` is set; then what was heard is stored."""
    await _Stage(source, database, claims, beat, stopping).run()


class _Stage:
    """One source, heard: claimed, connected to, and that again whenever it ends."""

    def __init__(
        self,
        source: SourceSettings,
        database: Database,
        claims: Claims,
        beat: Callable[[], None],
        stopping: asyncio.Event,
    ) -> None:
        self._source = source
        self._database = database
        self._claims = claims
        self._beat = beat
        self._stopping = stopping
        self._log = get_logger(source=source.name)
        self._reader = AmiReader(source.zone, source.mappings)
        self._reporter = Reporter(source.name)
        self._held = Held()
        self._blind: datetime | None = None
        self._failures = 0

    async def run(self) -> None:
        """Until told to stop."""
        up = metrics.source_up.labels(self._source.name)
        up.set(0)
        while not self._stopping.is_set():
            try:
                claim = await self._claim()
                if claim is not None:
                    up.set(1)
                    await self._collect(claim)
            except (Unavailable, Conflict, TimeoutError) as fault:
                await self._failed("collecting", fault)
            finally:
                up.set(0)

    async def _claim(self) -> Claim | None:
        """The claim, once no other daemon has it; None when told to stop before."""
        source = self._source
        source_id = await self._beating(
            register_source(self._database, name=source.name, kind=source.kind, pbx=source.pbx)
        )
        told = False
        while not self._stopping.is_set():
            claim = await self._beating(self._claims.claim(source_id))
            if claim is not None:
                self._log.info("source_claimed", epoch=claim.epoch)
                return claim
            if not told:
                self._log.info("source_claimed_elsewhere")
                told = True
            await self._wait(_EVERY)
        return None

    async def _collect(self, claim: Claim) -> None:
        """Listens, and stores what was heard, until told to stop or another daemon has the source."""
        recognition = await self._beating(
            recognition_of(self._database, claim.source_id, self._source.kind, alone=True)
        )
        if recognition is None:
            raise Conflict("the source was changed by another daemon")
        last = await self._beating(last_heard(self._database, claim.source_id))
        self._is_blind(last or utc_now())
        self._reporter.well("collecting")
        self._held = Held()
        try:
            async with asyncio.TaskGroup() as tasks:
                storing = tasks.create_task(self._store_on(claim, recognition))
                await self._connect_on()
                self._held.ends()
                await self._beating(storing)
        except* Conflict as lost:
            raise Conflict(str(lost.exceptions[0])) from None
        finally:
            if self._held:
                self._log.warning("heard_records_dropped", records=len(self._held))
        await self._report(claim.source_id)

    async def _store_on(self, claim: Claim, recognition: Recognition) -> None:
        """Stores in the order of hearing; meanwhile the next is heard."""
        storing = Storing(
            self._source.name,
            database=self._database,
            claims=self._claims,
            reporter=self._reporter,
            log=self._log,
        )
        while True:
            await self._report(claim.source_id)
            records = await self._held.next(_EVERY)
            if records is None:
                return
            claim = await storing.store(claim, recognition, records)
            self._held.stored(len(records))

    async def _connect_on(self) -> None:
        """Connects again whenever the connection ends."""
        while not self._stopping.is_set():
            try:
                connection = await self._beating(connect(self._source, self._reader.orders))
            except SourceUnavailable as fault:
                await self._failed("connecting", fault)
                continue
            began = stopwatch()
            try:
                self._hears()
                why = await self._listen(connection)
            finally:
                self._is_blind(utc_now())
                await connection.close()
            if stopwatch() - began > _LASTING:
                self._failures = 0
            if why:
                await self._failed("connecting", SourceUnavailable(why))

    async def _listen(self, connection: AmiConnection) -> str:
        """Takes what comes, and says why no more does; nothing when it was told to stop."""
        is_open = True
        while is_open:
            self._beat()
            messages, is_open = await connection.turn()
            self._held.add(heard(self._reader, messages, utc_now()))
            if self._stopping.is_set():
                return ""
            if self._held.is_full:
                self._log.error("heard_too_much", records=len(self._held))
                while self._held.is_full and not self._stopping.is_set():
                    await self._wait(_EVERY)
                return "there was no room for what it said"
        return "the connection ended"

    def _is_blind(self, since: datetime) -> None:
        if self._blind is None:
            self._blind = since
            self._reporter.blind(since)
            metrics.blind_since.labels(self._source.name).set(since.timestamp())

    def _hears(self) -> None:
        since, self._blind = self._blind or utc_now(), None
        self._reporter.blind(None)
        self._reporter.well("connecting")
        seconds = max(0.0, (utc_now() - since).total_seconds())
        metrics.blind_since.labels(self._source.name).set(0)
        metrics.blind_seconds.labels(self._source.name).inc(seconds)
        self._log.info("source_heard", blind_since=since.isoformat(), seconds=round(seconds, 3))

    async def _report(self, source_id: SourceId) -> None:
        with suppress(Unavailable):
            await self._reporter.write(self._database, source_id)

    async def _failed(self, what: str, fault: Exception) -> None:
        """Said once until it goes well again, counted each time, and tried again a little later."""
        metrics.faults.labels("ami", type(fault).__name__).inc()
        if not self._failures:
            self._log.warning(f"{what}_failed", kind=type(fault).__name__, error=str(fault))
        self._reporter.fails(what, str(fault))
        longest = min(_LONGEST_PAUSE, 0.1 * 2**self._failures)
        self._failures = min(self._failures + 1, 10)
        await self._wait(random.uniform(longest / 2, longest))  # noqa: S311 - jitter is no secret

    async def _beating(self, work: Awaitable[_T]) -> _T:
        """What comes of it, however long it takes."""
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                self._beat()
                await asyncio.wait([task], timeout=_EVERY)
        finally:
            task.cancel()
        return await task

    async def _wait(self, seconds: float) -> None:
        until = stopwatch() + seconds
        while not self._stopping.is_set() and stopwatch() < until:
            self._beat()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(_EVERY, max(0.0, until - stopwatch()))):
                    await self._stopping.wait()
