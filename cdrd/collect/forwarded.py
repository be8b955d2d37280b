"""The collector's side of forwarding: pieces of files that a forwarder follows on another machine.

They are decoded and stored by the very code that does it for files of this machine, in one transaction
with the position; so provenance, suspense, duplicates and replays are the same. What is committed is told
to the forwarder, which remembers nothing itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any

from cdrd import metrics
from cdrd.clock import stopwatch, utc_now
from cdrd.collect.generations import Generation
from cdrd.collect.pieces import (
    LONGEST_HEADER,
    Malformed,
    Shipment,
    Told,
    Wellbeing,
    arrived,
    file_as_json,
)
from cdrd.collect.readiness import until_made
from cdrd.collect.reporter import Reporter
from cdrd.collect.stage import check_source
from cdrd.collect.storing import Destination, store
from cdrd.collect.telling import Telling
from cdrd.collect.tracks import Taken
from cdrd.collect.waiting import wait
from cdrd.errors import Conflict, NotFound, RequestError, SourceUnavailable
from cdrd.logs import get_logger
from cdrd.records import Chunk, Claim, DecodedChunk, SourceId
from cdrd.source_settings import SourceSettings
from cdrd.store.arrivals import recognition_of
from cdrd.store.database import Database, in_time
from cdrd.store.forwarders import QUIET, begin_forwarding, heard_forwarder, is_begun
from cdrd.store.identity import Recognition
from cdrd.store.sources import Report, positions, register_source

_AT_ONCE = 65536
"""Bytes that are decoded at once; a larger piece is decoded by a thread, so that others go on."""
_STORE_SECONDS = 25.0
"""The forwarder waits no longer than that for the database; what is cut off is rolled back."""
_WRITE_EVERY = 5.0
"""Seconds between two reports of a forwarder that are written down."""


class ForwardedSource:
    """One source that is forwarded to this collector."""

    def __init__(self, source: SourceSettings, database: Database, batch_bytes: int) -> None:
        self._source = source
        self._database = database
        self._decoder = check_source(source)
        self.most_bytes = max(batch_bytes, 2 * source.max_record_bytes + 65536)
        """Of a piece."""
        self._source_id: SourceId | None = None
        self._recognition: Recognition | None = None
        self._is_certain = False
        """Whether `_recognition` is what holds; after a conflict it may be another."""
        self._storing = asyncio.Lock()
        self._log = get_logger(source=source.name)
        self._telling = Telling(source, Reporter(source.name))
        self._heard_at = float("-inf")
        self._written_at = float("-inf")

    @property
    def is_heard(self) -> bool:
        """Whether the forwarder has said something lately."""
        return stopwatch() - self._heard_at < QUIET

    async def prepare(self) -> None:
        """Makes the source known; what its PBX has stored may have to be looked through, which takes long."""
        await self._known()
        await self._recognised()

    async def files(self) -> dict[str, Any]:
        """The files of the source, and how far each is stored."""
        async with in_time(_STORE_SECONDS):
            known = await positions(self._database, await self._known())
        return {"most_bytes": self.most_bytes, "files": [file_as_json(one) for one in known]}

    async def begin(self, machine: str) -> dict[str, Any]:
        """A forwarder begins, or goes on after something that it does not know the end of."""
        async with in_time(_STORE_SECONDS):
            claim = await begin_forwarding(self._database, await self._known(), machine)
            self._is_certain = False
            await self._recognised()
        self._log.info("forwarder_begun", machine=machine, epoch=claim.epoch)
        return {"epoch": claim.epoch, **await self.files()}

    async def take(self, shipped: Shipment | Told) -> dict[str, Any]:
        """Stores a piece; answered once it is committed. Conflict: the forwarder has to begin again."""
        claim = Claim(await self._known(), shipped.epoch)
        async with self._storing, in_time(_STORE_SECONDS):
            try:
                said = {} if isinstance(shipped, Told) else await self._store(claim, shipped)
                await self._hear(claim, shipped)
            except Conflict:
                self._is_certain = False
                raise
        return said

    async def _store(self, claim: Claim, shipped: Shipment) -> dict[str, Any]:
        decoded = await self._decoded(shipped)
        if shipped.data and not decoded.consumed:
            return {"file": shipped.start.file_id, "consumed": 0, "lines": 0}
        start = shipped.start
        generation = Generation(start, file_id=start.file_id)
        taken = Taken(generation, start, _chunk(shipped), decoded)
        if start.file_id is None and await is_begun(self._database, claim, taken.position):
            raise Conflict("this file is begun already")
        [family] = self._source.kind.families
        destination = Destination(claim, family, await self._recognised())
        self._telling.stored(taken, await store(self._database, destination, taken))
        return {
            "file": generation.file_id,
            "consumed": decoded.consumed,
            "lines": decoded.lines,
        }

    async def _decoded(self, shipped: Shipment) -> DecodedChunk:
        if not shipped.data:
            return DecodedChunk((), (), 0, 0)
        if len(shipped.data) > _AT_ONCE:
            return await asyncio.to_thread(self._decoder.chunk, _chunk(shipped))
        return self._decoder.chunk(_chunk(shipped))

    async def _hear(self, claim: Claim, shipped: Shipment | Told) -> None:
        """How the forwarder is doing, written down now and then: a piece that is stored says enough."""
        self._heard_at = stopwatch()
        wellbeing = shipped.wellbeing
        metrics.source_up.labels(self._source.name).set(1)
        metrics.lag_bytes.labels(self._source.name).set(wellbeing.lag_bytes or 0)
        metrics.lag_seconds.labels(self._source.name).set(wellbeing.behind_seconds or 0)
        metrics.unread_bytes.labels(self._source.name).inc(wellbeing.unread_bytes)
        is_due = self._heard_at - self._written_at >= _WRITE_EVERY
        if isinstance(shipped, Told) or wellbeing.error or is_due:
            await heard_forwarder(self._database, claim, _report(wellbeing))
            self._written_at = self._heard_at

    async def _known(self) -> SourceId:
        if self._source_id is None:
            source = self._source
            self._source_id = await register_source(
                self._database, name=source.name, kind=source.kind, pbx=source.pbx
            )
        return self._source_id

    async def _recognised(self) -> Recognition | None:
        if not self._is_certain:
            self._recognition = await recognition_of(
                self._database, await self._known(), self._source.kind
            )
            self._is_certain = True
        return self._recognition


class ForwardedSources:
    """The sources that are forwarded to this process now."""

    def __init__(self, wanted: Callable[[], Collection[str]]) -> None:
        self._wanted = wanted
        """The names of all that the settings have, whether they are ready or not."""
        self._open: dict[str, ForwardedSource] = {}

    def limit(self, source: str) -> int:
        """How many bytes may be sent at once, unpacked."""
        return self._of(source).most_bytes + LONGEST_HEADER

    async def files(self, source: str) -> dict[str, Any]:
        """The files of a source, and how far each is stored."""
        return await self._of(source).files()

    async def begin(self, source: str, machine: str) -> dict[str, Any]:
        """A forwarder begins; what it sent before and is not stored by now never will be."""
        return await self._of(source).begin(machine)

    async def take(self, source: str, body: bytes) -> dict[str, Any]:
        """Stores what a forwarder sends. RequestError where it is not to be understood."""
        try:
            shipped = arrived(body)
        except Malformed as error:
            raise RequestError(f"this is no piece of a file: {error}") from error
        return await self._of(source).take(shipped)

    def open(self, name: str, forwarded: ForwardedSource) -> None:
        """From now on pieces for this source are taken."""
        self._open[name] = forwarded

    def close(self, name: str) -> None:
        """No more."""
        self._open.pop(name, None)
        metrics.source_up.labels(name).set(0)

    def _of(self, source: str) -> ForwardedSource:
        forwarded = self._open.get(source)
        if forwarded is None and source not in self._wanted():
            raise NotFound(f"there is no source {source} that is forwarded to")
        if forwarded is None:
            raise SourceUnavailable(f"{source} takes nothing at the moment")
        return forwarded


async def take_forwarded(  # noqa: PLR0913 - what a stage is given, each by its name
    source: SourceSettings,
    *,
    database: Database,
    forwards: ForwardedSources,
    batch_bytes: int,
    beat: Callable[[], None],
    stopping: asyncio.Event,
) -> None:
    """Takes pieces for a source until told to stop. Any number of daemons may do so at once."""
    forwarded = ForwardedSource(source, database, batch_bytes)
    up = metrics.source_up.labels(source.name)
    up.set(0)
    try:
        await until_made(forwarded.prepare, source.name, beat, stopping)
        forwards.open(source.name, forwarded)
        while not stopping.is_set():
            up.set(forwarded.is_heard)
            await wait(1.0, beat, stopping)
    finally:
        forwards.close(source.name)


def _chunk(shipped: Shipment) -> Chunk:
    start = shipped.start
    return Chunk(shipped.data, start.offset, start.line, final=shipped.final)


def _report(wellbeing: Wellbeing) -> Report:
    def since(seconds: float | None) -> Any:
        return None if seconds is None else utc_now() - timedelta(seconds=seconds)

    return Report(
        lag_bytes=wellbeing.lag_bytes,
        behind_since=since(wellbeing.behind_seconds),
        failing_since=since(wellbeing.failing_seconds),
        last_error=wellbeing.error,
    )
