"""When a call is over: its events say so, and every row that they let expect is there.

A call of which events do not say so is settled when nothing came for the configured time.
"""

from __future__ import annotations

from collections.abc import Sequence

from cdrd.enrich.heard import Channel, Heard
from cdrd.records import Leg


def is_over(heard: Heard, legs: Sequence[Leg]) -> bool:
    """Whether every channel has ended, and those that called have their rows."""
    if not heard.channels:
        return False
    channels = heard.channels.values()
    if not all(c.gone or c.linkedids <= heard.ended for c in channels):
        return False
    known = {leg.uniqueid for leg in legs}
    if not all(uniqueid is None or uniqueid in heard.channels for uniqueid in known):
        return False  # of this channel no event has come yet
    has_ids = None not in known
    return not has_ids or all(c.uniqueid in known for c in channels if _has_rows(c))


def _has_rows(channel: Channel) -> bool:
    """Whether the channel ran through the dialplan, so that a row of it is to be expected."""
    return not channel.was_called and bool(channel.started)
