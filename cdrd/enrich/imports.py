"""CSV files of numbers and extensions that companies.yaml imports: a million lines are read in seconds.

The first line names the columns. A line is what an item of a list is in YAML, with the same words and the
same checks; what many lines have in common (company, kind, PBX, dates) is worked out once.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from cdrd.enrich.listed import (
    COMPANY_LISTS,
    NOTHING_SAID,
    SHARED_LISTS,
    Scope,
    detail_of,
    narrow,
)
from cdrd.enrich.problems import Problems, did_you_mean, shown
from cdrd.enrich.written import Written
from cdrd.owners import Entry, EntryKind
from cdrd.records import CompanyId
from cdrd.yamlfile import Place, dotted

_COMMON = ("company", "kind", "pbx", "from", "until")
"""Columns that many lines have in common."""
_SAID = ("extension", "name", "ivr")
"""Columns that say more of the value, each of some kinds only."""
COLUMNS = (*_COMMON, "value", *_SAID)
_NEEDED = ("company", "kind", "value")
_NOTHING = ("",) * len(_SAID)

KINDS = {listed.kind.value: listed for listed in COMPANY_LISTS.values()}
_SHARED = frozenset(listed.kind.value for listed in SHARED_LISTS.values())

Texts = tuple[str, ...]


class _Lot(NamedTuple):
    """What holds for all lines that have their `_COMMON` columns in common."""

    company: CompanyId | None
    pbxs: tuple[str | None, ...]
    kind: EntryKind
    dates: tuple[datetime | None, datetime | None]
    check: Callable[[str], str]


class Importing(NamedTuple):
    """What the lines of all files are read with."""

    problems: Problems
    written: Written
    shared: Scope
    companies: Mapping[str, Scope]


def read_import(importing: Importing, path: Path, number: int) -> None:
    """Adds the entries of a file, the first of which has number 0, and what is wrong with it."""
    reading = _Import(importing, path, number)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline()
            file.seek(0)
            delimiter = ";" if ";" in header and "," not in header else ","
            reading.read(csv.reader(file, delimiter=delimiter, strict=True))
    except (OSError, UnicodeDecodeError) as error:
        reading.wrong(0, f"cannot be read: {error}")


class _Import:
    """One file that is being read."""

    def __init__(self, importing: Importing, path: Path, number: int) -> None:
        self._importing = importing
        self._entries = importing.written.entries
        self._path = path
        self._number = number
        self._lines = importing.written.lines_of(path)
        self._lots: dict[Texts, _Lot | str] = {}
        self._details: dict[Texts, dict[str, Any] | str] = {}

    def wrong(self, line: int, words: str) -> None:
        """Something is wrong in that line, or with the whole file."""
        where = f"{self._path}:{line}" if line else f"{self._path}"
        self._importing.problems.add_at((1 + self._number, line), f"{where}: {words}")

    def read(self, reader: Any) -> None:
        """Every line; `reader` is a csv.reader, which counts them."""
        try:
            names = [name.strip().lower() for name in next(reader, [])]
            if not self._are_columns(names):
                return
            order = [names.index(n) if n in names else len(names) for n in COLUMNS]
            pick, width = itemgetter(*order), len(names)
            for row in reader:
                if len(row) == width:
                    row.append("")  # is what is in the columns that are not there
                    self._line(reader.line_num, pick(row))
                elif row:
                    self.wrong(reader.line_num, f"{len(row)} values stand below {width} columns")
        except csv.Error as error:
            self.wrong(reader.line_num, f"this is not CSV: {error}")

    def _are_columns(self, names: Sequence[str]) -> bool:
        wrong = [
            f"there is no column {shown(name)}{did_you_mean(name, COLUMNS)}"
            for name in names
            if name not in COLUMNS
        ]
        wrong += [f"the column {name} is there twice" for name in COLUMNS if names.count(name) > 1]
        wrong += [f"the column {name} is missing" for name in _NEEDED if name not in names]
        for words in wrong:
            self.wrong(1, words)
        return not wrong

    def _line(self, line: int, texts: Texts) -> None:
        common, value, said = texts[:5], texts[5], texts[6:]
        lot = self._lots.get(common) or self._lot(common)
        detail = NOTHING_SAID if said == _NOTHING else self._detail(texts[1], said)
        if isinstance(lot, str):
            self.wrong(line, lot)
        elif isinstance(detail, str):
            self.wrong(line, detail)
        else:
            self._entry(line, value.strip(), lot, detail)

    def _entry(self, line: int, value: str, lot: _Lot, detail: dict[str, Any]) -> None:
        company, pbxs, kind, (valid_from, valid_until), check = lot
        try:
            pattern = check(value) if value else ""
        except ValueError as error:
            self.wrong(line, f"{shown(value)}: {error}")
            return
        if not pattern:
            self.wrong(line, "its value is empty")
            return
        for pbx in pbxs:
            self._entries.append(
                Entry(company, pbx, kind, pattern, detail, valid_from, valid_until)
            )
            self._lines.append(line)

    def _lot(self, common: Texts) -> _Lot | str:
        self._lots[common] = lot = self._worked_out(tuple(text.strip() for text in common))
        return lot

    def _worked_out(self, common: Texts) -> _Lot | str:
        company, kind, *_ = common
        listed = KINDS.get(kind)
        if listed is None:
            return f"there is no kind {shown(kind)}{did_you_mean(kind, KINDS)}"
        scope = self._importing.companies.get(company)
        if scope is None and company:
            known = () if self._importing.problems.are_many else self._importing.companies
            return f"there is no company {shown(company)}{did_you_mean(company, known)}"
        if scope is None and kind not in _SHARED:
            return f"its company is missing; only {' and '.join(sorted(_SHARED))} can have none"
        said = _Said(self._importing.problems.document)
        keys = {name: text for name, text in zip(_COMMON[2:], common[2:], strict=True) if text}
        pbxs = {"pbx": keys["pbx"].split()} if "pbx" in keys else {}
        narrowed = narrow(said, {**keys, **pbxs}, (), scope or self._importing.shared)
        if said.words or narrowed is None:
            return "; ".join(said.words)
        dates = narrowed.valid_from, narrowed.valid_until
        return _Lot(narrowed.company, narrowed.pbxs, listed.kind, dates, listed.check)

    def _detail(self, kind: str, texts: Texts) -> dict[str, Any] | str:
        """What else is said: one value for all lines that say the same, for they may be many."""
        key = kind, *texts
        if key not in self._details:
            self._details[key] = self._read_detail(kind.strip(), texts)
        return self._details[key]

    def _read_detail(self, kind: str, texts: Texts) -> dict[str, Any] | str:
        listed = KINDS.get(kind)
        keys = {name: text for name, text in zip(_SAID, texts, strict=True) if text.strip()}
        if listed is None:  # which is told of the lot
            return NOTHING_SAID
        for name in keys.keys() - {*listed.texts, *listed.flags}:
            return f"{name}: nothing like that can be said of kind {kind}"
        said = _Said(self._importing.problems.document)
        detail = detail_of(said, keys, (), listed)
        return "; ".join(said.words) or detail


class _Said(Problems):
    """Problems without a place of their own: the line is told by who asks."""

    @property
    def words(self) -> list[str]:
        return [text for _, text in self._found]

    def add(self, place: Place, message: str) -> None:
        self.add_at((0, 0), f"{dotted(place)}: {message}")
