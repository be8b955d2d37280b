"""Who made the leg happen: its company, and the extension that answers for it.

The order of evidence, the hardest to forge first:

1. what happened in the call: a pick-up, a number whose dialplan sent the call out again, a transfer, a
   forward;
2. the PIN that the dialplan accepted, or the Local channel dialled by another leg;
3. the endpoint of the calling channel: Asterisk names the channel, no caller and no dialplan does
   (a telephone that no pattern covers is known by its name, where that is an extension of one company only);
4. for calls that come in: the number that was called, the leg before on the same channel, the endpoint
   that was reached, the context, what other legs reached, the company's own trunk;
5. the context that a Local channel to the outside was made in (its accountcode is inherited from whoever
   caused the call, who need not be the one who forwards it);
6. a telephone of another technology that is named so, or that began in a company's context;
7. the account code, but only of a company that owns another part of the leg;
8. the context, which is the company's that was dialled into;
9. for calls that come in: an extension that only one company has;
10. the company for unowned stations.

The caller's number and name decide no company: callers choose them.
"""

from __future__ import annotations

from typing import Final

from cdrd.enrich.call import far_leg
from cdrd.enrich.found import PartyKind
from cdrd.enrich.legview import LETS_IN, LegView, Origin
from cdrd.enrich.rules import NOT_STATION, Rules, rule
from cdrd.enrich.rules.by_event import (
    called_by_program_event,
    context_begun_event,
    context_passed_event,
    forward_event,
    number_called_event,
    pickup_event,
    transfer_event,
)
from cdrd.enrich.rules.evidence import (
    believed_account,
    dst_is_number,
    endpoint_name,
    from_outside,
    local_company,
    lost_its_number,
)
from cdrd.enrich.rules.happened import (
    called_in_vain,
    called_outside,
    caller_of_local_channel,
    forwarder,
    gone_on_outside,
    led_outside,
    originated,
    picked_up_by,
    sent_outside,
    transferrer,
)
from cdrd.enrich.rules.let_through import led_outside_after_pin_event, let_through_event


@rule("the PIN of {auth} was keyed", only="noted")
def pin(view: LegView) -> Origin | None:
    """Who dials in, keys a PIN and dials on calls as the owner of the PIN."""
    auth = view.noted_auth
    if auth is None or view.leg.lastapp in LETS_IN:
        return None
    account = believed_account(view)
    coded = account.company if account else None
    claims = [view.calling.company, view.let_in_by, view.context_company, coded]
    if view.calling.kind is PartyKind.STATION:  # another company's number may have let it in
        claims = [coded, view.calling.company, view.context_company]
    companies = [company for company in claims if company]
    owner = next((company for company in companies if view.owns(company, auth)), None)
    company = owner or next(iter(companies), None)
    return Origin(inside=True, company=company, extension=auth) if company else None


@rule("the calling channel {channel} is an endpoint of {company}", calling=(PartyKind.STATION,))
def calling_endpoint(view: LegView) -> Origin | None:
    """The telephone that calls."""
    party = view.calling
    # transferred, picked up or fetched from parking: only other rows of the channel would tell
    in_doubt = view.rowless and view.replaced
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
    if not from_outside(view) or _is_led_by_another(view):
        return None
    return Origin(inside=False, company=view.called.company)


def _is_led_by_another(view: LegView) -> bool:
    """Whether another company's extension leads there, say context and account code: a queue of several."""
    company = view.context_company
    if company in (None, view.called.company) or view.owners.dialling(None).is_public(view.leg.dst):
        return False
    account = believed_account(view)
    return account is not None and account.company == company


@rule("the call from outside was in the context {dcontext} of {company}", calling=NOT_STATION)
def context_entered(view: LegView) -> Origin | None:
    """A call from outside that reached no telephone."""
    company = view.context_company
    return Origin(inside=False, company=company) if company and from_outside(view) else None


@rule(
    "the call from outside reached an endpoint of {company} through {dstchannel}",
    only="linked",
    calling=NOT_STATION,
    called=(PartyKind.LOCAL,),
)
def endpoint_called_through_local_channel(view: LegView) -> Origin | None:
    """The dialplan calls its telephones by Local channels, in a context that no company has."""
    called = far_leg(view).called
    is_known = called.kind is PartyKind.STATION and from_outside(view)
    return Origin(inside=False, company=called.company) if is_known else None


@rule("the leg before on the same channel is {company}'s", calling=NOT_STATION)
def same_as_leg_before(view: LegView) -> Origin | None:
    """Whose number was called from outside, wherever its dialplan goes on to: a mailbox, another company."""
    before = view.before
    if before is None or view.at < before.ended or not from_outside(view):
        return None  # those that rang together tell nothing of one another
    if before.origin.inside and view.calling.kind is PartyKind.UNLISTED:
        return None  # it was taken for a telephone
    company = before.origin.company
    return Origin(inside=False, company=company) if company else None


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
    owners = view.owners.extension_owners(name, view.at)
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
    if company is None:
        return None
    if view.calling.kind is PartyKind.UNLISTED and (view.did or lost_its_number(view, company)):
        return None
    return Origin(inside=not from_outside(view), company=company)


@rule(
    "the call from outside was for {dst}, an extension that only {company} has",
    calling=NOT_STATION,
)
def extension_called(view: LegView) -> Origin | None:
    """In a context that no company has."""
    if not from_outside(view) or view.context_company is not None:
        return None
    owners = view.owners.extension_owners(view.leg.dst, view.at)
    return Origin(inside=False, company=owners[0]) if len(owners) == 1 else None


@rule(
    "no company owns the station {channel}, and {company} is the company for those",
    calling=(PartyKind.UNLISTED,),
)
def unowned_station(view: LegView) -> Origin | None:
    """A telephone without an owner."""
    if from_outside(view):
        return None
    company = view.owners.default_company(view.at)
    return Origin(inside=True, company=company) if company else None


@rule(
    "no company owns the station {dstchannel}, which it reached, and {company} is the company for those",
    calling=NOT_STATION,
    called=(PartyKind.UNLISTED,),
)
def unowned_station_called(view: LegView) -> Origin | None:
    """A call from outside to a telephone without an owner."""
    company = view.owners.default_company(view.at)
    return Origin(inside=False, company=company) if company and from_outside(view) else None


ORIGIN_RULES: Final[Rules[Origin]] = Rules(
    pickup_event,
    picked_up_by,
    gone_on_outside,
    led_outside_after_pin_event,
    led_outside,
    transfer_event,
    transferrer,
    called_outside,
    forward_event,
    forwarder,
    pin,
    sent_outside,
    caller_of_local_channel,
    originated,
    let_through_event,
    called_by_program_event,
    called_in_vain,
    calling_endpoint,
    same_as_leg_before,
    number_called_event,
    number_called,
    endpoint_called,
    context_entered,
    context_passed_event,
    endpoint_called_through_local_channel,
    own_trunk,
    context_to_outside,
    endpoint_named_by_extension,
    context_begun_event,
    account_code,
    context,
    extension_called,
    unowned_station,
    unowned_station_called,
)


@rule("{src} is an extension of {company}")
def calling_number(view: LegView) -> str | None:
    """The caller's number, where the channel names no extension and nobody else answers for the leg."""
    if not view.origin.inside or view.transferrer is not None or view.picks_up:
        return None
    if view.rowless and view.replaced:
        return None
    if view.calling.company not in (None, view.origin.company):
        return None  # another company's, whose call it sends outside
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
    return view.called.kind is not PartyKind.TRUNK and dst_is_number(view)


CALLER_RULES: Final[Rules[str]] = Rules(
    calling_number,
)
