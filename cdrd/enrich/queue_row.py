"""What queue events add to the row of a call.

They change no leg and nobody who pays. What channel events tell stays; where there are only CDRs, the times
of the talk with a member are those of the queue, for the leg of a member begins when it is rung.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from cdrd.beside import CelEvent, QueueEvent
from cdrd.calls import CallRecord, LeaveReason
from cdrd.enrich.call_record import BY_LEGS
from cdrd.enrich.queued import hear_queue
from cdrd.enrich.visits import Visit, telling_visit
from cdrd.records import Leg
from cdrd.store.decided import Decided

BY_QUEUE: Final = "queue-event"
"""The evidence of what a queue event told."""
_SAME: Final = timedelta(seconds=1)
"""Times of CDRs and of queue_log are cut to whole seconds."""

Callers = dict[tuple[str, str], list[QueueEvent]]
"""Queue events by PBX and the channel of the caller."""


def by_caller(events: Iterable[QueueEvent]) -> Callers:
    """The same events, to be looked up."""
    found: Callers = {}
    for event in events:
        found.setdefault((event.pbx, event.callid), []).append(event)
    return found


def queue_events_of(
    legs: Iterable[Leg],
    events: Iterable[CelEvent],
    callers: Callers,
) -> list[QueueEvent]:
    """Those of a call: of every channel that its legs and channel events name."""
    names = {(leg.pbx, name): None for leg in legs for name in (leg.uniqueid, leg.linkedid) if name}
    names |= {
        (event.pbx, name): None for event in events for name in (event.uniqueid, event.linkedid)
    }
    return [event for name in names for event in callers.get(name, ())]


def told_by_queue(decided: Decided, legs: Sequence[Leg], said: Sequence[QueueEvent]) -> Decided:
    """A call as it was decided, with what the queue tells of it; these are legs and queue events of it."""
    if not said:
        return decided
    record, visit = decided.record, telling_visit(hear_queue(said))
    if record is not None and visit is not None:
        record = _told(record, legs, visit)
    return decided._replace(record=record, events=decided.events + len(said))


def _told(record: CallRecord, legs: Sequence[Leg], visit: Visit) -> CallRecord:
    reason = visit.reason
    if reason is LeaveReason.ABANDONED and _went_on(visit, legs):
        reason = None
    told: dict[str, Any] = {
        "agent": visit.agent,
        "waited_seconds": visit.waited,
        "leave_reason": reason,
    }
    if record.queue != visit.queue:
        told["queue"] = visit.queue
    rules = json.loads(record.rules)
    if rules.get("talk_seconds") == BY_LEGS:
        told |= _talk(record, legs, visit)
    rules |= {name: BY_QUEUE for name, value in told.items() if value is not None}
    return record._replace(**told, rules=json.dumps(rules, separators=(",", ":")))


def _went_on(visit: Visit, legs: Iterable[Leg]) -> bool:
    """Whether the caller did not hang up: of whoever leaves but by a key AMI says ABANDON."""
    left = visit.left or visit.entered
    mine = [leg for leg in legs if leg.uniqueid in visit.callids]
    others = [leg for leg in mine if leg.lastapp != "Queue" and leg.dst != "h"]
    return any(leg.calldate >= left - _SAME or _ended(leg) > left + _SAME for leg in others)


def _talk(record: CallRecord, legs: Iterable[Leg], visit: Visit) -> Mapping[str, Any]:
    """When the member answered, and the talk without the seconds in which it rang.

    Only where the call's talk begins with the member's leg.
    """
    if visit.reason is not LeaveReason.ANSWERED or visit.left is None:
        return {}
    leg = next((leg for leg in legs if _is_answered_in(visit, leg)), None)
    if leg is None or record.answered != max(leg.answerdate or leg.calldate, leg.calldate):
        return {}
    talked = visit.talked
    if talked is None:
        talked = int((_ended(leg) - visit.left).total_seconds())
    rang = max(0, leg.billsec - max(0, talked))
    return {
        "answered": max(visit.left, record.answered),
        "talk_seconds": max(0, record.talk_seconds - rang),
    }


def _is_answered_in(visit: Visit, leg: Leg) -> bool:
    """Whether it is the leg to the member who answered."""
    if leg.uniqueid not in visit.callids or leg.lastapp != "Queue" or visit.left is None:
        return False
    there = leg.calldate - _SAME <= visit.left <= _ended(leg) + _SAME
    return leg.disposition == "ANSWERED" and bool(leg.dstchannel) and there


def _ended(leg: Leg) -> datetime:
    return leg.enddate or leg.calldate + timedelta(seconds=leg.duration)
