"""The events of queues are read into visits: who waited where and for how long, and how it ended.

A visit is known by its queue and by when it began. The channel of the caller is not enough: it may wait in
one queue twice, and who is transferred into a queue takes the place of another channel, so that CONNECT has
another callid than ENTERQUEUE. Every event that ends the waiting counts the seconds since it began.

An event may come twice: queue_log has whole seconds, the manager interface (AMI) parts of them. On AMI
Asterisk says ABANDON also of a caller whose time was up, who was withdrawn, or for whom no member was left:
so it yields to any other reason.
What is not in the table below, as who was rung in vain and events of `QueueLog()`, tells nothing of a visit.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cdrd.beside import QueueEvent
from cdrd.calls import LeaveReason
from cdrd.decode.queue_fields import named
from cdrd.enrich.visits import Visit

_ROUNDING: Final = timedelta(seconds=2)
"""By so much the begin of a visit may be missed: both its time and the seconds counted are cut."""
_SAME: Final = timedelta(seconds=0.5)
"""Closer than this, two that say the same are one event that came twice."""
_SAME_CUT: Final = timedelta(seconds=1.2)
"""And where one of their times is cut to the second; Asterisk takes both, one a little after the other."""
_LONGEST: Final = 9
"""Digits of a number of seconds."""
_MOST_TOGETHER: Final = 100
"""So many visits of one call to one queue are looked at to find the one that an event is of."""
_STILL_WAITING: Final = datetime.max.replace(tzinfo=UTC)
_LONGEST_WAIT: Final = timedelta(days=10_000)
"""Longer than this is no wait but a clock that was wrong; and no column has room for it."""


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

    def visit(self) -> Visit:
        """What is known of it."""
        left = self.connected or self.left
        waited = self.waited
        if waited is None and left is not None and left - self.entered <= _LONGEST_WAIT:
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
        )


class _Hearing:
    """The visits heard of so far."""

    def __init__(self) -> None:
        self._visits: dict[str, list[_Waiting]] = {}
        """By queue, in the order in which they began."""

    def visits(self) -> tuple[Visit, ...]:
        found = [waiting.visit() for visits in self._visits.values() for waiting in visits]
        return tuple(sorted(found, key=_in_time))

    def entered(self, event: QueueEvent) -> None:
        for waiting in self._near(event, event.eventtime):
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

    def _near(self, event: QueueEvent, began: datetime) -> Sequence[_Waiting]:
        """The visits of the event's queue that may have begun then."""
        visits = self._visits.get(event.queue, [])
        first = bisect_left(visits, began - _ROUNDING, key=_began)
        return visits[first : bisect_right(visits, began + _ROUNDING, key=_began)]

    def _begin(self, event: QueueEvent, at: datetime) -> _Waiting:
        waiting = _Waiting(event.queue, at, [event.callid])
        insort(self._visits.setdefault(event.queue, []), waiting, key=_began)
        return waiting

    def _began_at(self, event: QueueEvent, seconds: int | None) -> _Waiting:
        """The visit that began so many seconds before; one of which nothing was heard yet, if need be."""
        if seconds is None:
            waiting = self._waiting_at(event)
            return waiting or self._begin(event, event.eventtime)
        began = event.eventtime - timedelta(seconds=seconds)
        near = self._near(event, began)
        mine = [one for one in near if event.callid in one.callids] or near
        if not mine:
            return self._begin(event, began)
        found = min(mine, key=lambda one: abs(one.entered - began))
        if event.callid not in found.callids:
            found.callids.append(event.callid)
        return found

    def _waiting_at(self, event: QueueEvent) -> _Waiting | None:
        """Who waited in the queue when the event happened; of several who came last."""
        at, there = event.eventtime, None
        visits = self._visits.get(event.queue, [])
        upto = bisect_right(visits, at + _SAME_CUT, key=_began)
        for waiting in reversed(visits[max(0, upto - _MOST_TOGETHER) : upto]):
            if at <= _until(waiting, at) + _SAME_CUT:
                if event.callid in waiting.callids:
                    return waiting
                there = there or waiting
        return there


def _began(waiting: _Waiting) -> datetime:
    return waiting.entered


def _in_time(visit: Visit) -> tuple[datetime, datetime]:
    """Of two that began in the same second the one that ended first was the first."""
    return visit.entered, visit.left or _STILL_WAITING


def _until(waiting: _Waiting, at: datetime) -> datetime:
    """When the waiting ended; it has not where nothing tells."""
    return waiting.connected or waiting.left or at


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
}
"""In the order in which they are listened to: what says most of a visit comes first."""

_TURNS: Final = {event: turn for turn, event in enumerate(_TELL)}


def _in_turn(event: QueueEvent) -> tuple[int, datetime, str, str, str, tuple[str, ...]]:
    return _TURNS[event.event], event.eventtime, event.callid, event.queue, event.agent, event.data
