"""What several rules ask of a leg: whose account code is believed, and whether the caller is outside."""

from __future__ import annotations

from cdrd.enrich.found import Account, Party, PartyKind
from cdrd.enrich.legview import LegView, Origin
from cdrd.records import CompanyId


def endpoint_name(view: LegView) -> str:
    """`101` of the channel PJSIP/101-0000002a."""
    return view.calling.base.partition("/")[2]


def of_party(party: Party | None) -> Origin | None:
    """A telephone of a company, as who makes a leg happen."""
    if party is None or party.company is None:
        return None
    return Origin(inside=True, company=party.company, extension=party.extension)


def of_reached(party: Party | None, leg: LegView | None) -> Origin | None:
    """The same; of a telephone without an endpoint pattern: whom the last of these legs had reached there."""
    known = of_party(party)
    if known is not None or party is None:
        return known
    while leg is not None and leg.called.base != party.base:
        leg = leg.before
    reached = leg.reached if leg is not None else None
    if leg is None or reached is None or reached.outside or reached.company is None:
        return None
    extension = reached.extension
    if leg.parked or leg.leg.lastapp == "Queue":  # dst is not of who took the call
        extension = extension if extension and party.base.endswith(extension) else None
        return Origin(inside=True, company=reached.company, extension=extension)
    if extension is None and leg.dialler is not None and leg.dialler.reached is not None:
        extension = leg.dialler.reached.extension  # by the number that it dialled
    return Origin(inside=True, company=reached.company, extension=extension)


def of_transferrer(view: LegView) -> Origin | None:
    """Whose the transfer is; of a telephone without an endpoint pattern: whose it was when it consulted."""
    party, asked = view.transferrer, view.consultation
    known = of_reached(party, view.before)
    if asked is None or party is None or party.company is not None:
        return known
    origin = asked.origin
    is_owned = origin.company not in (None, view.owners.default_company(view.at))
    if not is_owned or not origin.inside or asked.calling.base != party.base:
        return known
    agree = known is not None and known.company == origin.company
    return known if agree and origin.extension is None else origin


def believed_account(view: LegView) -> Account | None:
    """Whose account code it is, where that company owns another part of the leg as well.

    Dialplans put PINs and what callers key into accountcode, and every leg that a call causes inherits it:
    alone it proves nothing, unless companies.yaml says that this PBX's codes are to be trusted.
    """
    account = _account(view)
    if account is None or view.columns.trust_account_codes:
        return account
    return account if _owns_a_part(view, account.company) else None


def _account(view: LegView) -> Account | None:
    code = view.leg.accountcode
    if not code:
        return None
    account = view.owners.account(code, view.at)
    if account is None and code.startswith(">"):
        owners = view.owners.extension_owners(code[1:], view.at)
        return Account(owners[0], code[1:]) if len(owners) == 1 else None
    return account


def _owns_a_part(view: LegView, company: CompanyId) -> bool:
    if company in (view.calling.company, local_company(view)):
        return True
    if not _called_by_number(view, company):
        if company in (view.called.company, view.context_company):
            return True
        if view.did is not None and view.did.company == company:
            return True
    if view.calling.kind is PartyKind.TRUNK:
        return False  # src is what the outside says
    return view.owns(company, endpoint_name(view)) or view.owns(company, view.leg.src)


def _called_by_number(view: LegView, company: CompanyId) -> bool:
    """Whether a telephone called the company's public number: its dialplan gives those calls its code.

    Where a transfer wrote over the number, another company's telephone did.
    """
    if view.calling.kind is not PartyKind.UNLISTED or from_outside(view):
        return False
    if view.did is None:
        return lost_its_number(view, company)
    return view.did.company == company


def lost_its_number(view: LegView, company: CompanyId) -> bool:
    """Whether a transfer wrote over what a telephone called, which has an extension that others have."""
    src = view.leg.src
    is_another_s = not view.owns(company, src) and view.owners.extension_owners(src, view.at)
    return view.overwritten and bool(is_another_s)


def local_company(view: LegView) -> CompanyId | None:
    """Who owns the context that a Local channel was made in."""
    if view.calling.kind is not PartyKind.LOCAL:
        return None
    context = view.calling.base.rpartition("@")[2]
    entry = view.owners.context(context, view.at)
    return entry.company if entry else None


def from_outside(view: LegView) -> bool:
    """Whether the leg begins outside: it came by a trunk, or its caller can only be outside."""
    if view.from_outside is None:
        view.from_outside = _from_outside(view)
    return view.from_outside


def _from_outside(view: LegView) -> bool:
    kind = view.calling.kind
    if kind is PartyKind.TRUNK:
        return True
    if kind is PartyKind.UNLISTED:
        return _outside_number(view) and not _named_inside(view) and unlisted_trunk(view) is None
    if kind is PartyKind.LOCAL and view.dialler is None and view.other_half is None:
        return _outside_number(view)
    return False


def _outside_number(view: LegView) -> bool:
    src = view.leg.src
    if not view.owners.dialling(None).is_public(src):
        return False
    inside = view.owners.extension_owners(src, view.at)
    return not inside and view.owners.did(src, view.at) is None


def is_number_of(company: CompanyId, dialled: str, by: CompanyId | None, view: LegView) -> bool:
    """Whether what one company dialled is another's public number, with or without the prefix for a line."""
    prefixes = view.owners.outside_prefixes(by, view.at)
    for number in [dialled, *[dialled[len(p) :] for p in prefixes if dialled.startswith(p)]]:
        did = view.owners.did(number, view.at) if number else None
        if did is not None and did.company == company:
            return True
    return False


def dst_is_number(view: LegView) -> bool:
    """Whether dst is a company's public number."""
    return view.owners.did(view.leg.dst, view.at) is not None


def unlisted_trunk(view: LegView) -> str | None:
    """The trunk that nobody listed, where Dial() gave it a public number: telephones are given none."""
    if view.called.kind not in (PartyKind.UNLISTED, PartyKind.NOBODY):
        return None
    dialling = view.owners.dialling(None)
    for target in view.dialled.targets:
        if dialling.is_public(target.number) and view.called.base in (target.base, ""):
            party = view.owners.party_of_base(target.base, view.at)
            return target.base.partition("/")[2] if party.kind is PartyKind.UNLISTED else None
    return None


def _named_inside(view: LegView) -> bool:
    return bool(view.owners.extension_owners(endpoint_name(view), view.at))
