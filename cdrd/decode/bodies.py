"""The body of a push becomes records: lines, one document, or a JSON array of documents.

| kind | body |
|---|---|
| asterisk-csv, asterisk-custom, asterisk-cel, asterisk-queue-log, 3cx | lines, as in its file |
| asterisk-json | lines, as in its file; one object over several lines; an array of objects |
| freeswitch | a document of mod_json_cdr or mod_xml_cdr, also in a form (see `forms`); an array of them |
| yeastar | an object, or an array of them |
| grandstream | an answer of the CDR API in JSON or CSV |

A record's place in the body is its line or number and its offset, as in a file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from cdrd.decode.copytext import copy_row
from cdrd.decode.decoders import RowDecoder, Shape, row_decoder_for
from cdrd.decode.documents import begins, grandstream
from cdrd.decode.forms import unwrap
from cdrd.decode.values import Problem, shown
from cdrd.records import Chunk, Decoded, Reason, Rejected, SourceKind

_BLANKS = re.compile(r"[ \t\r\n]*")
_BETWEEN = re.compile(r"[ \t\r\n]*,[ \t\r\n]*|[ \t\r\n]*\][ \t\r\n]*\Z")
_JSON = json.JSONDecoder()


class Row(NamedTuple):
    """One record of a body that became a leg or an event."""

    row: str
    """A line of COPY text."""
    raw: bytes


Outcome = Row | Rejected


class _Item(NamedTuple):
    """One document of a body."""

    raw: bytes
    line: int = 1
    offset: int = 0
    content: Any = None
    """Of JSON, what it says."""


def document(shape: Shape, body: bytes, content_type: str) -> bytes | Problem:
    """What was pushed, without the form that FreeSWITCH puts around it. `curl -d` calls everything a form."""
    if shape.kind is not SourceKind.FREESWITCH or begins(body, b"{", b"<", b"["):
        return body
    return unwrap(body, content_type)


def records(shape: Shape, body: bytes) -> list[Outcome]:
    """The records of a document, in their order. Every byte that is no blank ends in one of them."""
    if not body.strip():
        return []
    match shape.kind:
        case SourceKind.FREESWITCH | SourceKind.YEASTAR:
            items = _items(body) if begins(body, b"[") else [_Item(body)]
            return [_of_document(row_decoder_for(shape), item) for item in items]
        case SourceKind.GRANDSTREAM:
            return [_row(record) for record in grandstream(body, ZoneInfo(shape.zone))]
        case SourceKind.ASTERISK_JSON:
            return _json_lines(row_decoder_for(shape), body)
    return _lines(row_decoder_for(shape), body)


def _row(record: Decoded | Rejected) -> Outcome:
    """A record that has no bytes of its own in the body."""
    if isinstance(record, Rejected):
        return record
    row = copy_row(record)
    return Row(row, record.original or row.encode())


def _of_document(decoder: RowDecoder, item: _Item | Rejected) -> Outcome:
    if isinstance(item, Rejected):
        return item
    row = decoder.row(item.raw, line=item.line, offset=item.offset)
    return row if isinstance(row, Rejected) else Row(row, item.raw)


def _json_lines(decoder: RowDecoder, body: bytes) -> list[Outcome]:
    """Lines may be broken as cdr_custom breaks them; an array was made by somebody who knows JSON."""
    if begins(body, b"["):
        return [_of_document(decoder, _anew(item)) for item in _items(body)]
    item = _object_of_lines(body)
    return _lines(decoder, body) if item is None else [_of_document(decoder, _anew(item))]


def _anew(item: _Item | Rejected) -> _Item | Rejected:
    """Written with blanks between, so that it is not taken for what Asterisk itself writes."""
    if isinstance(item, Rejected):
        return item
    return item._replace(raw=json.dumps(item.content).encode())


def _object_of_lines(body: bytes) -> _Item | None:
    """One object over several lines, if that is what it is; Asterisk writes one a line."""
    if b"\n" not in body.strip():
        return None
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return _Item(body, content=content) if isinstance(content, dict) else None


def _lines(decoder: RowDecoder, body: bytes) -> list[Outcome]:
    decoded = decoder.chunk(Chunk(body, offset=0, line=1, final=True))
    placed: list[tuple[int, str | Rejected]] = [(one.offset, one) for one in decoded.rejected]
    placed += [(int(row.split("\t", 2)[1]), row) for row in decoded.rows]
    placed.sort(key=lambda one: one[0])
    ends = [offset for offset, _ in placed[1:]] + [len(body)]
    return [
        one if isinstance(one, Rejected) else Row(one, body[start:end])
        for (start, one), end in zip(placed, ends, strict=True)
    ]


def _items(body: bytes) -> Sequence[_Item | Rejected]:
    """The elements of an array. What is no JSON from some byte on is one rejected record."""
    text = body.decode(errors="surrogateescape")
    items: list[_Item | Rejected] = []
    done = offset = 0
    for place, content in _elements(text):
        offset += len(_bytes(text[done : place.start]))
        raw = _bytes(text[place])
        items.append(_Item(raw, len(items) + 1, offset, content))
        done, offset = place.stop, offset + len(raw)
    rest = text[done:]
    if not _ends(rest, is_first=not items):
        detail = f"an array was expected to go on or to end, found {shown(rest)}"
        items.append(Rejected(_bytes(rest), len(items) + 1, offset, Reason.BAD_JSON, detail))
    return items


def _elements(text: str) -> Iterator[tuple[slice, Any]]:
    """Where the elements are and what they say, as far as it is an array."""
    at = text.index("[") + 1
    while True:
        start = _past(_BLANKS, text, at)
        try:
            content, end = _JSON.raw_decode(text, start)
        except (ValueError, RecursionError):
            return
        at = _past(_BETWEEN, text, end)
        if at == end:
            return
        yield slice(start, end), content


def _past(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _ends(rest: str, *, is_first: bool) -> bool:
    bare = "".join(rest.split()).removeprefix("\ufeff")
    return bare == ("[]" if is_first else "]")


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
