"""A batch becomes calls, and each call its decisions; a call that a rule fails on stops nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from cdrd.beside import CelEvent, QueueEvent
from cdrd.enrich.faults import Fault
from cdrd.enrich.grouping import CallGroup, calls_of
from cdrd.enrich.queue_row import Callers, by_caller, queue_events_of, told_by_queue
from cdrd.records import AcctId, Attribution, Leg, UnattributedReason
from cdrd.store.decided import Decided

MOST_LEGS_OF_CALL: Final = 2000
"""A conference of 60 has 1770. What is larger is no call but a PBX that gives all of them one name, and
would be decided anew as a whole with each of its legs: such legs are decided one by one."""

Decide = Callable[[Sequence[Leg], Sequence[CelEvent]], Decided]
"""What decides a call: one attribution for each of its legs."""


class Gathered(NamedTuple):
    """What belongs to what was claimed, as far as it is known."""

    legs: Sequence[Leg] = ()
    """Other legs than those that were claimed."""
    events: Sequence[CelEvent] = ()
    channels: set[str] = set()  # noqa: RUF012 - nobody changes it
    """Names of channels by which the legs may be one call."""
    queued: Sequence[QueueEvent] = ()


class Decisions(NamedTuple):
    """What became of a batch."""

    calls: Sequence[Decided]
    """What is to be written, call by call."""
    faults: Sequence[Fault]
    oversized: Sequence[str]
    """Names that too many legs have."""

    def outcomes(self) -> Counter[str]:
        """How many legs have a company, and how many have none for which reason."""
        return Counter(
            attribution.reason or "attributed"
            for call in self.calls
            for attribution in call.attributions
        )


def acctid_of(leg: Leg) -> AcctId:
    """The acctid of a stored leg."""
    if leg.acctid is None:
        raise ValueError("this leg is not stored")
    return leg.acctid


def call_name(leg: Leg) -> str | None:
    """What the legs of a call have in common, as far as the PBX writes it."""
    return (leg.uniqueid if leg.linkedid is None else leg.linkedid) or None


def decide_calls(
    claimed: Sequence[Leg],
    gathered: Gathered,
    decide: Decide,
    *,
    heard: Sequence[CelEvent] = (),
) -> Decisions:
    """Decides every call that a claimed leg belongs to, or a channel of which something was heard.

    Of a call with claimed legs those older than the newest of them are decided again: a leg that came
    later brings its own work, and whoever claims that knows all that we know. What was heard concerns all.
    """
    deciding = _Deciding(decide, by_caller(gathered.queued))
    ids = {(event.pbx, name) for event in heard for name in (event.uniqueid, event.linkedid)}
    legs = [*claimed, *gathered.legs] if gathered.legs else claimed
    others = {leg.acctid for leg in gathered.legs}
    for group in calls_of(legs, gathered.events, channels=gathered.channels):
        if not group.legs:
            continue
        if ids and deciding.is_heard(group, ids):
            deciding.take(group, group.legs)
        else:
            mine = group.legs
            if others:
                mine = [leg for leg in mine if leg.acctid not in others]
            if mine:
                deciding.take(group, mine)
    return Decisions(deciding.decided, deciding.faults, deciding.oversized)


class _Deciding:
    """Calls, one after the other."""

    def __init__(self, decide: Decide, callers: Callers) -> None:
        self._decide = decide
        self._callers = callers
        self.decided: list[Decided] = []
        self.faults: list[Fault] = []
        self.oversized: list[str] = []

    def is_heard(self, group: CallGroup, ids: set[tuple[str, str]]) -> bool:
        """Whether any of its channels is one of those of which something was heard.

        What is too large is no call: no event is told of its legs.
        """
        if len(group.legs) > MOST_LEGS_OF_CALL:
            return False
        if any((e.pbx, n) in ids for e in group.events for n in (e.uniqueid, e.linkedid)):
            return True
        queued = queue_events_of(group.legs, group.events, self._callers)
        return any((event.pbx, event.callid) in ids for event in queued)

    def take(self, group: CallGroup, claimed: Sequence[Leg]) -> None:
        legs, events = group.legs, group.events
        if len(legs) > MOST_LEGS_OF_CALL:
            self.oversized.append(str(call_name(legs[0])))
            for leg in claimed:
                self._one([leg], (), ())
            return
        said = queue_events_of(legs, events, self._callers) if self._callers else ()
        if len(legs) == 1:
            self._one(legs, events, said)
        else:
            upto = max(map(acctid_of, claimed)) if len(claimed) < len(legs) else None
            legs.sort(key=acctid_of)
            self._one(legs, events, said, upto=upto)

    def _one(
        self,
        legs: Sequence[Leg],
        events: Sequence[CelEvent],
        said: Sequence[QueueEvent],
        *,
        upto: AcctId | None = None,
    ) -> None:
        try:
            decided = self._decide(legs, events)
            if not _each_once(legs, decided.attributions):
                raise ValueError("the rules did not decide each leg once")  # noqa: TRY301 - as any fault
        except Exception as error:  # noqa: BLE001 - a rule may fail in any way, and only its call pays
            self.faults.append(Fault([*map(acctid_of, legs)], error, parked=not events))
            if events:
                self._one(legs, (), said, upto=upto)
                return
            decided = parked(map(acctid_of, legs))
        if said:
            decided = self._told_by_queue(decided, legs, said)
        if upto is not None:
            older = [one for one in decided.attributions if one.acctid <= upto]
            decided = decided._replace(attributions=older)
        self.decided.append(decided)

    def _told_by_queue(
        self, decided: Decided, legs: Sequence[Leg], said: Sequence[QueueEvent]
    ) -> Decided:
        """Events that fail take nothing from the call but what they would tell of it."""
        try:
            return told_by_queue(decided, legs, said)
        except Exception as error:  # noqa: BLE001 - as of a rule: only the row of its call pays
            self.faults.append(Fault([*map(acctid_of, legs)], error, parked=False))
            return decided


def _each_once(legs: Sequence[Leg], decided: Sequence[Attribution]) -> bool:
    """No leg may be forgotten, or decided twice."""
    if len(legs) != len(decided):
        return False
    for at, leg in enumerate(legs):
        if leg.acctid != decided[at].acctid:
            return sorted(one.acctid for one in decided) == sorted(map(acctid_of, legs))
    return True


def parked(acctids: Iterable[AcctId]) -> Decided:
    """Legs that could not be decided, until somebody repairs what failed."""
    return Decided([Attribution(one, reason=UnattributedReason.FAULT) for one in acctids])
