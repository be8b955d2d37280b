"""Every leg of a call learns whose it is, where it went and who pays, and which rule decided each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from cdrd.enrich.call import view_call
from cdrd.enrich.directory import Directory, PartyKind
from cdrd.enrich.legview import LegView, Origin
from cdrd.enrich.rules import Rule, first_of
from cdrd.enrich.rules.dialled import DIAL_FULL_RULES, DIAL_SHORT_RULES
from cdrd.enrich.rules.evidence import endpoint_name, from_outside
from cdrd.enrich.rules.origin import CALLER_RULES, ORIGIN_RULES
from cdrd.enrich.rules.outcome import (
    AUTH_RULES,
    BOUNCE_RULES,
    DIRECTION_RULES,
    IVR_RULES,
    PARKING_RULES,
    PAYER_RULES,
    PICKUP_RULES,
    PIN_RULES,
    RECORDING_RULES,
    TRUNK_RULES,
    XFER_RULES,
)
from cdrd.enrich.rules.reached import REACHED_RULES
from cdrd.records import AcctId, Attribution, Leg, UnattributedReason

UNSTORED = AcctId(0)
"""The acctid in the attribution of a leg that is not stored."""


def attribute_call(legs: Sequence[Leg], directory: Directory | None) -> list[Attribution]:
    """One attribution for each leg, in the order of the legs.

    The legs are those of one linkedid, or of one uniqueid where the PBX writes no linkedid, in any order.
    The same legs always get the same answer; a leg that arrives later decides its call again.
    """
    if directory is None:
        reason = UnattributedReason.NO_DIRECTORY
        return [Attribution(acctid=leg.acctid or UNSTORED, reason=reason) for leg in legs]
    views = decided_views(legs, directory)
    if len(views) == 1:
        return [_attribution(views[0])]
    decided = {id(view.leg): _attribution(view) for view in views}
    return [decided[id(leg)] for leg in legs]


def decided_views(legs: Sequence[Leg], directory: Directory) -> Sequence[LegView]:
    """The legs in the order of time with everything decided, as `cdrd explain` tells of them."""
    views = view_call(legs, directory)
    if len(views) == 1:
        _decide(views[0])
        return views
    for view in views:
        for ready in _in_order(view):
            _decide(ready)
    return views


def _in_order(view: LegView) -> Iterator[LegView]:
    """The leg after those that it follows from, whatever their number; a circle is cut where it closes."""
    waiting, seen = [view], {id(view)}
    while waiting:
        last = waiting[-1]
        before = next((leg for leg in _follows_from(last) if id(leg) not in seen), None)
        if before is None:
            waiting.pop()
            if last.attribution is None:
                yield last
            continue
        seen.add(id(before))
        waiting.append(before)


def _follows_from(view: LegView) -> Iterator[LegView]:
    for leg in (view.dialler, view.before, view.consultation):
        if leg is not None and leg.attribution is None:
            yield leg


def _attribution(view: LegView) -> Attribution:
    if view.attribution is None:
        raise AssertionError("every leg of a call is decided")
    return view.attribution


_REST: tuple[tuple[Rule[Any], ...], ...] = (
    DIAL_SHORT_RULES,
    DIAL_FULL_RULES,
    TRUNK_RULES,
    XFER_RULES,
    IVR_RULES,
    PARKING_RULES,
    PICKUP_RULES,
    PIN_RULES,
    AUTH_RULES,
    BOUNCE_RULES,
    RECORDING_RULES,
)
"""The rules of the properties that follow src_ext in an attribution, in its order."""

_DECIDED_BY = (
    *("company", "target", "bill_to", "direction", "src_ext", "dial_short", "dial_full", "trunk"),
    *("xfer", "is_ivr", "is_park", "is_pick", "is_auth", "auth", "is_bounce", "call_rec"),
)


def _decide(view: LegView) -> None:
    """Origin first, then what was reached, then the direction between them; the rest stands on these."""
    origin, made_by = first_of(ORIGIN_RULES, view)
    view.origin = origin or Origin(inside=_inside(view))
    src_ext, named_by = view.origin.extension, made_by
    if src_ext is None:
        src_ext, named_by = first_of(CALLER_RULES, view)
    view.reached, reached_by = first_of(REACHED_RULES, view)
    view.direction, directed_by = first_of(DIRECTION_RULES, view)
    bill_to, paid_by = first_of(PAYER_RULES, view)
    company = view.origin.company
    target = view.reached.company if view.reached else None
    values, rest_by = zip(*[first_of(rules, view) for rules in _REST], strict=True)
    names = (made_by, reached_by if target else None, paid_by, directed_by, named_by, *rest_by)
    dial_short, dial_full, trunk, xfer, ivr, park, pick, pin, auth, bounce, call_rec = values
    view.attribution = Attribution(
        acctid=view.leg.acctid or UNSTORED,
        company=company,
        target=target,
        bill_to=bill_to,
        direction=view.direction,
        src_ext=src_ext,
        dial_short=dial_short or None,
        dial_full=dial_full or None,
        trunk=trunk,
        xfer=xfer,
        is_ivr=bool(ivr),
        is_park=bool(park),
        is_pick=bool(pick),
        is_auth=bool(pin),
        auth=auth,
        is_bounce=bool(bounce),
        call_rec=call_rec,
        reason=None if company else _reason(view),
        rules=rules_text(names),
    )


@lru_cache(maxsize=1 << 14)
def rules_text(names: tuple[str | None, ...]) -> str:
    """The names of the rules as JSON; there are few combinations, so that equal ones are one text."""
    decided = {what: name for what, name in zip(_DECIDED_BY, names, strict=True) if name}
    return json.dumps(decided, separators=(",", ":"))


def _inside(view: LegView) -> bool:
    """For a leg that is nobody's: on which side its caller is."""
    return view.dialler.origin.inside if view.dialler else not from_outside(view)


def _reason(view: LegView) -> UnattributedReason:
    """Two companies with the extension that calls, and nothing to tell which it is, or nothing at all."""
    if view.calling.kind in (PartyKind.UNLISTED, PartyKind.LOCAL):
        for number in (endpoint_name(view), view.leg.src):
            if len(view.directory.extension_owners(view.pbx, number, view.at)) > 1:
                return UnattributedReason.AMBIGUOUS
    return UnattributedReason.NO_MATCH
