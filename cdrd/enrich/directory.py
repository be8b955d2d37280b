"""The directory, compiled: who owns a channel, a context, an account code or a number at an instant.

Every look-up is for the PBX and the time of the leg, costs the same whatever the size of the directory,
and answers with what is most specific: an exact name before a pattern, this PBX before every PBX.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

from cdrd.enrich.compiled import Compiled, compile_entries, holds
from cdrd.enrich.dialling import Dialling
from cdrd.enrich.found import NOBODY, Account, Did, Feature, Party
from cdrd.enrich.lookups import DatedParty, Lookups, Owner
from cdrd.owners import Company, DirectoryVersion, Entry
from cdrd.records import CompanyId

REMEMBERED: Final = 1 << 15
"""Channels, contexts, numbers and what else was asked for whose owners are remembered, of all PBXs together,
so that memory does not grow with calls."""

Name = TypeVar("Name")
Answer = TypeVar("Answer")


class _Memory:
    """The answers of all PBXs; when they become too many, it begins anew."""

    __slots__ = ("_count", "_tables")

    def __init__(self) -> None:
        self._tables: list[dict[Any, Any]] = []
        self._count = 0

    def table(self) -> dict[Any, Any]:
        """For the answers to one question."""
        table: dict[Any, Any] = {}
        self._tables.append(table)
        return table

    def keep(self, table: dict[Name, Answer], name: Name, answer: Answer) -> Answer:
        """The answer, remembered."""
        if self._count >= REMEMBERED:
            for full in self._tables:
                full.clear()
            self._count = 0
        table[name] = answer
        self._count += 1
        return answer


class Owners:
    """Who owns what on one PBX."""

    def __init__(self, lookups: Lookups, found: Compiled, pbx: str, memory: _Memory) -> None:
        self._lookups = lookups
        self._found = found
        self._pbx = pbx
        self._memory = memory
        self.columns = lookups.columns()
        """Where the PBX writes what Asterisk has no column for."""
        self._parties: dict[str, tuple[DatedParty, ...]] = memory.table()
        self._contexts: dict[str, tuple[Entry, ...]] = memory.table()
        self._accounts: dict[str, tuple[tuple[Account, Entry], ...]] = memory.table()
        self._dids: dict[str, tuple[tuple[Did, Entry], ...]] = memory.table()
        self._prefixes: dict[Owner, tuple[tuple[Entry, ...], tuple[str, ...]]] = memory.table()
        self._features: dict[Owner, dict[str, tuple[tuple[Feature, Entry], ...]]] = {}

    def dialling(self, company: CompanyId | None) -> Dialling:
        """How numbers are written there."""
        return self._lookups.dialling(company)

    def party(self, channel: str, at: datetime) -> Party:
        """What a channel belongs to."""
        if not channel:
            return NOBODY
        cut = channel.rfind("-")
        return self.party_of_base(channel[:cut] if cut > 0 else channel, at)

    def party_of_base(self, base: str, at: datetime) -> Party:
        """The same for a name without the number of the call, as Dial() has it."""
        parties = self._parties.get(base)
        if parties is None:
            parties = self._memory.keep(self._parties, base, self._lookups.parties(base))
        for party, entry in parties:
            if entry is None or holds(entry, at):
                return party
        raise AssertionError("the last of the candidates always holds")

    def context(self, context: str, at: datetime) -> Entry | None:
        """Who owns a dialplan context."""
        entries = self._contexts.get(context)
        if entries is None:
            entries = self._memory.keep(self._contexts, context, self._lookups.contexts(context))
        for entry in entries:
            if holds(entry, at):
                return entry
        return None

    def account(self, code: str, at: datetime) -> Account | None:
        """Whose account code it is, believed or not."""
        accounts = self._accounts.get(code)
        if accounts is None:
            accounts = self._memory.keep(self._accounts, code, self._lookups.accounts(code))
        for account, entry in accounts:
            if holds(entry, at):
                return account
        return None

    def did(self, number: str, at: datetime) -> Did | None:
        """Whose public number it is, in whatever way it is written."""
        dids = self._dids.get(number)
        if dids is None:
            dids = self._memory.keep(self._dids, number, self._lookups.dids(number))
        for did, entry in dids:
            if holds(entry, at):
                return did
        return None

    def owns_extension(self, company: CompanyId, extension: str, at: datetime) -> bool:
        """Whether the extension is one of the company's."""
        table = self._found.extensions.get(company)
        if table is None:
            return False
        for entry in table.find(extension):
            if (entry.pbx is None or entry.pbx == self._pbx) and holds(entry, at):
                return True
        return False

    def extension_owners(self, extension: str, at: datetime) -> tuple[CompanyId, ...]:
        """Who has such an extension: nobody, one company, or the first two of several."""
        owners: list[CompanyId] = []
        for scope in (None, self._pbx):
            table = self._found.all_extensions.get(scope)
            for entry in table.find(extension) if table else ():
                if entry.company not in owners and holds(entry, at):
                    owners.append(entry.company)  # type: ignore[arg-type]  # extensions always have a company
                    if len(owners) > 1:
                        return tuple(owners)
        return tuple(owners)

    def default_company(self, at: datetime) -> CompanyId | None:
        """The company that unowned stations belong to."""
        for entry in self._found.defaults:
            if (entry.pbx is None or entry.pbx == self._pbx) and holds(entry, at):
                return entry.company
        return None

    def outside_prefixes(self, company: CompanyId | None, at: datetime) -> tuple[str, ...]:
        """What is keyed before an outside number; a company's own list replaces that of the PBX."""
        found = self._prefixes.get(company)
        if found is None:
            found = self._memory.keep(self._prefixes, company, self._lookups.prefixes(company))
        dated, prefixes = found
        if dated:
            prefixes = tuple([entry.pattern for entry in dated if holds(entry, at)])
        if not prefixes and company is not None:
            return self.outside_prefixes(None, at)
        return prefixes

    def feature(self, company: CompanyId | None, dialled: str, at: datetime) -> Feature | None:
        """What was asked for, where what was dialled is a feature code."""
        known = self._features.get(company)
        if known is None:
            known = self._features[company] = self._memory.table()
        features = known.get(dialled)
        if features is None:
            features = self._memory.keep(known, dialled, self._lookups.features(company, dialled))
        for feature, entry in features:
            if holds(entry, at):
                return feature
        return None


class Directory:
    """Immutable; a new version is compiled beside it and takes its place."""

    def __init__(
        self, version: int, companies: Mapping[CompanyId, Company], found: Compiled
    ) -> None:
        self.version = version
        self.companies = companies
        self.agreements: dict[CompanyId | None, Mapping[str, str]] = {
            key: company.pays for key, company in companies.items() if company.pays
        }
        """Who pays instead, by situation, of the companies that agreed on something."""
        self._found = found
        self._memory = _Memory()
        self._owners: dict[str, Owners] = {}

    @classmethod
    def compile(cls, version: DirectoryVersion) -> Directory:
        """Tables of everything in the version."""
        companies = {company.company: company for company in version.companies}
        return cls(version.version, companies, compile_entries(version.entries, companies))

    def on(self, pbx: str) -> Owners:
        """Who owns what there."""
        owners = self._owners.get(pbx)
        if owners is None:
            lookups = Lookups(pbx, self.companies, self._found)
            owners = self._owners[pbx] = Owners(lookups, self._found, pbx, self._memory)
        return owners
