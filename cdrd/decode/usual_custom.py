"""The fast path of cdr_custom: a line with its quotes where the record before it had them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter

from cdrd.decode.columns import NUMBER, UNQUOTED, Column
from cdrd.decode.copytext import NULL, escaped, json_text
from cdrd.decode.grammar import UsualLine
from cdrd.decode.legs import TEXTS, TIMES
from cdrd.decode.times import UsualTimes
from cdrd.decode.values import (
    AMAFLAGS_OR_NONE,
    DISPOSITION_NUMBERS,
    DISPOSITIONS,
    SHORT_NUMBERS,
    usual_sequence,
)

_CHECKED = ("start", "answer", "end", "duration", "billsec", "disposition", "amaflags")
_LAST = ("accountcode", "uniqueid", "linkedid", "sequence", "peeraccount", "userfield")
_QUOTED, _BARE = r'"([^"]*+(?:""[^"]*+)*+)"', r'([^",]*+)'
_EMPTY, _NULL = -2, -1
_FORMS_KEPT = 64

_Picker = Callable[[Sequence[str]], tuple[str, ...]]


class UsualCustom:
    """The fast paths for the lines of one mapping, by where their quotes are."""

    def __init__(self, columns: Sequence[Column], times: UsualTimes) -> None:
        self._columns = columns
        self._times = times
        self._lines: dict[tuple[bool, ...], UsualLine | None] = {}

    def line(self, quoted: tuple[bool, ...]) -> UsualLine | None:
        """The fast path for lines whose fields are quoted like this."""
        if quoted not in self._lines:
            if len(self._lines) >= _FORMS_KEPT:
                self._lines.clear()
            self._lines[quoted] = self._made(quoted)
        return self._lines[quoted]

    def _made(self, quoted: tuple[bool, ...]) -> UsualLine | None:
        if len(quoted) != len(self._columns) or not self._is_plain(quoted):
            return None
        pattern = ",".join(_QUOTED if is_quoted else _BARE for is_quoted in quoted)
        return _usual_line(self._columns, re.compile(pattern), self._times)

    def _is_plain(self, quoted: tuple[bool, ...]) -> bool:
        """Whether all times are local, and the start is the witness of the record if it needs one."""
        return all(
            column.form in ("", UNQUOTED) and (column.name != "start" or is_quoted or column.form)
            for column, is_quoted in zip(self._columns, quoted, strict=True)
            if column.name in TIMES
        )


def _usual_line(
    columns: Sequence[Column], pattern: re.Pattern[str], times: UsualTimes
) -> UsualLine:
    place = _Places(columns)
    dispositions = DISPOSITION_NUMBERS if place.is_numeric else DISPOSITIONS
    quotes = pattern.pattern.count(_QUOTED) * 2

    def row(line: str, number: int, offset: int) -> str | None:
        match = pattern.fullmatch(line)
        if match is None:
            return None
        values = (*match.groups(), "", NULL)
        if line.count('"') != quotes:
            values = tuple([value.replace('""', '"') for value in values])
        start, answer, end, duration, billsec, disposition, amaflags = place.checked(values)
        accountcode, uniqueid, linkedid, sequence, peeraccount, userfield = place.last(values)
        try:
            columns = (
                str(number),
                str(offset),
                times[start],
                times[answer] if answer else NULL,
                times[end] if end else NULL,
                *place.texts(values),
                SHORT_NUMBERS[duration],
                SHORT_NUMBERS[billsec],
                dispositions[disposition],
                AMAFLAGS_OR_NONE[amaflags],
                accountcode,
                uniqueid or NULL,
                linkedid or NULL,
                usual_sequence(sequence) if sequence else NULL,
                peeraccount,
                userfield,
                place.own_columns(values),
                NULL,
            )
        except (KeyError, ValueError):
            return None
        return "\t".join(columns)

    return row


class _Places:
    """Where the values of a line are, by what they become. Behind the line's own stand "" and NULL."""

    def __init__(self, columns: Sequence[Column]) -> None:
        at = {column.name: index for index, column in enumerate(columns)}
        self.is_numeric = columns[at["disposition"]].form == NUMBER
        self.checked = _picker(at, _CHECKED)
        self.texts = _picker(at, TEXTS)
        self.last = _picker(at, _LAST, null=("peeraccount", "userfield"))
        self._own = [(name, at[name]) for name in at if name and not columns[at[name]].is_known]

    def own_columns(self, values: Sequence[str]) -> str:
        """The operator's own, as the JSON of `extra`."""
        if not self._own:
            return NULL
        return escaped(json_text({name: values[place] for name, place in self._own}))


def _picker(at: Mapping[str, int], names: Sequence[str], null: Sequence[str] = ()) -> _Picker:
    """Pick the values of these names; what is not there is "", or NULL for those in `null`."""
    return itemgetter(*(at.get(name, _NULL if name in null else _EMPTY) for name in names))
