"""The directory, compiled: who owns a channel, a context, an account code or a number at an instant.

Every look-up takes the PBX and the time of the leg, costs the same whatever the size of the directory,
and answers with what is most specific: an exact name before a pattern, this PBX before every PBX.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, Generic, TypeVar

from cdrd.enrich.compiled import Compiled, compile_entries, holds
from cdrd.enrich.dialling import Dialling
from cdrd.enrich.found import NOBODY, Account, Columns, Did, Feature, Party
from cdrd.enrich.lookups import Lookups
from cdrd.owners import Company, DirectoryVersion, Entry
from cdrd.records import CompanyId

REMEMBERED: Final = 1 << 14
"""Channels, contexts and numbers whose owners are remembered, of all PBXs together, so that memory does not
grow with calls."""

Name = TypeVar("Name")
Answer = TypeVar("Answer")


class _Remembered(Generic[Name, Answer]):
    """The answers to what was asked of each PBX; when they become too many, it begins anew."""

    __slots__ = ("_answers", "_ask", "_count")

    def __init__(self, ask: Callable[[str, Name], Answer]) -> None:
        self._ask = ask
        self._answers: dict[str, dict[Name, Answer]] = {}
        self._count = 0

    def to(self, pbx: str, name: Name) -> Answer:
        """The answer, remembered or looked up."""
        answers = self._answers.get(pbx)
        answer = None if answers is None else answers.get(name)
        if answer is None:
            answer = self._ask(pbx, name)
            self._remember(pbx, name, answer)
        return answer

    def _remember(self, pbx: str, name: Name, answer: Answer) -> None:
        if self._count >= REMEMBERED:
            self._answers.clear()
            self._count = 0
        self._answers.setdefault(pbx, {})[name] = answer
        self._count += 1


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
        self._lookups = lookups = Lookups(companies, found)
        self._parties = _Remembered(lookups.parties)
        self._contexts = _Remembered(lookups.contexts)
        self._accounts = _Remembered(lookups.accounts)
        self._prefixes = _Remembered(lookups.prefixes)
        self._features = _Remembered(lookups.features)
        self._dids = _Remembered(lookups.dids)

    @classmethod
    def compile(cls, version: DirectoryVersion) -> Directory:
        """Tables of everything in the version."""
        companies = {company.company: company for company in version.companies}
        return cls(version.version, companies, compile_entries(version.entries, companies))

    def dialling(self, pbx: str, company: CompanyId | None) -> Dialling:
        """How numbers are written there."""
        return self._lookups.dialling(pbx, company)

    def columns(self, pbx: str) -> Columns:
        """Where the PBX writes what Asterisk has no column for."""
        return self._lookups.columns(pbx)

    def party(self, pbx: str, channel: str, at: datetime) -> Party:
        """What a channel belongs to."""
        if not channel:
            return NOBODY
        cut = channel.rfind("-")
        for party, entry in self._parties.to(pbx, channel[:cut] if cut > 0 else channel):
            if entry is None or holds(entry, at):
                return party
        raise AssertionError("the last of the candidates always holds")

    def party_of_base(self, pbx: str, base: str, at: datetime) -> Party:
        """The same for a name without the number of the call, as Dial() has it."""
        return self.party(pbx, f"{base}-0", at)

    def context(self, pbx: str, context: str, at: datetime) -> Entry | None:
        """Who owns a dialplan context."""
        return _first(self._contexts.to(pbx, context), at)

    def account(self, pbx: str, code: str, at: datetime) -> Account | None:
        """Whose account code it is, believed or not."""
        for account, entry in self._accounts.to(pbx, code):
            if holds(entry, at):
                return account
        return None

    def did(self, pbx: str, number: str, at: datetime) -> Did | None:
        """Whose public number it is, in whatever way it is written."""
        for did, entry in self._dids.to(pbx, number):
            if holds(entry, at):
                return did
        return None

    def owns_extension(self, pbx: str, company: CompanyId, extension: str, at: datetime) -> bool:
        """Whether the extension is one of the company's."""
        table = self._found.extensions.get(company)
        for entry in table.find(extension) if table is not None else ():
            if (entry.pbx is None or entry.pbx == pbx) and holds(entry, at):
                return True
        return False

    def extension_owners(self, pbx: str, extension: str, at: datetime) -> tuple[CompanyId, ...]:
        """Who has such an extension: nobody, one company, or the first two of several."""
        owners: list[CompanyId] = []
        for scope in (None, pbx):
            table = self._found.all_extensions.get(scope)
            for entry in table.find(extension) if table else ():
                if entry.company not in owners and holds(entry, at):
                    owners.append(entry.company)  # type: ignore[arg-type]  # extensions always have a company
                    if len(owners) > 1:
                        return tuple(owners)
        return tuple(owners)

    def default_company(self, pbx: str, at: datetime) -> CompanyId | None:
        """The company that unowned stations belong to."""
        for entry in self._found.defaults:
            if (entry.pbx is None or entry.pbx == pbx) and holds(entry, at):
                return entry.company
        return None

    def outside_prefixes(
        self, pbx: str, company: CompanyId | None, at: datetime
    ) -> tuple[str, ...]:
        """What is keyed before an outside number; a company's own list replaces that of the PBX."""
        for owner in (company, None):
            dated, prefixes = self._prefixes.to(pbx, owner)
            if dated:
                prefixes = tuple(e.pattern for e in dated if holds(e, at))
            if prefixes:
                return prefixes
        return ()

    def feature(
        self, pbx: str, company: CompanyId | None, dialled: str, at: datetime
    ) -> Feature | None:
        """What was asked for, where what was dialled is a feature code."""
        for feature, entry in self._features.to(pbx, (company, dialled)):
            if holds(entry, at):
                return feature
        return None


def _first(entries: tuple[Entry, ...], at: datetime) -> Entry | None:
    for entry in entries:
        if holds(entry, at):
            return entry
    return None
