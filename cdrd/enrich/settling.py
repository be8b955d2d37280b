"""When nothing more is expected of a call."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from cdrd.enrich.heard import Channel, Heard
from cdrd.enrich.hearing import hear
from cdrd.records import CelEvent, Leg, SettledBy

ROWS_COME_WITHIN = timedelta(seconds=2)
"""Asterisk writes the rows of a channel as it ends; its events are there at once."""


def settled(
    legs: Sequence[Leg],
    events: Sequence[CelEvent] = (),
    *,
    now: datetime,
    quiet: timedelta,
    last_seen: datetime | None = None,
) -> SettledBy | None:
    """Why nothing more is expected; None while more may come.

    `last_seen` is when the last of them arrived; without it their own times are taken, which a row that
    waited for a transferred call to end would make look older than it is.
    """
    times = [leg.enddate or leg.calldate + timedelta(seconds=leg.duration) for leg in legs]
    times += [event.eventtime for event in events]
    last = max([*times, *([last_seen] if last_seen is not None else ())], default=now)
    if events and now - last >= ROWS_COME_WITHIN and _is_over(hear(events), legs):
        return SettledBy.EVENTS
    return SettledBy.QUIET if now - last >= quiet else None


def _is_over(heard: Heard, legs: Sequence[Leg]) -> bool:
    """Whether every channel has ended, and those that called have their rows."""
    channels = heard.channels.values()
    if not all(channel.gone or channel.linkedids <= heard.ended for channel in channels):
        return False
    known = {leg.uniqueid for leg in legs}
    if not all(leg.uniqueid is None or leg.uniqueid in heard.channels for leg in legs):
        return False  # of this channel no event has come yet
    has_ids = None not in known
    return not has_ids or all(c.uniqueid in known for c in channels if _has_rows(c))


def _has_rows(channel: Channel) -> bool:
    """Whether the channel ran through the dialplan, so that a row of it is to be expected."""
    return not channel.was_called and bool(channel.started)
