"""What changes between two versions of the directory, for the operator to read before it is applied."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from datetime import datetime
from enum import StrEnum
from heapq import nsmallest
from itertools import chain
from typing import Any, NamedTuple

from cdrd.enrich.printable import printable
from cdrd.owners import Company, DirectoryVersion, Entry
from cdrd.records import CompanyId

_Identity = tuple[str, str, str, str]


class ChangeKind(StrEnum):
    """What happened; the values are the marks of the rendered lines."""

    ADDED = "+"
    REMOVED = "-"
    CHANGED = "~"


class Change(NamedTuple):
    """One thing that is different."""

    company: CompanyId | None
    """None for what the whole PBX shares."""
    kind: ChangeKind
    what: str
    """`company`, or the entry: `did 01908555101 on hq`."""
    before: str = ""
    after: str = ""


MOST_SHOWN = 200
"""Changes that are shown one by one; more are summed up by what they are."""


class DirectoryDiff(NamedTuple):
    """The changes by company, in an order that does not depend on that of the file."""

    changes: Sequence[Change]
    """The first of them; there may be a million."""
    counts: Counter[tuple[ChangeKind, str]]
    """All of them, by kind and by what is different: `company`, `did`, `extension` …"""

    def count(self, kind: ChangeKind) -> int:
        """How many changes are of the kind."""
        return sum(count for (one, _), count in self.counts.items() if one is kind)


def diff_directories(old: DirectoryVersion | None, new: DirectoryVersion) -> DirectoryDiff:
    """What applying `new` after `old` changes; None is the directory before the first."""
    changes = list(_company_changes(old.companies if old else (), new.companies))
    different = _different(old.entries if old else (), new.entries)
    first = nsmallest(MOST_SHOWN + 1, different)
    changes += chain.from_iterable(_differences(one, *different[one]) for one in first)
    counts = Counter((change.kind, "company") for change in changes if change.what == "company")
    for (_, kind, *_), (gone, come) in different.items():
        pairs = len(gone) == len(come) == 1
        for what, count in zip(ChangeKind, _of_each_kind(gone, come, pairs=pairs), strict=True):
            counts[what, kind.replace("_", " ")] += count
    return DirectoryDiff(tuple(sorted(changes, key=_order)), +counts)


def _of_each_kind(gone: Sized, come: Sized, *, pairs: bool) -> tuple[int, int, int]:
    """How many were added, removed and changed."""
    return (0, 0, 1) if pairs else (len(come), len(gone), 0)


def render_diff(diff: DirectoryDiff) -> Iterator[str]:
    """Lines for a terminal: the changes below their company, then the counts."""
    heading: str | None = None
    for change in diff.changes[:MOST_SHOWN]:
        company = printable(change.company or "shared by all companies")
        if company != heading:
            heading = company
            yield company
        yield "  " + printable(_sentence(change))
    if not diff.changes:
        yield "nothing changes"
        return
    if diff.counts.total() > MOST_SHOWN:
        yield f"and {diff.counts.total() - MOST_SHOWN:,} more; together:"
        for (kind, what), count in sorted(diff.counts.items(), key=lambda counted: counted[0][1]):
            yield f"  {kind} {what}: {count:,}"
    added, removed, changed = (diff.count(kind) for kind in ChangeKind)
    yield f"{added} added, {removed} removed, {changed} changed"


def _sentence(change: Change) -> str:
    if change.kind is ChangeKind.CHANGED:
        return f"~ {change.what}: {change.before or 'nothing'} → {change.after or 'nothing'}"
    says = change.after or change.before
    return f"{change.kind} {change.what}" + (f": {says}" if says else "")


def _order(change: Change) -> tuple[bool, str, bool, str, str]:
    """Shared things first, then each company: itself before what it has."""
    company = change.company or ""
    return (company != "", company, change.what != "company", change.what, change.kind)


def _company_changes(old: Iterable[Company], new: Iterable[Company]) -> Iterator[Change]:
    before = {company.company: _company_text(company) for company in old}
    after = {company.company: _company_text(company) for company in new}
    for key in before.keys() | after.keys():
        was, now = before.get(key), after.get(key)
        if was != now:
            kind = _kind(was, now)
            yield Change(key, kind, "company", was or "", now or "")


def _kind(was: str | None, now: str | None) -> ChangeKind:
    if was is None:
        return ChangeKind.ADDED
    return ChangeKind.REMOVED if now is None else ChangeKind.CHANGED


def _company_text(company: Company) -> str:
    said = {"name": company.name, "billing_group": company.billing_group}
    return _said({**said, "pays": company.pays, **company.detail})


def _different(
    old: Iterable[Entry], new: Iterable[Entry]
) -> dict[_Identity, tuple[list[Entry], list[Entry]]]:
    """The entries that are gone and that have come, by their identity. What is equal costs one look-up."""
    gone: dict[_Identity, list[Entry]] = {}
    for entry in old:
        gone.setdefault(_identity(entry), []).append(entry)
    come: dict[_Identity, list[Entry]] = {}
    for entry in new:
        identity = _identity(entry)
        there = gone.get(identity)
        if there is None or entry not in there:
            come.setdefault(identity, []).append(entry)
        elif len(there) == 1:
            del gone[identity]
        else:
            there.remove(entry)
    return {one: (gone.get(one, []), come.get(one, [])) for one in gone.keys() | come.keys()}


def _identity(entry: Entry) -> _Identity:
    return entry.company or "", entry.kind.value, entry.pattern, entry.pbx or ""


def _differences(
    identity: _Identity, gone: Iterable[Entry], come: Iterable[Entry]
) -> Iterator[Change]:
    company = CompanyId(identity[0]) if identity[0] else None
    what, before, after = _what(identity), [*map(_entry_text, gone)], [*map(_entry_text, come)]
    if len(before) == len(after) == 1:
        yield Change(company, ChangeKind.CHANGED, what, *before, *after)
        return
    yield from (Change(company, ChangeKind.REMOVED, what, before=text) for text in before)
    yield from (Change(company, ChangeKind.ADDED, what, after=text) for text in after)


def _what(identity: _Identity) -> str:
    _, kind, pattern, pbx = identity
    return f"{kind.replace('_', ' ')} {pattern}" + (f" on {pbx}" if pbx else "")


def _entry_text(entry: Entry) -> str:
    dates = {"from": _moment(entry.valid_from), "until": _moment(entry.valid_until)}
    return _said({**entry.detail, **dates})


def _moment(at: datetime | None) -> str | None:
    return at.isoformat(timespec="minutes") if at else None


def _said(keys: Mapping[str, Any]) -> str:
    """`extension 101, from 2026-04-01T00:00+00:00`: what is given, in a fixed order."""
    return ", ".join(f"{key} {_value(keys[key])}" for key in sorted(keys) if keys[key])


def _value(value: Any) -> str:
    return (
        value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    )
