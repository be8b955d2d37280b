"""The fast path of cel_custom's JSON lines: an object with the keys of the event before it, and texts."""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter

from cdrd.decode.cel_columns import field_name
from cdrd.decode.cel_event import KNOWN, REQUIRED
from cdrd.decode.copytext import NULL
from cdrd.decode.grammar import UsualLine
from cdrd.decode.json_text import decoded_object
from cdrd.decode.times import UsualTimes
from cdrd.decode.usual_cel import AMAFLAGS, FIELDS, flat_object, time_reader

_NOWHERE = ""
"""The key of what an event has not."""


def usual_line(keys: Iterable[str], times: UsualTimes) -> UsualLine | None:
    """The fast path for objects with these keys; None where they are not those of an event."""
    named = [(key, field_name(key)) for key in keys]
    printed = [key for key, name in named if name == "eventtime"]
    key_of = {name: key for key, name in named}
    is_clear = len(key_of) + len(printed) == len(named) + 1
    if not is_clear or not key_of.keys() <= KNOWN or not key_of.keys() >= set(REQUIRED):
        return None
    chosen = itemgetter(*(key_of.get(name, _NOWHERE) for name in FIELDS))
    needed = itemgetter(*(key_of[name] for name in REQUIRED))
    extra_key, amaflags_key = (key_of.get(name, _NOWHERE) for name in ("extra", "amaflags"))
    amaflags = FIELDS.index("amaflags")
    time_of = time_reader(printed, times)

    def row(line: str, number: int, offset: int) -> str | None:
        try:
            record = decoded_object(line)
            if len(record) != len(named) or line[0] != "{":
                return None
            if type(record.get(amaflags_key)) is int:
                record[amaflags_key] = str(record[amaflags_key])
            if set(map(type, record.values())) != {str} or "" in needed(record):
                return None
            record[_NOWHERE] = ""
            texts = list(chosen(record))
            texts[amaflags] = AMAFLAGS[texts[amaflags] or "0"]
            extra = record[extra_key]
            said = flat_object(extra) if extra else NULL
            return "\t".join((f"{number}\t{offset}\t{time_of(record)}", *texts, said, NULL))
        except (ValueError, KeyError, RecursionError):
            return None

    return row
