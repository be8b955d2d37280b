"""What was keyed (dial_short), and what it expanded to (dial_full).

A rule that answers with an empty text has decided that it cannot be known from the legs at hand.
"""

from __future__ import annotations

from cdrd.enrich.directory import PartyKind
from cdrd.enrich.legview import CONFERENCES, LegView
from cdrd.enrich.rules import Rules, rule
from cdrd.enrich.rules.numbers import dialling_of_leg, outside_number, without_prefix
from cdrd.records import Direction

UNKNOWABLE = ""
_NOT_FOR_A_PARTY = frozenset({"VoiceMailMain", "ParkedCall"})


def _for_its_dialler(view: LegView) -> LegView | None:
    """The leg that dialled this one's Local channel, where both are for what was keyed there."""
    dialler = view.dialler
    if dialler is None or dialler.attribution is None or view.origin is not dialler.origin:
        return None
    return dialler


@rule("what was keyed before {dialler} was dialled", plain=False, calling=(PartyKind.LOCAL,))
def keyed_by_dialler(view: LegView) -> str | None:
    """The leg behind a Local channel is for what its dialler keyed."""
    dialler = _for_its_dialler(view)
    if dialler is None or dialler.attribution is None:
        return None
    return dialler.attribution.dial_short or UNKNOWABLE


@rule("dst of a Local channel's leg, where that is a public number", calling=(PartyKind.LOCAL,))
def keyed_before_local_channel(view: LegView) -> str | None:
    """Behind a Local channel whose dialler is not known, dst may be the dialplan's own."""
    if view.dialler or view.other_half:
        return None
    if _outside(view) or (view.keyed and _dst_is_number(view)):
        return without_prefix(view)
    return UNKNOWABLE


@rule("the consultation before the transfer", plain=False)
def keyed_to_consult(view: LegView) -> str | None:
    """After an attended transfer dst still says whom the transferrer had been."""
    if not view.attended and not (view.consulting and not view.keyed):
        return None
    consulted = view.consultation or (view.before if view.consulting else None)
    known = consulted.attribution if consulted is not None else None
    if known is not None and known.dial_short:
        return known.dial_short
    return (view.reached and view.reached.extension) or UNKNOWABLE


@rule("the endpoint in lastdata, since dst is that of the transfer after it", plain=False)
def keyed_before_transfer(view: LegView) -> str | None:
    """The dst of a leg before a blind transfer is not its own."""
    if not view.overwritten:
        return None
    extension = view.reached.extension if view.reached else None
    if extension is None or extension == view.leg.dst or len(view.dialled.targets) != 1:
        return None if extension == view.leg.dst else UNKNOWABLE
    return extension


@rule("{dst}, a feature code")
def feature_code(view: LegView) -> str | None:
    """Feature codes are kept as they were keyed."""
    if _outside(view) or not view.leg.dst:
        return None
    feature = view.directory.feature(view.pbx, view.origin.company, view.leg.dst, view.at)
    return view.leg.dst if feature is not None else None


@rule("{dst}, without the prefix for an outside line")
def keyed_for_outside(view: LegView) -> str | None:
    """The number that was dialled over a trunk."""
    return without_prefix(view) if _outside(view) else None


@rule("the number {did} that was noted for the call")
def number_keyed(view: LegView) -> str | None:
    """Another company's number, whose dialplan has put its extension into dst."""
    if view.direction is not Direction.ONNET or view.did is None:
        return None
    noted = view.noted_number
    return view.did.number if noted else without_prefix(view)


@rule("the extension that {did} leads to")
def extension_of_number(view: LegView) -> str | None:
    """A call from outside to a number: the extension that the number, or the dialplan, led to."""
    if view.direction is not Direction.INBOUND or view.did is None or not _dst_is_number(view):
        return None
    if view.did.extension:
        return view.did.extension
    reached = view.reached.extension if view.reached and len(view.dialled.targets) == 1 else None
    return reached or UNKNOWABLE


def _dst_is_number(view: LegView) -> bool:
    return view.directory.did(view.pbx, view.leg.dst, view.at) is not None


@rule("{dst}, as it was dialled")
def keyed_number(view: LegView) -> str | None:
    """The plain case."""
    if view.direction is Direction.INBOUND and view.did is None and _public(view, view.leg.dst):
        return UNKNOWABLE
    return view.keyed


@rule("the extension that was reached, since dst is the dialplan's own")
def extension_reached(view: LegView) -> str | None:
    """A call back from parking, an originated call."""
    if view.leg.lastapp == "AppDial2":
        return view.origin.extension
    return view.reached.extension if view.reached and view.leg.dstchannel else None


@rule("who fetched the call from parking was not dialled", plain=False)
def keyed_before_parking(view: LegView) -> str | None:
    """What the parker keyed is in no row, and dst is from before."""
    return UNKNOWABLE if _fetched(view) else None


@rule(
    "dst and lastdata contradict each other, and other rows of the channel cannot be told",
    plain=False,
)
def contradicting_rows(view: LegView) -> str | None:
    """Without uniqueid, a transfer that came later may have written its target over dst."""
    if not view.rowless or len(view.dialled.targets) != 1 or view.reached is None:
        return None
    if view.replaced:
        return UNKNOWABLE
    extension = view.reached.extension
    elsewhere = extension is not None and not view.leg.dst.endswith(extension)
    return UNKNOWABLE if elsewhere and _names_another(view) else None


def _names_another(view: LegView) -> bool:
    dst = view.leg.dst
    if view.owns(view.context_company, dst):
        return True
    return not _dst_is_number(view) and _public(view, without_prefix(view) or dst)


DIAL_SHORT_RULES: Rules[str] = Rules(
    keyed_by_dialler,
    keyed_before_parking,
    contradicting_rows,
    keyed_before_local_channel,
    keyed_to_consult,
    keyed_before_transfer,
    feature_code,
    keyed_for_outside,
    number_keyed,
    extension_of_number,
    keyed_number,
    extension_reached,
)


def _outside(view: LegView) -> bool:
    return view.reached is not None and view.reached.outside


def _public(view: LegView, number: str) -> bool:
    return dialling_of_leg(view).is_public(number)


@rule("what it expanded to when {dialler} dialled it", plain=False, calling=(PartyKind.LOCAL,))
def expanded_by_dialler(view: LegView) -> str | None:
    """The leg behind a Local channel is for what its dialler called."""
    dialler = _for_its_dialler(view)
    if dialler is None or dialler.attribution is None or _outside(view):
        return None
    return dialler.attribution.dial_full or UNKNOWABLE


@rule("the number in full, as it was sent over the trunk")
def number_in_full(view: LegView) -> str | None:
    """An outside number, in the way the site writes it."""
    if not _outside(view):
        return None
    number = outside_number(view)
    if number is None and not view.attended:
        number = without_prefix(view)
    return dialling_of_leg(view).written(number) if number else UNKNOWABLE


@rule("the queue of {lastdata}")
def queue_called(view: LegView) -> str | None:
    """An internal call to a queue has the queue's name."""
    if view.leg.lastapp != "Queue" or view.direction is not Direction.INTERNAL:
        return None
    return view.leg.lastdata.partition(",")[0] or None


@rule("the number {did}")
def number_called_in_full(view: LegView) -> str | None:
    """From outside, or from another company, it was the number that was called."""
    if view.direction not in (Direction.INBOUND, Direction.ONNET):
        return None
    if view.did is not None:
        return view.did.number
    number = view.noted_number or view.leg.dst
    if view.direction is Direction.INBOUND:
        return dialling_of_leg(view).written(number) if _public(view, number) else UNKNOWABLE
    return None


@rule("neither a conference nor the own mailbox is a number")
def no_party_called(view: LegView) -> str | None:
    """What is dialled, but expands to nobody."""
    app = view.leg.lastapp
    return UNKNOWABLE if app in CONFERENCES or app in _NOT_FOR_A_PARTY else None


@rule("who fetched the call from parking was not dialled", plain=False)
def taken_from_parking(view: LegView) -> str | None:
    """Asterisk repeats the Dial() before the parking; the parker's own dialling is in no row."""
    return UNKNOWABLE if _fetched(view) else None


def _fetched(view: LegView) -> bool:
    return view.parked and view.replaced and view.direction is Direction.INTERNAL


@rule("the telephone that rang, in {lastdata}, before another one picked up", plain=False)
def ringing_telephone(view: LegView) -> str | None:
    """Who picks up takes a call that was for somebody else."""
    if not view.picked or not view.replaced or len(view.dialled.targets) != 1:
        return None
    base = view.dialled.targets[0].base
    rang = view.directory.party_of_base(view.pbx, base, view.at)
    return f"{rang.company}-{rang.extension}" if rang.company and rang.extension else None


@rule("the telephone of the group that answered")
def member_that_answered(view: LegView) -> str | None:
    """Of telephones that rang together, all legs are for the one that answered."""
    answered = view.answered_for
    if answered is None and view.rowless and len(view.dialled.targets) > 1 and not view.answered:
        return UNKNOWABLE
    if answered is None or not answered.called.company or not answered.called.extension:
        return None
    return f"{answered.called.company}-{answered.called.extension}"


@rule("extension {extension} of {target}")
def extension_in_full(view: LegView) -> str | None:
    """Inside, company and extension: two companies may have the same extension."""
    reached = view.reached
    if reached is None or not reached.company:
        return None
    extension = reached.extension or (
        view.origin.extension if view.leg.lastapp == "AppDial2" else None
    )
    return f"{reached.company}-{extension}" if extension else None


DIAL_FULL_RULES: Rules[str] = Rules(
    expanded_by_dialler,
    number_in_full,
    number_called_in_full,
    no_party_called,
    queue_called,
    taken_from_parking,
    ringing_telephone,
    member_that_answered,
    extension_in_full,
)
