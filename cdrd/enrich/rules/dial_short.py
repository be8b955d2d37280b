"""What was keyed.

A rule that answers with an empty text has decided that it cannot be known from the legs at hand.
"""

from __future__ import annotations

from typing import Final

from cdrd.enrich.found import PartyKind
from cdrd.enrich.legview import BY_PROGRAM, INBOUND, ONNET, OUTBOUND, LegView
from cdrd.enrich.rules import NOT_OUTBOUND, TELEPHONES, Rules, rule
from cdrd.enrich.rules.by_event import (
    extension_event,
    keyed_event,
    keyed_to_consult_event,
    keyed_to_park_event,
    keyed_to_transfer_event,
)
from cdrd.enrich.rules.evidence import dst_is_number
from cdrd.enrich.rules.numbers import (
    UNKNOWABLE,
    as_keyed,
    before_its_command,
    fetched,
    for_its_dialler,
    goes_outside,
    has_another_s_command,
    is_handed_on_outside,
    is_public,
    leg_before_parking,
    number_for_local_channel,
    without_prefix,
)


@rule("what was keyed before {dialler} was dialled", only="linked", calling=(PartyKind.LOCAL,))
def keyed_by_dialler(view: LegView) -> str | None:
    """The leg behind a Local channel is for what its dialler keyed."""
    dialler = for_its_dialler(view)
    if dialler is None or dialler.attribution is None:
        return None
    return dialler.attribution.dial_short or UNKNOWABLE


@rule("dst of a Local channel's leg, where that is a public number", calling=(PartyKind.LOCAL,))
def keyed_before_local_channel(view: LegView) -> str | None:
    """Behind a Local channel whose dialler is not known, dst may be the dialplan's own."""
    if view.dialler or view.other_half:
        return None
    if goes_outside(view) or (view.keyed and dst_is_number(view)):
        return without_prefix(view)
    return UNKNOWABLE


@rule("the consultation before the transfer", only="linked")
def keyed_to_consult(view: LegView) -> str | None:
    """After an attended transfer dst still says whom the transferrer had been."""
    if not view.attended and not view.consulting:
        return None
    before = view.before if view.consulting else None
    consulted = view.consultation or (before if before and before.consulting else None)
    known = consulted.attribution if consulted is not None else None
    if known is not None and known.dial_short:
        return known.dial_short
    if view.called.kind is PartyKind.LOCAL and goes_outside(view):
        return number_for_local_channel(view)
    return (view.reached and view.reached.extension) or UNKNOWABLE


@rule(
    "{lastdata} is the command of another, who was joined with what this one had called",
    calling=TELEPHONES,
    called=(PartyKind.NOBODY,),
)
def keyed_before_joined(view: LegView) -> str | None:
    """So is dst."""
    if not has_another_s_command(view):
        return None
    known = before_its_command(view)
    return (known.dial_short if known is not None else None) or UNKNOWABLE


@rule("the endpoint in lastdata, since dst is that of the transfer after it", only="linked")
def keyed_before_transfer(view: LegView) -> str | None:
    """The dst of a leg before a blind transfer is not its own."""
    if not view.overwritten or (view.direction is ONNET and view.did is not None):
        return None
    if view.direction is ONNET:
        return UNKNOWABLE  # a number of the other company, of which it is not known which
    extension = _rung(view) if view.picked else view.reached.extension if view.reached else None
    if extension is None or extension == view.leg.dst or len(view.dialled.targets) != 1:
        return None if extension == view.leg.dst else UNKNOWABLE
    return extension


def _rung(view: LegView) -> str | None:
    """The first telephone that was dialled, whoever picked the call up."""
    for target in view.dialled.targets:
        return view.owners.party_of_base(target.base, view.at).extension
    return None


@rule("{dst}, a feature code", directions=NOT_OUTBOUND)
def feature_code(view: LegView) -> str | None:
    """Feature codes are kept as they were keyed."""
    return view.leg.dst if view.leg.dst and view.feature is not None else None


@rule("{dst}, without the prefix for an outside line", directions=(OUTBOUND,))
def keyed_for_outside(view: LegView) -> str | None:
    """The number that was dialled over a trunk."""
    return without_prefix(view) or UNKNOWABLE


@rule("the number {did} that was noted for the call", directions=(ONNET,))
def number_keyed(view: LegView) -> str | None:
    """Another company's number, whose dialplan has put its extension into dst."""
    if view.did is None:
        return None
    return view.did.number if view.noted_number else without_prefix(view)


@rule("the extension that {did} leads to", directions=(INBOUND,))
def extension_of_number(view: LegView) -> str | None:
    """A call from outside to a number: the extension that the number, or the dialplan, led to."""
    if view.did is None or not dst_is_number(view):
        return None
    if view.did.extension:
        return view.did.extension
    reached = view.reached.extension if view.reached and len(view.dialled.targets) == 1 else None
    return reached or UNKNOWABLE


@rule("{dst}, as it was dialled")
def keyed_number(view: LegView) -> str | None:
    """The plain case."""
    if view.direction is INBOUND and view.did is None and is_public(view, view.leg.dst):
        return UNKNOWABLE
    keyed = view.keyed
    return keyed if keyed is None or view.did is None else as_keyed(view, keyed)


@rule("the extension that was reached, since dst is the dialplan's own")
def extension_reached(view: LegView) -> str | None:
    """A call back from parking, an originated call."""
    if view.leg.lastapp == BY_PROGRAM:
        return view.origin.extension
    return view.reached.extension if view.reached and view.leg.dstchannel else None


@rule("who fetched the call from parking was not dialled", only="linked")
def keyed_before_parking(view: LegView) -> str | None:
    """What the parker keyed is in no row, and dst is from before."""
    return UNKNOWABLE if fetched(view) else None


@rule(
    "what was keyed to call {channel}, who was handed on", only="linked", calling=(PartyKind.TRUNK,)
)
def keyed_for_handed_on(view: LegView) -> str | None:
    """The number outside, not that of the colleague whom the party was handed on to."""
    if not is_handed_on_outside(view) or view.called_by is None:
        return None
    known = view.called_by.attribution
    return known.dial_short if known is not None else None


@rule("what was keyed for the call that was parked", only="linked")
def keyed_for_parked_call(view: LegView) -> str | None:
    """In parking, and when nobody fetches it from there, it still is the call that the caller made."""
    leg = leg_before_parking(view)
    return leg.attribution.dial_short if leg is not None and leg.attribution else None


@rule(
    "dst and lastdata contradict each other, and other rows of the channel cannot be told",
    only="linked",
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
    return not dst_is_number(view) and is_public(view, without_prefix(view) or dst)


DIAL_SHORT_RULES: Final[Rules[str]] = Rules(
    keyed_by_dialler,
    keyed_for_handed_on,
    keyed_to_park_event,
    keyed_to_transfer_event,
    keyed_to_consult_event,
    keyed_before_parking,
    keyed_for_parked_call,
    keyed_event,
    contradicting_rows,
    keyed_before_local_channel,
    keyed_to_consult,
    extension_event,
    keyed_before_joined,
    keyed_before_transfer,
    feature_code,
    keyed_for_outside,
    number_keyed,
    extension_of_number,
    keyed_number,
    extension_reached,
)
