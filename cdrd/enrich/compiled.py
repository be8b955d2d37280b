"""Entries become tables, once for each version of the directory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cdrd.enrich.dialling import Dialling, cleaned, dialling_of
from cdrd.enrich.patterns import Span, parse_pattern, parse_span
from cdrd.enrich.tables import NumberTable, PatternTable
from cdrd.owners import Company, Entry, EntryKind
from cdrd.records import CompanyId

_STEP = 250
"""Entries that are put in their tables in about a millisecond."""
MOST_SPELLED_OUT = 10_000
"""Codes of a span such as >200-299 are spelled out; a longer span is refused when it is read."""


def holds(entry: Entry, at: datetime) -> bool:
    """Whether the entry is true at the instant: from `from` on, and at `until` no longer."""
    if entry.valid_from is not None and at < entry.valid_from:
        return False
    return entry.valid_until is None or at < entry.valid_until


@dataclass(slots=True)
class Compiled:
    """The tables. Nothing changes them once they are filled."""

    channels: PatternTable[Entry] = field(default_factory=PatternTable)
    contexts: PatternTable[Entry] = field(default_factory=PatternTable)
    accounts: PatternTable[Entry] = field(default_factory=PatternTable)
    features: PatternTable[Entry] = field(default_factory=PatternTable)
    dids: dict[str | None, NumberTable[Entry]] = field(default_factory=dict)
    extensions: dict[CompanyId, NumberTable[Entry]] = field(default_factory=dict)
    all_extensions: dict[str | None, NumberTable[Entry]] = field(default_factory=dict)
    """By PBX: of two PBXs each may have thousands of companies with a 101."""
    prefixes: dict[tuple[str | None, CompanyId | None], list[Entry]] = field(default_factory=dict)
    defaults: list[Entry] = field(default_factory=list)
    pbxs: dict[str, Mapping[str, Any]] = field(default_factory=dict)


def compile_entries(entries: Sequence[Entry], companies: Mapping[CompanyId, Company]) -> Compiled:
    """Every entry in its table."""
    found = Compiled()
    for _ in fill(found, entries, companies):
        pass
    return found


def fill(
    found: Compiled, entries: Sequence[Entry], companies: Mapping[CompanyId, Company]
) -> Iterator[None]:
    """The same in steps, between which whoever has other things to do does them."""
    pbxs: list[Entry] = []
    for step in _steps(entries):
        pbxs += [entry for entry in step if entry.kind is EntryKind.PBX]
        yield
    profiles = Profiles(pbxs, companies)
    for step in _steps(entries):
        for entry in step:
            _ADD[entry.kind](found, entry, profiles)
        yield


def _steps(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    return (entries[first : first + _STEP] for first in range(0, len(entries), _STEP))


class Profiles:
    """The dialling profiles that the numbers of entries are read with."""

    def __init__(self, entries: Iterable[Entry], companies: Mapping[CompanyId, Company]) -> None:
        self._pbxs = {
            e.pbx or "": e.detail.get("dialling", {}) for e in entries if e.kind is EntryKind.PBX
        }
        self._companies = companies
        self._known: dict[tuple[str | None, CompanyId | None], Dialling] = {}

    def of(self, entry: Entry) -> Dialling:
        """The profile of the entry's company on its PBX."""
        key = entry.pbx, entry.company
        if key not in self._known:
            company = self._companies.get(entry.company) if entry.company else None
            own = company.detail.get("dialling", {}) if company else {}
            pbx = self._pbxs.get(entry.pbx, {}) if entry.pbx else {}
            self._known[key] = dialling_of(self._pbxs.get("", {}), pbx, own)
        return self._known[key]


def canonical(entry: Entry, dialling: Dialling) -> Span:
    """The numbers of a DID entry as +441908555101, where the profile knows how; else as they are written."""
    number = entry.pattern
    if number.isdigit():  # as nearly all are
        number = dialling.e164(number) or number
        return Span(number, number)
    span = parse_span(cleaned(number))
    first = dialling.e164(span.first) or span.first
    return Span(first, first if span.first == span.last else dialling.e164(span.last) or span.last)


def spelled_out(code: str) -> Iterable[str]:
    """`>200-299` as its codes, anything else as it is."""
    lead = ">" if code.startswith(">") else ""
    try:
        span = parse_span(code.removeprefix(lead))
    except ValueError:
        return (code,)
    if span.first == span.last or not span.first.isdigit():
        return (code,)
    width = len(span.first)
    return (f"{lead}{n:0{width}}" for n in range(int(span.first), int(span.last) + 1))


def _channel(found: Compiled, entry: Entry, _: Profiles) -> None:
    found.channels.add(entry.pbx, parse_pattern(entry.pattern), entry)


def _context(found: Compiled, entry: Entry, _: Profiles) -> None:
    found.contexts.add(entry.pbx, parse_pattern(entry.pattern), entry)


def _account(found: Compiled, entry: Entry, _: Profiles) -> None:
    if not entry.pattern.startswith(">"):
        found.accounts.add(entry.pbx, parse_pattern(entry.pattern), entry)
        return
    for code in spelled_out(entry.pattern):
        named = (
            entry._replace(detail={"extension": code[1:], **entry.detail})
            if "{" not in code
            else entry
        )
        found.accounts.add(entry.pbx, parse_pattern(code), named)


def _feature(found: Compiled, entry: Entry, _: Profiles) -> None:
    for code in spelled_out(entry.pattern):
        scope = entry.pbx, entry.company
        found.features.add(scope, parse_pattern(code, star_is_a_key=True), entry)


def _did(found: Compiled, entry: Entry, profiles: Profiles) -> None:
    table = found.dids.setdefault(entry.pbx, NumberTable())
    table.add(canonical(entry, profiles.of(entry)), entry)


def _extension(found: Compiled, entry: Entry, _: Profiles) -> None:
    if entry.company is None:
        return
    span = parse_span(entry.pattern)
    found.extensions.setdefault(entry.company, NumberTable()).add(span, entry)
    found.all_extensions.setdefault(entry.pbx, NumberTable()).add(span, entry)


def _prefix(found: Compiled, entry: Entry, _: Profiles) -> None:
    found.prefixes.setdefault((entry.pbx, entry.company), []).append(entry)


def _default(found: Compiled, entry: Entry, _: Profiles) -> None:
    found.defaults.append(entry)


def _pbx(found: Compiled, entry: Entry, _: Profiles) -> None:
    found.pbxs[entry.pbx or ""] = entry.detail


_ADD = {
    EntryKind.ENDPOINT: _channel,
    EntryKind.TRUNK: _channel,
    EntryKind.CONTEXT: _context,
    EntryKind.ACCOUNT_CODE: _account,
    EntryKind.FEATURE_CODE: _feature,
    EntryKind.DID: _did,
    EntryKind.EXTENSION: _extension,
    EntryKind.OUTSIDE_PREFIX: _prefix,
    EntryKind.UNOWNED: _default,
    EntryKind.PBX: _pbx,
}
