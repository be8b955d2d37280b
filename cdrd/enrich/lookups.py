"""The tables of a directory, asked for everything that may hold, whenever: the most specific first.

Directory remembers the answers, and chooses by the time of the leg.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from cdrd.enrich.channels import unmasked
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
    """Not part of Directory, so that nothing refers in a circle: with its last user all of it is gone."""

    def __init__(self, companies: Mapping[CompanyId, Company], found: Compiled) -> None:
        self._companies = companies
        self._found = found
        self._dialling: dict[str, dict[Owner, Dialling]] = {}
        self._columns: dict[str, Columns] = {}

    def parties(self, pbx: str, name: str) -> tuple[DatedParty, ...]:
        """What a channel may belong to, the first that holds; the last always does."""
        base = unmasked(name)
        if base.startswith("Local/"):
            return (DatedParty(Party(PartyKind.LOCAL, base), None),)
        endpoint = base.partition("/")[2]
        found = [
            DatedParty(_party(base, entry, wild), _limits(entry))
            for value in (base, endpoint)
            for entry, wild in self._found.channels.find((pbx, None), value)
        ]
        return (*found, DatedParty(Party(PartyKind.UNLISTED, base), None))

    def contexts(self, pbx: str, context: str) -> tuple[Entry, ...]:
        """Who may own a dialplan context."""
        return tuple(found.item for found in self._found.contexts.find((pbx, None), context))

    def accounts(self, pbx: str, code: str) -> tuple[tuple[Account, Entry], ...]:
        """Whose account code it may be."""
        return tuple(
            (Account(entry.company, entry.detail.get("extension") or wild or None), entry)
            for entry, wild in self._found.accounts.find((pbx, None), code)
            if entry.company is not None
        )

    def dids(self, pbx: str, number: str) -> tuple[tuple[Did, Entry], ...]:
        """Whose public number it may be, in whatever way it is written."""
        number = cleaned(number)
        dialling = self.dialling(pbx, None)
        found: list[Entry] = []
        for form in dict.fromkeys((dialling.e164(number) or number, f"+{number}")):
            for scope in (pbx, None):
                table = self._found.dids.get(scope)
                if table is not None:
                    found += table.find(form)
        return tuple(
            (_did(entry, self.dialling(pbx, entry.company).written(number)), entry)
            for entry in found
        )

    def prefixes(self, pbx: str, company: Owner) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
        """The longest first: entries where dates matter, else the prefixes that always hold."""
        found = [e for scope in (pbx, None) for e in self._found.prefixes.get((scope, company), ())]
        found.sort(key=lambda entry: -len(entry.pattern))
        if any(_limits(entry) for entry in found):
            return tuple(found), ()
        return (), tuple(entry.pattern for entry in found)

    def features(self, pbx: str, code: tuple[Owner, str]) -> tuple[tuple[Feature, Entry], ...]:
        """What may be asked for, where what a company's telephone dialled is a feature code."""
        company, dialled = code
        scopes = ((pbx, company), (None, company), (pbx, None), (None, None))
        return tuple(
            (Feature(str(entry.detail.get("feature", "other")), wild or None), entry)
            for entry, wild in self._found.features.find(scopes, dialled)
        )

    def dialling(self, pbx: str, company: Owner) -> Dialling:
        """How numbers are written there."""
        of_pbx = self._dialling.get(pbx)
        if of_pbx is None:
            of_pbx = self._dialling[pbx] = {}
        known = of_pbx.get(company)
        if known is None:
            owner = self._companies.get(company) if company else None
            own = owner.detail.get("dialling", {}) if owner else {}
            every, this = (part.get("dialling", {}) for part in self._parts(pbx))
            known = of_pbx[company] = dialling_of(every, this, own)
        return known

    def columns(self, pbx: str) -> Columns:
        """Where the PBX writes what Asterisk has no column for."""
        known = self._columns.get(pbx)
        if known is None:
            keys: dict[str, Any] = {}
            for part in self._parts(pbx):
                keys |= part.get("columns", {})
                keys |= {k: part[k] for k in ("trust_account_codes",) if k in part}
            known = self._columns[pbx] = Columns(**keys)
        return known

    def _parts(self, pbx: str) -> tuple[Mapping[str, Any], ...]:
        """What is said of every PBX, then what is said of this one."""
        return self._found.pbxs.get("", {}), self._found.pbxs.get(pbx, {}) if pbx else {}


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
