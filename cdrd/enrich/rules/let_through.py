"""Who dialled in, keyed a PIN and was let through to dial on by DISA(), as channel events say."""

from __future__ import annotations

from typing import Final

from cdrd.enrich.found import PartyKind
from cdrd.enrich.heard import Place, Started
from cdrd.enrich.legview import LegView, Origin
from cdrd.enrich.rules import NOT_STATION, rule
from cdrd.enrich.rules.evidence import believed_account, is_number_of
from cdrd.records import CompanyId

_ASKS_FOR_PIN: Final = frozenset({"authenticate", "vmauthenticate"})


@rule(
    "events say that a PIN was asked for, and that the call went on",
    only="told",
    calling=NOT_STATION,
)
def pin_event(view: LegView) -> bool | None:
    """Who dials in and is let through to dial on has shown who it is."""
    return True if _let_through(view) is not None else None


def _let_through(view: LegView) -> Started | None:
    """DISA() on a channel from outside, with a password or after a PIN was read, before this leg."""
    channel = view.told.channel if view.told is not None else None
    if channel is None or view.calling.kind is not PartyKind.TRUNK or not view.dialled.targets:
        return None
    asked = None
    for started in channel.started:
        if started.at > view.passed_until:
            break
        is_open = started.app == "disa" and started.data.lower().startswith("no-password")
        if (
            started.app in _ASKS_FOR_PIN
            or started.app == "read"
            or (started.app == "disa" and not is_open)
        ):
            asked = asked or started
        if started.app == "disa" and asked is not None:
            return started
    return None


@rule(
    "events say that a number of {company} was dialled after DISA(), whose dialplan sent the call outside",
    only="told",
    calling=(PartyKind.TRUNK,),
    called=(PartyKind.TRUNK,),
)
def led_outside_after_pin_event(view: LegView) -> Origin | None:
    """By a menu, say: the PIN let the caller dial that company's number, and no further.

    Asterisk 16 tells nothing of what was keyed, but a menu runs applications.
    """
    started, company, by = _let_through(view), view.context_company, view.let_in_by
    channel = view.told.channel if view.told is not None else None
    if started is None or channel is None or company in (None, by) or view.transferrer is not None:
        return None
    dialled = is_number_of(company, channel.keyed_from(started), by, view)
    if not dialled and not any(
        _is_menu_of(company, place, started, view) for place in channel.places
    ):
        return None
    return Origin(inside=True, company=company)


def _is_menu_of(company: CompanyId, place: Place, started: Started, view: LegView) -> bool:
    if not started.at < place.at <= view.passed_until:
        return False
    entry = view.owners.context(place.context, view.at)
    return entry is not None and entry.company == company and bool(entry.detail.get("ivr"))


@rule("events say that DISA() let the caller dial as {company}", only="told", calling=NOT_STATION)
def let_through_event(view: LegView) -> Origin | None:
    """The company in whose context DISA() dials, or whose account code the PIN gave the channel."""
    started = _let_through(view)
    if started is None:
        return None
    arguments = started.data.split(",")
    name = arguments[1] if len(arguments) > 1 and arguments[1] else started.context
    entry = view.owners.context(name, view.at)
    account = believed_account(view)
    company = (entry.company if entry else None) or (account.company if account else None)
    company = company or view.let_in_by
    if company is None:
        return None
    return Origin(inside=True, company=company, extension=pin_owner_event.decide(view))


@rule("events say that {pin_extension} keyed its PIN", only="told", calling=NOT_STATION)
def pin_owner_event(view: LegView) -> str | None:
    """The extension that the account code names, which the dialplan gave the channel after the PIN."""
    if _let_through(view) is None or view.told is None or view.told.channel is None:
        return None
    for code in reversed(view.told.channel.accounts):
        account = view.owners.account(code, view.at)
        if account is not None and view.owns(account.company, account.extension):
            return account.extension
    return None
