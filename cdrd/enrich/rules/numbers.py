"""The number that went over the trunk, and what the caller keyed for it."""

from __future__ import annotations

from typing import Final

from cdrd.enrich.call import far_leg
from cdrd.enrich.channels import parse_dial
from cdrd.enrich.dialling import Dialling, is_number
from cdrd.enrich.found import PartyKind
from cdrd.enrich.legview import INTERNAL, ONNET, LegView
from cdrd.records import Attribution

_SHORTEST_NUMBER: Final = 3
_LONGEST_PREFIX: Final = 3
UNKNOWABLE: Final = ""
"""The answer of a rule that has decided that the legs at hand cannot tell."""


def dialling_of_leg(view: LegView) -> Dialling:
    """How the one who answers for the leg writes numbers."""
    return view.owners.dialling(view.origin.company)


def number_sent(view: LegView) -> str | None:
    """The number in Dial()'s arguments: what the carrier was given.

    A leg after a Dial() that failed is for the number of that; one after an attended transfer is for
    what had been dialled for the consultation.
    """
    if is_handed_on_outside(view) and view.called_by is not None:
        return number_sent(view.called_by)
    if view.attended and view.consultation is None:
        return _number_consulted(view)
    leg: LegView | None = view.consultation if view.attended else view
    if view.consulting and view.before is not None and view.before.consulting:
        leg = view.before  # the Local channel that led there is optimised away
    leg = far_leg(leg) if leg is not None else None
    while leg is not None:
        for target in leg.dialled.targets:
            if target.number and is_number(target.number) and _over(leg, target.base):
                return target.number
        before = leg.before
        failed = before is not None and not leg.leg.dstchannel and before.leg.dst == leg.leg.dst
        leg = before if failed else None
    return None


def _number_consulted(view: LegView) -> str | None:
    """Where the leg of the consultation is not at hand: what its channel dialled, as events say."""
    second = view.told.second if view.told is not None else None
    for started in second.started if second is not None else ():
        for target in parse_dial(started.data).targets:
            if target.base == view.called.base and target.number and is_number(target.number):
                return target.number
    return None


def _over(view: LegView, base: str) -> bool:
    """Whether it is the target that was reached; a group of lines has another name than its line."""
    alone = len(view.dialled.targets) == 1 or view.called.kind is not PartyKind.TRUNK
    return alone or base == view.called.base


def outside_number(view: LegView) -> str | None:
    """The number that went outside: what Dial() was given, or what the dialplan noted."""
    if view.number_outside is None:
        view.number_outside = _outside_number(view) or ""
    return view.number_outside or None


def _outside_number(view: LegView) -> str | None:
    sent = number_sent(view)
    if sent is not None or view.attended:
        return sent
    noted = view.column(view.columns.dialled)
    return noted if noted and is_number(noted) else None


def without_prefix(view: LegView) -> str | None:
    """What was keyed: dst without the outside-line prefix, where that is still there.

    A dialplan that goes on with the stripped number leaves that in dst, and a stripped number can begin with
    the same digit. So the number that was sent decides; only where there is none does the prefix by itself.
    """
    dst = view.keyed
    if dst is None or (not view.plain and (view.replaced or is_called_by_program(view))):
        return None  # dst is what was dialled before another took the place of the party, or by the dialplan
    return _stripped(view, dst)


def as_keyed(view: LegView, keyed: str) -> str:
    """What a telephone keyed: a feature code as it is, an outside number without the prefix for a line."""
    inside = not goes_outside(view) and view.direction is not ONNET
    rest = keyed if inside else _stripped(view, keyed)
    if rest == keyed:  # a public number of a company, whatever becomes of the call there
        rest = next((r for r in _rests(view, keyed) if view.owners.did(r, view.at)), keyed)
    if inside:
        return rest
    dst, number = view.leg.dst, outside_number(view)
    if rest != keyed or number is None or not 0 < len(keyed) - len(dst) <= _LONGEST_PREFIX:
        return rest
    # a prefix that companies.yaml does not name: the dialplan took it off
    written = dialling_of_leg(view).written
    return dst if keyed.endswith(dst) and written(dst) == written(number) else rest


def number_for_local_channel(view: LegView) -> str | None:
    """The same for what a Local channel was told to dial."""
    exten = view.called.base.removeprefix("Local/").rpartition("@")[0]
    return _stripped(view, exten) if exten else None


def _stripped(view: LegView, dst: str) -> str:
    rests = _rests(view, dst)
    if not rests:
        return dst
    stays = view.reached is not None and not view.reached.outside
    number = None if stays else outside_number(view)
    if number is None:
        return next((rest for rest in rests if _stands_alone(view, dst, rest)), dst)
    choices = [dst, *rests]
    if number in choices:
        return number
    written = dialling_of_leg(view).written
    for keyed in choices:
        if written(keyed) == written(number):
            return keyed  # 653003 of 01908653003, though this ends in 8653003 as well
    return next((keyed for keyed in choices if number.endswith(keyed.removeprefix("+"))), dst)


def _rests(view: LegView, dst: str) -> list[str]:
    """What is left of dst without a prefix that it begins with."""
    prefixes = view.owners.outside_prefixes(view.origin.company, view.at)
    return [dst[len(p) :] for p in prefixes if dst.startswith(p) and len(dst) > len(p)]


def is_dialled_inside(view: LegView) -> bool:
    """Whether dst is a company's number behind the prefix for a line, which nobody outside dials."""
    return any(view.owners.did(rest, view.at) for rest in _rests(view, view.leg.dst))


def _stands_alone(view: LegView, dst: str, rest: str) -> bool:
    """Without the number that was sent: 112 after the prefix is a number, 99 (of 999) is none.

    Where the prefix is the digit that national numbers begin with, one of those has lost it already.
    """
    if len(rest) < _SHORTEST_NUMBER or not is_number(rest) or view.owns(view.origin.company, dst):
        return False
    dialling = dialling_of_leg(view)
    whole = dialling.e164(dst) if dialling.is_public(dst) else None
    return whole is None or dialling.e164(rest) is not None


def goes_outside(view: LegView) -> bool:
    """Whether the far end is outside."""
    return view.reached is not None and view.reached.outside


def is_public(view: LegView, number: str) -> bool:
    """Whether it has the form of a number of the public network."""
    return dialling_of_leg(view).is_public(number)


def for_its_dialler(view: LegView) -> LegView | None:
    """The leg that dialled this one's Local channel, where both are for what was keyed there."""
    dialler = view.dialler
    if dialler is None or dialler.attribution is None or view.origin is not dialler.origin:
        return None
    return dialler


def is_handed_on_outside(view: LegView) -> bool:
    """Whether the party outside is the one that calls: it was called before, and handed on."""
    outside = view.calling.kind is PartyKind.TRUNK and view.called.kind is not PartyKind.TRUNK
    return outside and view.called_by is not None and goes_outside(view)


def is_called_by_program(view: LegView) -> bool:
    """Whether the party outside that calls was called itself, by a program that connects it to somebody."""
    channel = view.told.channel if view.told is not None else None
    outside = view.calling.kind is PartyKind.TRUNK and view.called.kind is not PartyKind.TRUNK
    return outside and channel is not None and channel.originated


def fetched(view: LegView) -> bool:
    """Whether somebody took the call out of parking, and nothing tells how it had been parked."""
    is_told = view.told is not None and view.told.parking is not None
    return view.fetched and view.direction is INTERNAL and not is_told


def leg_before_parking(view: LegView) -> LegView | None:
    """The leg of the call that was parked, for one that is in parking or came out of it."""
    leg: LegView | None = view
    while leg is not None and leg.parked:
        leg = leg.before
    return leg if view.parked and leg is not None and leg.attribution is not None else None


def has_another_s_command(view: LegView) -> bool:
    """Whether a talking caller's Dial() is to call that caller: who took its place was in that call."""
    leg, targets = view.leg, view.dialled.targets
    if not targets or leg.dstchannel or leg.disposition != "ANSWERED":
        return False
    return targets[0].base == view.calling.base


def before_its_command(view: LegView) -> Attribution | None:
    """What was decided of the leg before on the same channel, which still had its own command."""
    before = view.before
    return before.attribution if before is not None and not before.attended else None
