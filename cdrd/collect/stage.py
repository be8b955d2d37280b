"""The stage: reads the files of a source in a thread, and stores what they hold, until stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from cdrd.clock import stopwatch
from cdrd.collect.carriers import Carrier, load_carrier
from cdrd.collect.drops import DropFolder
from cdrd.collect.follow import Reading
from cdrd.collect.paths import SourceFiles
from cdrd.collect.reader import Reader
from cdrd.collect.storing import Destination, store
from cdrd.collect.telling import Telling
from cdrd.collect.tracks import Appetite, Taken
from cdrd.collect.turns import Turns
from cdrd.decode.decoders import RowDecoder, Shape, row_decoder_for
from cdrd.errors import SettingsError, SourceUnavailable
from cdrd.records import Chunk, Claim, DecodedChunk, SourceId, SourceKind
from cdrd.source_settings import SourceSettings
from cdrd.store.arrivals import recognition_of
from cdrd.store.carriers import positions_of_carrier
from cdrd.store.database import Database
from cdrd.store.files import held_files
from cdrd.store.sources import Claims, positions

_T = TypeVar("_T")
_FIRST_POLL = 0.002
"""Seconds until a file is looked at again after its end was reached; doubled up to `idle_poll`."""
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
    turns = Turns(source, database, claims, beat, stopping)
    stage = _Stage(turns, _files(source, batch_bytes, carriers))
    try:
        await turns.run(stage.collect)
    finally:
        stage.close()


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
    """One source, collected: resumed, and read on until a fault."""

    def __init__(self, turns: Turns, files: Reader) -> None:
        self._turns = turns
        self._source = turns.source
        self._database = turns.database
        self._files = files
        self._reading = False
        """Whether a thread is reading: its files must not be closed under it."""
        self._lag_at = self._decided_at = float("-inf")
        self._read_bytes = 0
        self._telling = Telling(turns.source, turns.reporter)

    async def collect(self, claim: Claim) -> None:
        """While one piece is stored the next is read and decoded, on the assumption that it will be."""
        turns, source_id = self._turns, claim.source_id
        destination = await self._destination(claim)
        await turns.beating(turns.reporter.write(self._database, source_id))
        await self._resume(source_id)
        poll = _FIRST_POLL
        taken = await self._read()
        while not turns.stopping.is_set():
            turns.beat()
            await self._measure(claim)
            if taken is None:
                self._goes_well()
                await turns.wait(poll)
                poll = min(2 * poll, self._source.idle_poll.total_seconds())
                if await self._is_decided(source_id):
                    await self._resume(source_id)
                taken = await self._read()
                continue
            poll = _FIRST_POLL
            storing = asyncio.create_task(self._store(destination, taken))
            try:
                taken = await self._read()
            finally:
                await turns.beating(storing)

    def close(self) -> None:
        """Lets go of every file, if no thread is left that reads them."""
        if not self._reading:
            self._files.close()

    async def _destination(self, claim: Claim) -> Destination:
        """Where its records go. A PBX that gets its second source is looked through, which may take long."""
        kind = self._source.kind
        [family] = kind.families
        if kind is SourceKind.CARRIER:  # a call that is billed twice is to be seen
            return Destination(claim, family)
        recognition = await self._turns.beating(
            recognition_of(self._database, claim.source_id, kind), deadline=None
        )
        return Destination(claim, family, recognition)

    async def _is_decided(self, source_id: SourceId) -> bool:
        """Whether somebody has decided about a file that is held; looked for now and then."""
        if stopwatch() - self._decided_at < _DECIDED_EVERY:
            return False
        self._decided_at = stopwatch()
        held = self._files.held
        return held > 0 and held != await self._turns.beating(held_files(self._database, source_id))

    async def _resume(self, source_id: SourceId) -> None:
        """Goes on from what the database has; only while nothing is being stored."""
        is_carrier = self._source.kind is SourceKind.CARRIER
        find = positions_of_carrier if is_carrier else positions
        known = await self._turns.beating(find(self._database, source_id))
        await self._in_thread(self._files.resume, known)

    async def _read(self) -> Taken | None:
        taken = await self._in_thread(self._files.take)
        if taken is not None:
            self._read_bytes += taken.decoded.consumed
        for fact in self._files.happened():
            self._telling.happened(fact, followed=fact.path in self._files.paths)
        return taken

    async def _store(self, destination: Destination, taken: Taken) -> None:
        stored = await store(self._database, destination, taken)
        self._goes_well()
        self._telling.stored(taken, stored)

    async def _measure(self, claim: Claim) -> None:
        """Now and then, how much is unread; and whatever else is new of the source is written down."""
        if stopwatch() - self._lag_at >= _LAG_EVERY:
            self._lag_at = stopwatch()
            await self._turns.check(claim)
            reporter = self._turns.reporter
            reporter.lags(await self._in_thread(self._files.lag), read=self._read_bytes)
            await self._turns.beating(reporter.write(self._database, claim.source_id))

    async def _in_thread(self, work: Callable[..., _T], *arguments: Any) -> _T:
        """What a thread brings, however long it takes: whole files may have to be looked through."""

        def done() -> _T:
            try:
                return work(*arguments)
            except OSError as error:
                path = self._source.path or self._source.drop
                raise SourceUnavailable(f"{path}: {error}") from error
            finally:
                self._reading = False

        self._reading = True
        return await self._turns.beating(asyncio.to_thread(done), deadline=None)

    def _goes_well(self) -> None:
        self._turns.goes_well("collecting")
