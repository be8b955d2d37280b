"""What a batch is decided from, read hop by hop: each leg and event may name others of the same call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from cdrd.beside import CelEvent, QueueEvent
from cdrd.enrich.batch import Gathered, acctid_of
from cdrd.enrich.grouping import related_keys
from cdrd.records import AcctId, Leg
from cdrd.store.events import EventId, channel_events_of_calls, queue_events_of_callers
from cdrd.store.legs import Window, legs_by_channel, legs_of_calls, legs_of_joined_calls
from cdrd.store.ranges import BEYOND, outside, ranges_of
from cdrd.store.work import Known

MOST_HOPS = 4
"""A transfer joins two calls; a transferred call may be transferred again. Each hop is a question."""
MOST_OTHERS = 10_000
"""Other legs of a batch's calls that are asked for at once."""
MOST_EVENTS = 20_000
"""Events that are asked for at once. A single call that has more is decided without."""
NEAR = 5000
"""Legs before and after one that names a channel, among which the channel's other legs are looked for."""
_MOST_NEAR = 50_000
"""Legs that are read at most, to look for channels."""
_EVENTS_A_LEG = 10
"""Events of a call for each of its legs: how far to look back for them."""

_Found = TypeVar("_Found", list[Leg], dict[EventId, CelEvent], list[QueueEvent])


@dataclass
class Gathering:
    """Everything that belongs to the claimed legs, or to channels of which something was heard."""

    connection: Any
    known: Known
    lookback: int
    pbxs: frozenset[str]
    """Those that have channel events."""
    _legs: dict[AcctId, Leg] = field(default_factory=dict)
    _events: dict[EventId, CelEvent] = field(default_factory=dict)
    _asked: set[str] = field(default_factory=set)
    _channels: set[str] = field(default_factory=set)
    _without: Sequence[tuple[AcctId, AcctId]] = ()
    _after: int = 0
    _have_events: bool = False
    """Nobody is asked for events before there are legs, of a PBX that ever had any."""
    endless: list[str] = field(default_factory=list)
    """Calls with more events than are looked at."""

    async def gather(
        self, claimed: Sequence[Leg], heard: Sequence[CelEvent] = (), *, again: bool = True
    ) -> Gathered:
        """All of it; nothing where what was heard is of calls that have no legs yet.

        `again` is false for legs that nobody has decided yet.
        """
        acctids = [acctid_of(leg) for leg in claimed]
        self._without = ranges_of(acctids)
        oldest = min(acctids, default=self.known.seen_acctid)
        self._after = oldest - self.lookback - 1
        legs, events = claimed, heard
        stored = claimed if again else ()
        for _ in range(MOST_HOPS):
            legs, events = await self._hop(legs, events)
            legs = [*legs, *await self._joined_with((*stored, *legs))]
            stored = ()
            if not (legs or events):
                break
        queued = await self._queued(claimed) if self.known.queue_pbxs else ()
        return Gathered(
            list(self._legs.values()), list(self._events.values()), self._channels, queued
        )

    async def _hop(
        self, legs: Sequence[Leg], events: Sequence[CelEvent]
    ) -> tuple[Sequence[Leg], Sequence[CelEvent]]:
        """What these name, and nobody has asked for before."""
        keys = related_keys(legs, events)
        ids = [name for name in keys.ids if name not in self._asked]
        self._asked.update(ids)
        channels = keys.channels - self._channels
        self._channels |= channels
        found = await self._legs_of(ids)
        asking = keys.asking or [*legs, *found]
        if channels and asking:
            found += await self._near(list(channels), asking)
        more = self._new(found)
        if self.pbxs and not self._have_events:
            self._have_events = any(leg.pbx in self.pbxs for leg in (*legs, *more))
        return more, await self._events_of(ids) if self._have_events else ()

    async def _joined_with(self, stored: Sequence[Leg]) -> list[Leg]:
        """Legs that name one of these, and are not named by it: the row of their call knows."""
        if not stored:
            return []
        found = await legs_of_joined_calls(
            self.connection,
            [acctid_of(leg) for leg in stored],
            upto=self.known.seen_acctid,
            most=MOST_OTHERS,
        )
        return self._new(leg for leg in found if not self._is_claimed(acctid_of(leg)))

    def _new(self, found: Iterable[Leg]) -> list[Leg]:
        more = [leg for leg in found if acctid_of(leg) not in self._legs]
        self._legs.update((acctid_of(leg), leg) for leg in more)
        return more

    async def _legs_of(self, names: Sequence[str]) -> list[Leg]:
        window = Window(self._after, self.known.seen_acctid, self._without)

        async def ask(some: Sequence[str]) -> list[Leg]:
            return await legs_of_calls(self.connection, some, window=window, most=MOST_OTHERS)

        found: list[Leg] = []
        for _, piece in await _in_pieces(ask, names, MOST_OTHERS):
            found += piece
        return found

    async def _near(self, channels: Sequence[str], asking: Sequence[Leg]) -> list[Leg]:
        """Both are written when a channel ends, so that not many others are between them."""
        near = min(NEAR, _MOST_NEAR // len(asking))
        ranges = ranges_of([acctid_of(leg) for leg in asking], near=near)
        unknown = (AcctId(self.known.seen_acctid + 1), BEYOND)
        around = outside(ranges, (*self._without, unknown))
        if not around:
            return []
        return await legs_by_channel(self.connection, channels, near=around, most=MOST_OTHERS)

    def _is_claimed(self, acctid: AcctId) -> bool:
        return any(first <= acctid <= last for first, last in self._without)

    def _recent_events(self) -> tuple[int, int]:
        seen = self.known.seen_event_id
        return seen - _EVENTS_A_LEG * self.lookback, seen

    async def _queued(self, claimed: Sequence[Leg]) -> Sequence[QueueEvent]:
        """What queues tell of all channels that were named; of a caller with too many events nothing."""
        pbxs = self.known.queue_pbxs
        if not any(leg.pbx in pbxs for leg in (*claimed, *self._legs.values())):
            return ()
        within = self._recent_events()

        async def ask(some: Sequence[str]) -> list[QueueEvent]:
            return await queue_events_of_callers(
                self.connection, some, within=within, most=MOST_EVENTS
            )

        found = await _in_pieces(ask, list(self._asked), MOST_EVENTS)
        return [event for piece in self._looked_at(found) for event in piece]

    async def _events_of(self, names: Sequence[str]) -> Sequence[CelEvent]:
        within = self._recent_events()

        async def ask(some: Sequence[str]) -> dict[EventId, CelEvent]:
            return await channel_events_of_calls(
                self.connection, some, within=within, most=MOST_EVENTS
            )

        more: dict[EventId, CelEvent] = {}
        for piece in self._looked_at(await _in_pieces(ask, names, MOST_EVENTS)):
            more |= piece
        new = {number: event for number, event in more.items() if number not in self._events}
        self._events |= new
        return list(new.values())

    def _looked_at(self, pieces: Sequence[tuple[Sequence[str], _Found]]) -> list[_Found]:
        """Those that are whole; whoever has more is named."""
        self.endless += [
            name for names, piece in pieces if len(piece) >= MOST_EVENTS for name in names
        ]
        return [piece for _, piece in pieces if len(piece) < MOST_EVENTS]


async def _in_pieces(
    ask: Callable[[Sequence[str]], Awaitable[_Found]], names: Sequence[str], most: int
) -> list[tuple[Sequence[str], _Found]]:
    """The answers of a question that answers so much at most; of a single name no more than that."""
    if not names:
        return []
    found = await ask(names)
    if len(found) < most or len(names) == 1:
        return [(names, found)]
    half = len(names) // 2
    first = await _in_pieces(ask, names[:half], most)
    return first + await _in_pieces(ask, names[half:], most)
