"""One row for a whole call, from its legs as they were decided and from what its events say."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from cdrd.calls import (
    CallDirection,
    CallLeg,
    CallRecord,
    Confidence,
    EndReason,
    LegRole,
    RerouteReason,
    made,
)
from cdrd.enrich.call import far_leg
from cdrd.enrich.ending import how_ended, status_code
from cdrd.enrich.found import PartyKind
from cdrd.enrich.heard import Channel, Heard
from cdrd.enrich.legview import BY_PROGRAM, INBOUND, NOBODY_DIALS, ONNET, OUTBOUND, LegView
from cdrd.enrich.roles import call_legs, is_sent_on, leg_by_itself
from cdrd.enrich.rules.numbers import outside_number
from cdrd.enrich.talk import (
    answered_leg,
    is_answered,
    leg_answered_at,
    rang_at,
    talk_seconds,
    whole_seconds,
)
from cdrd.records import Attribution, Leg

BY_LEGS: Final = "answered-legs"
"""The evidence of talk of which no bridge is known."""

_WITHHELD: Final = frozenset(
    {"", "anonymous", "unknown", "unavailable", "restricted", "private", "withheld"}
)
"""What SIP and Asterisk write in place of a number that is not shown."""


def build_call(views: list[LegView], heard: Heard) -> CallRecord:
    """The call that these legs are, in the order of time and decided; at least one."""
    if len(views) == 1 and not heard.channels:
        return _by_itself(views[0])
    return build_whole_call(views, heard)


def build_whole_call(views: list[LegView], heard: Heard) -> CallRecord:
    """The same with everything that several legs, or events, can tell."""
    first = _first(views)
    told = _attribution(first)
    answered_first = answered_leg(views)
    last = _last(views)
    begun = [channel.begun for channel in heard.channels.values() if channel.begun]
    ends = [channel.ended for channel in heard.channels.values() if channel.ended]
    confidence = Confidence.EVENTS if _is_exact(views, heard) else Confidence.RECORDS
    legs = call_legs(views)
    return CallRecord(
        pbx=first.pbx,
        call=_name(first),
        linkedids=_names(first, views),
        legs=legs,
        caller=_caller(first),
        caller_name=_caller_name(first),
        dialled=told.dial_full if told.direction is INBOUND else told.dial_short,
        requested=_requested(told),
        answered_by=_answered_by(answered_first) if answered_first is not None else None,
        direction=_direction(views),
        started=min([first.at, *begun]) if begun else views[0].at,
        rang=rang_at(views, heard),
        answered=leg_answered_at(answered_first) if answered_first is not None else None,
        ended=max(ends) if ends and confidence is Confidence.EVENTS else last.ended,
        talk_seconds=talk_seconds(views, heard),
        end_reason=_end_reason(views, last),
        reroute_reason=_rerouted(views, legs),
        status_code=_failed_with(views),
        queue=_queue(views, heard, answered_first),
        agent=None,
        waited_seconds=None,
        leave_reason=None,
        trunk_in=_trunk_in(first),
        trunk_out=_trunk_out(views),
        company=told.company,
        target=told.target,
        bill_to=told.bill_to,
        confidence=confidence,
        rules=_rules(told.rules, confidence, bool(heard.channels), bool(heard.connected)),
    )


def _by_itself(view: LegView) -> CallRecord:
    """A leg that is a call by itself, and of which no events are known: most are."""
    leg, told = view.leg, _attribution(view)
    one_leg = leg_by_itself(view)
    answered = leg_answered_at(view) if is_answered(view) else None
    talked = whole_seconds(view.ended - answered) if answered is not None else 0
    name = _name(view)
    told_of_it = (
        view.pbx,
        name,
        (name,),
        (one_leg,),
        _caller(view),
        _caller_name(view),
        told.dial_full if told.direction is INBOUND else told.dial_short,
        _requested(told),
        _answered_by(view) if answered is not None else None,
        _direction([view]),
        view.at,
        view.at if leg.dstchannel else None,
        answered,
        view.ended,
        max(0, min(talked, leg.billsec)),
        one_leg.end_reason,
        _rerouted_by_itself(view, one_leg),
        0 if leg.disposition == "ANSWERED" else status_code(view),
        _queue_of(leg) or None,
        None,
        None,
        None,
        _trunk_in(view),
        told.trunk if told.direction is OUTBOUND else None,
        told.company,
        told.target,
        told.bill_to,
        Confidence.RECORDS,
        _rules(told.rules, Confidence.RECORDS, False, False),  # noqa: FBT003 - no events
    )
    return made(CallRecord, told_of_it)


def _rerouted_by_itself(view: LegView, leg: CallLeg) -> RerouteReason | None:
    if view.transferrer is not None:
        return RerouteReason.TRANSFER
    return RerouteReason.OVERFLOW if leg.role is LegRole.VOICEMAIL else None


def _name(view: LegView) -> str:
    leg = view.leg
    return leg.linkedid or leg.uniqueid or str(leg.acctid or "")


def _names(first: LegView, views: list[LegView]) -> tuple[str, ...]:
    """The call's own, then each other once."""
    names = {_name(first): None}
    for view in views:
        names[_name(view)] = None
    return tuple(names)


def _attribution(view: LegView) -> Attribution:
    if view.attribution is None:
        raise AssertionError("every leg of a call is decided")
    return view.attribution


def _first(views: list[LegView]) -> LegView:
    """The leg that the call began with: of the channel that gave it its name, never a pick-up's.

    That is the oldest one; it is called so where the PBX writes no linkedid, too.
    """
    plain = [view for view in views if not view.pickup_code] or views
    name = plain[0].leg.linkedid
    if name:
        return next((view for view in plain if view.leg.uniqueid == name), plain[0])
    return min((view for view in plain if view.at == plain[0].at), key=_age)


def _age(view: LegView) -> tuple[int, str]:
    """The number in `1795285932.1028`: Asterisk counts its channels."""
    number = (view.leg.uniqueid or "").rpartition(".")[2]
    return len(number), number


def _last(views: list[LegView]) -> LegView:
    """The leg that ended last; of several the first."""
    last = views[0]
    for view in views:
        if view.ended > last.ended:
            last = view
    return last


def _caller(first: LegView) -> str | None:
    """The telephone's extension; from outside the number that the call came with."""
    if first.calling.kind is PartyKind.STATION and first.calling.extension:
        return first.calling.extension
    if first.calling.kind is PartyKind.LOCAL and first.origin.extension:
        return first.origin.extension
    channel = first.told.channel if first.told is not None else None
    sent = channel.number if channel is not None and not channel.was_called else ""
    number = sent or first.leg.src
    if not sent and first.calling.kind is PartyKind.TRUNK and first.owners.did(number, first.at):
        return None  # what the dialplan shows of ours, not who called
    return None if number.strip().lower() in _WITHHELD else number


def _caller_name(first: LegView) -> str | None:
    """`Anna` of `"Anna" <101>`; Asterisk may have cut the end of it."""
    clid = first.leg.clid
    end = clid.rfind('" <')
    name = clid[1:end] if clid.startswith('"') and end > 0 else ""
    return None if name.strip().lower() in _WITHHELD else name


def _requested(told: Attribution) -> str | None:
    """Inside the extension that was asked for; outside, and at another company, the number in full."""
    if told.direction in (OUTBOUND, ONNET):
        return told.dial_full
    return told.dial_short


def _answered_by(view: LegView) -> str | None:
    """Behind Local channels too."""
    far = far_leg(view)
    if far.called.extension:
        return far.called.extension
    if far.called.kind is PartyKind.TRUNK:
        number = outside_number(far) or outside_number(view)
        dialling = view.owners.dialling(view.origin.company)
        return dialling.written(number) if number else None
    name = far.called.base.partition("/")[2]
    return name if far.called.kind is PartyKind.UNLISTED and name not in NOBODY_DIALS else None


def _direction(views: list[LegView]) -> CallDirection | None:
    """By the trunks that had part in it."""
    came_in = went_out = is_known = False
    for view in views:
        direction = _attribution(view).direction
        came_in = came_in or direction is INBOUND or _called_in(view)
        went_out = went_out or direction is OUTBOUND
        is_known = is_known or direction is not None
    if went_out:
        return CallDirection.INBOUND_OUTBOUND if came_in else CallDirection.OUTBOUND
    if came_in:
        return CallDirection.INBOUND
    return CallDirection.INTERNAL if is_known else None


def _called_in(view: LegView) -> bool:
    """Somebody who came in by a trunk, and whose call went out again: by a PIN, or straight on."""
    channel = view.told.channel if view.told is not None else None
    was_called = view.called_by is not None or (channel is not None and channel.was_called)
    was_called = was_called or view.leg.lastapp == BY_PROGRAM
    return view.calling.kind is PartyKind.TRUNK and not was_called


def _end_reason(views: list[LegView], last: LegView) -> EndReason | None:
    """How the last leg ended; of several that end together the first on which two talked that tells."""
    together = [view for view in views if view.answered and view.ended == last.ended]
    reasons = (how_ended(view) for view in together or (last,))
    return next((reason for reason in reasons if reason is not None), None)


def _rerouted(views: list[LegView], legs: Iterable[CallLeg]) -> RerouteReason | None:
    if any(view.transferrer is not None for view in views):
        return RerouteReason.TRANSFER
    if any(leg.role is LegRole.VOICEMAIL for leg in legs) or any(
        is_sent_on(view) for view in views
    ):
        return RerouteReason.OVERFLOW
    queued = [view for view in views if view.leg.lastapp == "Queue"]
    if not queued or any(view.answered for view in queued):
        return None
    elsewhere = any(view.leg.lastapp != "Queue" and view.before is not None for view in views)
    return RerouteReason.OVERFLOW if elsewhere else None


def _failed_with(views: list[LegView]) -> int:
    """Of a call that nobody answered: the answer of the last that was tried."""
    if any(view.leg.disposition == "ANSWERED" for view in views):
        return 0
    codes = [code for view in views if (code := status_code(view))]
    return codes[-1] if codes else 0


def _queue(views: list[LegView], heard: Heard, answered_first: LegView | None) -> str | None:
    """The one in which somebody answered, else the last."""
    view = answered_first
    while view is not None:
        if name := _queue_of(view.leg):
            return name
        view = view.dialler
    names = [_queue_of(view.leg) for view in views]
    started = [one for channel in heard.channels.values() for one in channel.started]
    names += [one.data.partition(",")[0] for one in sorted(started) if one.app == "queue"]
    return next((name for name in reversed(names) if name), None)


def _queue_of(leg: Leg) -> str:
    """The queue that the leg's caller waited in; empty where it was none."""
    return leg.lastdata.partition(",")[0] if leg.lastapp == "Queue" else ""


def _trunk_in(first: LegView) -> str | None:
    if _called_in(first):
        return first.calling.trunk
    told = _attribution(first)
    return told.trunk if told.direction is INBOUND else None


def _trunk_out(views: list[LegView]) -> str | None:
    """The trunk that carried it; of several the last one that was answered."""
    out = [v for v in views if _attribution(v).direction is OUTBOUND]
    carried = [view for view in out if view.answered] or out
    return next((t for v in reversed(carried) if (t := _attribution(v).trunk)), None)


def _is_exact(views: list[LegView], heard: Heard) -> bool:
    """Whether events tell of every channel of the legs from its beginning to its end."""
    return bool(heard.channels) and all(
        _is_whole(view.told.channel) and (not view.leg.dstchannel or _is_whole(view.told.reached))
        if view.told is not None
        else False
        for view in views
    )


def _is_whole(channel: Channel | None) -> bool:
    return channel is not None and channel.begun is not None and channel.gone


@lru_cache(maxsize=1 << 12)
def _rules(told: str, confidence: Confidence, heard: bool, connected: bool) -> str:  # noqa: FBT001 - cached
    """By which evidence each was decided; who it belongs to was decided with its first leg."""
    by = {what: rule for what, rule in json.loads(told).items() if what in _OF_THE_CALL}
    exact = confidence is Confidence.EVENTS
    by["answered"] = "answer-event" if exact else "answer-of-the-leg"
    by["talk_seconds"] = "bridge-events" if connected else BY_LEGS
    by["end_reason"] = by["status_code"] = "hangup-event" if heard else "disposition"
    return json.dumps(by, separators=(",", ":"))


_OF_THE_CALL: Final = ("company", "target", "bill_to")
