"""Messages of the manager interface become legs, channel events and queue events.

Times of `Cdr` and `CEL` are local and in whole seconds. `Timestamp` (with `timestampevents = yes` in
manager.conf) is when the event was sent, as an epoch with microseconds: it tells the two hours of a clock
change apart, and puts channel events of one second in order.

Queue events get the words of queue_log where it has any:

| manager interface | queue_log | data |
|---|---|---|
| QueueCallerJoin | ENTERQUEUE | no url, CallerIDNum, Position |
| QueueCallerAbandon | ABANDON | Position, OriginalPosition, HoldTime; of others, too |
| AgentConnect | CONNECT | HoldTime, DestUniqueid, RingTime |
| AgentComplete | COMPLETECALLER, COMPLETEAGENT, TRANSFER by Reason | HoldTime, TalkTime, no position |
| AgentDump | AGENTDUMP | |
| AgentRingNoAnswer | RINGNOANSWER | RingTime in milliseconds |
| QueueMemberPause | PAUSE, UNPAUSE | PausedReason |
| QueueMemberAdded, …Removed | ADDMEMBER, REMOVEMEMBER | |
| QueueMemberPenalty, …Ringinuse | PENALTY, RINGINUSE | the number |
| QueueCallerLeave | none: kept by that name | Position, Count |

QueueCallerAbandon is sent of whoever leaves unanswered: by EXITWITHTIMEOUT, EXITEMPTY and WITHDRAW, too.
Their time is `Timestamp`, or when they were received.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from cdrd.beside import CelEvent, QueueEvent
from cdrd.decode.ami import AmiMessage
from cdrd.decode.ami_order import BASE_CDR, CEL_KEYS, Order, orders
from cdrd.decode.cel_event import KNOWN, read_event
from cdrd.decode.instants import clock_instants, epoch_instant
from cdrd.decode.legs import ASTERISK_NAMES, TIMES, printed_times, read_leg
from cdrd.decode.times import Moment
from cdrd.decode.values import Problem, is_text
from cdrd.records import Decoded, Reason, Rejected

_NONE = "NONE"
_LAST_OF_SECOND = timedelta(microseconds=999_999)


class AmiReader:
    """How the events of one PBX are read."""

    def __init__(self, zone: str, mappings: Mapping[str, str] | None = None) -> None:
        """`mappings`: key in `[mappings]` of cdr_manager.conf → field of the leg, or name in `extra`."""
        self._zone = ZoneInfo(zone)
        self._mappings = dict(mappings or {})
        self.orders: dict[str, Order] = orders(tuple(self._mappings))
        """What an AmiStream needs to know."""

    def read(
        self, message: AmiMessage, received: datetime
    ) -> Decoded | CelEvent | QueueEvent | Rejected | None:
        """What a message says; None if it is of no interest."""
        if message.name not in self.orders:
            return None
        if b"\0" in message.raw:
            return _rejected(message, Problem(Reason.NUL_BYTES, "NUL bytes"))
        if message.name == "Cdr":
            return self._leg(message)
        if message.name == "CEL":
            return self._channel_event(message)
        sent = epoch_instant(message.get("Timestamp")) or received
        return _QUEUE_EVENTS[message.name](message, sent)

    def _leg(self, message: AmiMessage) -> Decoded | Rejected:
        texts: dict[str, str] = {}
        extra: dict[str, Any] = {}
        names = self._mappings | BASE_CDR  # Asterisk's own keys mean what they always do
        for key, value in message.fields:
            name = names.get(key)
            if name:
                (texts if name in ASTERISK_NAMES else extra)[name] = value
        times = [texts[name] for name in TIMES]
        printed = printed_times([self._moment(text) for text in times], times)
        if isinstance(printed, Problem):
            return _rejected(message, printed)
        reading = read_leg(texts, printed, extra=extra or None)
        if isinstance(reading, Problem):
            return _rejected(message, reading)
        original = None if is_text(message.raw) else message.raw
        return Decoded(reading.leg, message.line, message.offset, original)

    def _moment(self, text: str) -> Moment | None:
        instants = clock_instants(text, self._zone)
        return Moment(instants) if instants or not text else None

    def _channel_event(self, message: AmiMessage) -> CelEvent | Rejected:
        texts: dict[str, str] = {}
        others: dict[str, Any] = {}
        for key, value in message.fields:
            name = CEL_KEYS.get(key)
            if name:
                (texts if name in KNOWN else others)[name] = value
        event = read_event(texts, self._event_time(texts["eventtime"], message), others)
        return _rejected(message, event) if isinstance(event, Problem) else event

    def _event_time(self, text: str, message: AmiMessage) -> datetime | None:
        """The second that is printed, and within it the time when the event was sent."""
        instants = clock_instants(text, self._zone)
        sent = epoch_instant(message.get("Timestamp"))
        if not instants or sent is None:
            return instants[0] if instants else epoch_instant(text)
        second = min(instants, key=lambda instant: abs(sent - instant))
        return second if second.microsecond else min(max(sent, second), second + _LAST_OF_SECOND)


def _rejected(message: AmiMessage, problem: Problem) -> Rejected:
    return Rejected(message.raw, message.line, message.offset, *problem)


def _caller_event(event: str, *keys: str) -> Callable[[AmiMessage, datetime], QueueEvent]:
    """An event about the caller; the values of these keys are its data."""

    def read(message: AmiMessage, sent: datetime) -> QueueEvent:
        data = tuple(_known(message, key) for key in keys)
        return QueueEvent(sent, message.get("Uniqueid"), message.get("Queue"), _NONE, event, data)

    return read


def _member_event(event: str, *keys: str) -> Callable[[AmiMessage, datetime], QueueEvent]:
    """An event about a member, with or without a call."""

    def read(message: AmiMessage, sent: datetime) -> QueueEvent:
        data = tuple(_known(message, key) for key in keys)
        callid = message.get("Uniqueid", _NONE)
        return QueueEvent(
            sent, callid, message.get("Queue"), message.get("MemberName"), event, data
        )

    return read


def _complete(message: AmiMessage, sent: datetime) -> QueueEvent:
    found = _member_event("COMPLETECALLER", "HoldTime", "TalkTime")(message, sent)
    reason = message.get("Reason")
    if reason == "transfer":
        return found._replace(event="TRANSFER", data=("", "", *found.data, ""))
    event = "COMPLETEAGENT" if reason == "agent" else "COMPLETECALLER"
    return found._replace(event=event, data=(*found.data, ""))


def _pause(message: AmiMessage, sent: datetime) -> QueueEvent:
    event = "UNPAUSE" if message.get("Paused") == "0" else "PAUSE"
    return _member_event(event, "PausedReason")(message, sent)


def _added(message: AmiMessage, sent: datetime) -> QueueEvent:
    found = _member_event("ADDMEMBER")(message, sent)
    return found._replace(data=("PAUSED",)) if message.get("Paused") == "1" else found


def _joined(message: AmiMessage, sent: datetime) -> QueueEvent:
    found = _caller_event("ENTERQUEUE", "CallerIDNum", "Position")(message, sent)
    return found._replace(data=("", *found.data))


def _known(message: AmiMessage, key: str) -> str:
    value = message.get(key)
    return "" if value == "<unknown>" else value


_QUEUE_EVENTS: dict[str, Callable[[AmiMessage, datetime], QueueEvent]] = {
    "QueueCallerJoin": _joined,
    "QueueCallerLeave": _caller_event("QueueCallerLeave", "Position", "Count"),
    "QueueCallerAbandon": _caller_event("ABANDON", "Position", "OriginalPosition", "HoldTime"),
    "AgentConnect": _member_event("CONNECT", "HoldTime", "DestUniqueid", "RingTime"),
    "AgentComplete": _complete,
    "AgentDump": _member_event("AGENTDUMP"),
    "AgentRingNoAnswer": _member_event("RINGNOANSWER", "RingTime"),
    "QueueMemberPause": _pause,
    "QueueMemberAdded": _added,
    "QueueMemberRemoved": _member_event("REMOVEMEMBER"),
    "QueueMemberPenalty": _member_event("PENALTY", "Penalty"),
    "QueueMemberRinginuse": _member_event("RINGINUSE", "Ringinuse"),
}
