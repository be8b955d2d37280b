"""The lines of a carrier's file become records: a quoted text may hold newlines, a broken quote may not."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

_MOST_LINES = 20
"""Lines that one record may span."""


class Line(NamedTuple):
    """A line of a file, or the lines of one record."""

    raw: bytes
    number: int
    offset: int


@dataclass(frozen=True, slots=True)
class Joining:
    """How lines become records."""

    quote: bytes | None
    is_whole: Callable[[bytes], bool]
    """Whether bytes are a record with all that belongs to one."""
    max_bytes: int
    """A longer record is none, and a longer line no footer."""
    final: bool = True
    """Nothing will follow behind the lines; else what could still go on is left."""


def numbered_lines(lines: Iterable[bytes], *, line: int = 1, offset: int = 0) -> Iterator[Line]:
    """Lines with their numbers and byte offsets, from those of the first."""
    for number, raw in enumerate(lines, line):
        yield Line(raw, number, offset)
        offset += len(raw)


def without_footer(lines: Iterator[Line], count: int, *, max_bytes: int) -> Iterator[Line]:
    """All lines but the last `count` that are not empty."""
    if not count:
        yield from lines
    last: deque[Line] = deque()
    held = 0
    for line in lines:
        last.append(line)
        held += bool(line.raw.strip())
        may_be_footer = len(line.raw) <= max_bytes
        while last and (held > count or not may_be_footer):
            held -= bool(last[0].raw.strip())
            yield last.popleft()


def whole_records(lines: Iterator[Line], joining: Joining) -> Iterator[Line]:
    """Join lines to records where a quote is open and closed again; what joins to none stays a line."""
    waiting: deque[Line] = deque()
    while True:
        line = waiting.popleft() if waiting else next(lines, None)
        if line is None:
            return
        if joining.quote and line.raw.count(joining.quote) % 2:
            joined, more = _until_closed(line, joining, lines, waiting)
            if joined is None:
                return
            if joining.is_whole(joined.raw):
                line = joined
                for _ in range(more):
                    waiting.popleft()
        if line.raw.strip():
            yield line


def _until_closed(
    line: Line, joining: Joining, lines: Iterator[Line], waiting: deque[Line]
) -> tuple[Line | None, int]:
    """The line with those behind it, up to the one that closes its quote, and how many these are.

    They go on waiting until it is sure that they belong to it. None where that cannot be known yet.
    """
    raw, more = line.raw, 0
    while more < _MOST_LINES - 1 and len(raw) <= joining.max_bytes:
        if more == len(waiting):
            following = next(lines, None)
            if following is None:
                return (line._replace(raw=raw) if joining.final else None), more
            waiting.append(following)
        raw += waiting[more].raw
        more += 1
        if joining.quote and raw.count(joining.quote) % 2 == 0:
            break
    return line._replace(raw=raw), more
