"""The stage: claims a source, reads its files in a thread, stores what they hold, until stopped."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from cdrd import metrics
from cdrd.clock import stopwatch
from cdrd.collect.carriers import Carrier, load_carrier
from cdrd.collect.drops import DropFolder
from cdrd.collect.follow import Reading
from cdrd.collect.paths import SourceFiles
from cdrd.collect.reader import Reader
from cdrd.collect.reporter import Reporter
from cdrd.collect.storing import Destination, store
from cdrd.collect.telling import Telling
from cdrd.collect.tracks import Appetite, Taken
from cdrd.decode.decoders import RowDecoder, Shape, row_decoder_for
from cdrd.errors import Conflict, RowRefused, SettingsError, SourceUnavailable, Unavailable
from cdrd.logs import get_logger
from cdrd.records import Chunk, Claim, DecodedChunk, SourceId, SourceKind
from cdrd.settings import SourceSettings
from cdrd.store.arrivals import recognition_of
from cdrd.store.carriers import positions_of_carrier
from cdrd.store.database import Database
from cdrd.store.sources import Claims, positions, register_source

_T = TypeVar("_T")
_FAULTS = (Unavailable, Conflict, RowRefused, TimeoutError)
"""What is tried again. After each of them only the database knows what is stored."""
_CLAIM_EVERY = 1.0
"""Seconds between two attempts to claim a source that another daemon has."""
_FIRST_POLL = 0.002
"""Seconds until a file is looked at again after its end was reached; doubled up to `idle_poll`."""
_LONGEST_PAUSE = 5.0
"""Seconds between two attempts after faults."""
_BEAT_EVERY = 1.0
"""Seconds between two beats while the database is waited for."""
_STORE_DEADLINE = 120.0
"""Seconds after which a database that says nothing at all counts as away."""
_RELEASE_SECONDS = 2.0
"""So long the database has to take back a claim; who waits for it gets it anyway in the end."""
_LAG_EVERY = 1.0
"""Seconds between two measurements of how much is unread."""
_DECIDED_EVERY = 2.0
"""Seconds between two looks whether somebody has decided about a file that is held."""


async def collect(  # noqa: PLR0913 - what a stage is given, each by its name
    source: SourceSettings,
    *,
    database: Database,
    claims: Claims,
    batch_bytes: int,
    beat: Callable[[], None],
    stopping: asyncio.Event,
    carriers: Path | None = None,
) -> None:
    """Collects from one source until `stopping` is set; then everything read is stored or read again.

    `carriers` is the folder that says how the files of carriers are read.
    """
    stage = _Stage(source, database, claims, beat, stopping)
    await stage.run(_files(source, batch_bytes, carriers))


def shape_of(source: SourceSettings) -> Shape:
    """What the decoder needs to know of a source."""
    return Shape(
        kind=source.kind,
        format=source.format,
        zone=source.zone,
        columns=source.columns,
        ambiguous=source.ambiguous,
        max_record_bytes=source.max_record_bytes,
    )


def check_source(source: SourceSettings) -> RowDecoder:
    """The decoder of a source; raises SettingsError where its columns make no sense."""
    try:
        return row_decoder_for(shape_of(source))
    except SettingsError as error:
        problems = [f"sources: {source.name}: {problem}" for problem in error.problems]
        raise SettingsError(problems) from error


def _files(source: SourceSettings, batch_bytes: int, carriers: Path | None) -> Reader:
    if source.carrier is not None:
        return carrier_folder(source, load_carrier(source.carrier, carriers), batch_bytes)
    decoder = check_source(source)
    most = max(batch_bytes, 2 * source.max_record_bytes + 65536)
    reading = Reading(decoder.chunk, Appetite(batch_bytes, most))
    if source.drop:
        return DropFolder(source.drop, source.complete_after.total_seconds(), reading)
    return SourceFiles(source.path, source.rotated, reading)


def carrier_folder(source: SourceSettings, carrier: Carrier, batch_bytes: int) -> DropFolder:
    """The drop folder of a carrier, whose files each say themselves what their columns are."""

    def undecoded(_: Chunk) -> DecodedChunk:
        raise SourceUnavailable("the header of this file was never read")

    reading = Reading(undecoded, Appetite(batch_bytes, max(batch_bytes, carrier.most_bytes)))
    quiet = source.complete_after.total_seconds()
    return DropFolder(source.drop, quiet, reading, carrier.opened)


class _Stage:
    """One source, collected: claimed, resumed and read on until a fault; then all of that again."""

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
        self._claimed: Claim | None = None
        self._beat = beat
        self._stopping = stopping
        self._log = get_logger(source=source.name)
        self._reading = False
        """Whether a thread is reading: its files must not be closed under it."""
        self._failures = 0
        self._lag_at = float("-inf")
        self._read_bytes = 0
        self._reporter = Reporter(source.name)
        self._telling = Telling(source, self._reporter)

    async def run(self, files: Reader) -> None:
        """Until told to stop."""
        up = metrics.source_up.labels(self._source.name)
        up.set(0)
        try:
            while not self._stopping.is_set():
                try:
                    claim = await self._claim()
                    if claim is not None:
                        up.set(1)
                        await self._turns(files, await self._destination(claim))
                except _FAULTS as fault:
                    up.set(0)
                    await self._failed(fault)
        finally:
            up.set(0)
            if not self._reading:
                files.close()
            await self._release()

    async def _claim(self) -> Claim | None:
        """The claim, once no other daemon has it; None when told to stop before."""
        source = self._source
        source_id = await self._beating(
            register_source(
                self._database,
                name=source.name,
                kind=source.kind,
                pbx=source.pbx,
                carrier=source.carrier,
            )
        )
        told = False
        while not self._stopping.is_set():
            claim = await self._beating(self._claims.claim(source_id))
            if claim is not None:
                self._log.info("source_claimed", epoch=claim.epoch)
                self._claimed = claim
                return claim
            if not told:
                self._log.info("source_claimed_elsewhere")
                told = True
            await self._wait(_CLAIM_EVERY)
        return None

    async def _release(self) -> None:
        """What this daemon collects from no more, another one may at once."""
        if self._claimed is not None:
            with suppress(Unavailable, TimeoutError):  # then the claim ends with its connection
                async with asyncio.timeout(_RELEASE_SECONDS):
                    await self._claims.release(self._claimed.source_id)

    async def _destination(self, claim: Claim) -> Destination:
        """Where its records go. A PBX that gets its second source is looked through, which may take long."""
        kind = self._source.kind
        [family] = kind.families
        if kind is SourceKind.CARRIER:  # a call that is billed twice is to be seen
            return Destination(claim, family)
        recognition = await self._beating(
            recognition_of(self._database, claim.source_id, kind), deadline=None
        )
        return Destination(claim, family, recognition)

    async def _turns(self, files: Reader, destination: Destination) -> None:
        """While one piece is stored the next one is read and decoded, on the assumption that it will be."""
        source_id = destination.claim.source_id
        await self._beating(self._reporter.write(self._database, source_id))
        resumed_at = await self._resume(files, source_id)
        poll = _FIRST_POLL
        taken = await self._read(files)
        while not self._stopping.is_set():
            self._beat()
            await self._measure(files, source_id)
            if taken is None:
                self._goes_well()
                await self._wait(poll)
                poll = min(2 * poll, self._source.idle_poll.total_seconds())
                if files.is_undecided and stopwatch() - resumed_at >= _DECIDED_EVERY:
                    resumed_at = await self._resume(files, source_id)
                taken = await self._read(files)
                continue
            poll = _FIRST_POLL
            storing = asyncio.create_task(store(self._database, destination, taken))
            try:
                following = await self._read(files)
            finally:
                stored = await self._beating(storing)
            self._goes_well()
            self._telling.stored(taken, stored)
            taken = following

    async def _resume(self, files: Reader, source_id: SourceId) -> float:
        """Goes on from what the database has; only while nothing is being stored."""
        is_carrier = self._source.kind is SourceKind.CARRIER
        find = positions_of_carrier if is_carrier else positions
        known = await self._beating(find(self._database, source_id))
        await self._in_thread(files.resume, known)
        return stopwatch()

    async def _read(self, files: Reader) -> Taken | None:
        taken = await self._in_thread(files.take)
        if taken is not None:
            self._read_bytes += taken.decoded.consumed
        for fact in files.happened():
            self._telling.happened(fact, followed=fact.path in files.paths)
        return taken

    async def _measure(self, files: Reader, source_id: SourceId) -> None:
        """Now and then, how much is unread; and whatever else is new of the source is written down."""
        if stopwatch() - self._lag_at >= _LAG_EVERY:
            self._lag_at = stopwatch()
            self._reporter.lags(await self._in_thread(files.lag), read=self._read_bytes)
            await self._beating(self._reporter.write(self._database, source_id))

    async def _in_thread(self, work: Callable[..., _T], *arguments: Any) -> _T:
        def done() -> _T:
            try:
                return work(*arguments)
            except OSError as error:
                path = self._source.path or self._source.drop
                raise SourceUnavailable(f"{path}: {error}") from error
            finally:
                self._reading = False

        self._reading = True
        return await asyncio.to_thread(done)

    async def _beating(
        self, work: Awaitable[_T], *, deadline: float | None = _STORE_DEADLINE
    ) -> _T:
        """What the database answers; it may take its time, but not for ever."""
        task = asyncio.ensure_future(work)
        try:
            async with asyncio.timeout(deadline):
                while not task.done():
                    self._beat()
                    await asyncio.wait([task], timeout=_BEAT_EVERY)
        finally:
            task.cancel()
        return await task

    async def _wait(self, seconds: float) -> None:
        self._beat()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    async def _failed(self, fault: Exception) -> None:
        """Said once until it goes well again, counted each time, and tried again a little later."""
        metrics.faults.labels("collect", type(fault).__name__).inc()
        if not self._failures:
            self._log.warning("collecting_failed", kind=type(fault).__name__, error=str(fault))
        self._reporter.fails("collecting", f"{type(fault).__name__}: {fault}")
        longest = min(_LONGEST_PAUSE, 0.1 * 2**self._failures)
        self._failures = min(self._failures + 1, 10)
        await self._wait(random.uniform(longest / 2, longest))  # noqa: S311 - jitter is no secret

    def _goes_well(self) -> None:
        self._failures = 0
        self._reporter.well("collecting")
