"""Where the leg went: outside over a trunk, or to a company.

dstchannel is believed first, then lastdata, and dst last: Asterisk writes the target of a blind transfer
over the dst of the leg before it.
"""

from __future__ import annotations

from typing import Final

from cdrd.enrich.call import far_leg
from cdrd.enrich.found import Did, Party, PartyKind
from cdrd.enrich.legview import BY_PROGRAM, CONFERENCES, MAILBOXES, LegView, Reached
from cdrd.enrich.rules import Rules, rule
from cdrd.enrich.rules.evidence import dst_is_number, from_outside, unlisted_trunk
from cdrd.enrich.rules.numbers import is_called_by_program, outside_number, without_prefix
from cdrd.records import CompanyId

_UNKNOWN_END: Final = (PartyKind.NOBODY, PartyKind.LOCAL, PartyKind.UNLISTED)


@rule("it was in the conference {lastdata}")
def conference(view: LegView) -> Reached | None:
    """A conference writes a leg for each pair; the far end is the conference, not the other of the pair."""
    if view.leg.lastapp not in CONFERENCES:
        return None
    return Reached(outside=False, company=view.context_company or view.origin.company)


@rule("it went out over the trunk {dstchannel}", called=(PartyKind.TRUNK,))
def over_trunk(view: LegView) -> Reached | None:
    """The far end is outside."""
    return _reached(view.called)


@rule(
    "{dstchannel} had called in by itself, and {transferrer} joined both", called=(PartyKind.TRUNK,)
)
def callers_joined(view: LegView) -> Reached | None:
    """Two callers from outside: nobody was dialled, and nothing goes out."""
    if not view.joined:
        return None
    return Reached(outside=False, company=view.origin.company)


@rule(
    "it goes on over the trunk of {channel}, who was called and handed on",
    only="linked",
    calling=(PartyKind.TRUNK,),
)
def handed_on_outside(view: LegView) -> Reached | None:
    """Whoever was called outside stays outside, whom ever they are handed on to; the trunk is in use."""
    called_by = view.called_by
    if called_by is None or called_by.reached is None or not called_by.reached.outside:
        return None
    return _reached(view.calling) if view.called.kind is not PartyKind.TRUNK else None


@rule(
    "it goes on over the trunk of {channel}, whom a program called",
    only="told",
    calling=(PartyKind.TRUNK,),
)
def called_by_program(view: LegView) -> Reached | None:
    """A program calls somebody outside first, and then whom it connects: the trunk is in use."""
    return _reached(view.calling) if is_called_by_program(view) else None


@rule(
    "a program called {channel}, who did not answer",
    calling=(PartyKind.TRUNK,),
    called=(PartyKind.NOBODY,),
)
def tried_by_program(view: LegView) -> Reached | None:
    """Whom it would have connected is in no row."""
    return _reached(view.calling) if view.leg.lastapp == BY_PROGRAM else None


@rule("it rang at {forwarder}, which sent it on", only="linked", called=(PartyKind.LOCAL,))
def sent_on(view: LegView) -> Reached | None:
    """The leg to where a telephone sent the call on is for that telephone; the way on has its own."""
    forwarder = view.forwarder
    if forwarder is None or forwarder.company is None:
        return None
    return Reached(outside=False, company=forwarder.company, extension=forwarder.extension)


@rule("it reached {dstchannel}, an endpoint of {target}", called=(PartyKind.STATION,))
def endpoint_reached(view: LegView) -> Reached | None:
    """The far end is a telephone that a company owns."""
    return _reached(view.called)


def _reached(party: Party) -> Reached:
    if party.kind is PartyKind.TRUNK:
        return Reached(outside=True, trunk=party.trunk)
    return Reached(outside=False, company=party.company, extension=party.extension)


def _without_extension(reached: Reached) -> Reached:
    """Where several rang, none of them was reached."""
    return Reached(outside=reached.outside, company=reached.company, trunk=reached.trunk)


@rule("it rang at {ringing}, where the call was picked up", called=(PartyKind.NOBODY,))
def ringing_endpoint(view: LegView) -> Reached | None:
    """The row of a pick-up code bears the name of the channel that rang."""
    return _reached(view.calling) if view.picks_up and view.calling.company else None


@rule("it went to {dstchannel}, a Local channel to {local}", called=(PartyKind.LOCAL,))
def handed_to_local_channel(view: LegView) -> Reached | None:
    """A consultation, and what came of it, is for what the Local channel dialled; dst is empty or old."""
    if not view.attended and not view.consulting:
        return None
    exten, _, name = view.called.base.removeprefix("Local/").rpartition("@")
    entry = view.owners.context(name, view.at)
    end = far_leg(view).called
    if end.kind is PartyKind.TRUNK:
        return Reached(outside=True)  # the trunk is used once, by the leg behind the Local channel
    company = end.company or (entry.company if entry else None)
    extension = exten if view.owns(company, exten) else end.extension or exten
    return Reached(outside=False, company=company, extension=extension)


@rule(
    "it is what became of the leg before on the same channel",
    called=(PartyKind.NOBODY,),
)
def as_before(view: LegView) -> Reached | None:
    """The dialplan after a Dial() that failed or was not answered: busy tone, voicemail."""
    before = view.before
    if view.leg.lastapp in MAILBOXES:
        before = _inside(before)
    if before is None or view.moved or before.leg.dst != view.leg.dst:
        return None
    reached = before.reached
    if reached is None or len(before.dialled.targets) == 1 or before.consulting:
        return reached
    return _without_extension(reached)


def _inside(leg: LegView | None) -> LegView | None:
    """The extension's leg, whose mailbox it is, though numbers outside were tried in its place."""
    while leg is not None and leg.reached is not None and leg.reached.outside:
        leg = leg.before
    return leg


@rule("Dial() was told to call {lastdata}", called=(PartyKind.NOBODY,))
def endpoint_dialled(view: LegView) -> Reached | None:
    """A call that failed before a channel was made."""
    if not view.dialled.targets:
        return None
    base = view.dialled.targets[0].base
    if base == view.calling.base:
        return None  # the command of a caller whom this one has joined with somebody
    party = view.owners.party_of_base(base, view.at)
    known = party.kind in (PartyKind.STATION, PartyKind.TRUNK)
    reached = _reached(party) if known else None
    if reached is None or len(view.dialled.targets) == 1:
        return reached
    return _without_extension(reached)


@rule("the number called, {did}, belongs to {target}", called=_UNKNOWN_END)
def number_reached(view: LegView) -> Reached | None:
    """A number of a company, where no telephone tells more."""
    did = view.did
    if did is None or _led_elsewhere(view, did):
        return None
    extension = view.keyed if view.owns(did.company, view.keyed) else did.extension
    return Reached(outside=False, company=did.company, extension=extension)


def _led_elsewhere(view: LegView, did: Did) -> bool:
    """Whether a call from outside rang in another company's dialplan than that of the number's owner."""
    if view.origin.inside or view.called.kind is not PartyKind.UNLISTED:
        return False
    return view.context_company not in (None, did.company) and not dst_is_number(view)


@rule(
    "Dial() gave a public number to {lastdata}, which is thus a trunk",
    called=(PartyKind.NOBODY, PartyKind.UNLISTED),
)
def unlisted_trunk_used(view: LegView) -> Reached | None:
    """A trunk that companies.yaml does not list."""
    trunk = unlisted_trunk(view)
    return Reached(outside=True, trunk=trunk) if trunk else None


@rule(
    "{dstchannel} is no company's, but what was called is {target}'s", called=(PartyKind.UNLISTED,)
)
def unlisted_reached(view: LegView) -> Reached | None:
    """A telephone that no endpoint pattern covers."""
    name = view.called.base.partition("/")[2]
    owners = view.owners.extension_owners(name, view.at)
    if len(owners) == 1:
        return Reached(outside=False, company=owners[0], extension=name)
    company = _company_called(view)
    extension = name if view.owns(company, name) else None
    return Reached(outside=False, company=company, extension=extension) if company else None


def _company_called(view: LegView) -> CompanyId | None:
    did = view.did.company if view.did else None
    return view.context_company or did or view.owners.default_company(view.at)


@rule(
    "{dst} is an extension of {target}, in whose context {dcontext} it was dialled",
    called=_UNKNOWN_END,
)
def extension_dialled(view: LegView) -> Reached | None:
    """dst, where no channel tells more."""
    dst, company, own = view.leg.dst, view.context_company, view.origin.company
    if not view.owns(company, dst):
        if own == company or not view.owns(own, dst):
            return None
        company = own
    return Reached(outside=False, company=company, extension=dst)


@rule("{dst} is a feature code", called=_UNKNOWN_END)
def feature_used(view: LegView) -> Reached | None:
    """Who dials a feature code reaches the own PBX."""
    origin = view.origin
    feature = view.feature if origin.inside else None
    if feature is None:
        return None
    return Reached(outside=False, company=origin.company, extension=feature.extension)


@rule("{dst} is a number of the public network", called=_UNKNOWN_END)
def number_outside(view: LegView) -> Reached | None:
    """A call to the outside that reached no trunk."""
    if from_outside(view) and view.transferrer is None and view.noted_auth is None:
        return None
    number = without_prefix(view) or outside_number(view)
    if number is None or not view.owners.dialling(view.origin.company).is_public(number):
        return None
    return Reached(outside=True, trunk=view.column(view.columns.trunk))


@rule(
    "it reached an endpoint of {target} through {dstchannel}",
    only="linked",
    called=(PartyKind.LOCAL,),
)
def endpoint_behind_local_channel(view: LegView) -> Reached | None:
    """A member of a queue: what was called is the queue, and the company is the member's."""
    called = far_leg(view).called
    is_known = called.kind is PartyKind.STATION
    return Reached(outside=False, company=called.company) if is_known else None


@rule("it was in the context {dcontext} of {target}", called=_UNKNOWN_END)
def context_reached(view: LegView) -> Reached | None:
    """An announcement, a menu, a mailbox: whatever the dialplan has there."""
    company = view.context_company
    return Reached(outside=False, company=company) if company else None


@rule("it went no further than the own company", called=_UNKNOWN_END)
def own_company(view: LegView) -> Reached | None:
    """A telephone that got nowhere."""
    company = view.origin.company
    return Reached(outside=False, company=company) if company and view.origin.inside else None


REACHED_RULES: Final[Rules[Reached]] = Rules(
    handed_on_outside,
    called_by_program,
    tried_by_program,
    conference,
    handed_to_local_channel,
    callers_joined,
    sent_on,
    over_trunk,
    endpoint_reached,
    ringing_endpoint,
    as_before,
    endpoint_dialled,
    unlisted_trunk_used,
    number_reached,
    extension_dialled,
    unlisted_reached,
    feature_used,
    number_outside,
    context_reached,
    endpoint_behind_local_channel,
    own_company,
)
