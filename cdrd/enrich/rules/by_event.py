"""What channel events say outright. These rules come before those that infer the same from records.

The menu is known by what only menus do: BackGround() listens for an extension while it plays, Directory()
finds one by name, and Read() of a single digit, or of the very extension that the caller is then put
through to. Playback() only announces, and Read() of more digits may ask for a PIN.
"""

from __future__ import annotations

from typing import Final

from cdrd.enrich.channels import unmasked
from cdrd.enrich.found import PartyKind
from cdrd.enrich.heard import Channel, Started, Transfer
from cdrd.enrich.legview import INBOUND, INTERNAL, NOBODY_DIALS, OUTBOUND, LegView, Origin
from cdrd.enrich.rules import NOT_STATION, rule
from cdrd.enrich.rules.evidence import (
    believed_account,
    from_outside,
    of_party,
    of_reached,
    of_transferrer,
)
from cdrd.enrich.rules.numbers import UNKNOWABLE, as_keyed, is_called_by_program, is_public
from cdrd.records import CompanyId

_MENUS: Final = frozenset({"background", "backgrounddetect", "directory"})
_RECORDERS: Final = frozenset({"mixmonitor", "monitor", "record"})


@rule("the event PICKUP says that {picker} took the call", only="told")
def pickup_event(view: LegView) -> Origin | None:
    """The row of a pick-up code is the picker's, though it names the channel that rang."""
    told = view.told
    if told is None or told.pickup is None or not view.pickup_code:
        return None
    return of_party(view.picker)


@rule("the event {transfer_event} says that {transferrer} handed the call on", only="told")
def transfer_event(view: LegView) -> Origin | None:
    """After a transfer the transferrer answers for the call."""
    return of_transferrer(view) if _transfer(view) is not None else None


def _transfer(view: LegView) -> Transfer | None:
    return view.told.transfer if view.told is not None else None


@rule("the event FORWARD says that {forwarder} sent the call on", only="told")
def forward_event(view: LegView) -> Origin | None:
    """The way on is the forwarding extension's; the leg that the caller dialled stays the caller's."""
    dialler = view.dialler
    if dialler is None or dialler.told is None or dialler.told.forward is None:
        return None
    return of_reached(dialler.forwarder, dialler.before)


@rule(
    "events say that a program called {channel} outside, for {company}",
    only="told",
    calling=(PartyKind.TRUNK,),
)
def called_by_program_event(view: LegView) -> Origin | None:
    """Whom a program calls outside it calls for whom it connects."""
    if not is_called_by_program(view) or view.transferrer is not None:
        return None
    company = _called_for(view) or view.called.company or view.context_company
    own = view.called.extension if company == view.called.company else None
    return Origin(inside=True, company=company, extension=own) if company else None


def _called_for(view: LegView) -> CompanyId | None:
    """Whose account code the program gave the channel: nobody had called who could have chosen one."""
    channel = view.told.channel if view.told is not None else None
    for code in channel.accounts[:1] if channel is not None else ():
        account = view.owners.account(code, view.at)
        return account.company if account is not None else None
    return None


@rule(
    "the event CHAN_START says that {number_heard} was called, which belongs to {company}",
    only="told",
    calling=NOT_STATION,
)
def number_called_event(view: LegView) -> Origin | None:
    """A call from outside is that of the owner of the number, wherever the dialplan took it."""
    if not from_outside(view) or view.did is None or not view.heard_did:
        return None
    return Origin(inside=False, company=view.did.company)


@rule(
    "events say that the call from outside went through a context of {company}",
    only="told",
    calling=NOT_STATION,
)
def context_passed_event(view: LegView) -> Origin | None:
    """Where neither the number nor what was reached tells, but the dialplan went through a company's part."""
    channel = view.told.channel if view.told is not None else None
    if channel is None or channel.was_called or not from_outside(view):
        return None
    for place in channel.places:
        entry = view.owners.context(place.context, view.at)
        if entry is not None and entry.company and place.at <= view.passed_until:
            return Origin(inside=False, company=entry.company)
    return None


@rule(
    "the event CHAN_START says that {channel} began in a context of {company}",
    only="told",
    calling=(PartyKind.UNLISTED,),
)
def context_begun_event(view: LegView) -> Origin | None:
    """A telephone calls in the context that it was given, wherever the dialplan goes from there."""
    channel = view.told.channel if view.told is not None else None
    if channel is None or channel.was_called or channel.begun is None or from_outside(view):
        return None
    first = channel.places[0]
    entry = view.owners.context(first.context, view.at) if first.at == channel.begun else None
    company = entry.company if entry is not None else None
    account = believed_account(view)
    own = account.extension if account is not None and account.company == company else None
    return Origin(inside=True, company=company, extension=own) if company else None


@rule("the event {transfer_event} names {transferrer}", only="told")
def transferrer_event(view: LegView) -> str | None:
    """The transferrer's extension; without one its number, who was called outside, or its endpoint."""
    transfer = _transfer(view)
    party = view.transferrer if transfer is not None else None
    if transfer is None or party is None or party.kind is PartyKind.LOCAL:
        return None
    return party.extension or _number_of(transfer.by, view) or party.base.partition("/")[2] or None


def _number_of(channel: str, view: LegView) -> str | None:
    """What was dialled outside to reach the channel, by an earlier leg."""
    leg = view.before
    while leg is not None and unmasked(leg.leg.dstchannel) != channel:
        leg = leg.before
    known = leg.attribution if leg is not None else None
    return known.dial_full if known is not None and known.direction is OUTBOUND else None


@rule("the events PARK_START and PARK_END tell of it", only="told")
def parking_event(view: LegView) -> bool | None:
    """From the parking on, until somebody hands the call on."""
    return True if view.told is not None and view.told.parking is not None else None


@rule("the event PICKUP tells of it", only="told")
def picked_up_event(view: LegView) -> bool | None:
    """Every leg of a call that was picked up."""
    return True if view.told is not None and view.told.pickup is not None else None


@rule("events say that the caller heard the menu {menu}", only="told", calling=NOT_STATION)
def menu_event(view: LegView) -> bool | None:
    """A menu leaves no row of its own, but its application starts on the caller's channel."""
    if view.origin.inside:
        return None
    return True if menu_passed(view) else None


def menu_passed(view: LegView) -> str:
    """The menu that the calling channel went through before this leg; empty where there was none."""
    channel = view.told.channel if view.told is not None else None
    if channel is None or channel.was_called:
        return ""
    until = view.passed_until
    for started in channel.started:
        if started.at <= until and _is_menu(started, channel):
            return f"{started.app}({started.data})"
    for place in channel.places:
        entry = view.owners.context(place.context, view.at)
        if entry is not None and entry.detail.get("ivr") and place.at <= until:
            return place.context
    return ""


def _is_menu(started: Started, channel: Channel) -> bool:
    if started.app in _MENUS:
        return True
    if started.app != "read":
        return False
    arguments = started.data.split(",")
    if len(arguments) > 2 and arguments[2].strip() == "1":  # noqa: PLR2004  Read(variable,file,maxdigits)
        return True
    went_to = channel.went_to(started)
    return went_to is not None and channel.keyed_from(started).rstrip("#") == went_to.exten != ""


@rule("events say that {recorder} recorded it", only="told")
def recording_event(view: LegView) -> str | None:
    """The file that MixMonitor() or Monitor() was told to write, on either channel of the leg."""
    told = view.told
    for channel in (told.channel, told.reached) if told is not None else ():
        for started in channel.started if channel is not None else ():
            name = started.data.partition(",")[0]
            if (
                started.app in _RECORDERS
                and name
                and view.at <= started.at.replace(microsecond=0) <= view.ended
            ):
                return name
    return None


@rule(
    "what the parker keyed, {parked_with}, says the event BLINDTRANSFER",
    only="told",
    directions=(INTERNAL,),
)
def keyed_to_park_event(view: LegView) -> str | None:
    """A call inside that somebody fetched went where the parker had sent it: to the parking extension.

    One that comes back to the parker is still the call that the caller made.
    """
    told = view.told
    if told is None or told.parking is None:
        return None
    if not told.parking.fetched_by or told.parked_by is None:
        return None
    return told.parked_by.exten or UNKNOWABLE


@rule("what {transferrer} keyed, says the event BLINDTRANSFER", only="told")
def keyed_to_transfer_event(view: LegView) -> str | None:
    """Of a blind transfer, where to; whatever the dialplan made of it."""
    transfer = _transfer(view)
    if transfer is None or transfer.attended or not transfer.exten:
        return None
    return as_keyed(view, transfer.exten)


@rule("what {transferrer} keyed to consult, say the events", only="told")
def keyed_to_consult_event(view: LegView) -> str | None:
    """Of an attended transfer: where the channel of the consultation began."""
    transfer = _transfer(view)
    if transfer is None or not transfer.attended or view.told is None:
        return None
    consulted = view.consultation
    if consulted is not None and consulted.attribution is not None:
        return consulted.attribution.dial_short
    second = view.told.second
    if second is None or second.was_called or second.keyed in NOBODY_DIALS:
        return None
    return as_keyed(view, second.keyed)


@rule("the channel began at {keyed}, says the event CHAN_START", only="told")
def keyed_event(view: LegView) -> str | None:
    """What a telephone keyed, before the dialplan made another number of it."""
    channel = view.told.channel if view.told is not None else None
    if channel is None or channel.was_called or not view.origin.inside:
        return None
    if view.calling.kind not in (PartyKind.STATION, PartyKind.UNLISTED) or view.dialler is not None:
        return None
    if view.transferrer is not None or view.consulting or channel.keyed in NOBODY_DIALS:
        return None
    return as_keyed(view, channel.keyed)


@rule(
    "the carrier sent {number_heard}, says the event CHAN_START",
    only="told",
    directions=(INBOUND,),
)
def number_in_full_event(view: LegView) -> str | None:
    """From outside: the number where the call began, whoever's it is."""
    if view.calling.kind is PartyKind.LOCAL:
        return None
    if view.did is not None:
        return view.did.number if view.heard_did else None
    for number in view.heard_numbers():
        if is_public(view, number):
            return view.owners.dialling(view.origin.company).written(number)
    return None


@rule("{rang} rang, says the event PICKUP, before another telephone took the call", only="told")
def ringing_event(view: LegView) -> str | None:
    """Who picks up takes a call that was for somebody else, if only for one of a group."""
    told = view.told
    if told is None or told.pickup is None or view.leg.dstchannel != told.pickup.by:
        return None
    rang = view.owners.party(told.pickup.rang, view.at)
    return f"{rang.company}-{rang.extension}" if rang.company and rang.extension else None


@rule(
    "the event ATTENDEDTRANSFER says that the caller took the place of {channel}, whose row has its command",
    only="told",
)
def another_s_command_event(view: LegView) -> str | None:
    """Who joined another one into a conference or a queue leaves a row with that one's command."""
    found = view.dialled.targets and view.leg.dstchannel
    return UNKNOWABLE if view.swapped and not found else None


@rule(
    "the dialplan was at {at_exten}, say the events, before a transfer wrote over dst",
    only="told",
    directions=(INBOUND,),
)
def extension_event(view: LegView) -> str | None:
    """From outside: the extension at which the leg's application began, where the row has lost it."""
    if not view.overwritten:
        return None
    return at_exten(view) or None


def at_exten(view: LegView) -> str:
    """Where in the dialplan the channel was last, before what was reached began; macros are nowhere."""
    channel = view.told.channel if view.told is not None else None
    places = channel.places if channel is not None and not channel.was_called else ()
    until = view.passed_until
    extens = [p.exten for p in places if p.at <= until and p.exten not in NOBODY_DIALS]
    return extens[-1] if extens and view.owners.did(extens[-1], view.at) is None else ""


@rule(
    "who fetched the call was not dialled, says the event PARK_END",
    only="told",
    directions=(INTERNAL,),
)
def fetched_event(view: LegView) -> str | None:
    """What the parker keyed is the parking extension, which is nobody."""
    return UNKNOWABLE if keyed_to_park_event.decide(view) is not None else None
