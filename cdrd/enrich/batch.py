"""A batch of legs becomes calls, and each call its decisions; a call that a rule fails on stops nobody."""

from __future__ import annotations

from collections import Counter, defaultdict
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
    return list(dict.fromkeys(name for leg in legs if (name := call_name(leg)) is not None))


def decide_calls(claimed: Iterable[Leg], others: Iterable[Leg], decide: Decide) -> Decisions:
    """Decides every call that a claimed leg belongs to.

    The other legs of these calls are looked at, and those older than the newest claimed one are decided
    again: a leg that came later brings its own work, and whoever claims that knows all that we know.
    """
    decided: list[Sequence[Attribution]] = []
    faults: list[Fault] = []
    oversized: list[str] = []
    known = _by_call(others)
    for key, legs in _by_call(claimed).items():
        more = known.get(key, ())
        if len(legs) + len(more) > MOST_LEGS_OF_CALL:
            oversized.append(str(key[1]))
            decided += [_decide([leg], decide, faults) for leg in legs]
        elif more:
            newest = max(map(acctid_of, legs))
            together = _decide(sorted((*legs, *more), key=acctid_of), decide, faults)
            decided.append([one for one in together if one.acctid <= newest])
        else:
            decided.append(_decide(legs, decide, faults))
    return Decisions(decided, faults, oversized)


def _by_call(legs: Iterable[Leg]) -> dict[CallKey, list[Leg]]:
    calls: defaultdict[CallKey, list[Leg]] = defaultdict(list)
    for leg in legs:
        calls[leg.pbx, call_name(leg) or leg.acctid].append(leg)
    return calls


def _decide(legs: Sequence[Leg], decide: Decide, faults: list[Fault]) -> Sequence[Attribution]:
    try:
        decided = decide(legs)
        if not _each_once(legs, decided):
            raise ValueError("the rules did not decide each leg once")  # noqa: TRY301 - as any fault
    except Exception as error:  # noqa: BLE001 - a rule may fail in any way, and only its call pays
        decided = parked(map(acctid_of, legs))
        faults.append(Fault([attribution.acctid for attribution in decided], error))
    return decided


def _each_once(legs: Sequence[Leg], decided: Sequence[Attribution]) -> bool:
    """No leg may be forgotten, or decided twice."""
    wanted = [leg.acctid for leg in legs]
    found = [attribution.acctid for attribution in decided]
    return found == wanted or sorted(found) == sorted(map(acctid_of, legs))


def parked(acctids: Iterable[AcctId]) -> Sequence[Attribution]:
    """Legs that could not be decided, until somebody repairs what failed."""
    return [Attribution(acctid, reason=UnattributedReason.FAULT) for acctid in acctids]
