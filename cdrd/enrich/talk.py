"""When a call rang, when somebody answered, and for how long parties were connected."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from cdrd.calls import made
from cdrd.enrich.call import far_leg, rang_behind
from cdrd.enrich.found import PartyKind
from cdrd.enrich.heard import Connected, Heard
from cdrd.enrich.legview import CONFERENCES, LegView

_PAIR: Final = 2
_DAY: Final = 24 * 3600
_NO_TIME: Final = timedelta(0)
_SECOND: Final = timedelta(seconds=1)


class Span(NamedTuple):
    """From then until then."""

    since: datetime
    until: datetime


def rang_at(views: list[LegView], heard: Heard) -> datetime | None:
    """When the first party was called: from records the beginning of its leg, menus and all."""
    called = [c.begun for c in heard.channels.values() if c.was_called and c.begun is not None]
    if called:
        return min(called)
    for view in views:
        if view.leg.dstchannel:
            return view.at
    return None


def answered_leg(views: list[LegView]) -> LegView | None:
    """The leg of the first party that the caller talked to; a menu, a mailbox or a queue is no party."""
    first: LegView | None = None
    since: datetime | None = None
    for view in views:
        if is_answered(view):
            at = leg_answered_at(view)
            if since is None or at < since:
                first, since = view, at
    return first


def is_answered(view: LegView) -> bool:
    """Whether the caller had somebody to talk to.

    A telephone whose call was picked up elsewhere is ANSWERED by chance, and nobody talked there; nor where
    one answered behind a Local channel just after another one had the call; the caller's own telephone,
    which a program rings first, has nobody to talk to yet.
    """
    pickup = view.told.pickup if view.told is not None else None
    rang = (
        pickup.rang == view.leg.dstchannel
        if pickup is not None
        else view.picked and not (view.took or view.replaced)
    )
    in_vain = rang or rang_behind(view) or _is_too_late(view) or _is_the_callers(view)
    return view.answered and not in_vain


def _is_too_late(view: LegView) -> bool:
    """Whether the leg that dialled its Local channel was not answered by it."""
    return view.dialler is not None and not view.dialler.answered


def _is_the_callers(view: LegView) -> bool:
    """Whether a program rang the telephone of whom it calls for, by a Local channel."""
    if view.calling.kind is not PartyKind.LOCAL or view.dialler is not None:
        return False
    extension, origin = view.called.extension, view.origin
    own = extension == origin.extension and view.called.company == origin.company
    return own and extension is not None


def leg_answered_at(view: LegView) -> datetime:
    """When the party that the leg reached answered."""
    told = far_leg(view).told
    channel = told.reached if told is not None else None
    if channel is not None and channel.answered is not None and view.leg.lastapp not in CONFERENCES:
        return channel.answered
    return max(view.leg.answerdate or view.at, view.at)


def talk_seconds(views: list[LegView], heard: Heard) -> int:
    """Whole seconds in which at least two parties were connected."""
    if not heard.connected:
        return whole_seconds(_length(_in_legs(views)))
    pairs = [view for view in views if view.leg.lastapp in CONFERENCES]
    return whole_seconds(_length([*_in_bridges(heard.connected), *_in_legs(pairs)]))


def whole_seconds(time: timedelta) -> int:
    """Without the fraction; rounded down."""
    return time.days * _DAY + time.seconds


def _in_bridges(connected: Iterable[Connected]) -> Iterator[Span]:
    """While two channels at least were in one bridge; parking and music bridge nobody to anybody."""
    bridges: defaultdict[str, list[Connected]] = defaultdict(list)
    for inside in connected:
        if not inside.holding and inside.until is not None:
            bridges[inside.bridge].append(inside)
    for members in bridges.values():
        if len({member.channel for member in members}) == 1:
            yield from _with_others(members)
        else:
            yield from _together(members)


def _with_others(members: Iterable[Connected]) -> Iterator[Span]:
    """A conference, of which this call has one member: from when it met the others there."""
    for member in members:
        if member.joined and member.until is not None:
            yield Span(member.since, member.until)


def _together(members: Iterable[Connected]) -> Iterator[Span]:
    there, since = 0, None
    changes = [(member.since, 1) for member in members]
    changes += [(member.until, -1) for member in members if member.until is not None]
    for at, change in sorted(changes):
        there += change
        if there >= _PAIR and since is None:
            since = at
        elif there < _PAIR and since is not None:
            yield Span(since, at)
            since = None


def _in_legs(views: list[LegView]) -> list[Span]:
    """While legs were answered, on which two talked; a conference's pairs overlap, and count once."""
    return [_talk(view) for view in views if is_answered(view)]


def _talk(view: LegView) -> Span:
    """The times of a leg are cut to whole seconds, its seconds are counted before that."""
    since = leg_answered_at(view)
    until = min(view.ended, since + _SECOND * view.leg.billsec)
    return made(Span, (since, until))


def _length(spans: Iterable[Span]) -> timedelta:
    total = _NO_TIME
    until: datetime | None = None
    for span in sorted(spans):
        since = span.since if until is None else max(span.since, until)
        if span.until > since:
            total += span.until - since
            until = span.until
    return total
