"""The stage: claims waiting legs and events, reads their calls, writes what is decided, until stopped."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from cdrd import metrics
from cdrd.beside import CelEvent
from cdrd.clock import stopwatch, wait_for
from cdrd.enrich.applying import apply_file
from cdrd.enrich.batch import Decisions, acctid_of, decide_calls, parked
from cdrd.enrich.deciding import decide_call
from cdrd.enrich.directory import Directory
from cdrd.enrich.faults import Fault, tell_faults
from cdrd.enrich.gathering import Gathering
from cdrd.enrich.in_force import InForce
from cdrd.errors import Conflict, RowRefused, Unavailable
from cdrd.logs import get_logger
from cdrd.records import AcctId, Leg
from cdrd.settings import EnrichSettings
from cdrd.store.attributions import note_late, parked_legs, write_by_halves, write_decisions
from cdrd.store.calls import settle_calls, settled_horizon
from cdrd.store.database import Database
from cdrd.store.decided import Decided
from cdrd.store.directory import DIRECTORY
from cdrd.store.events import EVENTS, callers_between, channels_between, pbxs_heard
from cdrd.store.feed import newest
from cdrd.store.legs import ENRICH, legs_between
from cdrd.store.ranges import BEYOND, Ranges, merged
from cdrd.store.work import (
    Known,
    add_work,
    claim_work,
    finish_work,
    prepare_to_decide,
    waiting,
)

RE_ENRICH = "re-enrich"
"""Legs to be decided again, after those that nobody has decided yet. Readers do not wait for these:
they may have been served already, and the horizon never goes back."""

_MOST_HEARD = 2000
"""Events that are looked at at once: legs that come meanwhile must not wait long."""
_MOST_AGAIN = 500
"""Legs that are decided again at once, for the same reason."""
_MOST_SETTLED = 1000
"""Calls that are settled at once: whoever decides waits meanwhile."""
_IDLE = 1.0
"""Seconds after which a quiet stage looks for work that nobody told it of."""
_PATIENCE = 3.0
"""Seconds that legs wait for a new directory to be loaded."""
_LONGEST_PAUSE = 5.0
"""Seconds between two tries while the database is away."""

_log = get_logger(stage="enrich")

Rules = Callable[[Sequence[Leg], Directory | None, Sequence[CelEvent]], Decided]
"""What decides a call: one attribution for each of its legs, and the row of the call."""
_Write = Callable[[Any, Sequence[Decided], Known], Awaitable[int]]


async def enrich(  # noqa: PLR0913 - what the daemon gives to every stage, and how readers are served
    settings: EnrichSettings,
    *,
    database: Database,
    beat: Callable[[], None],
    stopping: asyncio.Event,
    deadline: timedelta = timedelta(seconds=10),
    rules: Rules = decide_call,
) -> None:
    """Decides calls until told to stop; several of these, anywhere, share the work.

    After `deadline` a leg is served as it is, so that its first decision is a change to who read it.
    """
    await _Stage(settings, database, rules, deadline).run(beat, stopping)


async def apply_companies(database: Database, path: Path, *, applied_by: str) -> int | None:
    """Applies companies.yaml where it differs from what is in force, and returns the new version.

    Raises SettingsError with every problem in it; then nothing is applied.
    """
    version = await apply_file(database, path, applied_by=applied_by)
    if version is not None:
        _log.info("directory_applied", version=version, path=str(path), applied_by=applied_by)
    return version


class _Stage:
    """One running stage.

    One task works, one helps, one decides again what events tell more of, one settles calls, one listens
    for work, one follows the directory.
    """

    def __init__(
        self, settings: EnrichSettings, database: Database, rules: Rules, deadline: timedelta
    ) -> None:
        self._settings = settings
        self._database = database
        self._rules = rules
        self._late = deadline.total_seconds() / 2  # what is read meanwhile must not slip through
        self._stopping = asyncio.Event()
        self._wake = asyncio.Event()
        self._backlog = asyncio.Event()
        self._deciding = asyncio.Lock()
        """Two threads that decide at once take turns with every bytecode, and neither is done sooner."""
        self._heard = asyncio.Event()
        self._pbxs: frozenset[str] = frozenset()
        """Those that have channel events, ..."""
        self._pbxs_at = 0
        """... up to this one."""
        self._in_force = InForce(database, self._directory_replaced)
        self._parked_after: AcctId | None = None
        """How far the parked legs are looked through; None while there is no reason to."""
        self._away = False

    async def run(self, beat: Callable[[], None], stopping: asyncio.Event) -> None:
        """Until told to stop, and the batch at hand is committed."""
        self._stopping = stopping
        async with asyncio.TaskGroup() as tasks:
            works = (partial(self._work, beat), self._help, self._hear, self._settle)
            for turn in (self._listen, *works):
                tasks.create_task(self._keep(turn))
            following = tasks.create_task(self._keep(self._follow))
            await stopping.wait()
            following.cancel()  # it only reads, and may be in the middle of a million entries
            for waited_for in (self._wake, self._backlog, self._heard):
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
            listening(EVENTS, self._heard.set) as events,
            listening(DIRECTORY, self._in_force.wanted.set) as directory,
        ):
            self._wake.set()  # for what was stored before we listened
            self._heard.set()
            lines = (legs, events, directory)
            while not (self._stopping.is_set() or any(line.is_closed() for line in lines)):
                await wait_for(self._stopping, _IDLE)

    async def _follow(self) -> None:
        for stage in (ENRICH, RE_ENRICH, EVENTS):
            waits = await waiting(self._database, stage)
            metrics.waiting_legs.labels(stage).set(waits.legs)
            metrics.waiting_seconds.labels(stage).set(waits.oldest_seconds)
        settled = await settled_horizon(self._database)
        metrics.unsettled_legs.set(await newest(self._database) - settled)
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

    async def _hear(self) -> None:
        self._heard.clear()
        if not await self._attempt(self._decide_heard):
            await wait_for(self._heard, _IDLE)

    async def _settle(self) -> None:
        if not await settle_calls(self._database, most=_MOST_SETTLED):
            await wait_for(self._stopping, _IDLE)

    async def _batch(self) -> bool:
        """One batch of what is most urgent; whether there was any."""
        for decide in (self._decide_waiting, self._decide_parked):
            if await self._attempt(decide):
                return True
        return False

    async def _attempt(self, decide: Callable[[_Write], Awaitable[bool]]) -> bool:
        """Once more where the database refuses something of it, which is then looked for."""
        try:
            return await decide(write_decisions)
        except RowRefused:
            return await decide(partial(write_by_halves, instead=_refused))

    async def _decide_waiting(self, write: _Write) -> bool:
        async with self._database.transaction() as connection:
            stage, ranges = await self._claim(connection)
            if not ranges:
                return False
            known = await prepare_to_decide(connection)
            if self._may_decide(stage, known):
                await self._decide_claimed(connection, stage, ranges, write, known)
                return True
        await self._in_force.wait(known.directory_version, _PATIENCE)
        return stage == ENRICH

    async def _claim(self, connection: Any) -> tuple[str, Ranges]:
        ranges = await claim_work(connection, ENRICH, most_legs=self._settings.batch_legs)
        if ranges:
            return ENRICH, ranges
        return RE_ENRICH, await claim_work(connection, RE_ENRICH, most_legs=_MOST_AGAIN)

    def _may_decide(self, stage: str, known: Known) -> bool:
        """New legs do not wait long for a directory; what is decided again waits for the one in force."""
        if stage == ENRICH:
            return self._in_force.may_decide(known.directory_version)
        return known.directory_version <= self._in_force.version

    async def _decide_claimed(
        self, connection: Any, stage: str, ranges: Ranges, write: _Write, known: Known
    ) -> None:
        together = merged(ranges)
        claimed: list[Leg] = []
        for first, last in together:
            claimed += await legs_between(connection, first, last)
        if len(claimed) < (self._settings.batch_legs if stage == ENRICH else _MOST_AGAIN):
            self._backlog.clear()
        else:
            self._backlog.set()
        await finish_work(connection, stage, ranges)
        if stage == ENRICH:
            known = known._replace(claimed_from=together[0][0])
        if not await self._decide(connection, claimed, known, write):
            await add_work(connection, RE_ENRICH, together)

    async def _decide_heard(self, write: _Write) -> bool:
        """Calls of which events tell more than was known; most events are of calls that still go on."""
        async with self._database.transaction() as connection:
            ranges = await claim_work(connection, EVENTS, most_legs=_MOST_HEARD)
            if not ranges:
                return False
            known = await prepare_to_decide(connection)
            if self._may_decide(EVENTS, known):
                heard = await channels_between(connection, ranges)
                self._pbxs |= {event.pbx for event in heard}
                if known.queue_pbxs:
                    heard += await callers_between(connection, ranges)
                await finish_work(connection, EVENTS, ranges)
                if not await self._decide(connection, (), known, write, heard=heard):
                    raise Conflict("another directory came into force")
                return True
        await self._in_force.wait(known.directory_version, _PATIENCE)
        return False

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
        self,
        connection: Any,
        claimed: Sequence[Leg],
        known: Known,
        write: _Write,
        *,
        heard: Sequence[CelEvent] = (),
    ) -> bool:
        """Decides and writes; whether it was done with the directory in force."""
        directory = self._in_force.directory
        known = known._replace(
            directory_version=self._in_force.version,
            quiet=self._settings.settle_after,
            late=self._is_late(known),
        )
        await self._know_pbxs(connection, (*claimed, *heard), known)
        gathering = Gathering(connection, known, self._settings.lookback_legs, self._pbxs)
        again = known.claimed_from == BEYOND
        gathered = await gathering.gather(claimed, heard, again=again)
        async with self._deciding:
            decisions = await asyncio.to_thread(
                decide_calls,
                claimed,
                gathered,
                lambda legs, events: self._rules(legs, directory, events),
                heard=heard,
            )
        _tell(decisions, gathering.endless)
        in_force = await write(connection, decisions.calls, known)
        if not known.late and self._is_late(known):  # something held us up meanwhile
            await note_late(connection, decisions.calls)
        for outcome, count in decisions.outcomes().items():
            metrics.attributions.labels(outcome).inc(count)
        return in_force <= known.directory_version

    def _is_late(self, known: Known) -> bool:
        """Whether legs may have been served undecided."""
        return stopwatch() - known.waits_since >= self._late

    async def _know_pbxs(
        self, connection: Any, told: Sequence[Leg | CelEvent], known: Known
    ) -> None:
        """Whoever decides with what is known up to an event has to have looked for events up to it."""
        if known.seen_event_id > self._pbxs_at and any(one.pbx not in self._pbxs for one in told):
            self._pbxs |= await pbxs_heard(connection)
            self._pbxs_at = max(self._pbxs_at, known.seen_event_id)


def _refused(call: Decided, error: RowRefused) -> Decided:
    """What is written in place of a call whose attributions the database refuses."""
    acctids = [attribution.acctid for attribution in call.attributions]
    tell_faults([Fault(acctids, error)])
    return parked(acctids)


def _tell(decisions: Decisions, endless: Sequence[str]) -> None:
    tell_faults(decisions.faults)
    for name in decisions.oversized:
        _log.warning("call_too_large", call=name, decided="each leg by itself")
    for name in endless:
        _log.warning("call_too_large", call=name, decided="without its events")


def _pause(failures: int) -> float:
    """Seconds before the next try: twice as long each time, and never the same for two processes."""
    longest = min(_LONGEST_PAUSE, 0.05 * 2.0 ** min(failures, 20))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - nobody gains by guessing it
