"""Direction, trunk, who pays, and what else the dialect tells of a leg."""

from __future__ import annotations

from typing import Final

from cdrd.enrich.found import PartyKind
from cdrd.enrich.legview import INBOUND, INTERNAL, ONNET, OUTBOUND, PARKING_APPS, LegView
from cdrd.enrich.roles import is_sent_on
from cdrd.enrich.rules import NOT_STATION, Rules, rule
from cdrd.enrich.rules.by_event import (
    menu_event,
    parking_event,
    picked_up_event,
    recording_event,
    transferrer_event,
)
from cdrd.enrich.rules.evidence import from_outside
from cdrd.enrich.rules.let_through import pin_event, pin_owner_event
from cdrd.enrich.rules.numbers import for_its_dialler
from cdrd.records import CompanyId, Direction


@rule("the far end is outside")
def far_end_outside(view: LegView) -> Direction | None:
    """Whoever made it: a leg over a trunk to the outside."""
    return OUTBOUND if view.reached is not None and view.reached.outside else None


@rule("it came from outside")
def came_from_outside(view: LegView) -> Direction | None:
    """By a trunk, or by a Local channel for a caller who did."""
    if view.origin.inside:
        return None
    through = view.dialler is not None and view.dialler.direction is INBOUND
    return INBOUND if through or from_outside(view) else None


@rule("{company} and {target} are the same company")
def same_company(view: LegView) -> Direction | None:
    """Nobody else has part in it."""
    target = view.reached.company if view.reached else None
    return INTERNAL if target and target == view.origin.company else None


@rule("{company} called {target}, and it stayed on the PBX")
def other_company(view: LegView) -> Direction | None:
    """Between two companies, without a trunk."""
    target = view.reached.company if view.reached else None
    return ONNET if target and view.origin.company else None


DIRECTION_RULES: Final[Rules[Direction]] = Rules(
    far_end_outside,
    came_from_outside,
    same_company,
    other_company,
)


@rule("the trunk that carried it, or was tried last", directions=(OUTBOUND,))
def trunk_out(view: LegView) -> str | None:
    """The trunk that carried it, or was tried last."""
    reached = view.reached
    if reached is None:
        return None
    return reached.trunk or view.column(view.columns.trunk)


@rule("it came in by {channel}", calling=NOT_STATION, directions=(INBOUND,))
def trunk_in(view: LegView) -> str | None:
    """The trunk that a call from outside came by."""
    if view.calling.kind is PartyKind.TRUNK:
        return view.calling.trunk
    if view.calling.kind is PartyKind.UNLISTED:
        return view.calling.base.partition("/")[2] or None
    dialler = view.dialler
    return dialler.attribution.trunk if dialler and dialler.attribution else None


TRUNK_RULES: Final[Rules[str]] = Rules(trunk_out, trunk_in)


@rule("companies.yaml says for {company} that in this situation {bill_to} pays")
def agreed_payer(view: LegView) -> CompanyId | None:
    """`pays` of the company that the leg belongs to."""
    pays = view.directory.agreements.get(view.origin.company)
    if pays is None:
        return None
    who = next((pays[s] for s in _situations(view) if s in pays), None)
    if who is None:
        return None
    return _role(view, who) if who in _ROLES else CompanyId(who)


def _situations(view: LegView) -> tuple[str, ...]:
    happened = (
        ("transfer", view.transferrer is not None),
        ("forward", _is_forwarded(view)),
        ("auth", PIN_RULES.first(view)[0] is not None),
    )
    direction = (view.direction.value,) if view.direction else ()
    return (*(situation for situation, so in happened if so), *direction)


def _is_forwarded(view: LegView) -> bool:
    """Whether it is the way on from a telephone that forwards, by a Local channel or without one."""
    if view.forwarder is not None:
        return view.called.kind is not PartyKind.LOCAL
    return is_sent_on(view)


_ROLES: Final = frozenset({"caller", "transferrer", "forwarder", "target"})


def _role(view: LegView, role: str) -> CompanyId | None:
    """The company in the role; None where nobody of the companies is in it."""
    if role == "target":
        return view.reached.company if view.reached else None
    if role == "transferrer":
        return view.transferrer.company if view.transferrer else None
    if role == "forwarder":
        return view.origin.company if _is_forwarded(view) else None
    return first_caller(view)


def first_caller(view: LegView) -> CompanyId | None:
    """The company of the telephone that the call began with; None where it came from outside."""
    while view.dialler is not None:
        view = view.dialler
    return view.calling.company if view.calling.kind is PartyKind.STATION else None


@rule("the leg is {company}'s")
def company_pays(view: LegView) -> CompanyId | None:
    """Without another agreement: the caller's, the transferrer's, the number's owner."""
    return view.origin.company


PAYER_RULES: Final[Rules[CompanyId]] = Rules(agreed_payer, company_pays)


@rule("{transferrer} was talking when the caller was moved on", only="linked")
def handed_on_by(view: LegView) -> str | None:
    """The transferrer's extension, or its endpoint where that has none."""
    party = view.transferrer
    if party is None or party.kind not in (PartyKind.STATION, PartyKind.UNLISTED):
        return None
    return party.extension or party.base.partition("/")[2] or None


@rule("it is the other end of the Local channel that was handed on to", only="linked")
def handed_on_to_local(view: LegView) -> str | None:
    """A queue's member, a forward: what the transferred call dialled. A consultation dials before."""
    dialler = for_its_dialler(view)
    if dialler is None or dialler.attribution is None or dialler.attended or dialler.consulting:
        return None
    return dialler.attribution.xfer


XFER_RULES: Final[Rules[str]] = Rules(transferrer_event, handed_on_by, handed_on_to_local)


@rule("its number leads to a menu, or it was in the menu {dcontext}", calling=NOT_STATION)
def through_menu(view: LegView) -> bool | None:
    """A menu leaves no row of its own; the number, the context or the application gives it away."""
    if view.origin.inside:
        return None
    dialler = view.dialler
    if dialler is not None and dialler.attribution is not None:
        return dialler.attribution.is_ivr or None
    context = view.context
    in_menu = context is not None and bool(context.detail.get("ivr"))
    return in_menu or (view.did is not None and view.did.ivr) or None


@rule("the call was parked, or taken from parking")
def parked(view: LegView) -> bool | None:
    """From the Park() on; and the leg of who fetches."""
    leg = view.leg
    if view.parked or leg.lastapp in PARKING_APPS or leg.dcontext == "park-dial":
        return True
    return True if _feature_used(view) in ("park", "park_slots") else None


@rule("the call was picked up by another telephone than it rang at", only="linked")
def picked_up(view: LegView) -> bool | None:
    """Every leg of a call that was picked up, and what led to it by a Local channel."""
    behind = view.through
    return True if view.picked or (behind is not None and behind.picked) else None


@rule("{dst} is a code for picking up", called=(PartyKind.NOBODY,))
def pickup_code(view: LegView) -> bool | None:
    """The row of whoever picks up, or tries to."""
    return True if view.picks_up or _feature_used(view) == "pickup" else None


def _feature_used(view: LegView) -> str:
    if view.leg.dstchannel or not view.leg.dst:
        return ""
    return view.feature.name if view.feature is not None else ""


@rule("the PIN of {auth} was accepted", only="noted")
def with_pin(view: LegView) -> bool | None:
    """The dialplan noted whose PIN was keyed."""
    return True if view.noted_auth is not None else None


@rule("the PIN of {auth} was accepted", only="noted")
def pin_owner(view: LegView) -> str | None:
    """As the dialplan noted it."""
    return view.noted_auth


@rule("it came back to {transferrer} after nobody had answered the transfer", only="linked")
def came_back(view: LegView) -> bool | None:
    """A transfer that bounced."""
    party, before = view.transferrer, view.before
    if party is None or before is None or view.called.base != party.base or not party.base:
        return None
    away = view.replaced and not (view.attended or view.picked)  # who was dialled: it left no row
    tried = before.transferrer is not None and before.transferrer.base == party.base
    return True if away or tried else None


@rule("the column {recording_column} has it", only="noted")
def recording(view: LegView) -> str | None:
    """The name of the recording, where cdr_custom writes it."""
    return view.column(view.columns.recording)


IVR_RULES: Final[Rules[bool]] = Rules(menu_event, through_menu)
PARKING_RULES: Final[Rules[bool]] = Rules(parking_event, parked)
PICKUP_RULES: Final[Rules[bool]] = Rules(picked_up_event, picked_up, pickup_code)
PIN_RULES: Final[Rules[bool]] = Rules(with_pin, pin_event)
AUTH_RULES: Final[Rules[str]] = Rules(pin_owner, pin_owner_event)
BOUNCE_RULES: Final[Rules[bool]] = Rules(came_back)
RECORDING_RULES: Final[Rules[str]] = Rules(recording, recording_event)
