"""Where legs are looked for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cdrd.enrich.gathering import _outside
from cdrd.records import AcctId
from cdrd.store.work import Ranges, merged

RANGES = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 6))).map(
    lambda pairs: merged((AcctId(first), AcctId(first + more)) for first, more in pairs)
)


def numbers(ranges: Ranges) -> set[int]:
    return {n for first, last in ranges for n in range(first, last + 1)}


@given(RANGES, RANGES)
def test_what_was_read_already_is_left_out_of_ranges(ranges: Ranges, without: Ranges) -> None:
    left = list(_outside(ranges, without))

    assert numbers(left) == numbers(ranges) - numbers(without)
    assert all(first <= last for first, last in left)
    assert left == sorted(left)
