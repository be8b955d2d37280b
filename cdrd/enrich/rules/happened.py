"""Who made a leg happen, where other legs or a Local channel tell: pick-ups, transfers, forwards."""

from __future__ import annotations

from typing import Final

from cdrd.enrich.call import gone_on_from, rang_alone
from cdrd.enrich.found import PartyKind
from cdrd.enrich.legview import BY_PROGRAM, CONFERENCES, DIALLING_APPS, LegView, Origin
from cdrd.enrich.rules import rule
from cdrd.enrich.rules.evidence import (
    believed_account,
    dst_is_number,
    is_number_of,
    local_company,
    of_party,
    of_reached,
    of_transferrer,
)
from cdrd.records import CompanyId

_OUTSIDE: Final = (PartyKind.TRUNK,)


@rule("a telephone picked the call up with {dst}", called=(PartyKind.NOBODY,))
def picked_up_by(view: LegView) -> Origin | None:
    """The row of a pick-up code is the picker's, though it names the channel that rang."""
    if not view.picks_up:
        return None
    company = view.calling.company or view.context_company
    if view.picker is not None and view.picker.company is not None:
        return of_party(view.picker)
    account = believed_account(view)
    extension = account.extension if account and account.company == company else None
    return Origin(inside=True, company=company, extension=extension) if company else None


@rule("{transferrer} handed the call on", only="linked")
def transferrer(view: LegView) -> Origin | None:
    """After a transfer the transferrer answers for the call."""
    return of_transferrer(view) if view.transferrer is not None else None


@rule("{channel} was called outside, and is handed on", only="linked", calling=(PartyKind.TRUNK,))
def called_outside(view: LegView) -> Origin | None:
    """What becomes of a party that was called outside is whose call that was."""
    called_by = view.called_by
    if called_by is None or called_by.reached is None or not called_by.reached.outside:
        return None
    return called_by.origin if called_by.origin.company else None


@rule("{forwarder} forwards its calls", only="linked")
def forwarder(view: LegView) -> Origin | None:
    """A forwarded call is the forwarding extension's from there on."""
    if view.forwarder is not None and view.called.kind is not PartyKind.LOCAL:
        return of_reached(view.forwarder, view.before)
    if view.dialler is None or view.dialler.consulting:
        return None
    return _forwarded_by(view.dialler)


def _forwarded_by(dialler: LegView) -> Origin | None:
    """Who forwards, where a leg dialled a Local channel to somewhere else than where it was called to."""
    if dialler.forwarder is not None:
        return of_reached(dialler.forwarder, dialler.before)
    exten = dialler.called.base.removeprefix("Local/").partition("@")[0]
    if not _dialled_once(dialler) or not exten.lstrip("+*#").isdigit():
        return None
    company, extension = _called_extension(dialler)
    if extension is None or exten in (extension, dialler.leg.dst):
        return None
    if dialler.did is not None and dialler.owners.did(exten, dialler.at) == dialler.did:
        return None  # the number itself, whatever a transfer wrote over dst
    return Origin(inside=True, company=company, extension=extension)


@rule("nobody answered at {forwarder}, whose calls go on outside then", called=_OUTSIDE)
def gone_on_outside(view: LegView) -> Origin | None:
    """A dialplan that forwards without a Local channel: an extension's, another company's queue or group."""
    leg = gone_on_from(view)
    reached = leg.reached if leg is not None else None
    if leg is None or reached is None or reached.company is None:
        return None
    extension = reached.extension if rang_alone(leg) else None
    return Origin(inside=True, company=reached.company, extension=extension)


def _dialled_once(dialler: LegView) -> bool:
    one = len(dialler.dialled.targets) == 1
    return one and dialler.leg.lastapp in DIALLING_APPS and not dialler.replaced


def _called_extension(dialler: LegView) -> tuple[CompanyId | None, str | None]:
    company = dialler.context_company or dialler.origin.company
    if dialler.owns(company, dialler.leg.dst):
        return company, dialler.leg.dst
    did = dialler.did
    if did is not None and did.extension and dst_is_number(dialler):
        return did.company, did.extension
    return None, None


@rule(
    "the call was handed on, or sent on, to a number of {company}, whose dialplan sent it outside",
    only="linked",
    called=_OUTSIDE,
)
def led_outside(view: LegView) -> Origin | None:
    """A menu, say: it leaves no row between the transfer, or the forward, and the way out."""
    company = view.context_company
    if company is None or view.attended or not view.dialled.targets:
        return None
    by, number = _led_to(view)
    if by == company:
        return None
    noted = view.did if view.transferrer is not None else None
    if not is_number_of(company, number, by, view) and (noted is None or noted.company != company):
        return None
    return Origin(inside=True, company=company)


def _led_to(view: LegView) -> tuple[CompanyId | None, str]:
    """Who handed the call on or sent it on, and what was dialled for it."""
    if view.transferrer is None:
        is_sent_on = view.dialler is not None and view.noted_auth is None
        exten = view.calling.base.removeprefix("Local/").rpartition("@")[0]
        return local_company(view), exten if is_sent_on else ""
    by = of_reached(view.transferrer, view.before)
    return by.company if by is not None else None, _handed_on_to(view)


def _handed_on_to(view: LegView) -> str:
    """Without events it is the dst of the leg before, but for a number by which the call may have come in."""
    transfer = view.told.transfer if view.told is not None else None
    if transfer is not None:
        return transfer.exten
    before = view.before
    return "" if before is None or dst_is_number(before) else before.leg.dst


@rule("somebody else called {company}, whose dialplan sent the call outside", called=_OUTSIDE)
def sent_outside(view: LegView) -> Origin | None:
    """A group or a queue with numbers outside: the way out is theirs, whoever called them."""
    company, dialler = view.context_company, view.dialler
    caller = dialler.origin.company if dialler is not None else view.calling.company
    if company in (None, caller) or view.calling.kind is PartyKind.TRUNK:
        return None
    if view.leg.lastapp in CONFERENCES:
        return None  # who is outside has called in
    if view.transferrer is not None or (dialler is not None and dialler.consulting):
        return None
    called = dialler.reached if dialler is not None else view.did
    if called is None or called.company != company:
        return None
    return Origin(inside=True, company=company)


@rule(
    "it is the other end of the Local channel that {dialler} dialled",
    only="linked",
    calling=(PartyKind.LOCAL,),
)
def caller_of_local_channel(view: LegView) -> Origin | None:
    """A Local channel calls for whoever dialled it."""
    origin = view.dialler.origin if view.dialler is not None else None
    return origin if origin is not None and origin.company else None


@rule(
    "a program called {channel} outside, with the account code {accountcode} of {company}",
    calling=_OUTSIDE,
    called=(PartyKind.NOBODY,),
)
def called_in_vain(view: LegView) -> Origin | None:
    """Here the account code is the program's: there was no caller, and no dialplan, to give another one."""
    if view.leg.lastapp != BY_PROGRAM:
        return None
    account = view.owners.account(view.leg.accountcode, view.at)
    return Origin(inside=True, company=account.company) if account is not None else None


@rule("the call was originated through a Local channel to {originated}", calling=(PartyKind.LOCAL,))
def originated(view: LegView) -> Origin | None:
    """Originated through a Local channel: the telephone that it rang first is the caller."""
    if view.dialler is not None:
        return None
    first_half = view.leg.channel.endswith(";1")
    company = local_company(view)
    if view.other_half is not None and (view.other_half.leg.dstchannel or view.leg.dstchannel):
        rung = of_party(view.other_half.called if first_half else view.called)
        if rung is not None and company not in (None, rung.company):
            return Origin(inside=True, company=company)  # whose dialplan called another's telephone
        if rung is not None:
            return rung
    if not first_half or not view.leg.dstchannel:
        return None
    exten = view.calling.base.removeprefix("Local/").partition("@")[0]
    return (
        Origin(inside=True, company=company, extension=exten) if view.owns(company, exten) else None
    )
