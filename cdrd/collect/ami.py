"""The stage: hears what a manager interface says, and stores it; says since when it heard nothing.

The interface says everything once. What it says while nobody listens is lost, so each such time is
reported, also that before the daemon started; and what was heard is held in memory until it is stored,
however long the database is away, as far as there is room for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from cdrd import metrics
from cdrd.clock import stopwatch, utc_now
from cdrd.collect.ami_batch import heard
from cdrd.collect.ami_connection import AmiConnection, connect
from cdrd.collect.ami_held import Held, Storing
from cdrd.collect.turns import Turns
from cdrd.decode.ami_events import AmiReader
from cdrd.errors import Conflict, SourceUnavailable, Unavailable
from cdrd.records import Claim, SourceId
from cdrd.source_settings import SourceSettings
from cdrd.store.arrivals import recognition_of
from cdrd.store.database import Database
from cdrd.store.identity import Recognition
from cdrd.store.sources import Claims, last_heard

_LONGEST_PAUSE = 15.0
"""Seconds between two attempts to connect."""
_LASTING = 5.0
"""A connection that lasted so long was a good one."""
_EVERY = 1.0
"""Seconds between two reports, and between two looks whether there is room again."""


async def hear(
    source: SourceSettings,
    *,
    database: Database,
    claims: Claims,
    beat: Callable[[], None],
    stopping: asyncio.Event,
) -> None:
    """Hears one manager interface until `stopping` is set; then what was heard is stored."""
    turns = Turns(source, database, claims, beat, stopping)
    await turns.run(_Stage(turns).collect)


class _Stage:
    """One source, heard: connected to, and that again whenever the connection ends."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._source = turns.source
        self._database = turns.database
        self._stopping = turns.stopping
        self._log = turns.log
        self._reporter = turns.reporter
        self._reader = AmiReader(turns.source.zone, turns.source.mappings)
        self._held = Held()
        self._blind: datetime | None = None

    async def collect(self, claim: Claim) -> None:
        """Listens, and stores what was heard, until told to stop or another daemon has the source."""
        turns, source_id = self._turns, claim.source_id
        recognition = await turns.beating(
            recognition_of(self._database, source_id, self._source.kind, alone=True), deadline=None
        )
        if recognition is None:
            raise Conflict("the source was changed by another daemon")
        last = await turns.beating(last_heard(self._database, source_id))
        self._is_blind(last or utc_now())
        turns.goes_well("collecting")
        self._held = Held()
        try:
            async with asyncio.TaskGroup() as tasks:
                storing = tasks.create_task(self._store_on(claim, recognition))
                await self._connect_on()
                self._held.ends()
                await turns.beating(storing, deadline=None)
        except* Conflict as lost:
            raise Conflict(str(lost.exceptions[0])) from None
        finally:
            if self._held:
                self._log.warning("heard_records_dropped", records=len(self._held))
        await self._report(source_id)

    async def _store_on(self, claim: Claim, recognition: Recognition) -> None:
        """Stores in the order of hearing; meanwhile the next is heard."""
        storing = Storing(self._turns)
        while True:
            await self._report(claim.source_id)
            records = await self._held.next(_EVERY)
            if records is None:
                return
            with suppress(Unavailable):
                claim = await storing.held(claim)
            claim = await storing.store(claim, recognition, records)
            self._held.stored(len(records))

    async def _connect_on(self) -> None:
        """Connects again whenever the connection ends."""
        while not self._stopping.is_set():
            try:
                connection = await self._turns.beating(connect(self._source, self._reader.orders))
            except SourceUnavailable as fault:
                await self._not_connected(fault)
                continue
            began = stopwatch()
            try:
                self._hears()
                why = await self._listen(connection)
            finally:
                self._is_blind(utc_now())
                await connection.close()
            if stopwatch() - began > _LASTING:
                self._turns.goes_well("connecting")
            if why:
                await self._not_connected(SourceUnavailable(why))

    async def _not_connected(self, fault: SourceUnavailable) -> None:
        await self._turns.failed("connecting", fault, longest=_LONGEST_PAUSE)

    async def _listen(self, connection: AmiConnection) -> str:
        """Takes what comes, and says why no more does; nothing when it was told to stop."""
        is_open = True
        while is_open:
            self._turns.beat()
            messages, is_open, silent = await connection.turn()
            self._held.add(heard(self._reader, messages, utc_now()))
            if self._stopping.is_set():
                return ""
            if self._held.is_full:
                self._log.error("heard_too_much", records=len(self._held))
                while self._held.is_full and not self._stopping.is_set():
                    await self._turns.wait(_EVERY)
                return "there was no room for what it said"
        self._is_blind(utc_now() - timedelta(seconds=silent))
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
