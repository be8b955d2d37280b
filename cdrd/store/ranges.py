"""Ranges of acctid (or of event_id): put together, and what is outside of others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from cdrd.records import AcctId

Ranges = list[tuple[AcctId, AcctId]]
"""First and last included."""

BEYOND: Final = AcctId(2**62)
"""Later than any: one more and one less still are a bigint."""


def merged(ranges: Iterable[tuple[AcctId, AcctId]]) -> Ranges:
    """The same acctids in as few ranges as possible, in order."""
    together: Ranges = []
    for first, last in sorted(ranges):
        if together and first <= together[-1][1] + 1:
            together[-1] = (together[-1][0], max(last, together[-1][1]))
        else:
            together.append((first, last))
    return together


def ranges_of(acctids: Iterable[AcctId], *, near: int = 0) -> Ranges:
    """These acctids, in any order, and so many before and after each: in as few ranges as possible."""
    in_order = sorted(acctids)
    if not in_order:
        return []
    ranges: Ranges = []
    first = last = in_order[0]
    for acctid in in_order:
        if acctid > last + 2 * near + 1:
            ranges.append((AcctId(first - near), AcctId(last + near)))
            first = acctid
        last = acctid
    ranges.append((AcctId(first - near), AcctId(last + near)))
    return ranges


def outside(
    ranges: Sequence[tuple[AcctId, AcctId]], without: Sequence[tuple[AcctId, AcctId]]
) -> Ranges:
    """What of these ranges is in none of those; both are in order."""
    left: Ranges = []
    taken = iter((*without, (BEYOND, BEYOND)))
    begin, end = next(taken)
    for first, last in ranges:
        while first <= last:
            if end < first:
                begin, end = next(taken)
            elif begin > last:
                left.append((first, last))
                break
            else:
                if begin > first:
                    left.append((first, AcctId(begin - 1)))
                first = AcctId(end + 1)  # noqa: PLW2901 - what is left of the range
    return left
