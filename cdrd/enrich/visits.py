"""What queue events say together: visits of queues, and which of them a call is told by."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from cdrd.calls import LeaveReason


class Visit(NamedTuple):
    """A caller waited in a queue."""

    queue: str
    entered: datetime
    callids: tuple[str, ...]
    """The channels that the caller had while it waited."""
    left: datetime | None
    """When nobody waited any more: a member answered, or the caller left."""
    reason: LeaveReason | None
    """None where nothing tells, as of who is still waiting."""
    agent: str | None
    """The member who answered."""
    waited: int | None
    """Whole seconds."""
    talked: int | None
    """Whole seconds with that member, until either hung up or the caller was handed on."""


def telling_visit(visits: Sequence[Visit]) -> Visit | None:
    """The one in which somebody answered first, else the last."""
    answered = [visit for visit in visits if visit.reason is LeaveReason.ANSWERED]
    if answered:
        return min(answered, key=_left)
    return visits[-1] if visits else None


def _left(visit: Visit) -> datetime:
    return visit.left or visit.entered
