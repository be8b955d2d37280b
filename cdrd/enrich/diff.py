"""What changes between two versions of the directory, for the operator to read before it is applied."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from cdrd.enrich.printable import printable
from cdrd.records import Company, CompanyId, DirectoryVersion, Entry

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


class DirectoryDiff(NamedTuple):
    """Every change, by company, in an order that does not depend on that of the file."""

    changes: Sequence[Change]

    def count(self, kind: ChangeKind) -> int:
        """How many changes are of the kind."""
        return sum(change.kind is kind for change in self.changes)


def diff_directories(old: DirectoryVersion | None, new: DirectoryVersion) -> DirectoryDiff:
    """What applying `new` after `old` changes; None is the directory before the first."""
    changes = [
        *_company_changes(old.companies if old else (), new.companies),
        *_entry_changes(old.entries if old else (), new.entries),
    ]
    return DirectoryDiff(tuple(sorted(changes, key=_order)))


def render_diff(diff: DirectoryDiff) -> Iterator[str]:
    """Lines for a terminal: the changes below their company, then the counts."""
    heading: str | None = None
    for change in diff.changes:
        company = printable(change.company or "shared by all companies")
        if company != heading:
            heading = company
            yield company
        yield "  " + printable(_sentence(change))
    if not diff.changes:
        yield "nothing changes"
        return
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


def _entry_changes(old: Iterable[Entry], new: Iterable[Entry]) -> Iterator[Change]:
    before, after = _by_identity(old), _by_identity(new)
    for identity in before.keys() | after.keys():
        was, now = before.get(identity, Counter()), after.get(identity, Counter())
        if was != now:
            yield from _differences(identity, was - now, now - was)


def _by_identity(entries: Iterable[Entry]) -> Mapping[_Identity, Counter[str]]:
    found: defaultdict[_Identity, Counter[str]] = defaultdict(Counter)
    for entry in entries:
        identity = entry.company or "", entry.kind.value, entry.pattern, entry.pbx or ""
        found[identity][_entry_text(entry)] += 1
    return found


def _differences(identity: _Identity, gone: Counter[str], come: Counter[str]) -> Iterator[Change]:
    company = CompanyId(identity[0]) if identity[0] else None
    what = _what(identity)
    if gone.total() == come.total() == 1:
        yield Change(company, ChangeKind.CHANGED, what, *gone, *come)
        return
    yield from (Change(company, ChangeKind.REMOVED, what, before=text) for text in gone.elements())
    yield from (Change(company, ChangeKind.ADDED, what, after=text) for text in come.elements())


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
