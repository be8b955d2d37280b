r"""JSON as Asterisk 22 writes it, which is not always JSON.

cdr_custom's `format = json` puts a backslash before every quote of a value and does nothing else: a
backslash, a newline or a control byte of the value stands there as it is (22.10.1; a caller named
`C:\new` becomes a text with a newline to any JSON reader). So there are three readings:

- Where every backslash has a quote behind it, JSON and Asterisk's way say the same: read as JSON.
- Else, what is written as Asterisk writes it (no blanks, plain keys, texts and numbers) is read
  Asterisk's way. There `\"` ends a value only if something follows that no value can contain:
  a comma and a key in unescaped quotes, or the end of the record.
- Else it is JSON of another writer, or broken.

As every quote inside a value has its backslash, no value can contain `{"key":` either: that begins a
record wherever it stands, also behind a torn one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from math import isfinite
from typing import Any, NamedTuple

from cdrd.decode.grammar import Found, Stretch
from cdrd.decode.values import Problem, shown
from cdrd.records import Reason

Scalar = str | int | float | None

_KEY = rb'"([A-Za-z0-9_.()-]{1,80}+)":'
_ANY_KEY = rb'"[A-Za-z0-9_.()-]{1,80}+":'
# groups repeat within (?>…) and not as (…)*+, after which CPython before 3.11.5 goes on behind what failed
_NUMBER = rb"-?(?:0|[1-9][0-9]{0,30}+)(?:\.[0-9]{1,30}+)?(?:[eE][+-]?[0-9]{1,3}+)?|null|true|false"
_BEGINS = re.compile(rb"\{[ \t]*" + _ANY_KEY[:-1] + rb"[ \t]*:")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SCALARS = (str, int, float, type(None))
_GLUE_REACH = 8192
"""A record that is glued to a torn one is not longer, so that looking for it stays cheap."""


class _Way(NamedTuple):
    """Asterisk's way of writing a record."""

    record: re.Pattern[bytes]
    pair: re.Pattern[bytes]


def _way(ends: bytes, proves: bytes) -> _Way:
    """How a record `ends`, and what behind `}` `proves` that an escaped quote before it was the end."""
    closes = rb"(?=," + _ANY_KEY + rb"|\}" + proves + rb")"
    content = rb'(?>(?:[^"\\]++|\\(?!")|\\"(?!' + closes + rb"))*)\\?+"
    value = rb'(?:"(' + content + rb')"|(' + _NUMBER + rb"))(?=[,}])"
    pair = rb"[{,]" + _KEY + value
    record = rb"\{" + _ANY_KEY + value + rb"(?>(?:," + _ANY_KEY + value + rb")*)\}" + ends
    return _Way(re.compile(record), re.compile(pair))


_GROWING = _way(ends=rb"\r?\n", proves=rb"\r?\n\{" + _ANY_KEY)
"""Something may follow, so `\\"}` and a newline are not yet the end of a record."""
_LAST = _way(ends=rb"(?:\r?\n|\Z)", proves=rb"(?:\r?\n\{" + _ANY_KEY + rb"|(?:\r?\n)?\Z)")


class Object(NamedTuple):
    """A record's keys and values."""

    values: dict[str, Scalar]
    is_exact: bool
    """Whether it was JSON that can be read in one way only."""


def find_object(stretch: Stretch) -> Found | None:
    """Find the end of the object that begins a stretch; what is none ends before the next one."""
    data, start, limit, final = stretch
    line_end = data.find(b"\n", start, limit) + 1
    if not _BEGINS.match(data, start, limit):
        return _torn(data, start, line_end) or (Found(line_end) if line_end else None)
    match = (_LAST if final else _GROWING).record.match(data, start, limit)
    if match:
        return Found(match.end())
    if not line_end:
        return None
    if _json(data[start:line_end].decode(errors="replace")) is not None:
        return Found(line_end)
    return _torn(data, start, limit)


def _torn(data: bytes, start: int, limit: int) -> Found | None:
    following = _BEGINS.search(data, start + 1, limit)
    if following is None:
        return None
    end = following.start()
    if b"\0" in data[start:end]:
        return Found(end, Problem(Reason.NUL_BYTES, "NUL bytes, and then the next object"))
    detail = f"no whole object: {shown(data[start:end].decode(errors='replace'))}"
    is_line = data.startswith(b"\n", end - 1)
    return Found(end, Problem(Reason.BAD_JSON if is_line else Reason.TORN, detail))


def read_object(raw: bytes) -> Object | Problem:
    """Read one record."""
    if b"\0" in raw:
        return Problem(Reason.NUL_BYTES, f"NUL bytes, the first at {raw.index(0)}")
    text = raw.decode(errors="replace")
    is_plain = "\\" not in text.replace('\\"', "")
    found = _json(text) if is_plain else None
    if found is None:
        found, is_plain = _asterisks(raw), False
    if found is None:
        found, is_plain = _json(text), True
    if found is None:
        return Problem(Reason.BAD_JSON, f"no JSON object, nor what Asterisk writes: {shown(text)}")
    return _checked(found, is_exact=is_plain)


def first_glued_object(raw: bytes, is_sure: Callable[[bytes], bool]) -> int | None:
    """Where an object begins behind a torn one in a file that ends without a newline."""
    for match in _BEGINS.finditer(raw, max(1, len(raw) - _GLUE_REACH)):
        if is_sure(raw[match.start() :]):
            return match.start()
    return None


def decoded_object(text: str) -> dict[str, Any]:
    """An object of plain JSON. ValueError or RecursionError for anything else."""
    found = _DECODER.decode(text)
    if not isinstance(found, dict):
        raise ValueError  # noqa: TRY004 - one fault for whatever is no object
    return found


def plain_lines(texts: list[str], data: bytes) -> list[str]:
    """The lines where every backslash has a quote behind it; the others are empty."""
    if b"\\" not in data.replace(b'\\"', b""):
        return texts
    return ["" if "\\" in text.replace('\\"', "") else text for text in texts]


def _checked(values: dict[str, Any], *, is_exact: bool) -> Object | Problem:
    for name, value in values.items():
        if not isinstance(value, _SCALARS) or (isinstance(value, float) and not isfinite(value)):
            return Problem(Reason.BAD_JSON, f"{shown(name)} is neither text nor a number")
    said = "".join([*values, *(value for value in values.values() if isinstance(value, str))])
    if "\0" in said:
        return Problem(Reason.NUL_BYTES, "an escaped NUL")
    if _SURROGATE.search(said):
        paired = {_paired(name): _paired(value) for name, value in values.items()}
        return Object(paired, is_exact=False)
    return Object(values, is_exact)


def _paired(value: Any) -> Any:
    """A text without halves of surrogate pairs, which are no characters to anyone else."""
    return _SURROGATE.sub("\ufffd", value) if isinstance(value, str) else value


def _json(text: str) -> dict[str, Any] | None:
    try:
        return decoded_object(text)
    except (ValueError, RecursionError):
        return None


def _no_constant(name: str) -> None:
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def _asterisks(raw: bytes) -> dict[str, Scalar] | None:
    """Read Asterisk's way."""
    if not _LAST.record.fullmatch(raw):
        return None
    return dict(_pairs(raw))


def _pairs(raw: bytes) -> Iterator[tuple[str, Scalar]]:
    place = 0
    while match := _LAST.pair.match(raw, place):
        place = match.end()
        key, content, number = match.groups()
        if content is None:
            yield key.decode(), _DECODER.decode(number.decode())
        else:
            yield key.decode(), content.replace(b'\\"', b'"').decode(errors="replace")
