"""A call is decided as a whole: whose each leg is, and the row of the call."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from cdrd.enrich.attribution import attribution_of, decide_views
from cdrd.enrich.call import view_call
from cdrd.enrich.call_record import build_call
from cdrd.enrich.directory import Directory
from cdrd.enrich.hearing import hear
from cdrd.enrich.legview import UNSTORED
from cdrd.records import (
    Attribution,
    CallRecord,
    CelEvent,
    DirectoryVersion,
    Leg,
    SettledBy,
    UnattributedReason,
)


class DecidedCall(NamedTuple):
    """What was decided of a call."""

    attributions: list[Attribution]
    """One for each leg, in the order in which the legs were given."""
    record: CallRecord


def decide_call(
    legs: Sequence[Leg],
    directory: Directory | None,
    events: Sequence[CelEvent] = (),
    *,
    settled_by: SettledBy | None = None,
) -> DecidedCall:
    """Everything about a call of at least one leg, in one go.

    The attributions are those of `attribute_call`. Without a directory the call has its row all the same.
    """
    heard = hear(events)
    views = decide_views(view_call(legs, directory or _nobodys(), heard))
    record = build_call(views, heard)._replace(settled_by=settled_by)
    if directory is None:
        reason = UnattributedReason.NO_DIRECTORY
        return DecidedCall(
            [Attribution(leg.acctid or UNSTORED, reason=reason) for leg in legs], record
        )
    decided = {id(view.leg): attribution_of(view) for view in views}
    return DecidedCall([decided[id(leg)] for leg in legs], record)


@cache
def _nobodys() -> Directory:
    """A directory in which nobody owns anything."""
    return Directory.compile(DirectoryVersion(0, (), ()))
