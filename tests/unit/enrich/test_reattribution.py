"""What deciding again changes is added up: who loses and who gets how many legs and calls."""

from __future__ import annotations

from typing import Any

from cdrd.enrich.reattribution import Reattribution, changes_of
from cdrd.records import AcctId, Attribution, UnattributedReason


def one(acctid: int, company: str | None = "acme", **properties: Any) -> Attribution:
    """A decision; who owns a leg pays for it."""
    reason = None if company else UnattributedReason.NO_MATCH
    return Attribution(
        AcctId(acctid), company, **{"bill_to": company, "reason": reason, **properties}
    )


def stored(*attributions: Attribution) -> dict[AcctId, Attribution]:
    return {attribution.acctid: attribution for attribution in attributions}


def added(
    before: list[Attribution], *calls: list[Attribution], company: str | None = None
) -> Reattribution:
    found = Reattribution(company)
    for call in calls:
        found.add(changes_of(call, stored(*before)))
    return found


def test_what_is_decided_alike_is_no_change_whichever_rule_decided() -> None:
    before = [one(1), one(2, None)]
    found = added(before, [one(1, rules='{"company": "did"}'), one(2, None)])

    assert found.acctids == []
    assert list(found.rows()) == []
    assert list(found.words()) == ["nothing changes"]


def test_a_leg_that_nobody_has_decided_yet_is_no_change() -> None:
    assert added([one(1)], [one(1), one(2, "globex")]).acctids == []


def test_moves_are_counted_by_legs_and_calls_with_examples() -> None:
    before = [*map(one, range(1, 10)), one(20, None)]
    found = added(
        before,
        [one(1, "globex"), one(2, "globex"), one(3)],
        *([one(n, "globex")] for n in range(4, 10)),
        [one(20)],
    )

    assert found.acctids == [1, 2, 4, 5, 6, 7, 8, 9, 20]
    assert list(found.rows()) == [
        ("what", "from", "to", "legs", "calls", "for example"),
        ("bill-to", "acme", "globex", "8", "7", "1, 2, 4, 5, 6"),
        ("company", "acme", "globex", "8", "7", "1, 2, 4, 5, 6"),
        ("bill-to", "nobody", "acme", "1", "1", "20"),
        ("company", "nobody (no_match)", "acme", "1", "1", "20"),
    ]
    assert list(found.words()) == ["also changed: reason of 1", "9 legs of 8 calls change"]


def test_a_call_that_is_come_across_twice_counts_once() -> None:
    again = [one(1, "globex"), one(2, "globex")]
    found = added([one(1), one(2)], again[:1], again, again)

    assert found.acctids == [1, 2]
    assert list(found.words()) == ["2 legs of 1 call change"]


def test_other_properties_are_told_of_by_their_names() -> None:
    found = added([one(1), one(2)], [one(1, trunk="a", is_park=True)], [one(2, trunk="b")])

    assert list(found.rows()) == []
    assert list(found.words()) == [
        "also changed: is_park of 1, trunk of 2",
        "2 legs of 2 calls change",
    ]


def test_of_one_company_only_calls_change_that_it_loses_gets_or_pays() -> None:
    before = [*map(one, range(1, 7))]
    calls = (
        [one(1, "globex")],
        [one(2, "initech")],
        [one(3, target="globex"), one(4, trunk="t")],
        [one(5, bill_to="globex")],
        [one(6, trunk="t")],
    )

    # of a call that has to do with it, all legs change
    assert added(before, *calls, company="globex").acctids == [1, 3, 4, 5]
    assert added(before, *calls, company="initech").acctids == [2]
    assert added(before, *calls).acctids == [1, 2, 3, 4, 5, 6]
