"""What deciding again changes: from whom to whom, for the operator to read before it is done."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from cdrd.records import AcctId, Attribution

_EXAMPLES = 5
"""Legs that are named for each move."""
_MOVES = ("company", "bill_to", "target")
"""Properties that name somebody: who they are taken from, and who gets them, is told."""
_COMPARED = tuple(name for name in Attribution._fields if name not in ("acctid", "rules"))
_OTHERS = tuple(name for name in _COMPARED if name not in _MOVES)


class Change(NamedTuple):
    """A leg that is decided otherwise now."""

    call: AcctId
    """The first leg of its call."""
    before: Attribution
    after: Attribution

    @property
    def acctid(self) -> AcctId:
        """The leg."""
        return self.after.acctid

    def concerns(self, company: str) -> bool:
        """Whether the leg was, or becomes, the company's: its own, a call to it, or one that it pays."""
        return any(company == getattr(one, name) for one in self[1:] for name in _MOVES)


def changes_of(
    decided: Sequence[Attribution], stored: Mapping[AcctId, Attribution]
) -> list[Change]:
    """The legs of one call that are decided otherwise than is stored. Those never decided are no change."""
    call = min((one.acctid for one in decided), default=AcctId(0))
    return [
        Change(call, stored[one.acctid], one)
        for one in decided
        if one.acctid in stored and _compared(one) != _compared(stored[one.acctid])
    ]


def _compared(attribution: Attribution) -> tuple[object, ...]:
    """All but the rules: a leg that another rule decides alike is no other leg for anybody."""
    return attribution[1:-1]


class Move(NamedTuple):
    """What legs have in common that go from one to another."""

    what: str
    before: str
    after: str


class Reattribution:
    """Changes, added up call by call; a leg counts once, however often it is come across."""

    def __init__(self, company: str | None = None) -> None:
        self.legs = 0
        """How many were looked at."""
        self._company = company
        self._changed: set[AcctId] = set()
        self._calls: set[AcctId] = set()
        self._moves: defaultdict[Move, list[Change]] = defaultdict(list)
        self._moved: Counter[Move] = Counter()
        self._calls_moved: defaultdict[Move, set[AcctId]] = defaultdict(set)
        self._others: Counter[str] = Counter()

    def add(self, changes: Sequence[Change]) -> None:
        """The changes of one call; where one company is asked about, only if it has to do with them."""
        if self._company is not None and not any(c.concerns(self._company) for c in changes):
            return
        for change in changes:
            if change.acctid not in self._changed:
                self._changed.add(change.acctid)
                self._calls.add(change.call)
                self._count(change)

    def _count(self, change: Change) -> None:
        for move in _moves_of(change):
            self._moved[move] += 1
            self._calls_moved[move].add(change.call)
            if len(self._moves[move]) < _EXAMPLES:
                self._moves[move].append(change)
        self._others.update(name for name in _OTHERS if _differs(change, name))

    @property
    def acctids(self) -> list[AcctId]:
        """The legs that change, in order; put in order each time."""
        return sorted(self._changed)

    def rows(self) -> Iterator[tuple[str, ...]]:
        """A table: who loses and who gets how many legs and calls, those of the most legs first."""
        if self._moved:
            yield "what", "from", "to", "legs", "calls", "for example"
        for move, legs in sorted(self._moved.items(), key=lambda moved: (-moved[1], moved[0])):
            examples = ", ".join(str(change.acctid) for change in self._moves[move])
            calls = len(self._calls_moved[move])
            yield move.what, move.before, move.after, f"{legs:,}", f"{calls:,}", examples

    def words(self) -> Iterator[str]:
        """What there is to say of all of them."""
        if not self._changed:
            yield "nothing changes"
            return
        if self._others:
            counted = (f"{name} of {count:,}" for name, count in sorted(self._others.items()))
            yield f"also changed: {', '.join(counted)}"
        legs, calls = len(self._changed), len(self._calls)
        yield f"{_counted(legs, 'leg')} of {_counted(calls, 'call')} change"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def _differs(change: Change, name: str) -> bool:
    return bool(getattr(change.before, name) != getattr(change.after, name))


def _moves_of(change: Change) -> Iterable[Move]:
    for name in _MOVES:
        if _differs(change, name):
            what = name.replace("_", "-")
            yield Move(what, _whose(change.before, name), _whose(change.after, name))


def _whose(attribution: Attribution, name: str) -> str:
    """Who it is; of a leg without a company the reason why."""
    found: str | None = getattr(attribution, name)
    if found is None and name == "company" and attribution.reason is not None:
        return f"nobody ({attribution.reason})"
    return found or "nobody"
