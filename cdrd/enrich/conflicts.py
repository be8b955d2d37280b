"""What cannot be true at once: one number, channel or code that two companies own at the same time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import NamedTuple

from cdrd.enrich.compiled import Profiles, canonical
from cdrd.enrich.listed import Listed
from cdrd.enrich.patterns import Span, parse_span
from cdrd.records import Company, CompanyId, Entry, EntryKind

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
    """Two entries that cannot both be true."""

    later: Listed
    earlier: Listed

    def words(self, where: str) -> str:
        """What is wrong, for the operator; `where` is the place of the earlier one."""
        entry, other = self.later.entry, self.earlier.entry
        what = _ONE_OWNER.get(entry.kind, "extension")
        if entry.company == other.company and entry.kind is other.kind:
            return f"{what} {entry.pattern!r} is listed twice, first at {where}"
        owner = other.company or "the PBX"
        return f"{what} {entry.pattern!r} belongs to {owner} at the same time, see {where}"


def find_conflicts(
    listed: Sequence[Listed], companies: Mapping[CompanyId, Company]
) -> Iterator[Conflict]:
    """Every conflict, each once."""
    profiles = Profiles([item.entry for item in listed], companies)
    names: defaultdict[tuple[str, str], list[Listed]] = defaultdict(list)
    spans: defaultdict[tuple[str, int], list[tuple[Span, Listed]]] = defaultdict(list)
    for item in listed:
        entry = item.entry
        if entry.kind is EntryKind.DID:
            span = canonical(entry, profiles.of(entry))
            spans["", len(span.first)].append((span, item))
        elif entry.kind is EntryKind.EXTENSION:
            span = parse_span(entry.pattern)
            spans[entry.company or "", len(span.first)].append((span, item))
        elif entry.kind in _ONE_OWNER:
            names[_ONE_OWNER[entry.kind], entry.pattern].append(item)
    for group in names.values():
        yield from _same_time(group)
    for numbers in spans.values():
        yield from _same_number(numbers)


def _same_time(group: Sequence[Listed]) -> Iterator[Conflict]:
    """Those of equal value: on each PBX, in the order of their dates, each compared with what still holds."""
    if len(group) < 2:  # noqa: PLR2004  one alone cannot collide
        return
    everywhere = [item for item in group if item.entry.pbx is None]
    told: set[tuple[int, int]] = set()
    for _, items in groupby(sorted(group, key=_pbx), key=_pbx):
        here = list(items)
        if here[0].entry.pbx is not None:
            here += everywhere
        yield from (c for c in _overlaps(here) if _news(c, told))


def _pbx(item: Listed) -> str:
    return item.entry.pbx or ""


def _news(conflict: Conflict, told: set[tuple[int, int]]) -> bool:
    pair = id(conflict.later), id(conflict.earlier)
    if pair in told:
        return False
    told.add(pair)
    return True


def _overlaps(items: Iterable[Listed]) -> Iterator[Conflict]:
    last: Listed | None = None
    for item in sorted(items, key=lambda item: item.entry.valid_from or _ALWAYS):
        if last is not None and (item.entry.valid_from or _ALWAYS) < _end(last):
            yield _in_order(last, item)
        if last is None or _end(item) > _end(last):
            last = item


def _end(item: Listed) -> datetime:
    return item.entry.valid_until or _FOREVER


def _in_order(one: Listed, other: Listed) -> Conflict:
    """The one that is written later in the file is told of, with the other as the reason."""
    earlier, later = sorted(
        (one, other), key=lambda item: [str(step).zfill(9) for step in item.place]
    )
    return Conflict(later, earlier)


def _same_number(numbers: Sequence[tuple[Span, Listed]]) -> Iterator[Conflict]:
    """Numbers and blocks of one length: each compared with the blocks that reach into it."""
    open_blocks: list[tuple[Span, Listed]] = []
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
