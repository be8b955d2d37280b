"""Channel events of cel_custom: CSV with configured columns.

Asterisk 22 cuts a record of `fields =` at 1023 bytes, wherever that is, and writes the newline: a long
appdata costs the last columns. What is left is an event as long as its ids are; a quote left open is
closed. Asterisk 16 cuts nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from cdrd.beside import CelEvent
from cdrd.decode.cel_columns import SAMPLE, UNQUOTED, fields_of_columns
from cdrd.decode.cel_event import KNOWN, event_time, read_event
from cdrd.decode.copytext import unescaped_lines
from cdrd.decode.event_rows import DecodedEvent
from cdrd.decode.grammar import Found, Stretch, UsualLine
from cdrd.decode.instants import instants_of
from cdrd.decode.quoting import (
    fields_of,
    find_record,
    first_glued,
    is_quoted,
    quoting_problem,
    unquoted,
)
from cdrd.decode.times import UsualTimes
from cdrd.decode.usual_cel import usual_line
from cdrd.decode.values import Problem, is_text
from cdrd.records import Reason, Rejected

CUT_AT = 1023
"""Bytes of a record, without its newline, that Asterisk 22 has cut."""

_EVENT_NAME = re.compile(r"[A-Za-z0-9_ -]+")
_IDS = ("uniqueid", "linkedid", "eventtime", "eventtype")


class _Columns(NamedTuple):
    """The columns of one record."""

    fields: list[str]
    """As they are written, quotes and all."""
    is_cut: bool


class CelGrammar:
    """How the CSV records of one cel_custom mapping are read."""

    def __init__(
        self, columns: Sequence[str] = SAMPLE, zone: str = "UTC", max_record_bytes: int = 65536
    ) -> None:
        self.max_record_bytes = max_record_bytes
        self._fields = fields_of_columns(columns)
        self._needs_witness = UNQUOTED not in columns
        self._times = UsualTimes(zone)
        self._usual = usual_line(self._fields, self._times)

    def record(self, raw: bytes, *, line: int, offset: int) -> DecodedEvent | Rejected:
        """Read one whole record, with or without its newline."""
        columns = self._columns(raw)
        event = columns if isinstance(columns, Problem) else self._event(columns)
        if isinstance(event, Problem):
            return Rejected(raw, line, offset, *event)
        is_all_said = isinstance(columns, _Columns) and not columns.is_cut and is_text(raw)
        return DecodedEvent(event, line, offset, None if is_all_said else raw)

    def find(self, stretch: Stretch) -> Found | None:
        """Find the end of the record that begins a stretch."""
        data, start, limit, _ = stretch
        end = start + CUT_AT + 1
        first = data[start:end]
        if end <= limit and first.find(b"\n") == CUT_AT and not _is_quoted_well(first):
            return Found(end)
        return find_record(stretch)

    def glued(self, raw: bytes) -> int | None:
        """Where a whole record begins behind a torn one."""
        return first_glued(raw, self._is_certain)

    def usual(self, _like: bytes) -> UsualLine | None:
        """The fast path, the same for all."""
        return self._usual

    def usual_texts(self, texts: list[str], data: bytes) -> list[str]:
        """The lines that need no escaping for COPY."""
        return unescaped_lines(texts, data)

    def _is_certain(self, raw: bytes) -> bool:
        outcome = self.record(raw, line=0, offset=0)
        return self._needs_witness and isinstance(outcome, DecodedEvent) and not _is_cut(raw)

    def _columns(self, raw: bytes) -> _Columns | Problem:
        text = raw.decode(errors="replace").removesuffix("\n").removesuffix("\r")
        fields, closed = fields_of(text), False
        if fields is None and _is_cut(raw):
            fields, closed = fields_of(text + '"'), True
        if fields is None or b"\0" in raw:
            return quoting_problem(raw)
        expected = f"{len(fields)} columns, expected {len(self._fields)}"
        if len(fields) > len(self._fields):
            return Problem(Reason.TOO_MANY_COLUMNS, expected)
        if len(fields) < len(self._fields) and not _is_cut(raw):
            return Problem(Reason.TOO_FEW_COLUMNS, expected)
        if closed and self._fields[len(fields) - 1] in _IDS:
            fields.pop()
        return _Columns(fields, closed or len(fields) < len(self._fields))

    def _event(self, columns: _Columns) -> CelEvent | Problem:
        texts: dict[str, str] = {}
        others: dict[str, Any] = {}
        printed: list[str] = []
        for name, field in zip(self._fields, columns.fields, strict=False):
            text = unquoted(field)
            if name == "eventtime":
                printed.append(text)
            elif name in KNOWN:
                texts[name] = text
            elif name and text:
                others[name] = text
        if self._needs_witness and not self._has_witness(columns.fields):
            return Problem(
                Reason.BAD_QUOTING, "nothing is in quotes that should be, not even a time"
            )
        texts["eventtime"] = printed[0] if printed else ""
        time = event_time(printed, self._times.zone, texts.get("uniqueid", ""))
        return read_event(texts, time, others)

    def _has_witness(self, fields: Sequence[str]) -> bool:
        """Whether a quoted value is what only a real one can be; see `quoting`."""
        for name, field in zip(self._fields, fields, strict=False):
            text = unquoted(field) if is_quoted(field) else ""
            if name == "eventtype" and _EVENT_NAME.fullmatch(text):
                return True
            if name == "eventtime" and instants_of(text, self._times.zone):
                return True
        return False


def _is_quoted_well(raw: bytes) -> bool:
    return fields_of(raw.decode(errors="replace")) is not None


def _is_cut(raw: bytes) -> bool:
    return len(raw.removesuffix(b"\n")) == CUT_AT
