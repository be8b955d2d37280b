"""What the number that was keyed expanded to: the number in full, or company and extension.

A rule that answers with an empty text has decided that it cannot be known from the legs at hand.
"""

from __future__ import annotations

from typing import Final

from cdrd.enrich.call import far_leg
from cdrd.enrich.found import PartyKind
from cdrd.enrich.legview import (
    BY_PROGRAM,
    CONFERENCES,
    INBOUND,
    INTERNAL,
    ONNET,
    OUTBOUND,
    LegView,
)
from cdrd.enrich.rules import NOT_OUTBOUND, TELEPHONES, Rules, rule
from cdrd.enrich.rules.by_event import (
    another_s_command_event,
    fetched_event,
    number_in_full_event,
    ringing_event,
)
from cdrd.enrich.rules.numbers import (
    UNKNOWABLE,
    before_its_command,
    dialling_of_leg,
    fetched,
    for_its_dialler,
    has_another_s_command,
    is_dialled_inside,
    is_public,
    leg_before_parking,
    number_for_local_channel,
    outside_number,
    without_prefix,
)

_NOT_FOR_A_PARTY: Final = frozenset({"VoiceMailMain", "ParkedCall"})


@rule(
    "what it expanded to when {dialler} dialled it",
    only="linked",
    calling=(PartyKind.LOCAL,),
    directions=NOT_OUTBOUND,
)
def expanded_by_dialler(view: LegView) -> str | None:
    """The leg behind a Local channel is for what its dialler called."""
    dialler = for_its_dialler(view)
    if dialler is None or dialler.attribution is None:
        return None
    return dialler.attribution.dial_full or UNKNOWABLE


@rule("the number in full, as it was sent over the trunk", directions=(OUTBOUND,))
def number_in_full(view: LegView) -> str | None:
    """An outside number, in the way the site writes it."""
    number = outside_number(view)
    if number is None and not view.attended and view.leg.lastapp != "Queue":  # whose dst is its own
        number = without_prefix(view)
        if number and not is_public(view, number):
            return UNKNOWABLE  # of the dialplan's own, which knows what it called
    return dialling_of_leg(view).written(number) if number else UNKNOWABLE


@rule("the queue of {lastdata}", directions=(INTERNAL,))
def queue_called(view: LegView) -> str | None:
    """An internal call to a queue has the queue's name."""
    if view.leg.lastapp != "Queue":
        return None
    return view.leg.lastdata.partition(",")[0] or None


@rule("what it expanded to for the consultation", only="linked", directions=NOT_OUTBOUND)
def expanded_to_consult(view: LegView) -> str | None:
    """An attended transfer is to whom the transferrer had consulted; dst and notes are of the first call."""
    consulted = view.consultation if view.attended else None
    return consulted.attribution.dial_full if consulted and consulted.attribution else None


@rule(
    "the number that was keyed to consult, {local}",
    only="linked",
    called=(PartyKind.LOCAL,),
    directions=(ONNET,),
)
def number_consulted_in_full(view: LegView) -> str | None:
    """Another company was consulted by feature code; dst and notes are of the call before."""
    number = number_for_local_channel(view) if view.consulting or view.attended else None
    did = view.owners.did(number, view.at) if number else None
    return did.number if did is not None else None


@rule("the number {did}", directions=(INBOUND, ONNET))
def number_called_in_full(view: LegView) -> str | None:
    """From outside, or from another company, it was the number that was called."""
    if view.did is not None:
        return view.did.number
    is_lost = view.overwritten or is_dialled_inside(view)
    number = view.noted_number or ("" if is_lost else view.leg.dst)
    if view.direction is INBOUND:
        return dialling_of_leg(view).written(number) if is_public(view, number) else UNKNOWABLE
    return UNKNOWABLE if view.overwritten else None


@rule("neither a conference nor the own mailbox is a number")
def no_party_called(view: LegView) -> str | None:
    """What is dialled, but expands to nobody."""
    app = view.leg.lastapp
    return UNKNOWABLE if app in CONFERENCES or app in _NOT_FOR_A_PARTY else None


@rule("who fetched the call from parking was not dialled", only="linked")
def taken_from_parking(view: LegView) -> str | None:
    """Asterisk repeats the Dial() before the parking; the parker's own dialling is in no row."""
    return UNKNOWABLE if fetched(view) else None


@rule("what the call that was parked was for", only="linked")
def expanded_for_parked_call(view: LegView) -> str | None:
    """In parking, and when nobody fetches it from there, it still is the call that the caller made."""
    leg = leg_before_parking(view)
    return leg.attribution.dial_full if leg is not None and leg.attribution else None


@rule(
    "{lastdata} is the command of another, who was joined with what this one had called",
    calling=TELEPHONES,
    called=(PartyKind.NOBODY,),
)
def expanded_before_joined(view: LegView) -> str | None:
    """A mailbox, say: the leg before on the same channel was for its owner."""
    if not has_another_s_command(view):
        return None
    known = before_its_command(view)
    return (known.dial_full if known is not None else None) or UNKNOWABLE


@rule("the telephone that rang, in {lastdata}, before another one picked up", only="linked")
def ringing_telephone(view: LegView) -> str | None:
    """Who picks up takes a call that was for somebody else."""
    if not view.picked or not view.replaced or len(view.dialled.targets) != 1:
        return None
    base = view.dialled.targets[0].base
    rang = view.owners.party_of_base(base, view.at)
    return f"{rang.company}-{rang.extension}" if rang.company and rang.extension else None


@rule("the telephone of the group that answered")
def member_that_answered(view: LegView) -> str | None:
    """Of telephones that rang together, all legs are for the one that answered."""
    answered = view.answered_for
    if answered is None and view.rowless and len(view.dialled.targets) > 1 and not view.answered:
        return UNKNOWABLE
    return _telephone(far_leg(answered)) if answered is not None else None


@rule("extension {extension} of {target}")
def extension_in_full(view: LegView) -> str | None:
    """Inside, company and extension: two companies may have the same extension."""
    reached = view.reached
    if reached is None or not reached.company:
        return None
    extension = reached.extension or (
        view.origin.extension if view.leg.lastapp == BY_PROGRAM else None
    )
    return f"{reached.company}-{extension}" if extension else None


@rule(
    "the telephone that was reached through {dstchannel}", only="linked", called=(PartyKind.LOCAL,)
)
def extension_behind_local_channel(view: LegView) -> str | None:
    """The dialplan calls its telephones by Local channels, too."""
    return _telephone(far_leg(view))


def _telephone(view: LegView) -> str | None:
    called = view.called
    return f"{called.company}-{called.extension}" if called.company and called.extension else None


DIAL_FULL_RULES: Final[Rules[str]] = Rules(
    expanded_by_dialler,
    number_in_full,
    fetched_event,
    taken_from_parking,
    expanded_for_parked_call,
    expanded_to_consult,
    number_consulted_in_full,
    number_in_full_event,
    number_called_in_full,
    no_party_called,
    queue_called,
    expanded_before_joined,
    another_s_command_event,
    ringing_event,
    ringing_telephone,
    member_that_answered,
    extension_in_full,
    extension_behind_local_channel,
)
