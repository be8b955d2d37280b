"""What each leg is in its call, and how it ended."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from datetime import timedelta
from typing import Final

from cdrd.calls import CallLeg, EndReason, LegRole, made
from cdrd.enrich.call import gone_on_from
from cdrd.enrich.ending import how_ended
from cdrd.enrich.legview import CONFERENCES, MAILBOXES, PARKING_APPS, UNSTORED, LegView
from cdrd.enrich.talk import is_answered

_AT_ONCE: Final = timedelta(seconds=1)
_BUSY: Final = frozenset({"BUSY", "CONGESTION", "FAILED"})


def call_legs(views: list[LegView]) -> tuple[CallLeg, ...]:
    """The legs of a call in the order of time."""
    consultations: set[int] = set()
    fetching: set[str] = set()
    for view in views:
        if view.consultation is not None:
            consultations.add(id(view.consultation))
        if view.swapped:
            consultations.add(id(view))
        if view.leg.lastapp == "ParkedCall":
            fetching.add(view.leg.channel)
    legs: list[CallLeg] = []
    for view in views:
        role = _role_among(view, consultations, fetching)
        end_reason = _end_reason(view, views, is_consultation=id(view) in consultations)
        legs.append(made(CallLeg, (view.leg.acctid or UNSTORED, role, end_reason)))
    return tuple(legs)


def _role_among(
    view: LegView, consultations: AbstractSet[int], fetching: AbstractSet[str]
) -> LegRole:
    """The role of one of several legs: others tell who consulted, and who fetched from parking."""
    if view.parked and view.leg.dstchannel in fetching:
        return LegRole.FETCHED
    return _role(view, is_consultation=view.consulting or id(view) in consultations)


def leg_by_itself(view: LegView) -> CallLeg:
    """The same of a leg that is a call by itself."""
    role = _role(view, is_consultation=view.consulting or view.swapped)
    return made(CallLeg, (view.leg.acctid or UNSTORED, role, how_ended(view)))


def _role(view: LegView, *, is_consultation: bool) -> LegRole:
    """The first that holds."""
    if view.pickup_code:
        return LegRole.PICKUP
    if view.leg.lastapp in CONFERENCES:
        return LegRole.CONFERENCE
    if view.parked or view.leg.lastapp in PARKING_APPS:
        return _parking_role(view)
    if view.transferrer is not None:
        return LegRole.TRANSFERRED
    if is_consultation:
        return LegRole.CONSULTATION
    return LegRole.FORWARDED if is_sent_on(view) else _plain_role(view)


def _parking_role(view: LegView) -> LegRole:
    if view.leg.lastapp == "ParkedCall" or view.replaced:
        return LegRole.FETCHED
    return LegRole.RETURNED if view.leg.dstchannel else LegRole.PARKED


def is_sent_on(view: LegView) -> bool:
    """Whether the leg is the way on from a telephone that forwards its calls."""
    if view.before is not None and gone_on_from(view) is not None:
        return True
    if view.dialler is None or view.dialler.consulting or view.consulting:
        return False
    if view.transferrer is not None:
        return False
    return view.origin is not view.dialler.origin and view.origin.company is not None


def _plain_role(view: LegView) -> LegRole:
    leg = view.leg
    if not leg.dstchannel:
        if leg.lastapp in MAILBOXES:
            return LegRole.VOICEMAIL
        if leg.lastapp == "Queue":
            return LegRole.QUEUE
        failed = view.dialled.targets and leg.disposition != "ANSWERED"
        return LegRole.FAILED if failed else LegRole.DIALPLAN
    if view.answered:
        return LegRole.ANSWERED
    return LegRole.FAILED if leg.disposition in _BUSY else LegRole.RANG


def _end_reason(view: LegView, views: list[LegView], *, is_consultation: bool) -> EndReason | None:
    if is_consultation:
        return EndReason.CONSULT_TRANSFER_COMPLETED
    for other in views:
        if other is not view and _comes_after(other, view):
            reason = _handed_on(view, other)
            if reason is not None:
                return reason
    return how_ended(view)


def _comes_after(other: LegView, view: LegView) -> bool:
    """Whether a leg goes on where one ended: on its own channel, or on the one that was reached."""
    same = other.leg.channel == view.leg.channel and other.at >= view.ended
    return bool(view.leg.dstchannel) and (same or other.called_by is view)


def _handed_on(view: LegView, after: LegView) -> EndReason | None:
    """What ended the leg, where one that goes on tells."""
    if not is_answered(view) and after.at - view.ended <= _AT_ONCE:
        return _taken(view, after)
    if view.answered and after.parked and not view.parked:
        return EndReason.REFERRED
    if not (view.answered and after.moved):
        return None
    transfer = after.told.transfer if after.told is not None else None
    if transfer is None and after.told is not None:
        return EndReason.REFERRED  # no event tells of a transfer: a program moved it
    is_attended = transfer.attended if transfer is not None else after.attended
    completed = EndReason.CONSULT_TRANSFER_COMPLETED
    return completed if is_attended else EndReason.BLIND_TRANSFER_COMPLETED


def _taken(view: LegView, after: LegView) -> EndReason | None:
    """A telephone that rang: another one took the call, or it sent the call on."""
    pickup = after.told.pickup if after.told is not None else None
    rang_here = pickup is None or pickup.rang == view.leg.dstchannel
    if after.picked and (after.took or after.replaced) and rang_here:
        return EndReason.REPLACED
    by = after.forwarder.base if after.forwarder is not None else None
    return EndReason.REDIRECTED if by in ("", view.called.base) else None
