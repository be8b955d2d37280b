"""The stage: claims waiting legs, reads the calls they belong to, writes what is decided, until stopped."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from cdrd import metrics
from cdrd.enrich.attribution import attribute_call
from cdrd.enrich.batch import Decisions, acctid_of, call_names, decide_calls, parked
from cdrd.enrich.companies import load_companies
from cdrd.enrich.directory import Directory
from cdrd.enrich.faults import Fault, tell_faults
from cdrd.enrich.in_force import InForce, wait_for
from cdrd.errors import Conflict, RowRefused, Unavailable
from cdrd.logs import get_logger
from cdrd.records import AcctId, Attribution, Leg
from cdrd.settings import EnrichSettings
from cdrd.store.attributions import parked_legs, write_attributions, write_by_halves
from cdrd.store.database import Database
from cdrd.store.directory import DIRECTORY, apply_directory
from cdrd.store.legs import ENRICH, Window, legs_between, legs_of_calls
from cdrd.store.work import (
    Known,
    Ranges,
    add_work,
    claim_work,
    finish_work,
    merged,
    prepare_to_decide,
    waiting,
)

RE_ENRICH = "re-enrich"
"""Legs to be decided again, after those that nobody has decided yet. Readers do not wait for these:
they may have been served already, and the horizon never goes back."""

_MOST_OTHERS = 10_000
"""Other legs of a batch's calls that are asked for at once."""
_IDLE = 1.0
"""Seconds after which a quiet stage looks for work that nobody told it of."""
_PATIENCE = 3.0
"""Seconds that legs wait for a new directory to be loaded."""
_LONGEST_PAUSE = 5.0
"""Seconds between two tries while the database is away."""

_log = get_logger(stage="enrich")

Rules = Callable[[Sequence[Leg], Directory | None], Sequence[Attribution]]
"""What decides a call: one attribution for each of its legs."""
_Write = Callable[[Any, Sequence[Sequence[Attribution]], Known], Awaitable[int]]


async def enrich(
    settings: EnrichSettings,
    *,
    database: Database,
    beat: Callable[[], None],
    stopping: asyncio.Event,
    rules: Rules = attribute_call,
) -> None:
    """Attributes legs until told to stop; several of these, anywhere, share the work."""
    await _Stage(settings, database, rules).run(beat, stopping)


async def apply_companies(database: Database, path: Path, *, applied_by: str) -> int | None:
    """Applies companies.yaml where it differs from what is in force, and returns the new version.

    Raises SettingsError with every problem in it; then nothing is applied.
    """
    content = await asyncio.to_thread(load_companies, path)
    digest = await asyncio.to_thread(content.digest)
    version = await apply_directory(
        database, content.companies, content.entries, digest=digest, applied_by=applied_by
    )
    if version is not None:
        _log.info("directory_applied", version=version, path=str(path), applied_by=applied_by)
    return version


class _Stage:
    """One running stage: one task works, one helps, one listens for work, one follows the directory."""

    def __init__(self, settings: EnrichSettings, database: Database, rules: Rules) -> None:
        self._settings = settings
        self._database = database
        self._rules = rules
        self._stopping = asyncio.Event()
        self._wake = asyncio.Event()
        self._backlog = asyncio.Event()
        self._in_force = InForce(database, self._directory_replaced)
        self._parked_after: AcctId | None = None
        """How far the parked legs are looked through; None while there is no reason to."""
        self._away = False

    async def run(self, beat: Callable[[], None], stopping: asyncio.Event) -> None:
        """Until told to stop, and the batch at hand is committed."""
        self._stopping = stopping
        async with asyncio.TaskGroup() as tasks:
            for turn in (self._listen, self._follow, partial(self._work, beat), self._help):
                tasks.create_task(self._keep(turn))
            await stopping.wait()
            for waited_for in (self._wake, self._backlog, self._in_force.wanted):
                waited_for.set()

    async def _keep(self, turn: Callable[[], Awaitable[None]]) -> None:
        """Turn after turn; what may pass is tried again, later and later."""
        failures = 0
        while not self._stopping.is_set():
            try:
                await turn()
            except (Unavailable, Conflict, RowRefused) as error:
                failures += 1
                self._failed(error)
                await wait_for(self._stopping, _pause(failures))
            else:
                failures = 0
                self._answered()

    def _failed(self, error: Exception) -> None:
        metrics.faults.labels("enrich", type(error).__name__).inc()
        if isinstance(error, Unavailable) and not self._away:
            self._away = True
            _log.warning("database_away", error=str(error))

    def _answered(self) -> None:
        if self._away:
            self._away = False
            _log.info("database_back")

    async def _listen(self) -> None:
        listening = self._database.listening
        async with (
            listening(ENRICH, self._wake.set) as legs,
            listening(DIRECTORY, self._in_force.wanted.set) as directory,
        ):
            self._wake.set()  # for what was stored before we listened
            while not (self._stopping.is_set() or legs.is_closed() or directory.is_closed()):
                await wait_for(self._stopping, _IDLE)

    async def _follow(self) -> None:
        for stage in (ENRICH, RE_ENRICH):
            waits = await waiting(self._database, stage)
            metrics.waiting_legs.labels(stage).set(waits.legs)
            metrics.waiting_seconds.labels(stage).set(waits.oldest_seconds)
        await self._in_force.take_up()
        await wait_for(self._in_force.wanted, _IDLE)
        self._in_force.wanted.clear()

    def _directory_replaced(self) -> None:
        self._parked_after = AcctId(0)
        self._wake.set()

    async def _work(self, beat: Callable[[], None]) -> None:
        beat()
        self._wake.clear()
        if not await self._batch():
            await wait_for(self._wake, _IDLE)

    async def _help(self) -> None:
        """While there is a backlog, decides one batch while the database writes another."""
        if not await wait_for(self._backlog, _IDLE) or self._stopping.is_set():
            return
        if not await self._batch():
            self._backlog.clear()

    async def _batch(self) -> bool:
        """One batch of what is most urgent; whether there was any."""
        for decide in (self._decide_waiting, self._decide_parked):
            try:
                found = await decide(_write)
            except RowRefused:
                found = await decide(partial(write_by_halves, instead=_refused))
            if found:
                return True
        return False

    async def _decide_waiting(self, write: _Write) -> bool:
        async with self._database.transaction() as connection:
            stage, ranges = claim = await self._claim(connection)
            if not ranges:
                return False
            known = await prepare_to_decide(connection)
            if self._may_decide(stage, known):
                await self._decide_claimed(connection, claim, known, write)
                return True
        await self._in_force.wait(known.directory_version, _PATIENCE)
        return stage == ENRICH

    async def _claim(self, connection: Any) -> tuple[str, Ranges]:
        most = self._settings.batch_legs
        ranges = await claim_work(connection, ENRICH, most_legs=most)
        if ranges:
            return ENRICH, ranges
        return RE_ENRICH, await claim_work(connection, RE_ENRICH, most_legs=most)

    def _may_decide(self, stage: str, known: Known) -> bool:
        """New legs do not wait long for a directory; what is decided again waits for the one in force."""
        if stage == ENRICH:
            return self._in_force.may_decide(known.directory_version)
        return known.directory_version <= self._in_force.version

    async def _decide_claimed(
        self, connection: Any, claim: tuple[str, Ranges], known: Known, write: _Write
    ) -> None:
        stage, ranges = claim
        together = merged(ranges)
        claimed: list[Leg] = []
        for first, last in together:
            claimed += await legs_between(connection, first, last)
        if len(claimed) < self._settings.batch_legs:
            self._backlog.clear()
        else:
            self._backlog.set()
        await finish_work(connection, stage, ranges)
        if not await self._decide(connection, claimed, known, write):
            await add_work(connection, RE_ENRICH, together)

    async def _decide_parked(self, write: _Write) -> bool:
        """A piece of the legs that waited for a directory, or for rules that do not fail on them."""
        if self._parked_after is None:
            return False
        after = self._parked_after
        async with self._database.transaction() as connection:
            known = await prepare_to_decide(connection)
            most = self._settings.batch_legs
            legs = await parked_legs(connection, after=after, most=most)
            if legs is None:  # another worker looks: what it leaves, because it died, is for us
                return False
            if legs and not await self._decide(connection, legs, known, write):
                raise Conflict("another directory came into force")
        if self._parked_after == after:
            self._parked_after = acctid_of(legs[-1]) if legs else None
        return bool(legs)

    async def _decide(
        self, connection: Any, claimed: Sequence[Leg], known: Known, write: _Write
    ) -> bool:
        """Decides and writes; whether it was done with the directory in force."""
        directory = self._in_force.directory
        known = known._replace(directory_version=self._in_force.version)
        others = await self._others(connection, claimed, known)
        decisions = await asyncio.to_thread(
            decide_calls, claimed, others, lambda legs: self._rules(legs, directory)
        )
        _tell(decisions)
        in_force = await write(connection, decisions.calls, known)
        for outcome, count in decisions.outcomes().items():
            metrics.attributions.labels(outcome).inc(count)
        return in_force <= known.directory_version

    async def _others(self, connection: Any, claimed: Sequence[Leg], known: Known) -> list[Leg]:
        acctids = [acctid_of(leg) for leg in claimed]
        window = Window(
            after=min(acctids, default=0) - self._settings.lookback_legs - 1,
            upto=known.seen_acctid,
            without=merged((acctid, acctid) for acctid in acctids),
        )
        return await _others_of(connection, call_names(claimed), window)


async def _others_of(connection: Any, names: Sequence[str], window: Window) -> list[Leg]:
    """The other legs of calls, in bounded pieces; of a single call no more than one piece."""
    if not names:
        return []
    legs = await legs_of_calls(connection, names, window=window, most=_MOST_OTHERS)
    if len(legs) < _MOST_OTHERS or len(names) == 1:
        return legs
    half = len(names) // 2
    first = await _others_of(connection, names[:half], window)
    return first + await _others_of(connection, names[half:], window)


async def _write(connection: Any, calls: Sequence[Sequence[Attribution]], known: Known) -> int:
    return await write_attributions(connection, list(chain.from_iterable(calls)), known)


def _refused(call: Sequence[Attribution], error: RowRefused) -> Sequence[Attribution]:
    """What is written in place of a call whose attributions the database refuses."""
    acctids = [attribution.acctid for attribution in call]
    tell_faults([Fault(acctids, error)])
    return parked(acctids)


def _tell(decisions: Decisions) -> None:
    tell_faults(decisions.faults)
    for name in decisions.oversized:
        _log.warning("call_too_large", call=name, decided="each leg by itself")


def _pause(failures: int) -> float:
    """Seconds before the next try: twice as long each time, and never the same for two processes."""
    longest = min(_LONGEST_PAUSE, 0.05 * 2.0 ** min(failures, 20))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - nobody gains by guessing it
