"""Which keys an AMI event has, in which order: the only thing that tells a value from an injected line.

Asterisk writes a carriage return and newline of a value as they are, so a value can hold lines that
look like keys or even like events. But it also writes the keys of an event always in the same order,
each once. So the lines of an event are read as those keys in that order, and a line that is none of
them belongs to the value before it. If there is a second way to read them the event is ambiguous: the
first and the last possible line of each key are looked for, and must be the same line.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

BASE_CDR = {
    "AccountCode": "accountcode",
    "Source": "src",
    "Destination": "dst",
    "DestinationContext": "dcontext",
    "CallerID": "clid",
    "Channel": "channel",
    "DestinationChannel": "dstchannel",
    "LastApplication": "lastapp",
    "LastData": "lastdata",
    "StartTime": "start",
    "AnswerTime": "answer",
    "EndTime": "end",
    "Duration": "duration",
    "BillableSeconds": "billsec",
    "Disposition": "disposition",
    "AMAFlags": "amaflags",
    "UniqueID": "uniqueid",
    "UserField": "userfield",
}
"""The keys of a `Cdr` event without mappings, in Asterisk's order, and the fields they are."""

CEL_KEYS = {
    "EventName": "eventtype",
    "AccountCode": "accountcode",
    "CallerIDnum": "cid_num",
    "CallerIDname": "cid_name",
    "CallerIDani": "cid_ani",
    "CallerIDrdnis": "cid_rdnis",
    "CallerIDdnid": "cid_dnid",
    "Exten": "exten",
    "Context": "context",
    "Channel": "channame",
    "Application": "appname",
    "AppData": "appdata",
    "EventTime": "eventtime",
    "AMAFlags": "amaflags",
    "UniqueID": "uniqueid",
    "LinkedID": "linkedid",
    "TenantID": "tenantid",
    "Userfield": "userfield",
    "Peer": "peer",
    "PeerAccount": "peeraccount",
    "UserDefType": "userdeftype",
    "Extra": "extra",
}
"""The keys of a `CEL` event in Asterisk's order, and the fields they are."""

_NOT_ALWAYS = frozenset(
    ("Timestamp", "SequenceNumber", "File", "Line", "Func", "SystemName", "TenantID", "UserDefType")
)
_HEAD = ("Event", "Privilege", "Timestamp", "SequenceNumber", "File", "Line", "Func", "SystemName")
_SHORT_HEAD = ("Event", "Privilege", "Timestamp")
_MEMBER = ("Uniqueid", "DestUniqueid", "Queue", "MemberName")
_CHANNELS = ("Uniqueid", "DestChannel", "DestUniqueid")
"""What comes after DestChannel is the member's: no Uniqueid among that is the caller's."""


class Order(NamedTuple):
    """The keys of one kind of event."""

    keys: tuple[str, ...]
    optional: frozenset[str] = _NOT_ALWAYS
    is_whole: bool = True
    """These are all keys, so that any other line belongs to the value before it."""


class Reading(NamedTuple):
    """The lines of an event, read as its keys in order."""

    fields: tuple[tuple[str, str], ...]
    missing: str | None
    """The first key that did not come; what follows may belong to the event."""
    is_ambiguous: bool


def _some(*keys: str, optional: Sequence[str] = ()) -> Order:
    return Order((*_SHORT_HEAD, *keys), _NOT_ALWAYS | set(optional), is_whole=False)


_QUEUE_ORDERS = {
    "QueueCallerJoin": _some("CallerIDNum", "Uniqueid", "Queue", "Position", "Count"),
    "QueueCallerLeave": _some("Uniqueid", "Queue", "Position", "Count"),
    "QueueCallerAbandon": _some("Uniqueid", "Queue", "Position", "OriginalPosition", "HoldTime"),
    "AgentConnect": _some(*_MEMBER, "HoldTime", "RingTime"),
    # a channel that is gone before this is sent is left out of it
    "AgentComplete": _some(
        *(*_CHANNELS, "Queue", "MemberName", "HoldTime", "TalkTime", "Reason"), optional=_CHANNELS
    ),
    "AgentDump": _some(*_MEMBER),
    "AgentRingNoAnswer": _some(*_MEMBER, "RingTime"),
    "QueueMemberPause": _some(
        "Queue", "MemberName", "Paused", "PausedReason", optional=["PausedReason"]
    ),
    "QueueMemberAdded": _some("Queue", "MemberName", "Paused"),
    "QueueMemberRemoved": _some("Queue", "MemberName"),
    "QueueMemberPenalty": _some("Queue", "MemberName", "Penalty"),
    "QueueMemberRinginuse": _some("Queue", "MemberName", "Ringinuse"),
}
"""Of queue events only the keys that are needed; what else they have differs by version and settings."""


def orders(mappings: Sequence[str] = ()) -> dict[str, Order]:
    """Event → its order. `mappings` are the keys of `[mappings]` in cdr_manager.conf, in that order."""
    cdr = Order((*_HEAD, *BASE_CDR, *mappings), _NOT_ALWAYS - set(mappings))
    return {"Cdr": cdr, "CEL": Order((*_HEAD, *CEL_KEYS)), **_QUEUE_ORDERS}


def read_in_order(lines: Sequence[str], order: Order) -> Reading:
    """Read the lines of an event as the keys of its kind."""
    keys = [line.partition(":")[0] for line in lines]
    first, missing = _first_places(keys, order)
    if missing is not None:
        return Reading((), missing, is_ambiguous=False)
    last = _last_places(keys, [keys[place] for place in first])
    fields = [
        (keys[place], _value(lines[place : end if order.is_whole else place + 1]))
        for place, end in zip(first, [*first[1:], len(lines)], strict=True)
    ]
    return Reading(tuple(fields), None, is_ambiguous=first != last)


def _first_places(keys: Sequence[str], order: Order) -> tuple[list[int], str | None]:
    """The first line that each key can be, and the first key that is missing."""
    places: list[int] = []
    awaited = _awaited(order)
    step = 0
    for place, key in enumerate(keys):
        found = step < len(awaited) and awaited[step].get(key)
        if found:
            places.append(place)
            step = found
    missing = [key for options in awaited[step:] for key in options if key not in order.optional]
    return places, missing[0] if missing else None


@lru_cache(maxsize=64)
def _awaited(order: Order) -> list[dict[str, int]]:
    """At each step, the keys that may come next and the step behind each: optional ones may be left out."""
    steps: list[dict[str, int]] = []
    for at in range(len(order.keys)):
        options: dict[str, int] = {}
        for after, key in enumerate(order.keys[at:], at + 1):
            options[key] = after
            if key not in order.optional:
                break
        steps.append(options)
    return steps


def _last_places(keys: Sequence[str], taken: Sequence[str]) -> list[int]:
    """The last line that each of the keys can be."""
    places: list[int] = []
    end = len(keys)
    for wanted in reversed(taken):
        end -= 1
        while keys[end] != wanted:
            end -= 1
        places.append(end)
    return places[::-1]


def _value(lines: Sequence[str]) -> str:
    first, *rest = lines
    return "\r\n".join((first.partition(":")[2].removeprefix(" "), *rest))
