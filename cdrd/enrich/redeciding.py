"""Legs of a time are decided again: first to see what changes, with nothing written, then by the stage."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cdrd.clock import stopwatch
from cdrd.enrich.batch import Decisions, decide_calls
from cdrd.enrich.deciding import decide_call
from cdrd.enrich.directory import Directory
from cdrd.enrich.gathering import Gathering
from cdrd.enrich.reattribution import Reattribution, changes_of
from cdrd.enrich.stage import RE_ENRICH
from cdrd.errors import Unavailable
from cdrd.records import AcctId
from cdrd.settings import EnrichSettings
from cdrd.store.database import Database
from cdrd.store.events import pbxs_with_events
from cdrd.store.legs import legs_between
from cdrd.store.ranges import Ranges, ranges_of
from cdrd.store.reattributions import decide_again, decisions_of, ranges_of_dates
from cdrd.store.work import prepare_to_decide, waiting

_AT_ONCE = 1000
"""Ranges that the stage is given at once."""
_MOST_WAITING = 20_000
"""So many legs wait for the stage at most, that whoever else wants something decided again hardly waits."""
_LOOK_AGAIN = 0.2
_PATIENCE = 60.0
"""Seconds in which at least one leg must be decided."""


@dataclass(frozen=True, slots=True)
class Period:
    """When calls began: from `since` on, and before `until` where there is an end."""

    since: datetime
    until: datetime | None = None

    def __contains__(self, at: datetime) -> bool:
        return at >= self.since and (self.until is None or at < self.until)


@dataclass(frozen=True, slots=True)
class Redeciding:
    """How legs are decided again."""

    database: Database
    directory: Directory
    settings: EnrichSettings

    async def look(
        self, period: Period, found: Reattribution, progress: Callable[[int, int], None]
    ) -> None:
        """Adds up what changes; `progress` is told how many acctids of how many are looked through."""
        ranges = await ranges_of_dates(self.database, period.since, period.until)
        whole = sum(last - first + 1 for first, last in ranges)
        pbxs = await pbxs_with_events(self.database)
        done = 0
        for first, last in _pieces(ranges, self.settings.batch_legs):
            await self._piece((first, last), period, found, pbxs)
            done += last - first + 1
            progress(done, whole)

    async def _piece(
        self,
        piece: tuple[AcctId, AcctId],
        period: Period,
        found: Reattribution,
        pbxs: frozenset[str],
    ) -> None:
        async with self.database.transaction() as connection:
            known = await prepare_to_decide(connection)
            legs = await legs_between(connection, *piece)
            claimed = [leg for leg in legs if leg.calldate in period]
            if not claimed:
                return
            gathering = Gathering(connection, known, self.settings.lookback_legs, pbxs)
            gathered = await gathering.gather(claimed)
            decisions = await asyncio.to_thread(
                decide_calls,
                claimed,
                gathered,
                lambda call, events: decide_call(call, self.directory, events),
            )
            await self._compare(connection, decisions, found)
        found.legs += len(claimed)

    async def _compare(self, connection: Any, decisions: Decisions, found: Reattribution) -> None:
        acctids = [one.acctid for call in decisions.calls for one in call.attributions]
        stored = await decisions_of(connection, acctids)
        for call in decisions.calls:
            found.add(changes_of(call.attributions, stored))


def _pieces(ranges: Sequence[tuple[AcctId, AcctId]], size: int) -> Iterator[tuple[AcctId, AcctId]]:
    for first, last in ranges:
        for begin in range(first, last + 1, size):
            yield AcctId(begin), AcctId(min(last, begin + size - 1))


async def decide_stored_again(
    database: Database,
    acctids: Sequence[AcctId],
    progress: Callable[[int], None],
    *,
    patience: float = _PATIENCE,
) -> None:
    """Has the stage decide legs again, a bounded number of them at once, and waits until it has.

    `progress` is told how many are done. Raises Unavailable where nobody does any for so long: then what
    was given to the stage by then waits for it, and doing all of it another time does no harm.
    """
    left = _Left(ranges_of(acctids))
    done, moved_at = 0, stopwatch()
    while waits := await _more(database, left):
        finished = max(0, len(acctids) - left.legs - waits)
        if finished > done:
            done, moved_at = finished, stopwatch()
            progress(done)
        if stopwatch() - moved_at > patience:
            raise Unavailable(
                f"{waits:,} legs wait to be decided again, and nobody does it",
                hint="They are decided as soon as a daemon with the role enrich runs."
                + (" Then run this again for the others." if left.legs else ""),
            )
        await asyncio.sleep(_LOOK_AGAIN)
    progress(len(acctids))


class _Left:
    """What the stage was not given yet."""

    def __init__(self, ranges: Ranges) -> None:
        self._ranges = ranges
        self.legs = sum(last - first + 1 for first, last in ranges)

    def take(self) -> Ranges:
        """The next of them."""
        taken, self._ranges = self._ranges[:_AT_ONCE], self._ranges[_AT_ONCE:]
        self.legs -= sum(last - first + 1 for first, last in taken)
        return taken


async def _more(database: Database, left: _Left) -> int:
    """Gives the stage more where little waits; how many legs wait then, none when all is done."""
    waits = (await waiting(database, RE_ENRICH)).legs
    while left.legs and waits < _MOST_WAITING:
        ranges = left.take()
        await decide_again(database, RE_ENRICH, ranges)
        waits += sum(last - first + 1 for first, last in ranges)
    return waits
