"""Who made the leg happen: its company, and the extension that answers for it.

The order of evidence, the hardest to forge first:

1. what happened in the call: a pick-up, a transfer, a forward, a Local channel dialled by another leg;
2. the PIN that the dialplan accepted;
3. the endpoint of the calling channel: Asterisk names the channel, no caller and no dialplan does;
4. for calls that come in: the number that was called, the endpoint that was reached, the context,
   the company's own trunk;
5. the context that a Local channel to the outside was made in (its accountcode is inherited from whoever
   caused the call, who need not be the one who forwards it);
6. a telephone named after an extension that only one company has;
7. the account code, but only of a company that owns another part of the leg;
8. the context, which is the company's that was dialled into;
9. the company for unowned stations.

The caller's number and name decide no company: callers choose them.
"""

from __future__ import annotations

from cdrd.enrich.directory import PartyKind
from cdrd.enrich.legview import DIALLING_APPS, LegView, Origin
from cdrd.enrich.rules import NOT_STATION, Rules, rule
from cdrd.enrich.rules.evidence import (
    believed_account,
    endpoint_name,
    from_outside,
    local_company,
)
from cdrd.records import CompanyId


@rule("a telephone picked the call up with {dst}", called=(PartyKind.NOBODY,))
def picked_up_by(view: LegView) -> Origin | None:
    """The row of a pick-up code is the picker's, though it names the channel that rang."""
    if not view.picks_up:
        return None
    company = view.calling.company or view.context_company
    if view.picker is not None and view.picker.company is not None:
        return Origin(inside=True, company=view.picker.company, extension=view.picker.extension)
    account = believed_account(view)
    extension = account.extension if account and account.company == company else None
    return Origin(inside=True, company=company, extension=extension)


@rule("{transferrer} handed the call on", plain=False)
def transferrer(view: LegView) -> Origin | None:
    """After a transfer the transferrer answers for the call."""
    party = view.transferrer
    if party is None or party.company is None:
        return None
    return Origin(inside=True, company=party.company, extension=party.extension)


@rule("{forwarder} forwards its calls", plain=False)
def forwarder(view: LegView) -> Origin | None:
    """A forwarded call is the forwarding extension's from there on."""
    if view.forwarder is not None and view.called.kind is not PartyKind.LOCAL:
        party = view.forwarder
        return Origin(inside=True, company=party.company, extension=party.extension)
    if view.dialler is None or view.dialler.consulting:
        return None
    return _forwarded_by(view.dialler)


def _forwarded_by(dialler: LegView) -> Origin | None:
    """Who forwards, where a leg dialled a Local channel to somewhere else than where it was called to."""
    party = dialler.forwarder
    if party is not None:
        return Origin(inside=True, company=party.company, extension=party.extension)
    exten = dialler.called.base.removeprefix("Local/").partition("@")[0]
    if not _dialled_once(dialler) or not exten.lstrip("+*#").isdigit():
        return None
    company, extension = _called_extension(dialler)
    if extension is None or exten in (extension, dialler.leg.dst):
        return None
    return Origin(inside=True, company=company, extension=extension)


def _dialled_once(dialler: LegView) -> bool:
    one = len(dialler.dialled.targets) == 1
    return one and dialler.leg.lastapp in DIALLING_APPS and not dialler.replaced


def _called_extension(dialler: LegView) -> tuple[CompanyId | None, str | None]:
    company = dialler.context_company
    if dialler.owns(company, dialler.leg.dst):
        return company, dialler.leg.dst
    did = dialler.did
    if did is not None and did.extension and _is_number_of(dialler, dialler.leg.dst):
        return did.company, did.extension
    return None, None


def _is_number_of(dialler: LegView, number: str) -> bool:
    return dialler.directory.did(dialler.pbx, number, dialler.at) is not None


@rule(
    "it is the other end of the Local channel that {dialler} dialled",
    plain=False,
    calling=(PartyKind.LOCAL,),
)
def caller_of_local_channel(view: LegView) -> Origin | None:
    """A Local channel calls for whoever dialled it."""
    origin = view.dialler.origin if view.dialler is not None else None
    return origin if origin is not None and origin.company else None


@rule("the call was originated through a Local channel to {originated}", calling=(PartyKind.LOCAL,))
def originated(view: LegView) -> Origin | None:
    """Originated through a Local channel: the telephone that it rang first is the caller."""
    if view.dialler is not None:
        return None
    first_half = view.leg.channel.endswith(";1")
    if view.other_half is not None and (view.other_half.leg.dstchannel or view.leg.dstchannel):
        party = view.other_half.called if first_half else view.called
        if party.company is not None:
            return Origin(inside=True, company=party.company, extension=party.extension)
    company = local_company(view)
    exten = view.calling.base.removeprefix("Local/").partition("@")[0]
    if first_half and view.leg.dstchannel and view.owns(company, exten):
        return Origin(inside=True, company=company, extension=exten)
    return None


@rule("the PIN of {auth} was keyed")
def pin(view: LegView) -> Origin | None:
    """Who dials in and keys a PIN calls as the owner of the PIN."""
    auth = view.noted_auth
    if auth is None:
        return None
    account = believed_account(view)
    companies = (view.calling.company, view.context_company, account.company if account else None)
    company = next((c for c in companies if view.owns(c, auth)), None)
    return Origin(inside=True, company=company, extension=auth) if company else None


@rule("the calling channel {channel} is an endpoint of {company}", calling=(PartyKind.STATION,))
def calling_endpoint(view: LegView) -> Origin | None:
    """The telephone that calls."""
    party = view.calling
    in_doubt = (
        view.rowless and view.replaced
    )  # transferred, picked up or fetched: its other rows would tell
    extension = None if in_doubt else party.extension
    return Origin(inside=True, company=party.company, extension=extension)


@rule("the number called, {did}, belongs to {company}", calling=NOT_STATION)
def number_called(view: LegView) -> Origin | None:
    """A call from outside is that of the owner of the number."""
    if not from_outside(view) or view.did is None:
        return None
    return Origin(inside=False, company=view.did.company)


@rule(
    "the call from outside reached {dstchannel}, an endpoint of {company}",
    calling=NOT_STATION,
    called=(PartyKind.STATION,),
)
def endpoint_called(view: LegView) -> Origin | None:
    """A call from outside whose number is not known."""
    return Origin(inside=False, company=view.called.company) if from_outside(view) else None


@rule("the call from outside was in the context {dcontext} of {company}", calling=NOT_STATION)
def context_entered(view: LegView) -> Origin | None:
    """A call from outside that reached no telephone."""
    company = view.context_company
    return Origin(inside=False, company=company) if company and from_outside(view) else None


@rule("the call came by a trunk of {company}", calling=(PartyKind.TRUNK,))
def own_trunk(view: LegView) -> Origin | None:
    """A trunk that one company owns."""
    company = view.calling.company
    return Origin(inside=False, company=company) if company else None


@rule(
    "the Local channel {channel} to the outside was made in a context of {company}",
    calling=(PartyKind.LOCAL,),
    called=(PartyKind.TRUNK,),
)
def context_to_outside(view: LegView) -> Origin | None:
    """Whose dialplan dialled out, where the leg that caused it is not known."""
    company = local_company(view) or view.context_company
    return Origin(inside=True, company=company) if company else None


@rule(
    "the calling channel {channel} is named after an extension that only {company} has",
    calling=(PartyKind.UNLISTED,),
)
def endpoint_named_by_extension(view: LegView) -> Origin | None:
    """A telephone that no endpoint pattern covers, with a name that says whose it is."""
    name = endpoint_name(view)
    owners = view.directory.extension_owners(view.pbx, name, view.at)
    return Origin(inside=True, company=owners[0], extension=name) if len(owners) == 1 else None


@rule(
    "the account code {accountcode} is that of {company}, which owns another part of the leg as well",
    calling=(PartyKind.NOBODY, *NOT_STATION),
)
def account_code(view: LegView) -> Origin | None:
    """Believed only of a company that has something else to do with the leg."""
    account = believed_account(view)
    if account is None:
        return None
    if from_outside(view):
        return Origin(inside=False, company=account.company)
    return Origin(inside=True, company=account.company, extension=_caller(view, account.extension))


def _caller(view: LegView, named: str | None) -> str | None:
    """The extension behind an account code; one that a forwarded call has inherited names nobody."""
    if view.calling.kind is PartyKind.LOCAL and view.called.kind is PartyKind.TRUNK:
        return None
    return named


@rule(
    "the leg was in the context {dcontext} of {company}", calling=(PartyKind.NOBODY, *NOT_STATION)
)
def context(view: LegView) -> Origin | None:
    """Weaker than it looks: a call to another company's number ends up in that company's context."""
    company = view.context_company
    if company is None or (view.calling.kind is PartyKind.UNLISTED and view.did is not None):
        return None
    return Origin(inside=not from_outside(view), company=company)


@rule(
    "no company owns the station {channel}, and {company} is the company for those",
    calling=(PartyKind.UNLISTED,),
)
def unowned_station(view: LegView) -> Origin | None:
    """A telephone without an owner."""
    if from_outside(view):
        return None
    company = view.directory.default_company(view.pbx, view.at)
    return Origin(inside=True, company=company) if company else None


ORIGIN_RULES: Rules[Origin] = Rules(
    picked_up_by,
    transferrer,
    forwarder,
    caller_of_local_channel,
    originated,
    pin,
    calling_endpoint,
    number_called,
    endpoint_called,
    context_entered,
    own_trunk,
    context_to_outside,
    endpoint_named_by_extension,
    account_code,
    context,
    unowned_station,
)


@rule("{src} is an extension of {company}")
def calling_number(view: LegView) -> str | None:
    """The caller's number, where the channel names no extension and nobody else answers for the leg."""
    if not view.origin.inside or view.transferrer is not None or view.picks_up:
        return None
    if view.rowless and view.replaced:
        return None
    if view.calling.kind is PartyKind.LOCAL and not _own_number(view):
        return None
    for number in (view.leg.src, endpoint_name(view)):
        if view.owns(view.origin.company, number):
            return number
    return None


def _own_number(view: LegView) -> bool:
    """Behind a Local channel the caller can be another than who made it (a forward, a consultation), but
    not where another company's number was dialled.
    """
    return view.called.kind is not PartyKind.TRUNK and _is_number_of(view, view.leg.dst)


CALLER_RULES: Rules[str] = Rules(
    calling_number,
)
