"""A batch of legs becomes calls, and each call its decisions; a call that a rule fails on stops nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from cdrd.enrich.faults import Fault
from cdrd.records import AcctId, Attribution, Leg, UnattributedReason

MOST_LEGS_OF_CALL = 2000
"""A conference of 60 has 1770. What is larger is no call but a PBX that gives all of them one name, and
would be decided anew as a whole with each of its legs: such legs are decided one by one."""

Decide = Callable[[Sequence[Leg]], Sequence[Attribution]]
"""What decides a call: one attribution for each of its legs."""

CallKey = tuple[str, str | AcctId | None]
"""The PBX, and the call's name; a leg without a name is its own call, by its acctid."""


class Decisions(NamedTuple):
    """What became of a batch."""

    calls: Sequence[Sequence[Attribution]]
    """What is to be written, call by call."""
    faults: Sequence[Fault]
    oversized: Sequence[str]
    """Names that too many legs have."""

    def outcomes(self) -> Counter[str]:
        """How many legs have a company, and how many have none for which reason."""
        return Counter(
            attribution.reason or "attributed" for call in self.calls for attribution in call
        )


class _Call(NamedTuple):
    claimed: list[Leg]
    others: list[Leg]

    def newest_claimed(self) -> AcctId:
        return max(acctid_of(leg) for leg in self.claimed)


def acctid_of(leg: Leg) -> AcctId:
    """The acctid of a stored leg."""
    if leg.acctid is None:
        raise ValueError("this leg is not stored")
    return leg.acctid


def call_name(leg: Leg) -> str | None:
    """What the legs of a call have in common, as far as the PBX writes it."""
    return (leg.uniqueid if leg.linkedid is None else leg.linkedid) or None


def call_names(legs: Iterable[Leg]) -> list[str]:
    """The names of the calls that these legs belong to, once each."""
    return list({name for leg in legs if (name := call_name(leg)) is not None})


def decide_calls(claimed: Iterable[Leg], others: Iterable[Leg], decide: Decide) -> Decisions:
    """Decides every call that a claimed leg belongs to.

    The other legs of these calls are looked at, and those older than the newest claimed one are decided
    again: a leg that came later brings its own work, and whoever claims that knows all that we know.
    """
    decided: list[Sequence[Attribution]] = []
    faults: list[Fault] = []
    oversized: list[str] = []
    for (_, name), call in _calls(claimed, others).items():
        if len(call.claimed) + len(call.others) > MOST_LEGS_OF_CALL:
            oversized.append(str(name))
            pieces = [_Call([leg], []) for leg in call.claimed]
        else:
            pieces = [call]
        decided += [_decide(piece, decide, faults) for piece in pieces]
    return Decisions(decided, faults, oversized)


def _calls(claimed: Iterable[Leg], others: Iterable[Leg]) -> dict[CallKey, _Call]:
    calls: dict[CallKey, _Call] = {}
    for leg in claimed:
        calls.setdefault(_key(leg), _Call([], [])).claimed.append(leg)
    for leg in others:
        call = calls.get(_key(leg))
        if call is not None:  # else a call of that name on another PBX
            call.others.append(leg)
    return calls


def _key(leg: Leg) -> CallKey:
    return leg.pbx, call_name(leg) or leg.acctid


def _decide(call: _Call, decide: Decide, faults: list[Fault]) -> Sequence[Attribution]:
    legs = sorted(call.claimed + call.others, key=acctid_of) if call.others else call.claimed
    try:
        decided = _checked(decide(legs), legs)
    except Exception as error:  # noqa: BLE001 - a rule may fail in any way, and only its call pays
        decided = parked(acctid_of(leg) for leg in legs)
        faults.append(Fault([attribution.acctid for attribution in decided], error))
    if not call.others:
        return decided
    newest = call.newest_claimed()
    return [attribution for attribution in decided if attribution.acctid <= newest]


def _checked(decided: Sequence[Attribution], legs: Sequence[Leg]) -> Sequence[Attribution]:
    """No leg may be forgotten, or decided twice."""
    if sorted(attribution.acctid for attribution in decided) != [leg.acctid for leg in legs]:
        raise ValueError("the rules did not decide each leg once")
    return decided


def parked(acctids: Iterable[AcctId]) -> Sequence[Attribution]:
    """Legs that could not be decided, until somebody repairs what failed."""
    return [Attribution(acctid, reason=UnattributedReason.FAULT) for acctid in acctids]
