"""The columns of cdr_custom, as the settings name them.

A column is named as Asterisk names the field: `start`, `src`, `billsec`… (`calldate`, `answerdate` and
`enddate` are understood too). `-` or `_` is a column that is not wanted. Any other name is a column of
the operator's own, kept under that name in `extra`. Behind a colon stands how the mapping writes it:

    start, answer, end         2026-11-21 13:24:47, local time, in quotes
    start:epoch                1795285487.251379, as ${CDR(start,u)}; also answer, end
    start:iso                  2026-11-21 13:24:47.251379 -0500, as start(%F %T.%6q %z); also answer, end
    start:unquoted             local time without quotes; see below
    disposition:number         8, as ${CDR(disposition,u)}
    duration:float             1.317376, as ${CDR(duration,f)}; also billsec

A mapping that quotes its texts (CSV_QUOTE, or quoting_method = all) can't be forged by a caller, so a
record is asked for its quotes. `start:unquoted` says that the mapping has none; then a newline in a
caller's name can begin what looks like a record, and nothing can be done about it here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from cdrd.decode.legs import ALIASES, ASTERISK_NAMES, REQUIRED, TIMES
from cdrd.errors import SettingsError

IGNORED = ("-", "_")
EPOCH, ISO, UNQUOTED, NUMBER, FLOAT = "epoch", "iso", "unquoted", "number", "float"
_FORMS = dict.fromkeys(TIMES, (EPOCH, ISO, UNQUOTED)) | {
    "disposition": (NUMBER,),
    "duration": (FLOAT,),
    "billsec": (FLOAT,),
}
_CHECKED = frozenset((*TIMES, "disposition", "duration", "billsec", "amaflags", "sequence"))


class Column(NamedTuple):
    """One column of a mapping."""

    name: str
    """Asterisk's, or the operator's own; empty for one that is not wanted."""
    form: str = ""

    @property
    def is_known(self) -> bool:
        """Whether it is a field of the leg."""
        return self.name in ASTERISK_NAMES

    @property
    def is_checked(self) -> bool:
        """Whether not every text can stand in it."""
        return self.name in _CHECKED


def columns_of_mapping(names: Sequence[str]) -> tuple[Column, ...]:
    """Understand the names of the settings. SettingsError lists everything that is wrong with them."""
    columns = tuple(_column(name) for name in names)
    problems = [*_unknown_forms(columns), *_repeated(columns), *_missing(columns)]
    if problems:
        raise SettingsError(problems, hint="name the columns as cdr_custom.conf lists them")
    return columns


def _column(text: str) -> Column:
    name, _, form = text.partition(":")
    if text in IGNORED:
        return Column("")
    return Column(ALIASES.get(name, name), form)


def _unknown_forms(columns: Sequence[Column]) -> list[str]:
    return [
        f"columns: {column.name} can't have the form {column.form!r}"
        for column in columns
        if column.form and column.form not in _FORMS.get(column.name, ())
    ]


def _repeated(columns: Sequence[Column]) -> list[str]:
    counted = Counter(column.name for column in columns if column.name)
    return [f"columns: {name} is there {n} times" for name, n in counted.items() if n > 1]


def _missing(columns: Sequence[Column]) -> list[str]:
    names = {column.name for column in columns}
    return [f"columns: {name} is missing" for name in REQUIRED if name not in names]
