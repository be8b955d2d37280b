"""The events of queues are read into visits: who waited where and for how long, who was rung, how it ended.

A visit is known by its queue and by when it began. The channel of the caller is not enough: it may wait in
one queue twice, and who is transferred into a queue takes the place of another channel, so that CONNECT has
another callid than ENTERQUEUE. Every event that ends the waiting counts the seconds since it began.

An event may come twice: queue_log has whole seconds, the manager interface (AMI) parts of them. On AMI
Asterisk says ABANDON also of a caller whose time was up, who was withdrawn, or for whom no member was left:
so it yields to any other reason.
What is not in the table below, events of `QueueLog()` among it, tells nothing of a visit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cdrd.beside import QueueEvent
from cdrd.calls import LeaveReason
from cdrd.decode.queue_fields import named
from cdrd.enrich.visits import Ring, Visit

_ROUNDING: Final = timedelta(seconds=2)
"""By so much the begin of a visit may be missed: both its time and the seconds counted are cut."""
_SAME: Final = timedelta(seconds=0.5)
"""Closer than this, two that say the same are one event that came twice."""
_SAME_CUT: Final = timedelta(seconds=1.2)
"""And where one of their times is cut to the second; Asterisk takes both, one a little after the other."""
_LONGEST: Final = 9
"""Digits of a number of seconds."""


def hear_queue(events: Iterable[QueueEvent]) -> tuple[Visit, ...]:
    """The visits of queues in a call, in the order in which they began, whatever order the events come in."""
    hearing = _Hearing()
    known = [event for event in set(events) if event.event in _TELL]
    for event in sorted(known, key=_in_turn):
        _TELL[event.event](hearing, event)
    return hearing.visits()


@dataclass(slots=True)
class _Waiting:
    """A visit as far as it is known."""

    queue: str
    entered: datetime
    callids: list[str]
    connected: datetime | None = None
    left: datetime | None = None
    reason: LeaveReason | None = None
    agent: str | None = None
    waited: int | None = None
    talked: int | None = None
    rings: list[Ring] = field(default_factory=list)

    def visit(self) -> Visit:
        """What is known of it."""
        left = self.connected or self.left
        waited = self.waited
        if waited is None and left is not None:
            waited = max(0, int((left - self.entered).total_seconds()))
        return Visit(
            self.queue,
            self.entered,
            tuple(self.callids),
            left,
            LeaveReason.ANSWERED if self.connected is not None else self.reason,
            self.agent,
            waited,
            self.talked,
            tuple(sorted(self.rings, key=_ring_in_time)),
        )


def _ring_in_time(ring: Ring) -> tuple[datetime, str, int]:
    return ring.until, ring.agent, ring.milliseconds


class _Hearing:
    """The visits heard of so far."""

    def __init__(self) -> None:
        self._visits: list[_Waiting] = []

    def visits(self) -> tuple[Visit, ...]:
        ordered = sorted(self._visits, key=_began)
        return tuple([waiting.visit() for waiting in ordered])

    def entered(self, event: QueueEvent) -> None:
        for waiting in self._of(event):
            if _is_once(waiting.entered, event.eventtime) and event.callid in waiting.callids:
                return
        self._begin(event, event.eventtime)

    def connected(self, event: QueueEvent) -> None:
        held = _seconds(event, "holdtime")
        waiting = self._began_at(event, held)
        if waiting.connected is None:
            waiting.connected = event.eventtime
            waiting.agent = event.agent
            waiting.waited = held

    def talked(self, event: QueueEvent) -> None:
        """The talk with the member is over; CONNECT may be missing."""
        held, talked = _seconds(event, "holdtime"), _seconds(event, "calltime")
        waiting = self._began_at(event, None if held is None else held + (talked or 0))
        if waiting.connected is None:
            waiting.connected = event.eventtime - timedelta(seconds=talked or 0)
            waiting.agent = event.agent
            waiting.waited = held
        if waiting.talked is None:
            waiting.talked = talked

    def left(self, event: QueueEvent) -> None:
        waited = _seconds(event, "waittime")
        waiting = self._began_at(event, waited)
        if waiting.reason is None:
            waiting.reason = _REASONS[event.event]
            waiting.left = event.eventtime
            waiting.waited = waited if waiting.connected is None else waiting.waited

    def gone(self, event: QueueEvent) -> None:
        """Not among the waiting any more, for whatever reason: one that nothing else tells of."""
        waiting = self._waiting_at(event)
        if waiting is not None and waiting.left is None:
            waiting.left = event.eventtime

    def rang(self, event: QueueEvent) -> None:
        milliseconds = _seconds(event, "ring_milliseconds") or 0
        waiting = self._waiting_at(event, since=timedelta(milliseconds=milliseconds))
        if waiting is None:
            return
        ring = Ring(
            event.agent, event.eventtime, milliseconds, cancelled=event.event == "RINGCANCELED"
        )
        if not any(_is_same(ring, other) for other in waiting.rings):
            waiting.rings.append(ring)

    def _of(self, event: QueueEvent) -> list[_Waiting]:
        """The visits of the event's queue, those of its channel first."""
        mine = [waiting for waiting in self._visits if waiting.queue == event.queue]
        return sorted(
            mine, key=lambda waiting: (event.callid not in waiting.callids, waiting.entered)
        )

    def _begin(self, event: QueueEvent, at: datetime) -> _Waiting:
        waiting = _Waiting(event.queue, at, [event.callid])
        self._visits.append(waiting)
        return waiting

    def _began_at(self, event: QueueEvent, seconds: int | None) -> _Waiting:
        """The visit that began so many seconds before; one of which nothing was heard yet, if need be."""
        if seconds is None:
            waiting = self._waiting_at(event)
            return waiting or self._begin(event, event.eventtime)
        began = event.eventtime - timedelta(seconds=seconds)
        near = [one for one in self._of(event) if abs(one.entered - began) <= _ROUNDING]
        mine = [one for one in near if event.callid in one.callids] or near
        if not mine:
            return self._begin(event, began)
        found = min(mine, key=lambda one: abs(one.entered - began))
        if event.callid not in found.callids:
            found.callids.append(event.callid)
        return found

    def _waiting_at(self, event: QueueEvent, since: timedelta = timedelta(0)) -> _Waiting | None:
        """Who waited in the queue when the event happened, and so long before; of several who came last."""
        at = event.eventtime
        there = [
            waiting
            for waiting in self._of(event)
            if waiting.entered <= at - since + _SAME_CUT and at <= _until(waiting, at) + _SAME_CUT
        ]
        mine = [waiting for waiting in there if event.callid in waiting.callids] or there
        return max(mine, key=_began) if mine else None


def _began(waiting: _Waiting) -> datetime:
    return waiting.entered


def _until(waiting: _Waiting, at: datetime) -> datetime:
    """When the waiting ended; it has not where nothing tells."""
    return waiting.connected or waiting.left or at


def _is_same(one: Ring, other: Ring) -> bool:
    """Whether an attempt to reach a member came twice."""
    told = one.agent == other.agent and one.milliseconds == other.milliseconds
    return told and one.cancelled == other.cancelled and _is_once(one.until, other.until)


def _is_once(one: datetime, other: datetime) -> bool:
    """Whether these may be two times of one event."""
    either_is_cut = (one.microsecond == 0) != (other.microsecond == 0)
    return abs(one - other) < (_SAME_CUT if either_is_cut else _SAME)


def _seconds(event: QueueEvent, name: str) -> int | None:
    """A number among the event's data; None where it was not written."""
    text = named(event).get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST else None


_REASONS: Final = {
    "ABANDON": LeaveReason.ABANDONED,
    "EXITWITHTIMEOUT": LeaveReason.TIMED_OUT,
    "EXITWITHKEY": LeaveReason.KEY_PRESSED,
    "EXITEMPTY": LeaveReason.QUEUE_EMPTY,
    "WITHDRAW": LeaveReason.WITHDRAWN,
}
_TELL: Final[dict[str, Callable[[_Hearing, QueueEvent], None]]] = {
    "ENTERQUEUE": _Hearing.entered,
    "CONNECT": _Hearing.connected,
    "COMPLETECALLER": _Hearing.talked,
    "COMPLETEAGENT": _Hearing.talked,
    "BLINDTRANSFER": _Hearing.talked,
    "ATTENDEDTRANSFER": _Hearing.talked,
    "TRANSFER": _Hearing.talked,
    "EXITWITHTIMEOUT": _Hearing.left,
    "EXITWITHKEY": _Hearing.left,
    "EXITEMPTY": _Hearing.left,
    "WITHDRAW": _Hearing.left,
    "ABANDON": _Hearing.left,
    "QueueCallerLeave": _Hearing.gone,
    "RINGNOANSWER": _Hearing.rang,
    "RINGCANCELED": _Hearing.rang,
}
"""In the order in which they are listened to: what says most of a visit comes first."""

_TURNS: Final = {event: turn for turn, event in enumerate(_TELL)}


def _in_turn(event: QueueEvent) -> tuple[int, datetime, str, str, str, tuple[str, ...]]:
    return _TURNS[event.event], event.eventtime, event.callid, event.queue, event.agent, event.data
