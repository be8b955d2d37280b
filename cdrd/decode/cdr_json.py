"""Records of cdr_custom with `format = json`: one object a record, with Asterisk's names as keys.

Values are texts or numbers. A time is local text, text with an offset, or an epoch, as number or text.
Keys that are no field of a CDR are kept in `extra`. Of a key that comes twice the last one counts.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from cdrd.decode.grammar import UsualLine
from cdrd.decode.json_text import (
    Object,
    Scalar,
    find_object,
    first_glued_object,
    plain_lines,
    read_object,
)
from cdrd.decode.legs import (
    ALIASES,
    ASTERISK_NAMES,
    REQUIRED,
    TIMES,
    Manner,
    Reading,
    printed_times,
    read_leg,
)
from cdrd.decode.times import Moment, UsualTimes, epoch_moment, iso_moment, local_moment
from cdrd.decode.usual_json import usual_line
from cdrd.decode.values import Problem, is_text
from cdrd.records import Decoded, Reason, Rejected

_EPOCH = re.compile(r"[0-9]+(?:\.[0-9]*)?")
_LOCAL_LENGTH = len("2026-11-21 13:24:47")


class _Texts(NamedTuple):
    """The values of an object as texts, as all other records have them."""

    known: dict[str, str]
    extra: dict[str, Scalar]
    numeric_disposition: bool
    is_exact: bool
    """Whether each text says what its value says."""


class JsonGrammar:
    """How the JSON records of one source are read."""

    def __init__(self, zone: str, max_record_bytes: int) -> None:
        self.max_record_bytes = max_record_bytes
        self.find = find_object
        self._times = UsualTimes(zone)

    def record(self, raw: bytes, *, line: int, offset: int) -> Decoded | Rejected:
        """Read one whole record, with or without its newline."""
        read = read_object(raw)
        reading = read if isinstance(read, Problem) else self._reading(read)
        if isinstance(reading, Problem):
            return Rejected(raw, line, offset, *reading)
        is_all_said = not reading.cut and is_text(raw)
        return Decoded(reading.leg, line, offset, None if is_all_said else raw)

    def glued(self, raw: bytes) -> int | None:
        """Where a whole object begins behind a torn one."""
        return first_glued_object(raw, self._is_leg)

    def usual(self, like: bytes) -> UsualLine | None:
        """The fast path for objects with the same keys."""
        read = read_object(like)
        return (
            None if isinstance(read, Problem) else usual_line(frozenset(read.values), self._times)
        )

    def usual_texts(self, texts: list[str], data: bytes) -> list[str]:
        """The lines that can be read in one way only: every backslash has a quote behind it."""
        return plain_lines(texts, data)

    def _is_leg(self, raw: bytes) -> bool:
        return isinstance(self.record(raw, line=0, offset=0), Decoded)

    def _reading(self, read: Object) -> Reading | Problem:
        texts = _texts(read)
        missing = [name for name in REQUIRED if name not in texts.known]
        if missing:
            return Problem(Reason.MISSING_FIELD, f"there is no {', no '.join(missing)}")
        printed = [texts.known.get(name, "") for name in TIMES]
        times = printed_times([self._moment(text) for text in printed], printed)
        if isinstance(times, Problem):
            return times
        manner = Manner(fractions=True, numeric_disposition=texts.numeric_disposition)
        reading = read_leg(texts.known, times, manner, texts.extra or None)
        if isinstance(reading, Problem):
            return reading
        return reading._replace(cut=reading.cut or not texts.is_exact)

    def _moment(self, text: str) -> Moment | None:
        if _EPOCH.fullmatch(text):
            return epoch_moment(text)
        return local_moment(text, self._times) if len(text) <= _LOCAL_LENGTH else iso_moment(text)


def _texts(read: Object) -> _Texts:
    known: dict[str, str] = {}
    extra: dict[str, Scalar] = {}
    for key, value in read.values.items():
        name = ALIASES.get(key, key)
        if name not in ASTERISK_NAMES or name in known:
            extra[key] = value
        elif value is not None:
            known[name] = str(value)
    is_exact = read.is_exact and not any(
        isinstance(value, float | bool) for value in read.values.values()
    )
    disposition = read.values.get("disposition")
    return _Texts(known, extra, isinstance(disposition, int), is_exact)
