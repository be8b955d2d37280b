"""The directory, compiled: who owns a channel, a context, an account code or a number at an instant.

Every look-up takes the PBX and the time of the leg, costs the same whatever the size of the directory,
and answers with what is most specific: an exact name before a pattern, this PBX before every PBX.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from cdrd.enrich.channels import unmasked
from cdrd.enrich.compiled import Compiled, compile_entries, holds
from cdrd.enrich.dialling import Dialling, cleaned, dialling_of
from cdrd.enrich.found import NOBODY, Account, Columns, Did, Feature, Party, PartyKind
from cdrd.records import Company, CompanyId, DirectoryVersion, Entry, EntryKind

REMEMBERED = 1 << 16
"""Channels, contexts and numbers whose owners are remembered, so that memory does not grow with calls."""


class _DatedParty(NamedTuple):
    party: Party
    entry: Entry | None


class Directory:
    """Immutable; a new version is compiled beside it and takes its place."""

    def __init__(
        self, version: int, companies: Mapping[CompanyId, Company], found: Compiled
    ) -> None:
        self.version = version
        self.companies = companies
        self.agreements: Mapping[CompanyId | None, Mapping[str, str]] = {
            key: company.pays for key, company in companies.items() if company.pays
        }
        """Who pays instead, by situation, of the companies that agreed on something."""
        self._found = found
        self._parties = lru_cache(maxsize=REMEMBERED)(self._find_parties)
        self._contexts = lru_cache(maxsize=REMEMBERED)(self._find_contexts)
        self._accounts = lru_cache(maxsize=REMEMBERED)(self._find_accounts)
        self._prefixes = lru_cache(maxsize=REMEMBERED)(self._find_prefixes)
        self._features = lru_cache(maxsize=REMEMBERED)(self._find_features)
        self._dids = lru_cache(maxsize=REMEMBERED)(self._find_dids)
        self.dialling = lru_cache(maxsize=REMEMBERED)(self._dialling)
        self.columns = lru_cache(maxsize=REMEMBERED)(self._columns)

    @classmethod
    def compile(cls, version: DirectoryVersion) -> Directory:
        """Tables of everything in the version."""
        companies = {company.company: company for company in version.companies}
        return cls(version.version, companies, compile_entries(version.entries, companies))

    def party(self, pbx: str, channel: str, at: datetime) -> Party:
        """What a channel belongs to."""
        if not channel:
            return NOBODY
        cut = channel.rfind("-")
        for party, entry in self._parties(pbx, channel[:cut] if cut > 0 else channel):
            if entry is None or holds(entry, at):
                return party
        raise AssertionError("the last of the candidates always holds")

    def party_of_base(self, pbx: str, base: str, at: datetime) -> Party:
        """The same for a name without the number of the call, as Dial() has it."""
        return self.party(pbx, f"{base}-0", at)

    def _find_parties(self, pbx: str, name: str) -> tuple[_DatedParty, ...]:
        base = unmasked(name)
        if base.startswith("Local/"):
            return (_DatedParty(Party(PartyKind.LOCAL, base), None),)
        endpoint = base.partition("/")[2]
        found = [
            _DatedParty(_party(base, entry, wild), _limits(entry))
            for value in (base, endpoint)
            for entry, wild in self._found.channels.find((pbx, None), value)
        ]
        return (*found, _DatedParty(Party(PartyKind.UNLISTED, base), None))

    def context(self, pbx: str, context: str, at: datetime) -> Entry | None:
        """Who owns a dialplan context."""
        return _first(self._contexts(pbx, context), at)

    def _find_contexts(self, pbx: str, context: str) -> tuple[Entry, ...]:
        return tuple(found.item for found in self._found.contexts.find((pbx, None), context))

    def account(self, pbx: str, code: str, at: datetime) -> Account | None:
        """Whose account code it is, believed or not."""
        for account, entry in self._accounts(pbx, code):
            if holds(entry, at):
                return account
        return None

    def _find_accounts(self, pbx: str, code: str) -> tuple[tuple[Account, Entry], ...]:
        return tuple(
            (Account(entry.company, entry.detail.get("extension") or wild or None), entry)
            for entry, wild in self._found.accounts.find((pbx, None), code)
            if entry.company is not None
        )

    def did(self, pbx: str, number: str, at: datetime) -> Did | None:
        """Whose public number it is, in whatever way it is written."""
        for did, entry in self._dids(pbx, number):
            if holds(entry, at):
                return did
        return None

    def _find_dids(self, pbx: str, number: str) -> tuple[tuple[Did, Entry], ...]:
        number = cleaned(number)
        dialling = self._dialling(pbx, None)
        found = []
        for form in dict.fromkeys((dialling.e164(number) or number, f"+{number}")):
            for scope in (pbx, None):
                table = self._found.dids.get(scope)
                found += list(table.find(form)) if table else []
        return tuple(
            (_did(entry, self._dialling(pbx, entry.company).written(number)), entry)
            for entry in found
        )

    def owns_extension(self, pbx: str, company: CompanyId, extension: str, at: datetime) -> bool:
        """Whether the extension is one of the company's."""
        table = self._found.extensions.get(company)
        return table is not None and any(
            holds(entry, at) and entry.pbx in (None, pbx) for entry in table.find(extension)
        )

    def extension_owners(self, pbx: str, extension: str, at: datetime) -> tuple[CompanyId, ...]:
        """Who has such an extension: nobody, one company, or the first two of several."""
        owners: list[CompanyId] = []
        for entry in self._found.all_extensions.find(extension):
            if entry.pbx in (None, pbx) and entry.company not in owners and holds(entry, at):
                owners.append(entry.company)  # type: ignore[arg-type]  # extensions always have a company
                if len(owners) > 1:
                    break
        return tuple(owners)

    def default_company(self, pbx: str, at: datetime) -> CompanyId | None:
        """The company that unowned stations belong to."""
        return next(
            (
                entry.company
                for entry in self._found.defaults
                if entry.pbx in (None, pbx) and holds(entry, at)
            ),
            None,
        )

    def outside_prefixes(
        self, pbx: str, company: CompanyId | None, at: datetime
    ) -> tuple[str, ...]:
        """What is keyed before an outside number; a company's own list replaces that of the PBX."""
        for owner in (company, None):
            dated, prefixes = self._prefixes(pbx, owner)
            if dated:
                prefixes = tuple(e.pattern for e in dated if holds(e, at))
            if prefixes:
                return prefixes
        return ()

    def _find_prefixes(
        self, pbx: str, company: CompanyId | None
    ) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
        """The longest first: entries where dates matter, else the prefixes that always hold."""
        found = [e for scope in (pbx, None) for e in self._found.prefixes.get((scope, company), ())]
        found.sort(key=lambda entry: -len(entry.pattern))
        if any(_limits(entry) for entry in found):
            return tuple(found), ()
        return (), tuple(entry.pattern for entry in found)

    def feature(
        self, pbx: str, company: CompanyId | None, dialled: str, at: datetime
    ) -> Feature | None:
        """What was asked for, where what was dialled is a feature code."""
        for feature, entry in self._features(pbx, company, dialled):
            if holds(entry, at):
                return feature
        return None

    def _find_features(
        self, pbx: str, company: CompanyId | None, dialled: str
    ) -> tuple[tuple[Feature, Entry], ...]:
        scopes = ((pbx, company), (None, company), (pbx, None), (None, None))
        return tuple(
            (Feature(str(entry.detail.get("feature", "other")), wild or None), entry)
            for entry, wild in self._found.features.find(scopes, dialled)
        )

    def _dialling(self, pbx: str, company: CompanyId | None) -> Dialling:
        owner = self.companies.get(company) if company else None
        own = owner.detail.get("dialling", {}) if owner else {}
        return dialling_of(*(part.get("dialling", {}) for part in self._parts(pbx)), own)

    def _columns(self, pbx: str) -> Columns:
        keys: dict[str, Any] = {}
        for part in self._parts(pbx):
            keys |= part.get("columns", {})
            keys |= {k: part[k] for k in ("trust_account_codes",) if k in part}
        return Columns(**keys)

    def _parts(self, pbx: str) -> tuple[Mapping[str, Any], ...]:
        """What is said of every PBX, then what is said of this one."""
        return self._found.pbxs.get("", {}), self._found.pbxs.get(pbx, {}) if pbx else {}


def _limits(entry: Entry) -> Entry | None:
    """The entry, where its dates matter; None where it always holds: nothing to compare."""
    return entry if entry.valid_from or entry.valid_until else None


def _first(entries: tuple[Entry, ...], at: datetime) -> Entry | None:
    for entry in entries:
        if holds(entry, at):
            return entry
    return None


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
