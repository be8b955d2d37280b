"""What cannot be true at once: one number, channel or code that two companies own at the same time."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Generic, NamedTuple, TypeVar

from cdrd.enrich.compiled import Profiles, canonical
from cdrd.enrich.patterns import Span, parse_span
from cdrd.owners import Company, Entry, EntryKind
from cdrd.records import CompanyId

Key = TypeVar("Key")

_ALWAYS = datetime.min.replace(tzinfo=UTC)
_FOREVER = datetime.max.replace(tzinfo=UTC)
_CHANNEL = "channel"

_ONE_OWNER = {
    EntryKind.ACCOUNT_CODE: "account code",
    EntryKind.CONTEXT: "context",
    EntryKind.ENDPOINT: _CHANNEL,
    EntryKind.TRUNK: _CHANNEL,
    EntryKind.DID: "number",
    EntryKind.UNOWNED: "default company",
}
"""Kinds of which a value has one owner; the extensions of two companies may be the same."""


class Conflict(NamedTuple):
    """Two entries that cannot both be true, by their indexes: the later one is told of."""

    later: int
    earlier: int
    entry: Entry
    other: Entry

    def words(self, where: str) -> str:
        """What is wrong, for the operator; `where` is the place of the earlier one."""
        entry, other = self.entry, self.other
        what = _ONE_OWNER.get(entry.kind, "extension")
        if entry.company == other.company and entry.kind is other.kind:
            return f"{what} {entry.pattern!r} is listed twice, first at {where}"
        owner = other.company or "the PBX"
        return f"{what} {entry.pattern!r} belongs to {owner} at the same time, see {where}"


class _Placed(NamedTuple):
    at: int
    """Its index among all entries."""
    entry: Entry


_Numbered = tuple[Span, _Placed]
_Plan = tuple[str, int]
"""Numbers that can collide: those of one length, of extensions also of one company."""


def find_conflicts(
    entries: Sequence[Entry], companies: Mapping[CompanyId, Company]
) -> Iterator[Conflict]:
    """Every conflict, each once. What is listed once, as nearly all is, costs one look into a table."""
    found = _Collisions()
    profiles = Profiles(entries, companies)
    for index, entry in enumerate(entries):
        kind = entry.kind
        if kind is EntryKind.DID:
            found.add_number("", canonical(entry, profiles.of(entry)), index, entry)
        elif kind is EntryKind.EXTENSION:
            found.add_number(entry.company or "", parse_span(entry.pattern), index, entry)
        elif kind in _ONE_OWNER:
            found.names.add((_ONE_OWNER[kind], entry.pattern), index)
    for group in found.names.several.values():
        yield from _same_time([_Placed(index, entries[index]) for index in group])
    for numbers in found.numbers(entries):
        yield from _same_number(numbers)


class _Several(Generic[Key]):
    """What was added under each key; most keys have one index, which needs no list."""

    def __init__(self) -> None:
        self.several: dict[Key, list[int]] = {}
        self._first: dict[Key, int] = {}

    def add(self, key: Key, index: int) -> None:
        """The key has this, too."""
        first = self._first.setdefault(key, index)
        if first != index:
            self.several.setdefault(key, [first]).append(index)

    def all(self) -> Iterator[tuple[Key, int]]:
        """Every key with each of its indexes."""
        for key, first in self._first.items():
            for index in self.several.get(key, (first,)):
                yield key, index


class _Reach:
    """How far blocks reach: whether a number of their length is in any of them."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self._firsts: list[str] = []
        self._lasts: list[str] = []
        for first, last in sorted(spans):
            if self._lasts and first <= self._lasts[-1]:
                self._lasts[-1] = max(last, self._lasts[-1])
            else:
                self._firsts.append(first)
                self._lasts.append(last)

    def __contains__(self, number: str) -> bool:
        at = bisect_right(self._firsts, number) - 1
        return at >= 0 and number <= self._lasts[at]


class _Collisions:
    """Entries by what they own; only those that share it with another are looked at any further."""

    def __init__(self) -> None:
        self.names: _Several[tuple[str, str]] = _Several()
        self._single: defaultdict[str, _Several[str]] = defaultdict(_Several)
        self._blocks: defaultdict[_Plan, list[_Numbered]] = defaultdict(list)

    def add_number(self, owner: str, span: Span, index: int, entry: Entry) -> None:
        """A number or a block of numbers."""
        if span.first == span.last:
            self._single[owner].add(span.first, index)
        else:
            self._blocks[owner, len(span.first)].append((span, _Placed(index, entry)))

    def numbers(self, entries: Sequence[Entry]) -> Iterator[list[_Numbered]]:
        """Blocks and the single numbers inside of them, and numbers that are listed more than once."""
        for (owner, length), blocks in self._blocks.items():
            reach, single = _Reach(span for span, _ in blocks), self._single[owner]
            yield blocks + [
                (Span(number, number), _Placed(index, entries[index]))
                for number, index in single.all()
                if len(number) == length and (number in reach or number in single.several)
            ]
        for owner, single in self._single.items():
            for number, indexes in single.several.items():
                if (owner, len(number)) not in self._blocks:
                    span = Span(number, number)
                    yield [(span, _Placed(index, entries[index])) for index in indexes]


def _same_time(group: Sequence[_Placed]) -> Iterator[Conflict]:
    """Those of equal value: on each PBX, in the order of their dates, each compared with what still holds."""
    everywhere = [item for item in group if item.entry.pbx is None]
    told: set[tuple[int, int]] = set()
    for _, items in groupby(sorted(group, key=_pbx), key=_pbx):
        here = list(items)
        if here[0].entry.pbx is not None:
            here += everywhere
        yield from (c for c in _overlaps(here) if _news(c, told))


def _pbx(item: _Placed) -> str:
    return item.entry.pbx or ""


def _news(conflict: Conflict, told: set[tuple[int, int]]) -> bool:
    pair = conflict.later, conflict.earlier
    if pair in told:
        return False
    told.add(pair)
    return True


def _overlaps(items: Iterable[_Placed]) -> Iterator[Conflict]:
    last: _Placed | None = None
    for item in sorted(items, key=lambda item: item.entry.valid_from or _ALWAYS):
        if last is not None and (item.entry.valid_from or _ALWAYS) < _end(last):
            yield _in_order(last, item)
        if last is None or _end(item) > _end(last):
            last = item


def _end(item: _Placed) -> datetime:
    return item.entry.valid_until or _FOREVER


def _in_order(one: _Placed, other: _Placed) -> Conflict:
    """The one that is written later is told of, with the other as the reason."""
    earlier, later = sorted((one, other), key=lambda item: item.at)
    return Conflict(later.at, earlier.at, later.entry, earlier.entry)


def _same_number(numbers: Sequence[_Numbered]) -> Iterator[Conflict]:
    """Numbers and blocks of one length: each compared with the blocks that reach into it."""
    open_blocks: list[_Numbered] = []
    for span, item in sorted(numbers, key=lambda number: number[0]):
        open_blocks = [block for block in open_blocks if block[0].last >= span.first]
        yield from (
            _in_order(other, item) for _, other in open_blocks if _together(other.entry, item.entry)
        )
        open_blocks.append((span, item))


def _together(one: Entry, other: Entry) -> bool:
    """Whether both hold on one PBX at one time."""
    if one.pbx is not None and other.pbx is not None and one.pbx != other.pbx:
        return False
    starts = max(one.valid_from or _ALWAYS, other.valid_from or _ALWAYS)
    return starts < min(one.valid_until or _FOREVER, other.valid_until or _FOREVER)
