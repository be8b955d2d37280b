"""The fast path of JSON records: an object with the keys of the record before it, and plain values."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from operator import itemgetter
from typing import Any

from cdrd.decode.copytext import NULL, escaped, json_text
from cdrd.decode.grammar import UsualLine
from cdrd.decode.json_text import decoded_object
from cdrd.decode.legs import ALIASES, ASTERISK_NAMES, REQUIRED, TEXTS
from cdrd.decode.times import UsualTimes
from cdrd.decode.values import AMAFLAGS_OR_NONE, DISPOSITIONS, MAX_NUMBER

_NAMES = ("accountcode", "uniqueid", "linkedid")
_MAYBE = ("peeraccount", "userfield")
_ALL_TEXTS = (*TEXTS, *_NAMES, *_MAYBE)
_NUMBERS = ("duration", "billsec", "sequence")
_REQUIRED = frozenset(REQUIRED)
_DEFAULTS: dict[str, str | int] = (
    dict.fromkeys(ASTERISK_NAMES, "") | dict.fromkeys(_MAYBE, NULL) | {"sequence": -1}
)


def usual_line(keys: AbstractSet[str], times: UsualTimes) -> UsualLine | None:
    """The fast path for objects with these keys."""
    if not keys >= _REQUIRED or keys & ALIASES.keys():
        return None
    own = sorted(keys - _DEFAULTS.keys())
    defaults = {name: value for name, value in _DEFAULTS.items() if name not in keys}
    texts_of, numbers_of = itemgetter(*_ALL_TEXTS), itemgetter(*_NUMBERS)
    least_sequence = -1 if "sequence" in defaults else 0

    def row(line: str, number: int, offset: int) -> str | None:
        try:
            record = decoded_object(line)
            if len(record) != len(keys) or line[0] != "{":
                return None
            record.update(defaults)
            texts, numbers = texts_of(record), numbers_of(record)
            if not _are_plain(texts, numbers, least_sequence):
                return None
            answer, end = record["answer"], record["end"]
            accountcode, uniqueid, linkedid, peeraccount, userfield = texts[8:]
            duration, billsec, sequence = numbers
            columns = (
                f"{number}\t{offset}\t{times[record['start']]}",
                NULL if answer == "" else times[answer],
                NULL if end == "" else times[end],
                *texts[:8],
                f"{duration}\t{billsec}",
                DISPOSITIONS[record["disposition"]],
                AMAFLAGS_OR_NONE[record["amaflags"]],
                accountcode,
                uniqueid or NULL,
                linkedid or NULL,
                NULL if sequence < 0 else str(sequence),
                f"{peeraccount}\t{userfield}",
                _extra(record, own),
                NULL,
            )
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        return "\t".join(columns)

    return row


def _are_plain(texts: tuple[Any, ...], numbers: tuple[Any, ...], least_sequence: int) -> bool:
    """Whether texts are texts and numbers are whole numbers that fit."""
    return (
        set(map(type, texts)) == {str}
        and set(map(type, numbers)) == {int}
        and min(numbers[:2]) >= 0
        and numbers[2] >= least_sequence
        and max(numbers) <= MAX_NUMBER
    )


def _extra(record: dict[str, Any], own: list[str]) -> str:
    if not own:
        return NULL
    extra = {name: record[name] for name in own}
    if not set(map(type, extra.values())) <= {str, int}:
        raise TypeError
    return escaped(json_text(extra))
