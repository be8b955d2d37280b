"""Who ended a leg, and the SIP answer that it failed with.

Records say neither who hung up nor why nobody answered: NO ANSWER is a caller who gave up, a telephone that
rang too long, one that declined (603) and one that is away (480). The hang-up events of the channels do.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from cdrd.calls import EndReason
from cdrd.enrich.call import MOST_HOPS, far_leg
from cdrd.enrich.found import PartyKind
from cdrd.enrich.heard import Channel
from cdrd.enrich.legview import LegView

_SIP_CODES: Final = {
    1: 404,  # unallocated number
    2: 404,  # no route to transit network
    3: 404,  # no route to destination
    17: 486,  # user busy
    18: 408,  # no user responding
    19: 480,  # no answer from user
    20: 480,  # subscriber absent
    21: 603,  # call rejected
    22: 410,  # number changed
    27: 502,  # destination out of order
    28: 484,  # invalid number format
    29: 501,  # facility rejected
    34: 503,  # no circuit available
    38: 500,  # network out of order
    42: 503,  # switching equipment congestion
    58: 488,  # bearer capability not available
    66: 503,  # channel type not implemented
    102: 504,  # recovery on timer expiry
}
"""From the causes of Q.850, as Asterisk's SIP drivers make them of an answer and an answer of them.

Cause 21 is 403 and 603 alike; 16 and 31 are normal; 26 is "answered elsewhere", 127 tells nothing.
"""
_BY_DISPOSITION: Final = {"BUSY": 486, "CONGESTION": 503, "CANCEL": 487}
_TOGETHER: Final = timedelta(seconds=2)
_AT_ONCE: Final = timedelta(microseconds=100)
"""Either end of a Local channel has its own thread: closer than this, either may be told of first."""
_TERMINATED: Final = 487
"""Request Terminated: the caller gave up."""


def how_ended(view: LegView) -> EndReason | None:
    """Who hung up, or gave up; None where nothing tells."""
    calling, reached = _channels(view)
    if calling is None and reached is None:
        return _by_disposition(view)
    by_caller = calling is not None and _till_its_end(view, calling) and _by_itself(calling)
    if not _was_answered(view):
        refused = reached is not None and _code(reached) != 0 and not by_caller
        return EndReason.CALLEE_DISCONNECTED if refused else _by_disposition(view)
    if PartyKind.LOCAL in (view.calling.kind, view.called.kind):
        return _who_left_first(view)
    if by_caller:
        return EndReason.CALLER_DISCONNECTED
    other = calling.hung_up_by if calling is not None and _till_its_end(view, calling) else ""
    by_callee = reached is not None and _till_its_end(view, reached) and _by_itself(reached)
    return EndReason.CALLEE_DISCONNECTED if other or by_callee else None


def _who_left_first(view: LegView) -> EndReason | None:
    """At either end of a Local channel the party there is said to have hung up, whoever of both did."""
    caller, answerer = _caller_behind(view), far_leg(view).told
    called = answerer.reached if answerer is not None else None
    if caller is None or called is None or not (caller.left and called.left):
        return None
    if min(caller.left, called.left) < view.ended or not _till_its_end(view, caller):
        return None  # somebody else had taken its place, or it went on
    if abs(caller.left - called.left) < _AT_ONCE:
        return None
    first = caller.left < called.left
    return EndReason.CALLER_DISCONNECTED if first else EndReason.CALLEE_DISCONNECTED


def _caller_behind(view: LegView) -> Channel | None:
    """The channel of who calls, through Local channels; where a program calls, of the first that it rang."""
    hop = view
    for _ in range(MOST_HOPS):
        if hop.calling.kind is not PartyKind.LOCAL:
            return hop.told.channel if hop.told is not None else None
        if hop.dialler is None:
            break
        hop = hop.dialler
    half = hop.other_half
    return half.told.reached if half is not None and half.told is not None else None


def _by_itself(channel: Channel) -> bool:
    """Whether the channel's own party hung up."""
    return channel.hung_up_by == channel.name


def _till_its_end(view: LegView, channel: Channel) -> bool:
    """Whether the leg lasted as long as its channel did."""
    return channel.ended is None or channel.ended - view.ended < _TOGETHER


def _was_answered(view: LegView) -> bool:
    """By somebody, or by a mailbox, a conference, a menu."""
    return view.leg.disposition == "ANSWERED"


def _by_disposition(view: LegView) -> EndReason | None:
    if view.leg.disposition == "BUSY":
        return EndReason.CALLEE_DISCONNECTED
    return EndReason.CANCELLED if view.leg.disposition in ("NO ANSWER", "CANCEL") else None


def status_code(view: LegView) -> int:
    """The SIP answer of a leg that failed; 0 where it did not, or where nothing tells."""
    if view.answered:
        return 0
    calling, reached = _channels(view)
    if reached is not None and _code(reached):
        return _code(reached)
    if view.leg.disposition in _BY_DISPOSITION:  # whoever gave up hearing the tone
        return _BY_DISPOSITION[view.leg.disposition]
    if calling is not None and calling.answered is None and _by_itself(calling):
        return _TERMINATED
    return _code(calling) if calling is not None and not view.leg.dstchannel else 0


def _channels(view: LegView) -> tuple[Channel | None, Channel | None]:
    told = view.told
    return (None, None) if told is None else (told.channel, told.reached)


def _code(channel: Channel) -> int:
    return _SIP_CODES.get(channel.cause or 0, 0)
