from __future__ import annotations

from collections.abc import Sequence

from support.legs import START
from support.legs import leg as unstored

from cdrd.beside import CelEvent, QueueEvent
from cdrd.enrich.batch import MOST_LEGS_OF_CALL, Gathered, decide_calls
from cdrd.records import AcctId, Attribution, Leg, UnattributedReason
from cdrd.store.decided import Decided


def leg(acctid: int, call: str | None = "1.0", *, pbx: str = "hq", **changes: object) -> Leg:
    """A stored leg of a call."""
    return unstored(call, acctid=AcctId(acctid), pbx=pbx, **changes)


def together(legs: Sequence[Leg], _: Sequence[CelEvent] = ()) -> Decided:
    """Rules that tell which legs they were given together: the company is the list of their acctids."""
    company = " ".join(str(leg.acctid) for leg in legs)
    return Decided([Attribution(leg.acctid or AcctId(0), company=company) for leg in legs])


def written(claimed: Sequence[Leg], others: Sequence[Leg] = ()) -> dict[int, str | None]:
    """What is written of each leg."""
    decisions = decide_calls(claimed, Gathered(others), together)
    return {a.acctid: a.company for call in decisions.calls for a in call.attributions}


def test_legs_of_one_linkedid_are_decided_together() -> None:
    first, second, other = leg(1), leg(2, "2.0", linkedid="1.0"), leg(3, "3.0")
    assert written([first, other, second]) == {1: "1 2", 2: "1 2", 3: "3"}


def test_without_linkedid_the_uniqueid_is_the_call() -> None:
    assert written([leg(1, linkedid=None), leg(2, linkedid=None)]) == {1: "1 2", 2: "1 2"}


def test_a_leg_without_any_id_is_a_call_of_its_own() -> None:
    assert written([leg(1, None), leg(2, None), leg(3, "")]) == {1: "1", 2: "2", 3: "3"}


def test_calls_of_two_pbxs_are_two_whatever_their_ids() -> None:
    here, there, elsewhere = leg(1), leg(2, pbx="branch"), leg(3, pbx="third")
    assert written([here, there], [elsewhere]) == {1: "1", 2: "2"}


def test_earlier_legs_are_decided_again_with_a_late_one() -> None:
    assert written([leg(5)], [leg(3), leg(1)]) == {1: "1 3 5", 3: "1 3 5", 5: "1 3 5"}


def test_later_legs_are_looked_at_and_left_to_who_claims_them() -> None:
    assert written([leg(2)], [leg(1), leg(3)]) == {1: "1 2 3", 2: "1 2 3"}


def test_the_rules_get_the_legs_in_the_order_of_acctid() -> None:
    assert written([leg(4), leg(6)], [leg(5), leg(1)])[4] == "1 4 5 6"


def failing(legs: Sequence[Leg], _: Sequence[CelEvent]) -> Decided:
    """Rules that fail on one call."""
    if legs[0].linkedid == "poison":
        raise RecursionError("01908555101 goes in circles")
    return together(legs)


def test_a_call_that_the_rules_fail_on_is_parked_and_the_others_are_decided() -> None:
    legs = [leg(1), leg(2, "poison"), leg(3), leg(4, "poison")]
    decisions = decide_calls(legs, Gathered([leg(0, "poison")]), failing)

    assert [list(fault.acctids) for fault in decisions.faults] == [[0, 2, 4]]
    decided = [a for call in decisions.calls for a in call.attributions]
    parked = {a.acctid for a in decided if a.reason == "fault"}
    assert parked == {0, 2, 4}
    assert {a.company for call in decisions.calls for a in call.attributions} == {"1 3", None}
    assert decisions.outcomes() == {"attributed": 2, UnattributedReason.FAULT: 3}


def test_a_call_whose_events_the_rules_fail_on_is_decided_without_them() -> None:
    """Whoever can write an event takes no company away from a leg."""

    def failing_on_events(legs: Sequence[Leg], events: Sequence[CelEvent]) -> Decided:
        if events:
            raise KeyError(events[0].channame)
        return together(legs)

    event = CelEvent(START, "HOSTILE", "1.0", "1.0", "PJSIP/1-00000001", pbx="hq")
    legs = [leg(1), leg(2)]
    decisions = decide_calls(legs, Gathered(events=[event]), failing_on_events, heard=[event])

    assert {a.acctid: a.company for call in decisions.calls for a in call.attributions} == {
        1: "1 2",
        2: "1 2",
    }
    assert [(fault.acctids, fault.parked) for fault in decisions.faults] == [([1, 2], False)]


def test_rules_that_forget_a_leg_or_decide_one_twice_have_failed() -> None:
    legs = [leg(1), leg(2)]
    right = together(legs).attributions
    for wrong in (right[:1], [*right, right[0]], []):
        decisions = decide_calls(legs, Gathered(), lambda *_, wrong=wrong: Decided(wrong))
        assert decisions.outcomes() == {UnattributedReason.FAULT: 2}
        assert len(decisions.faults) == 1


def test_legs_that_all_bear_one_name_are_no_call() -> None:
    legs = [leg(n, "constant") for n in range(MOST_LEGS_OF_CALL + 1)]
    decisions = decide_calls(legs[-2:], Gathered(legs[:-2]), together)
    assert decisions.oversized == ["constant"]
    assert written(legs[-2:], legs[:-2]) == {2000: "2000", 1999: "1999"}

    assert len(written(legs[-2:], legs[1:-2])) == MOST_LEGS_OF_CALL


def test_no_event_of_a_name_that_too_many_legs_bear_is_told_of_each_of_them() -> None:
    """Nor does one decide them all again: each is decided without events."""
    legs = [leg(n, "constant") for n in range(MOST_LEGS_OF_CALL + 1)]
    said = QueueEvent(START, "constant", "support", "NONE", "ENTERQUEUE", (), "hq")
    heard = CelEvent(START, "", "constant", "constant", "", pbx="hq")
    decisions = decide_calls(legs[-1:], Gathered(legs[:-1], queued=[said]), together)
    again = decide_calls((), Gathered(legs, queued=[said]), together, heard=[heard])

    assert [(call.events, len(call.attributions)) for call in decisions.calls] == [(0, 1)]
    assert again.calls == []
