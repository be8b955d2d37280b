"""The lines of a carrier's file become records: a quoted text may hold newlines, a broken quote may not."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

_MOST_LINES = 20
"""Lines that one record may span."""


class Line(NamedTuple):
    """A line of a file, or the lines of one record."""

    raw: bytes
    number: int
    offset: int


def numbered_lines(lines: Iterable[bytes]) -> Iterator[Line]:
    """Lines with their numbers, from 1, and byte offsets."""
    offset = 0
    for number, raw in enumerate(lines, 1):
        yield Line(raw, number, offset)
        offset += len(raw)


def without_footer(lines: Iterator[Line], count: int) -> Iterator[Line]:
    """All lines but the last `count` that are not empty."""
    last: deque[Line] = deque()
    for line in lines:
        if not count:
            yield line
        elif line.raw.strip():
            last.append(line)
            if len(last) > count:
                yield last.popleft()


def whole_records(
    lines: Iterator[Line], quote: bytes | None, is_whole: Callable[[bytes], bool]
) -> Iterator[Line]:
    """Join lines to records where a quote is open and closed again; what joins to none stays a line."""
    waiting: deque[Line] = deque()
    while True:
        line = waiting.popleft() if waiting else next(lines, None)
        if line is None:
            return
        if quote and line.raw.count(quote) % 2:
            joined, more = _until_closed(line, quote, lines, waiting)
            if is_whole(joined.raw):
                line = joined
                for _ in range(more):
                    waiting.popleft()
        if line.raw.strip():
            yield line


def _until_closed(
    line: Line, quote: bytes, lines: Iterator[Line], waiting: deque[Line]
) -> tuple[Line, int]:
    """The line with those behind it, up to the one that closes its quote, and how many these are.

    They go on waiting until it is sure that they belong to it.
    """
    raw = line.raw
    for more in range(1, _MOST_LINES):
        if more > len(waiting):
            following = next(lines, None)
            if following is None:
                return line._replace(raw=raw), more - 1
            waiting.append(following)
        raw += waiting[more - 1].raw
        if raw.count(quote) % 2 == 0:
            return line._replace(raw=raw), more
    return line._replace(raw=raw), _MOST_LINES - 1
