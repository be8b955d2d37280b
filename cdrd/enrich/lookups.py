"""The tables of a directory, asked for what may hold on a PBX at any time: the most specific first.

Owners remembers the answers, and chooses by the time of the leg.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from cdrd.enrich.channels import NAMED_TECHS, unmasked
from cdrd.enrich.compiled import Compiled
from cdrd.enrich.dialling import Dialling, cleaned, dialling_of
from cdrd.enrich.found import Account, Columns, Did, Feature, Party, PartyKind
from cdrd.owners import Company, Entry, EntryKind
from cdrd.records import CompanyId

Owner = CompanyId | None
"""A company; None for the PBX itself."""


class DatedParty(NamedTuple):
    """What a channel may belong to."""

    party: Party
    entry: Entry | None
    """Where its dates matter."""


class Lookups:
    """What the tables have of one PBX."""

    def __init__(self, pbx: str, companies: Mapping[CompanyId, Company], found: Compiled) -> None:
        self._pbx = pbx
        self._scopes = (pbx, None)
        self._companies = companies
        self._found = found
        self._parts = (found.pbxs.get("", {}), found.pbxs.get(pbx, {}) if pbx else {})
        """What is said of every PBX, then what is said of this one."""
        self._dids = [found.dids[scope] for scope in self._scopes if scope in found.dids]
        self._dialling: dict[Owner, Dialling] = {}

    def parties(self, name: str) -> tuple[DatedParty, ...]:
        """What a channel may belong to, the first that holds; the last always does."""
        base = unmasked(name)
        if base.startswith("Local/"):
            return (DatedParty(Party(PartyKind.LOCAL, base), None),)
        endpoint = base.partition("/")[2]
        found = [
            DatedParty(_party(base, entry, wild), _limits(entry))
            for value in (base, endpoint)
            for entry, wild in self._found.channels.find(self._scopes, value)
        ]
        return (*found, *self._named(base), DatedParty(Party(PartyKind.UNLISTED, base), None))

    def _named(self, base: str) -> list[DatedParty]:
        """A telephone that no pattern covers, with the name of an extension that only one company has."""
        tech, _, name = base.partition("/")
        found: list[DatedParty] = []
        for scope in self._scopes if tech in NAMED_TECHS else ():
            table = self._found.all_extensions.get(scope)
            for entry in table.find(name) if table is not None else ():
                if found and found[0].party.company != entry.company:
                    return []
                party = Party(PartyKind.STATION, base, entry.company, name)
                found.append(DatedParty(party, _limits(entry)))
        return found

    def contexts(self, context: str) -> tuple[Entry, ...]:
        """Who may own a dialplan context."""
        return tuple(found.item for found in self._found.contexts.find(self._scopes, context))

    def accounts(self, code: str) -> tuple[tuple[Account, Entry], ...]:
        """Whose account code it may be."""
        return tuple(
            (Account(entry.company, entry.detail.get("extension") or wild or None), entry)
            for entry, wild in self._found.accounts.find(self._scopes, code)
            if entry.company is not None
        )

    def dids(self, number: str) -> tuple[tuple[Did, Entry], ...]:
        """Whose public number it may be, in whatever way it is written."""
        number = cleaned(number)
        public, plus = self.dialling(None).e164(number) or number, "+" + number
        found: list[Entry] = []
        for table in self._dids:
            found += table.find(public)
        if public != plus:
            for table in self._dids:
                found += table.find(plus)
        return tuple(
            [(_did(entry, self.dialling(entry.company).written(number)), entry) for entry in found]
        )

    def prefixes(self, company: Owner) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
        """The longest first: entries where dates matter, else the prefixes that always hold."""
        found = [
            entry
            for scope in self._scopes
            for entry in self._found.prefixes.get((scope, company), ())
        ]
        found.sort(key=lambda entry: -len(entry.pattern))
        if any(_limits(entry) for entry in found):
            return tuple(found), ()
        return (), tuple(entry.pattern for entry in found)

    def features(self, company: Owner, dialled: str) -> tuple[tuple[Feature, Entry], ...]:
        """What may be asked for, where what a company's telephone dialled is a feature code."""
        pbx = self._pbx
        scopes = ((pbx, company), (None, company), (pbx, None), (None, None))
        return tuple(
            (Feature(str(entry.detail.get("feature", "other")), wild or None), entry)
            for entry, wild in self._found.features.find(scopes, dialled)
        )

    def dialling(self, company: Owner) -> Dialling:
        """How numbers are written there."""
        known = self._dialling.get(company)
        if known is None:
            owner = self._companies.get(company) if company else None
            own = owner.detail.get("dialling", {}) if owner else {}
            every, this = (part.get("dialling", {}) for part in self._parts)
            known = self._dialling[company] = dialling_of(every, this, own)
        return known

    def columns(self) -> Columns:
        """Where the PBX writes what Asterisk has no column for."""
        keys: dict[str, Any] = {}
        for part in self._parts:
            keys |= part.get("columns", {})
            keys |= {k: part[k] for k in ("trust_account_codes",) if k in part}
        return Columns(**keys)


def _limits(entry: Entry) -> Entry | None:
    """The entry, where its dates matter; None where it always holds: nothing to compare."""
    return entry if entry.valid_from or entry.valid_until else None


def _party(base: str, entry: Entry, wild: str) -> Party:
    if entry.kind is EntryKind.TRUNK:
        name = entry.detail.get("name") or base.partition("/")[2]
        return Party(PartyKind.TRUNK, base, entry.company, None, name)
    extension = entry.detail.get("extension") or _captured_extension(entry, wild)
    return Party(PartyKind.STATION, base, entry.company, extension)


def _captured_extension(entry: Entry, wild: str) -> str | None:
    return wild if wild and "{ext}" in entry.pattern else None


def _did(entry: Entry, written: str) -> Did:
    detail = entry.detail
    return Did(
        entry.company or CompanyId(""), written, detail.get("extension"), bool(detail.get("ivr"))
    )
