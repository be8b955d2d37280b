"""A call is decided as a whole: whose each leg is, and the row of the call."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from cdrd.beside import CelEvent
from cdrd.calls import made
from cdrd.enrich.attribution import attribution_of, decide_views
from cdrd.enrich.call import view_call
from cdrd.enrich.call_record import build_call
from cdrd.enrich.directory import Directory
from cdrd.enrich.heard import Heard
from cdrd.enrich.hearing import hear
from cdrd.enrich.legview import UNSTORED
from cdrd.enrich.settling import is_over
from cdrd.owners import DirectoryVersion
from cdrd.records import Attribution, Leg, UnattributedReason
from cdrd.store.decided import Decided

_NOTHING = Heard()


def decide_call(
    legs: Sequence[Leg], directory: Directory | None, events: Sequence[CelEvent] = ()
) -> Decided:
    """Everything about a call of at least one leg, in one go, the attributions in the order of the legs.

    The legs are those of one linkedid, or of one uniqueid where the PBX writes no linkedid, in any order: the
    same ones always get the same answer. Without a directory the call has its row all the same.
    """
    heard = hear(events) if events else _NOTHING
    views = view_call(legs, directory or _nobodys(), heard)
    decide_views(views)
    record = build_call(views, heard)
    if directory is None:
        reason = UnattributedReason.NO_DIRECTORY
        attributions = [Attribution(leg.acctid or UNSTORED, reason=reason) for leg in legs]
    elif len(views) == 1:
        attributions = [attribution_of(views[0])]
    else:
        decided = {id(view.leg): attribution_of(view) for view in views}
        attributions = [decided[id(leg)] for leg in legs]
    return made(Decided, (attributions, record, len(events), is_over(heard, legs)))


@cache
def _nobodys() -> Directory:
    """A directory in which nobody owns anything."""
    return Directory.compile(DirectoryVersion(0, (), ()))
