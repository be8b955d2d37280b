"""What records of other PBXs have in common: a JSON document is read safely and becomes a leg.

What such a record says and a leg has no column for goes to `extra`, under the name that it had.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from cdrd.decode.legs import Manner, printed_times, read_leg
from cdrd.decode.times import Moment
from cdrd.decode.values import Problem, shown
from cdrd.records import Decoded, Leg, Reason, Rejected

DEEPEST = 32
"""Levels of a document. FreeSWITCH's have seven."""

_SURROGATE = re.compile("[\ud800-\udfff]")


class Document(NamedTuple):
    """What a body says."""

    content: Any
    is_exact: bool
    """False where bytes or halves of surrogate pairs, which are no text, were replaced."""


class Received(NamedTuple):
    """A record as it was received."""

    raw: bytes
    line: int = 1
    """Number of the record in the delivery."""
    offset: int = 0


def json_document(raw: bytes) -> Document | Problem:
    """Read JSON from a stranger: bounded in depth, and with nothing in it that PostgreSQL refuses."""
    if b"\0" in raw:
        return Problem(Reason.NUL_BYTES, f"NUL bytes, the first at {raw.index(0)}")
    text = raw.decode(errors="replace").removeprefix("\ufeff")
    try:
        content = json.loads(text, parse_constant=_no_constant)
        json.dumps(content, allow_nan=False)
    except (ValueError, RecursionError) as error:
        return Problem(Reason.BAD_JSON, f"no JSON: {shown(str(error))}")
    return plain(content, is_exact="\ufffd" not in text)


def plain(content: Any, *, is_exact: bool = True) -> Document | Problem:
    """The same content without halves of surrogate pairs; a Problem if it is too deep or holds NULs."""
    walk = _Walk(is_exact=is_exact)
    copied = walk.copy(content, 0)
    if walk.problem:
        return walk.problem
    return Document(copied, walk.is_exact)


def text_of(value: Any) -> str:
    """A value of JSON as the text that a column has."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case dict() | list():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value)


def clid(name: str, number: str) -> str:
    """Name and number as Asterisk writes them in clid."""
    return f'"{name}" <{number}>'


def leg_of(
    texts: Mapping[str, str],
    times: Sequence[tuple[datetime, ...] | None],
    extra: dict[str, Any],
) -> Leg | Problem:
    """A leg of texts by Asterisk's names and the times of start, answer and end.

    A time is what instants it may mean: none where there is none, None where it is nonsense.
    """
    moments = [None if instants is None else Moment(instants) for instants in times]
    printed = printed_times(moments, [texts.get(name, "") for name in ("start", "answer", "end")])
    if isinstance(printed, Problem):
        return printed
    reading = read_leg(texts, printed, Manner(fractions=True), extra or None)
    return reading if isinstance(reading, Problem) else reading.leg


def outcome(place: Received, leg: Leg | Problem, *, is_exact: bool = True) -> Decoded | Rejected:
    """What a record of a delivery became."""
    if isinstance(leg, Problem):
        return Rejected(place.raw, place.line, place.offset, *leg)
    return Decoded(leg, place.line, place.offset, None if is_exact else place.raw)


class _Walk:
    def __init__(self, *, is_exact: bool) -> None:
        self.is_exact = is_exact
        self.problem: Problem | None = None

    def copy(self, value: Any, depth: int) -> Any:
        if depth > DEEPEST:
            self.problem = Problem(Reason.BAD_JSON, f"more than {DEEPEST} levels")
        elif isinstance(value, str):
            return self._text(value)
        elif isinstance(value, dict):
            return {self._text(key): self.copy(inner, depth + 1) for key, inner in value.items()}
        elif isinstance(value, list):
            return [self.copy(inner, depth + 1) for inner in value]
        return value

    def _text(self, text: str) -> str:
        if "\0" in text:
            self.problem = Problem(Reason.NUL_BYTES, "an escaped NUL")
        if not _SURROGATE.search(text):
            return text
        self.is_exact = False
        return _SURROGATE.sub("\ufffd", text)


def _no_constant(name: str) -> None:
    raise ValueError(name)
