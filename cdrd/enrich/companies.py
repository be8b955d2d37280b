"""companies.yaml becomes the content of a directory, or the list of everything that is wrong with it.

The file is documented by its sample, config/companies.yaml.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from cdrd.enrich.conflicts import find_conflicts
from cdrd.enrich.imports import Importing, read_import
from cdrd.enrich.listed import (
    COMPANY_LISTS,
    SHARED_LISTS,
    Listed,
    Scope,
    narrow,
    read_features,
    read_list,
)
from cdrd.enrich.problems import Problems, did_you_mean
from cdrd.enrich.written import Written
from cdrd.errors import SettingsError
from cdrd.owners import Company, DirectoryVersion, Entry, EntryKind
from cdrd.records import CompanyId
from cdrd.yamlfile import Place, YamlDocument, read_yaml

SITUATIONS = ("internal", "outbound", "inbound", "onnet", "transfer", "forward", "auth")
"""When somebody else may pay; a transfer or a forward is asked for before the direction."""
ROLES = ("caller", "transferrer", "forwarder", "target")
"""Who may pay, besides a company by its key."""

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", re.ASCII)
_DIALLING = (
    "country_code",
    "national_prefix",
    "international_prefix",
    "area_code",
    "local_digits",
    "national_digits",
)
_COLUMNS = ("did", "trunk", "dialled", "auth", "recording", "did_mark", "auth_mark")
_PBX = ("dialling", "columns", "trust_account_codes", "feature_codes", *SHARED_LISTS)
_TOP = ("zone", "pbxs", "companies", "import", *_PBX)
_COMPANY = (
    *("name", "billing_group", "default", "pbx", "from", "until", "pays", "dialling"),
    *("feature_codes", *COMPANY_LISTS),
)


class DirectoryContent(NamedTuple):
    """What companies.yaml says."""

    companies: Sequence[Company]
    entries: Sequence[Entry]
    files: Sequence[Path] = ()
    """The files that say so: companies.yaml itself, then those it imports."""

    def as_version(self, number: int) -> DirectoryVersion:
        """The content as the version that it was applied as."""
        return DirectoryVersion(number, self.companies, self.entries)

    def digest(self) -> str:
        """By which the version that came from these files is recognised."""
        return digest_of(self.files)


def load_companies(path: Path) -> DirectoryContent:
    """Reads the file; SettingsError has every problem in it, one line each."""
    return checked(read_yaml(path))


def checked(document: YamlDocument) -> DirectoryContent:
    """The content; SettingsError has every problem in it, one line each."""
    content, problems = parse_companies(document)
    if problems:
        raise SettingsError(problems, hint="correct companies.yaml; nothing was applied")
    return content


def files_of(document: YamlDocument) -> list[Path]:
    """companies.yaml itself, then the files that it imports, as far as they are named rightly."""
    top = document.data if isinstance(document.data, dict) else {}
    items = Problems(document).items(top.get("import"), ("import",))
    named = (item for item, _ in items if isinstance(item, str) and item.strip())
    return [document.path, *(document.path.parent / item.strip() for item in named)]


def digest_of(files: Iterable[Path]) -> str:
    """SHA-256 of files as this version of the program reads them; empty where one cannot be read."""
    digest = hashlib.sha256(version("cdrd").encode())
    try:
        for path in files:
            with path.open("rb") as file:
                while piece := file.read(1 << 20):
                    digest.update(piece)
    except OSError:  # which reading it will tell
        return ""
    return digest.hexdigest()


def parse_companies(document: YamlDocument) -> tuple[DirectoryContent, list[str]]:
    """The content as far as it could be read, and every problem."""
    return _Reading(document).content()


class _Reading:
    """One reading of a document."""

    def __init__(self, document: YamlDocument) -> None:
        self.problems = Problems(document)
        self.top = self.problems.mapping(document.data, (), _TOP)
        self.zone = self.problems.zone(self.top.get("zone", "UTC"), ("zone",))
        self.pbxs = self._names("pbxs")
        self.keys = dict.fromkeys(self._names("companies"))
        self.written = Written(document)
        self.scopes: dict[str, Scope] = {}
        self.companies: dict[CompanyId, Company] = {}

    def _names(self, section: str) -> tuple[str, ...]:
        named = self.problems.mapping(self.top.get(section), (section,), None)
        for name in named:
            if not _KEY.fullmatch(name):
                words = "a name has up to 63 letters, digits, dots, dashes and underscores"
                self.problems.add((section, name), words)
        return tuple(named)

    def content(self) -> tuple[DirectoryContent, list[str]]:
        self._pbx(None, self.top, ())
        for name in self.pbxs:
            place = ("pbxs", name)
            self._pbx(name, self.problems.mapping(self.top["pbxs"][name], place, _PBX), place)
        if not self.keys:
            self.problems.add(("companies",), "no company is listed")
        for key in self.keys:
            self._company(CompanyId(key), ("companies", key))
        self._import()
        written = self.written
        for conflict in find_conflicts(written.entries, self.companies):
            words = conflict.words(written.where(conflict.earlier))
            later = written.where(conflict.later)
            self.problems.add_at(written.order(conflict.later), f"{later}: {words}")
        files = files_of(self.problems.document)
        content = DirectoryContent(tuple(self.companies.values()), written.entries, files)
        return content, self.problems.lines()

    def _import(self) -> None:
        """Everything that is imported, after everything that it may refer to."""
        importing = Importing(self.problems, self.written, self._scope(None), self.scopes)
        for item, place in self.problems.items(self.top.get("import"), ("import",)):
            self.problems.text(item, place)
        for number, path in enumerate(files_of(self.problems.document)[1:]):
            read_import(importing, path, number)

    def _scope(self, company: CompanyId | None, pbx: str | None = None) -> Scope:
        return Scope(company, (pbx,), self.zone, self.pbxs)

    def _pbx(self, name: str | None, keys: Mapping[str, Any], place: Place) -> None:
        """What all companies of a PBX share; with no name, what all PBXs share."""
        detail: dict[str, Any] = {}
        if "dialling" in keys:
            detail["dialling"] = self._dialling(keys["dialling"], (*place, "dialling"))
        if "columns" in keys:
            detail["columns"] = self._columns(keys["columns"], (*place, "columns"))
        if "trust_account_codes" in keys:
            trusted = (*place, "trust_account_codes")
            detail["trust_account_codes"] = self.problems.flag(keys["trust_account_codes"], trusted)
        if detail:
            entry = Entry(None, name, EntryKind.PBX, name or "", detail, None, None)
            self.written.add([Listed(entry, place)])
        self.written.add(self._lists(keys, place, self._scope(None, name), SHARED_LISTS))

    def _lists(
        self, keys: Mapping[str, Any], place: Place, scope: Scope, known: Mapping[str, Any]
    ) -> Iterator[Listed]:
        for key, listed in known.items():
            if key in keys:
                yield from read_list(self.problems, keys[key], (*place, key), scope, listed)
        if "feature_codes" in keys:
            codes = (*place, "feature_codes")
            yield from read_features(self.problems, keys["feature_codes"], codes, scope)

    def _dialling(self, value: Any, place: Place) -> dict[str, str]:
        keys = self.problems.mapping(value, place, _DIALLING)
        digits = {
            key: self.problems.digits(text, (*place, key))
            for key, text in keys.items()
            if key in _DIALLING and key != "local_digits" and text != ""
        }
        lengths = self.problems.items(keys.get("local_digits"), (*place, "local_digits"))
        if lengths:
            local = [self.problems.digits(length, at) for length, at in lengths]
            digits["local_digits"] = ",".join(local)
        return digits

    def _columns(self, value: Any, place: Place) -> dict[str, str]:
        keys = self.problems.mapping(value, place, _COLUMNS)
        named = {
            key: self.problems.text(keys[key], (*place, key)) for key in keys if key in _COLUMNS
        }
        return {key: name for key, name in named.items() if name}

    def _company(self, key: CompanyId, place: Place) -> None:
        keys = self.problems.mapping(self.top["companies"][key], place, _COMPANY)
        scope = narrow(self.problems, keys, place, self._scope(key))
        if key in (*SITUATIONS, *ROLES):
            self.problems.add(place, f"{key} is a word of `pays` and cannot be a company")
        self.companies[key] = self._described(key, keys, place)
        scope = scope or self._scope(key)  # its other mistakes are to be told as well
        self.scopes[key] = scope
        self.written.add(self._lists(keys, place, scope, COMPANY_LISTS))
        dates = scope.valid_from, scope.valid_until
        for pbx in scope.pbxs:
            if "account_codes" not in keys:
                code = Entry(key, pbx, EntryKind.ACCOUNT_CODE, key, {}, *dates)
                self.written.add([Listed(code, place)])
            if "default" in keys and self.problems.flag(keys["default"], (*place, "default")):
                unowned = Entry(key, pbx, EntryKind.UNOWNED, "*", {}, *dates)
                self.written.add([Listed(unowned, (*place, "default"))])

    def _described(self, key: CompanyId, keys: Mapping[str, Any], place: Place) -> Company:
        texts = {
            name: self.problems.text(keys[name], (*place, name))
            for name in ("name", "billing_group")
            if name in keys
        }
        detail: dict[str, Any] = {
            name: str(keys[name]) for name in ("from", "until") if keys.get(name)
        }
        if "dialling" in keys:
            detail["dialling"] = self._dialling(keys["dialling"], (*place, "dialling"))
        pays = self._pays(keys.get("pays"), (*place, "pays"))
        return Company(key, texts.get("name") or key, texts.get("billing_group"), pays, detail)

    def _pays(self, value: Any, place: Place) -> dict[str, str]:
        pays: dict[str, str] = {}
        for situation, who in self.problems.mapping(value, place, SITUATIONS).items():
            at = (*place, situation)
            payer = self.problems.text(who, at)
            if payer is None:
                continue
            if payer not in ROLES and payer not in self.keys:
                known = (*ROLES, *self.keys)
                self.problems.add(
                    at, f"{payer!r} is neither a role nor a company{did_you_mean(payer, known)}"
                )
            pays[situation] = payer
        return pays
