"""The fast path of cel_custom: a line with every column in quotes, as nearly all are, becomes a row.

Quotes inside a column are only understood in the event's JSON, and that only if it is flat, as Asterisk's
own is. Whatever else is there the careful path decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from cdrd.beside import CEL_COLUMNS
from cdrd.decode.copytext import NULL
from cdrd.decode.grammar import UsualLine
from cdrd.decode.instants import EpochSeconds
from cdrd.decode.times import UsualTimes

AMAFLAGS = {"0": "0", "1": "1", "2": "2", "3": "3"}
_SECOND = len("2026-11-21 13:24:47")
_MICROSECONDS = len(".251379")
_VALUE = r'(?:"[^"\\\x00-\x1f]*+"|-?(?:0|[1-9][0-9]{0,17})|true|false|null)'
_PAIR = r'"[^"\\\x00-\x1f]*+":' + _VALUE
# not (?:…)*+, after which CPython before 3.11.5 goes on behind what failed
_FLAT = re.compile(r"\{" + _PAIR + r"(?>(?:," + _PAIR + r")*)\}")
FIELDS = CEL_COLUMNS[3:-2]
"""Of the columns of a row, those between the time and `extra`."""


def usual_line(fields: Sequence[str], times: UsualTimes) -> UsualLine:
    """The fast path for lines with these columns; they hold nothing that COPY wants escaped."""
    columns = len(fields)
    nowhere = columns
    separators = columns - 1  # the event's JSON has separators of its own, and is the last column
    places = [fields.index(name) if name in fields else nowhere for name in FIELDS]
    amaflags = FIELDS.index("amaflags")
    chosen = itemgetter(*places)
    extra_at = fields.index("extra") if "extra" in fields else nowhere
    needed = itemgetter(*(fields.index(name) for name in ("eventtype", "uniqueid", "linkedid")))
    unknown = [
        at for at, name in enumerate(fields) if name not in (*FIELDS, "eventtime", "extra", "")
    ]
    time_of = time_reader([at for at, name in enumerate(fields) if name == "eventtime"], times)

    def row(line: str, number: int, offset: int) -> str | None:
        parts = line[1:-1].split('","', separators)
        if len(parts) != columns or line[0] != '"' or line[-1] != '"':
            return None
        parts.append("")
        extra = parts[extra_at]
        inner = extra.count('"')
        if line.count('"') - 2 * columns != inner or "" in needed(parts):
            return None
        if unknown and any(parts[at] for at in unknown):
            return None
        texts = list(chosen(parts))
        try:
            texts[amaflags] = AMAFLAGS[texts[amaflags] or "0"]
            time, extra = time_of(parts), _flat(extra, inner)
        except (KeyError, ValueError):
            return None
        return "\t".join((f"{number}\t{offset}\t{time}", *texts, extra, NULL))

    return row


def _flat(extra: str, quotes: int) -> str:
    if not extra:
        return NULL
    plain = extra.replace('""', '"')
    if 2 * plain.count('"') != quotes:
        raise ValueError
    return flat_object(plain)


def flat_object(text: str) -> str:
    """The event's JSON as it is, where it is flat and holds nothing to escape; else a ValueError."""
    if not _FLAT.fullmatch(text):
        raise ValueError
    return text


def time_reader(places: Sequence[Any], times: UsualTimes) -> Callable[[Any], str]:
    """What reads the time of an event from these of its columns; ValueError where it is not plain."""
    seconds = EpochSeconds()

    def time(parts: Any) -> str:
        printed = [parts[at] for at in places]
        for text in printed:
            if "-" not in text:
                second, _, fraction = text.partition(".")
                return f"{seconds[second]}{_fraction('.' + fraction)}+00"
        text = printed[0]
        if printed.count(text) != len(printed):
            raise ValueError
        zoned = times[text[:_SECOND]]
        return f"{zoned[:_SECOND]}{_fraction(text[_SECOND:])}{zoned[_SECOND:]}"

    return time


def _fraction(text: str) -> str:
    """`.251379`, or nothing where whole seconds are printed."""
    if text in ("", "."):
        return ""
    if (
        len(text) != _MICROSECONDS
        or text[0] != "."
        or not text[1:].isdecimal()
        or not text.isascii()
    ):
        raise ValueError
    return text
