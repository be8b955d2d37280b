"""When a call rang, when somebody answered, and for how long parties were connected."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from cdrd.enrich.call import far_leg
from cdrd.enrich.heard import Connected, Heard
from cdrd.enrich.legview import CONFERENCES, LegView

_PAIR = 2


class Span(NamedTuple):
    """From then until then."""

    since: datetime
    until: datetime


def rang_at(views: Sequence[LegView], heard: Heard) -> datetime | None:
    """When the first party was called: from records the beginning of its leg, menus and all."""
    called = [c.begun for c in heard.channels.values() if c.was_called and c.begun is not None]
    if called:
        return min(called)
    return min((view.at for view in views if view.leg.dstchannel), default=None)


def answered_leg(views: Sequence[LegView]) -> LegView | None:
    """The leg of the first party that the caller talked to."""
    return min((view for view in views if is_answered(view)), key=leg_answered_at, default=None)


def is_answered(view: LegView) -> bool:
    """A telephone whose call was picked up elsewhere is ANSWERED by chance, and nobody talked there."""
    pickup = view.told.pickup if view.told is not None else None
    rang = (
        pickup.rang == view.leg.dstchannel
        if pickup is not None
        else view.picked and not view.replaced
    )
    return view.answered and not rang


def answered_at(views: Sequence[LegView]) -> datetime | None:
    """When the first party answered; a menu, a mailbox or a queue is no party."""
    leg = answered_leg(views)
    return leg_answered_at(leg) if leg is not None else None


def leg_answered_at(view: LegView) -> datetime:
    """When the party that the leg reached answered."""
    told = far_leg(view).told
    channel = told.reached if told is not None else None
    if channel is not None and channel.answered is not None and view.leg.lastapp not in CONFERENCES:
        return channel.answered
    return max(view.leg.answerdate or view.at, view.at)


def talk_seconds(views: Sequence[LegView], heard: Heard) -> int:
    """Whole seconds in which at least two parties were connected."""
    spans = _in_bridges(heard.connected) if heard.connected else _in_legs(views)
    return int(_length(spans).total_seconds())


def _in_bridges(connected: Iterable[Connected]) -> list[Span]:
    """While two channels at least were in one bridge; parking and music bridge nobody to anybody."""
    moments: defaultdict[str, list[tuple[datetime, int]]] = defaultdict(list)
    for inside in connected:
        if not inside.holding and inside.until is not None:
            moments[inside.bridge] += [(inside.since, 1), (inside.until, -1)]
    spans = []
    for of_one in moments.values():
        there = 0
        since: datetime | None = None
        for at, change in sorted(of_one):
            there += change
            if there >= _PAIR and since is None:
                since = at
            elif there < _PAIR and since is not None:
                spans.append(Span(since, at))
                since = None
    return spans


def _in_legs(views: Sequence[LegView]) -> list[Span]:
    """While legs were answered, on which two talked; a conference's pairs overlap, and count once."""
    return [Span(leg_answered_at(view), view.ended) for view in views if is_answered(view)]


def _length(spans: Iterable[Span]) -> timedelta:
    total = timedelta(0)
    until: datetime | None = None
    for span in sorted(spans):
        since = span.since if until is None else max(span.since, until)
        if span.until > since:
            total += span.until - since
            until = span.until
    return total
