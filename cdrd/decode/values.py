"""Single values of a record: numbers, dispositions and flags, checked so that PostgreSQL takes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from cdrd.records import Reason

MAX_NUMBER: Final = 2**31 - 1
"""The largest duration and sequence: integers of PostgreSQL and of Asterisk."""

MAX_ID: Final = 2000
"""Bytes of a uniqueid or linkedid. Asterisk cuts at 150; an index of PostgreSQL takes 2700."""

SHORT_NUMBERS: Final = {str(number): str(number) for number in range(10_000)}
"""The numbers that nearly every record has, so that checking one is a look-up."""

DISPOSITIONS: Final = {
    name: name
    for name in ("NO ANSWER", "FAILED", "BUSY", "ANSWERED", "CONGESTION", "CANCEL", "UNKNOWN")
}
_DISPOSITION_NAMES: Final = DISPOSITIONS | {"NOANSWER": "NO ANSWER"}
DISPOSITION_NUMBERS: Final = {
    "0": "NO ANSWER",  # nothing happened
    "1": "NO ANSWER",  # AST_CDR_NULL
    "2": "FAILED",
    "4": "BUSY",
    "8": "ANSWERED",
    "16": "CONGESTION",
    "32": "CANCEL",
}
"""Asterisk's AST_CDR_* bits, as `${CDR(disposition,u)}` prints them."""

AMAFLAGS: Final = {"DOCUMENTATION": "3", "BILLING": "2", "OMIT": "1"}
AMAFLAGS_OR_NONE: Final = AMAFLAGS | {"": "0"}
_AMAFLAGS: Final = {
    "OMIT": 1,
    "BILLING": 2,
    "DOCUMENTATION": 3,
    "DEFAULT": 3,  # the default of Asterisk is DOCUMENTATION
    "UNKNOWN": 0,
    "": 0,
    "0": 0,
    "1": 1,
    "2": 2,
    "3": 3,
}

_NUMBER = re.compile(r"([0-9]{1,12})(?:\.([0-9]*))?")
_SHOWN = 60


class Problem(NamedTuple):
    """Why something cannot become part of a leg."""

    reason: Reason
    detail: str


class Number(NamedTuple):
    """A whole number, and whether a fraction was cut off it."""

    value: int
    cut: bool


def shown(text: str) -> str:
    """A hostile text made fit for a message: short, and without anything a terminal obeys."""
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")


def is_text(raw: bytes) -> bool:
    """Whether bytes are valid UTF-8, so that nothing of them is lost in text."""
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def number(text: str, name: str, *, fractions: bool = False) -> Number | Problem:
    """Seconds or a sequence; with `fractions` what is behind the point is cut off."""
    match = _NUMBER.fullmatch(text)
    if match is None or (match[2] is not None and not fractions):
        return Problem(Reason.BAD_NUMBER, f"{name} is {shown(text)}, which is no whole number")
    value = int(match[1])
    if value > MAX_NUMBER:
        return Problem(Reason.BAD_NUMBER, f"{name} is {shown(text)}, more than {MAX_NUMBER}")
    return Number(value, cut=bool((match[2] or "").strip("0")))


def optional_number(text: str | None, name: str) -> Number | Problem | None:
    """A number that may be missing or empty."""
    return number(text, name) if text else None


def usual_sequence(text: str) -> str:
    """A sequence that reads as it is written. ValueError for any other."""
    value = int(text)
    if str(value) != text or not 0 <= value <= MAX_NUMBER:
        raise ValueError
    return text


def disposition(text: str, *, numeric: bool = False) -> str | Problem:
    """One of Asterisk's, by name or, when the mapping says so, by number."""
    known: Mapping[str, str] = DISPOSITION_NUMBERS if numeric else _DISPOSITION_NAMES
    found = known.get(text)
    if found is None:
        return Problem(
            Reason.BAD_DISPOSITION,
            f"disposition is {shown(text)}, expected one of {', '.join(known)}",
        )
    return found


def amaflags(text: str) -> int | Problem:
    """By name or number."""
    found = _AMAFLAGS.get(text.upper())
    if found is None:
        return Problem(
            Reason.BAD_AMAFLAGS,
            f"amaflags is {shown(text)}, expected OMIT, BILLING or DOCUMENTATION",
        )
    return found


def identity(text: str | None, name: str) -> str | Problem | None:
    """A uniqueid or linkedid; empty is None."""
    if text and len(text.encode()) > MAX_ID:
        detail = f"{name} has {len(text.encode())} bytes, at most {MAX_ID} are expected"
        return Problem(Reason.TOO_LONG, detail)
    return text or None
