"""Ranges of acctid."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from cdrd.records import AcctId
from cdrd.store.ranges import Ranges, merged, outside, ranges_of

PAIRS = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 6))).map(
    lambda pairs: [(AcctId(first), AcctId(first + more)) for first, more in pairs]
)
RANGES = PAIRS.map(merged)


def numbers(ranges: Ranges) -> set[int]:
    return {n for first, last in ranges for n in range(first, last + 1)}


@given(PAIRS)
def test_ranges_that_touch_become_one(ranges: Ranges) -> None:
    together = merged(ranges)

    assert numbers(together) == numbers(ranges)
    assert all(one[1] + 1 < two[0] for one, two in itertools.pairwise(together))


@given(st.lists(st.integers(1, 40).map(AcctId)), st.integers(0, 5))
def test_acctids_are_in_the_same_ranges_as_one_by_one(acctids: list[AcctId], near: int) -> None:
    one_by_one = [(AcctId(acctid - near), AcctId(acctid + near)) for acctid in acctids]

    assert ranges_of(acctids, near=near) == merged(one_by_one)


@given(RANGES, RANGES)
def test_what_was_read_already_is_left_out_of_ranges(ranges: Ranges, without: Ranges) -> None:
    left = outside(ranges, without)

    assert numbers(left) == numbers(ranges) - numbers(without)
    assert all(first <= last for first, last in left)
    assert left == sorted(left)
