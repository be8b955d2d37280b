"""The grammar of CSV as Asterisk writes it: where a record ends, and which fields it has.

A field is quoted, with inner quotes doubled, or bare. Quoted fields may hold raw newlines, so a
record ends at the first newline outside quotes.

Why no text inside a field can pass for a record: inside a quoted field every quote is doubled, so
quotes come there in runs of even length. A reader that starts in the middle of a field (behind a torn
record, say) is outside quotes exactly where the truth is inside, and even runs do not change that.
So it can never see a quoted value that begins with anything but a quote: that needs a run of odd
length, and the only ones are the real ends of fields, whose values begin, to such a reader, with the
comma that follows. Every record is therefore asked for a quoted value that is checked (a time, a
disposition…): its *witness*. `tests/unit/decode/test_forgery.py` tries.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from cdrd.decode.grammar import Found, Stretch
from cdrd.decode.values import Problem
from cdrd.records import Reason

_BYTES_QUOTED = rb'"[^"]*+(?:""[^"]*+)*+"'
_BYTES_BARE = rb'[^",\r\n]*+'
# not (?:…)*+, after which CPython before 3.11.5 goes on behind what failed
_LEADING_FIELDS = re.compile(rb"(?>(?:(?:" + _BYTES_QUOTED + rb"|" + _BYTES_BARE + rb"),)*)")
_LAST_QUOTED = re.compile(_BYTES_QUOTED)
_LAST_BARE = re.compile(_BYTES_BARE)
_NEWLINE = re.compile(rb"\r?\n")
_FIELD = re.compile(r',("[^"]*+(?:""[^"]*+)*+"|[^",\r\n]*+)')
_GLUE = re.compile(rb'(?<!")"(?=[^"]*",)')
"""Where a record may begin: not in the middle of a doubled quote, nor with quotes in its first field,
which could be the end of a torn field and the beginning of the next record."""
_GLUE_REACH = 4096
"""A record that is glued to a torn one is not longer, so that looking for it stays cheap."""


def find_record(stretch: Stretch) -> Found | None:
    """Find the newline that ends a record; what has wrong quotes ends with its first line."""
    data, start, limit, _ = stretch
    leading = _LEADING_FIELDS.match(data, start, limit)
    place = leading.end() if leading else start
    last = _LAST_QUOTED if data.startswith(b'"', place, limit) else _LAST_BARE
    match = last.match(data, place, limit)
    if match is None:
        return None
    place = match.end()
    follows = data[place : min(place + 2, limit)]
    if follows in (b"", b"\r"):
        return None
    newline = _NEWLINE.match(follows)
    return Found(place + newline.end()) if newline else _broken_line(stretch)


def _broken_line(stretch: Stretch) -> Found | None:
    data, start, limit, _ = stretch
    end = data.find(b"\n", start, limit) + 1
    return Found(end, quoting_problem(data[start:end])) if end else None


def quoting_problem(line: bytes) -> Problem:
    """What to say of a line whose quotes are wrong."""
    if b"\0" in line:
        return Problem(Reason.NUL_BYTES, f"NUL bytes, the first at {line.index(0)}")
    if line.count(b'"') % 2:
        return Problem(Reason.UNCLOSED_QUOTE, "a quote on this line is never closed")
    return Problem(Reason.BAD_QUOTING, "a quote inside an unquoted field, or text behind a quote")


def fields_of(text: str) -> list[str] | None:
    """The fields of a whole record as they are written, quotes and all; None if its quotes are wrong."""
    line = "," + text.removesuffix("\n").removesuffix("\r")
    fields = _FIELD.findall(line)
    is_all = sum(map(len, fields)) + len(fields) == len(line)
    return fields if is_all else None


def is_quoted(field: str) -> bool:
    """Whether a field is written in quotes."""
    return field.startswith('"')


def unquoted(field: str) -> str:
    """What a field says."""
    return field[1:-1].replace('""', '"') if field.startswith('"') else field


def first_glued(line: bytes, is_sure: Callable[[bytes], bool]) -> int | None:
    """Where, within one line, a record begins behind a torn one: at a quote that follows no quote.

    Behind a quote it could be the second half of a doubled one, in the middle of a field.
    """
    end = len(line)
    if line.find(b"\n", 0, end - 1) >= 0:
        return None
    for match in _GLUE.finditer(line, max(1, end - _GLUE_REACH)):
        at = match.start()
        if find_record(Stretch(line, at, end, final=False)) == Found(end) and is_sure(line[at:]):
            return at
    return None
