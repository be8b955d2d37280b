"""What companies.yaml may write for many values at once: `PJSIP/acme-{ext}`, `globex-*`, `101-110`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

ANYTHING = "*"
EXTENSION = "{ext}"
_EXTENSION = re.compile(r"[0-9*#]{1,32}", re.ASCII)
_SPAN = re.compile(r"(\+?[0-9]+)\s*-\s*(\+?[0-9]+)", re.ASCII)


class Pattern(NamedTuple):
    """A text with at most one place that stands for many: anything, or an extension to be taken out."""

    prefix: str
    suffix: str = ""
    wild: str = ""
    """Empty where the whole text is in `prefix`; else `*` or `{ext}`, between the two."""


def parse_pattern(text: str, *, star_is_a_key: bool = False) -> Pattern:
    """A pattern as the operator wrote it; ValueError says what is wrong with it.

    In feature codes `*` is a key of the telephone and only `{ext}` stands for many.
    """
    wilds = (EXTENSION,) if star_is_a_key else (EXTENSION, ANYTHING)
    used = [wild for wild in wilds for _ in range(text.count(wild))]
    if not text:
        raise ValueError("it is empty")
    if len(used) > 1:
        raise ValueError("only one * or {ext} can stand in a pattern")
    if not used:
        return Pattern(text)
    prefix, _, suffix = text.partition(used[0])
    return Pattern(prefix, suffix, used[0])


def captured(pattern: Pattern, value: str) -> str | None:
    """What stands where the wild part of a pattern is, or None where the value does not fit."""
    end = len(value) - len(pattern.suffix)
    if end <= len(pattern.prefix):
        return None
    if not (value.startswith(pattern.prefix) and value.endswith(pattern.suffix)):
        return None
    middle = value[len(pattern.prefix) : end]
    if pattern.wild == EXTENSION and not _EXTENSION.fullmatch(middle):
        return None
    return middle


class Span(NamedTuple):
    """Numbers of one length from the first to the last; a single number is both."""

    first: str
    last: str


def parse_span(text: str) -> Span:
    """`101` or `101-110`; ValueError says what is wrong with it."""
    match = _SPAN.fullmatch(text) if "-" in text else None
    if match is None:
        return Span(text, text)
    first, last = match[1], match[2]
    if len(first) != len(last):
        raise ValueError(f"{first} and {last} have not the same number of digits")
    if first > last:
        raise ValueError(f"{first} is after {last}")
    return Span(first, last)


def span_prefixes(span: Span) -> Iterator[str]:
    """The fewest prefixes that together are the span: 100-199 is `1`, 101-110 is `101` … `109`, `110`.

    Each stands for every number of the span's length that begins with it, so that a block of a
    million numbers is found with one look-up per digit.
    """
    first, last = span
    if first == last:
        yield first
        return
    same = 0
    while first[same] == last[same]:
        same += 1
    yield from _between(first, last, same)


def _between(first: str, last: str, same: int) -> Iterator[str]:
    low, high = first[same + 1 :], last[same + 1 :]
    start, stop = int(first[same]), int(last[same])
    if (start, stop) == (0, 9) and not low.strip("0") and not high.strip("9"):
        yield first[:same]
        return
    if low.strip("0"):
        yield from _from(first, same + 1)
        start += 1
    if high.strip("9"):
        stop -= 1
    for digit in range(start, stop + 1):
        yield f"{first[:same]}{digit}"
    if high.strip("9"):
        yield from _to(last, same + 1)


def _from(first: str, place: int) -> Iterator[str]:
    """Prefixes of everything from `first` to the end of its block, whose name ends before `place`."""
    digits = len(first.rstrip("0"))
    yield first[: max(digits, place)]
    for position in range(digits - 1, place - 1, -1):
        for digit in range(int(first[position]) + 1, 10):
            yield f"{first[:position]}{digit}"


def _to(last: str, place: int) -> Iterator[str]:
    """Prefixes of everything from the start of the block, whose name ends before `place`, to `last`."""
    digits = len(last.rstrip("9"))
    for position in range(place, digits):
        for digit in range(int(last[position])):
            yield f"{last[:position]}{digit}"
    yield last[: max(digits, place)]
