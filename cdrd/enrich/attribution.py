"""Every leg of a call learns whose it is, where it went and who pays, and which rule decided each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from cdrd.beside import CelEvent
from cdrd.calls import made
from cdrd.enrich.call import view_call
from cdrd.enrich.directory import Directory
from cdrd.enrich.found import PartyKind
from cdrd.enrich.hearing import hear
from cdrd.enrich.legview import UNSTORED, LegView, Origin
from cdrd.enrich.rules import BY_DIRECTION, Properties, sort_of
from cdrd.enrich.rules.dial_full import DIAL_FULL_RULES
from cdrd.enrich.rules.dial_short import DIAL_SHORT_RULES
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
from cdrd.records import Attribution, Leg, UnattributedReason


def decided_views(
    legs: Sequence[Leg], directory: Directory, events: Sequence[CelEvent] = ()
) -> Sequence[LegView]:
    """The legs in the order of time with everything decided, as `cdrd explain` tells of them."""
    return decide_views(view_call(legs, directory, hear(events) if events else None))


def decide_views(views: Sequence[LegView]) -> Sequence[LegView]:
    """Decides the legs of a call, each after those that it follows from."""
    for view in views:
        if not view.is_next:
            _decide_in_order(view)
    return views


def _decide_in_order(view: LegView) -> None:
    """The leg after those that it follows from, whatever their number; a circle is cut where it closes."""
    view.is_next = True
    waiting = [view]
    while waiting:
        before = _follows_from(waiting[-1])
        if before is None:
            _decide(waiting.pop())
        else:
            before.is_next = True
            waiting.append(before)


def _follows_from(view: LegView) -> LegView | None:
    """The first that is not decided, and not about to be."""
    # compiled, a list takes half the time of a tuple to go through
    for leg in [view.dialler, view.before, view.consultation, view.called_by]:
        if leg is not None and not leg.is_next:
            return leg
    return None


def attribution_of(view: LegView) -> Attribution:
    """What was decided of a leg."""
    if view.attribution is None:
        raise AssertionError("every leg of a call is decided")
    return view.attribution


_SAID: Final = (
    "company",
    "target",
    "bill_to",
    "direction",
    "src_ext",
    "dial_short",
    "dial_full",
    "trunk",
)
_NOTICED: Final = (
    "xfer",
    "is_ivr",
    "is_park",
    "is_pick",
    "is_auth",
    "auth",
    "is_bounce",
    "call_rec",
)


_MOST_TEXTS: Final = 1 << 14
_TEXTS: Final[dict[tuple[str | None, ...], str]] = {}

NOTICED_RULES: Final = Properties(
    XFER_RULES,
    IVR_RULES,
    PARKING_RULES,
    PICKUP_RULES,
    PIN_RULES,
    AUTH_RULES,
    BOUNCE_RULES,
    RECORDING_RULES,
)
"""In the order of `_NOTICED`."""


def _decide(view: LegView) -> None:
    """Origin first, then what was reached, then the direction between them; the rest stands on these."""
    view.sort = sort_of(view)
    origin, made_by = ORIGIN_RULES.first(view)
    view.origin = origin or Origin(inside=_inside(view))
    named_by = made_by
    if view.origin.extension is None and view.origin.inside:
        extension, named_by = CALLER_RULES.first(view)
        if extension is not None:
            view.origin = Origin(inside=True, company=view.origin.company, extension=extension)
    view.reached, reached_by = REACHED_RULES.first(view)
    view.direction, directed_by = DIRECTION_RULES.first(view)
    view.sort += BY_DIRECTION[view.direction]
    view.attribution = _attributed(view, made_by, reached_by, directed_by, named_by)


def _attributed(
    view: LegView,
    made_by: str | None,
    reached_by: str | None,
    directed_by: str | None,
    named_by: str | None,
) -> Attribution:
    company, src_ext = view.origin.company, view.origin.extension
    target = view.reached.company if view.reached is not None else None
    bill_to, paid_by = PAYER_RULES.first(view)
    dial_short, short_by = DIAL_SHORT_RULES.first(view)
    dial_full, full_by = DIAL_FULL_RULES.first(view)
    trunk, trunk_by = TRUNK_RULES.first(view)
    noticed, noticed_by = NOTICED_RULES.decide(view)
    xfer, is_ivr, is_park, is_pick, is_auth, auth, is_bounce, call_rec = noticed
    target_by = reached_by if target else None
    src_by = named_by if src_ext else None
    said_by = (made_by, target_by, paid_by, directed_by, src_by, short_by, full_by, trunk_by)
    properties = (
        view.leg.acctid or UNSTORED,
        company,
        target,
        bill_to,
        view.direction,
        src_ext,
        dial_short or None,
        dial_full or None,
        trunk,
        xfer,
        is_ivr is True,
        is_park is True,
        is_pick is True,
        is_auth is True,
        auth,
        is_bounce is True,
        call_rec,
        None if company else _reason(view),
        rules_text(said_by + noticed_by if noticed_by else said_by),
    )
    return made(Attribution, properties)


def rules_text(decided_by: tuple[str | None, ...]) -> str:
    """The names of the rules as JSON; there are few combinations, so that equal ones are one text."""
    text = _TEXTS.get(decided_by)
    if text is None:
        decided = zip(_SAID + _NOTICED, decided_by, strict=False)
        named = {what: rule for what, rule in decided if rule}
        if len(_TEXTS) >= _MOST_TEXTS:
            _TEXTS.clear()
        text = _TEXTS[decided_by] = json.dumps(named, separators=(",", ":"))
    return text


def _inside(view: LegView) -> bool:
    """For a leg that is nobody's: on which side its caller is."""
    return view.dialler.origin.inside if view.dialler else not from_outside(view)


def _reason(view: LegView) -> UnattributedReason:
    """Two companies with the extension that calls, and nothing to tell which it is, or nothing at all."""
    if view.calling.kind in (PartyKind.UNLISTED, PartyKind.LOCAL):
        for number in (endpoint_name(view), view.leg.src):
            if len(view.owners.extension_owners(number, view.at)) > 1:
                return UnattributedReason.AMBIGUOUS
    return UnattributedReason.NO_MATCH
