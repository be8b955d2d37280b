"""What a directory does not say of companies, so that less is known of their calls: told, and no mistake."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence

from cdrd.enrich.patterns import parse_span
from cdrd.enrich.printable import printable
from cdrd.enrich.tables import NumberTable
from cdrd.owners import Entry, EntryKind
from cdrd.records import CompanyId

_MOST_NAMED = 5
"""Companies that are named of those with the same gap; the others are counted."""

_Where = tuple[CompanyId | None, str | None]
"""A company, or what all share; on one PBX or on all."""


def find_gaps(entries: Sequence[Entry]) -> Iterator[str]:
    """A sentence for each kind of gap, with the companies that have it."""
    owned = _Owned(entries)
    yield from _told(
        owned.without(EntryKind.EXTENSION),
        "no extensions: who of them calls, and whom they dial, is known only where an endpoint says it",
    )
    yield from _told(
        _mistakable(entries, owned.without(EntryKind.ENDPOINT)),
        "no endpoints, and extensions that others have, too: no telephone's name tells whose it is",
    )
    yield from _told(
        owned.without(EntryKind.CONTEXT),
        "no contexts: of a call from outside that no telephone takes, only channel events (CEL)"
        " may tell whose it is",
    )
    if owned.anybody_has(EntryKind.OUTSIDE_PREFIX):
        yield from _told(
            owned.without(EntryKind.OUTSIDE_PREFIX),
            "no outside prefix, which others have: one that is dialled is shown as part of the number",
        )
    if owned.anybody_has(EntryKind.DID) and not owned.anybody_has(EntryKind.TRUNK):
        yield (
            "public numbers, and no trunks: a line to the outside is taken for a telephone that nobody owns"
        )


class _Owned:
    """Which kinds of entries there are of whom, and where."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._places: defaultdict[EntryKind, set[_Where]] = defaultdict(set)
        for entry in entries:
            self._places[entry.kind].add((entry.company, entry.pbx))
        places = set().union(*self._places.values())
        narrow = {company for company, pbx in places if pbx is not None}
        unowned = {company for company, _ in self._places[EntryKind.UNOWNED]}
        self._asked = [
            (company, pbx)
            for company, pbx in sorted(places, key=_named)
            if company is not None
            and company not in unowned
            and (pbx is not None or company not in narrow)
        ]
        """Each company on each of its PBXs, but for the one that has what nobody owns."""

    def anybody_has(self, kind: EntryKind) -> bool:
        """Whether there are any."""
        return bool(self._places[kind])

    def without(self, kind: EntryKind) -> list[_Where]:
        """Who has none of them there, nor shares any."""
        there = self._places[kind]
        return [
            (company, pbx)
            for company, pbx in self._asked
            if there.isdisjoint(((company, pbx), (company, None), (None, pbx), (None, None)))
        ]


def _mistakable(entries: Iterable[Entry], places: Collection[_Where]) -> list[_Where]:
    """Those who have an extension that another company on the same PBX has as well."""
    if not places:
        return []
    table: NumberTable[Entry] = NumberTable()
    firsts = set()
    for entry in entries:
        if entry.kind is EntryKind.EXTENSION:
            span = parse_span(entry.pattern)
            table.add(span, entry)
            firsts.add(span.first)
    # where two blocks overlap, one of them begins in the other
    shared = set().union(*(_together(table.find(number)) for number in firsts))
    return [where for where in places if where[0] in shared]


def _together(entries: Iterable[Entry]) -> set[CompanyId | None]:
    """The companies of entries with one number that are not alone with it on a PBX."""
    at: defaultdict[str | None, set[CompanyId | None]] = defaultdict(set)
    for entry in entries:
        at[entry.pbx].add(entry.company)
    everywhere = at[None]
    found: set[CompanyId | None] = set()
    for companies in at.values():
        if len(companies | everywhere) > 1:
            found |= companies | everywhere
    return found


def _named(where: _Where) -> str:
    company, pbx = where
    return f"{company} on {pbx}" if pbx else str(company)


def _told(places: Sequence[_Where], gap: str) -> Iterator[str]:
    if places:
        named = ", ".join(printable(_named(where)) for where in places[:_MOST_NAMED])
        more = f" and {len(places) - _MOST_NAMED:,} more" if len(places) > _MOST_NAMED else ""
        yield f"{gap} ({named}{more})"
