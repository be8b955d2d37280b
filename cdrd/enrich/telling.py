"""The story of a call in words: what its legs and events tell, in the order of time.

Nothing that a caller or a PBX wrote leaves here as more than visible characters.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from cdrd.beside import CelEvent, QueueEvent
from cdrd.calls import CallLeg, CallRecord
from cdrd.enrich.heard import said
from cdrd.enrich.printable import in_brief, printable
from cdrd.enrich.queue_telling import tell_queue
from cdrd.records import AcctId, Attribution, Leg


class Moment(NamedTuple):
    """Something that happened."""

    at: datetime
    text: str
    details: Sequence[str] = ()
    """What was decided of it: a leg."""


def moments(
    legs: Sequence[Leg],
    events: Sequence[CelEvent | QueueEvent],
    parts: Sequence[CallLeg],
    decided: Mapping[AcctId, Attribution],
) -> list[Moment]:
    """Legs with what was decided of them, among the events that tell something."""
    roles = {part.acctid: part for part in parts}
    told = [_leg(leg, roles, decided) for leg in legs]
    for event in events:
        text = _channel_event(event) if isinstance(event, CelEvent) else tell_queue(event)
        if text:
            told.append(Moment(event.eventtime, text))
    return sorted(told, key=lambda moment: moment.at)


def summary(record: CallRecord) -> Iterator[str]:
    """What a call is, in a few lines; what nobody knows is left out."""
    parties = [
        f"from {in_brief(record.caller)}" if record.caller else "from a withheld number",
        f"to {in_brief(record.requested or record.dialled)}" if record.requested else "",
        f"answered by {in_brief(record.answered_by)}" if record.answered_by else "",
    ]
    yield f"{record.direction or 'a call'} " + ", ".join(text for text in parties if text)
    ends = [
        f"{record.talk_seconds} s of talk" if record.answered else "nobody answered",
        f"ended: {record.end_reason}" if record.end_reason else "",
        f"rerouted: {record.reroute_reason}" if record.reroute_reason else "",
        f"SIP {record.status_code}" if record.status_code else "",
    ]
    yield ", ".join(text for text in ends if text)
    ways = {
        "queue": record.queue,
        "agent": record.agent,
        "in by": record.trunk_in,
        "out by": record.trunk_out,
        "company": record.company,
        "target": record.target,
        "bill_to": record.bill_to,
    }
    known = [f"{name} {in_brief(value)}" for name, value in ways.items() if value]
    if known:
        yield ", ".join(known)
    if record.waited_seconds is not None:
        left = f", left: {record.leave_reason}" if record.leave_reason else ""
        yield f"{record.waited_seconds} s in the queue{left}"
    rules = ", ".join(f"{what} by {rule}" for what, rule in json.loads(record.rules).items())
    exact = "known from events" if record.confidence == "events" else "as its CDRs allow"
    yield f"{exact}: {printable(rules)}"


def _leg(
    leg: Leg, roles: Mapping[AcctId, CallLeg], decided: Mapping[AcctId, Attribution]
) -> Moment:
    acctid = leg.acctid or AcctId(0)
    part, attribution = roles.get(acctid), decided.get(acctid)
    text = f"leg {acctid}: {in_brief(leg.src)} → {in_brief(leg.dst)}, {leg.disposition}"
    details = [
        f"{in_brief(leg.channel)} → {in_brief(leg.dstchannel) or 'nobody'}",
        f"{in_brief(leg.lastapp) or 'no application'}, {leg.billsec} of {leg.duration} s",
    ]
    if part is not None:
        ended = f", ended: {part.end_reason}" if part.end_reason else ""
        details.append(f"its part: {part.role}{ended}")
    details += _decisions(attribution) if attribution is not None else ["not decided yet"]
    return Moment(leg.calldate, text, details)


def _decisions(attribution: Attribution) -> Iterator[str]:
    """Each property with its rule; what is as empty as usual is left out."""
    rules = json.loads(attribution.rules)
    for name, value in attribution._asdict().items():
        if name in ("acctid", "rules", "reason") or value in (None, False):
            continue
        told = "" if value is True else f" {in_brief(str(value))}"
        rule = f" ({printable(rules[name])})" if name in rules else ""
        yield f"{name}{told}{rule}"
    if attribution.reason is not None:
        yield f"no company: {attribution.reason}"


def _channel_event(event: CelEvent) -> str:
    return _TELL.get(event.eventtype, _anything)(event)


def _channel(event: CelEvent) -> str:
    return in_brief(event.channame)


def _begins(event: CelEvent) -> str:
    keyed = f" with {in_brief(event.exten)}" if event.exten not in ("", "s") else ""
    return f"{_channel(event)} begins{keyed}"


def _runs(event: CelEvent) -> str:
    return f"{_channel(event)} runs {in_brief(event.appname)}({in_brief(event.appdata)})"


def _hangs_up(event: CelEvent) -> str:
    cause = event.extra.get("hangupcause") if event.extra else None
    by = said(event, "hangupsource")
    why = [f"cause {in_brief(str(cause))}" if cause else "", f"by {in_brief(by)}" if by else ""]
    words = ", ".join(text for text in why if text)
    return f"{_channel(event)} hangs up" + (f" ({words})" if words else "")


def _transfers(event: CelEvent) -> str:
    moved = said(event, "transferee_channel_name") or "its party"
    where = said(event, "extension") or said(event, "transfer_target_channel_name") or "somewhere"
    return f"{_channel(event)} hands {in_brief(moved)} on to {in_brief(where)}"


def _picked_up(event: CelEvent) -> str:
    by = said(event, "pickup_channel") or said(event, "pickup_channel_name") or "somebody"
    return f"{in_brief(by)} picks up what rings at {_channel(event)}"


def _parked(event: CelEvent) -> str:
    by = said(event, "parker_dial_string")
    return f"{_channel(event)} is parked" + (f" by {in_brief(by)}" if by else "")


def _unparked(event: CelEvent) -> str:
    by, why = said(event, "retriever"), said(event, "reason")
    words = f" to {in_brief(by)}" if by else f" ({in_brief(why)})" if why else ""
    return f"{_channel(event)} leaves its parking place{words}"


def _forwarded(event: CelEvent) -> str:
    return f"{_channel(event)} is sent on to {in_brief(said(event, 'forward'))}"


def _keyed(event: CelEvent) -> str:
    return f"{_channel(event)} keys {in_brief(said(event, 'digit'))}"


def _named(event: CelEvent) -> str:
    return f"{_channel(event)}: {in_brief(event.userdeftype or event.eventtype)}"


def _anything(event: CelEvent) -> str:
    return f"{_channel(event)}: {in_brief(event.eventtype)}"


def _says(words: str) -> Callable[[CelEvent], str]:
    return lambda event: f"{_channel(event)} {words}"


_TELL: Mapping[str, Callable[[CelEvent], str]] = {
    "CHAN_START": _begins,
    "ANSWER": _says("answers"),
    "APP_START": _runs,
    "APP_END": lambda _: "",
    "BRIDGE_ENTER": _says("is connected"),
    "BRIDGE_EXIT": _says("is not connected any more"),
    "BLINDTRANSFER": _transfers,
    "ATTENDEDTRANSFER": _transfers,
    "PICKUP": _picked_up,
    "PARK_START": _parked,
    "PARK_END": _unparked,
    "FORWARD": _forwarded,
    "DTMF": _keyed,
    "HANGUP": _hangs_up,
    "CHAN_END": lambda _: "",
    "LINKEDID_END": lambda event: f"the call {in_brief(event.linkedid)} is over",
    "USER_DEFINED": _named,
}
"""What is said of an event; nothing of those that say no more than the one before."""
