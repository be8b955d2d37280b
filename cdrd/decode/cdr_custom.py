"""Records of cdr_custom: CSV with the columns that the mapping of the PBX lists (see `columns`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cdrd.decode.columns import EPOCH, ISO, NUMBER, UNQUOTED, Column, columns_of_mapping
from cdrd.decode.copytext import unescaped_lines
from cdrd.decode.grammar import UsualLine
from cdrd.decode.legs import TIMES, Manner, Reading, printed_times, read_leg
from cdrd.decode.quoting import (
    fields_of,
    find_record,
    first_glued,
    is_quoted,
    quoting_problem,
    unquoted,
)
from cdrd.decode.times import (
    Moment,
    Printed,
    UsualTimes,
    epoch_moment,
    iso_moment,
    local_moment,
)
from cdrd.decode.usual_custom import UsualCustom
from cdrd.decode.values import Problem, is_text
from cdrd.records import Decoded, Reason, Rejected


class CustomGrammar:
    """How the records of one cdr_custom mapping are read."""

    def __init__(self, names: Sequence[str], zone: str, max_record_bytes: int) -> None:
        self.max_record_bytes = max_record_bytes
        self.find = find_record
        self._columns = columns_of_mapping(names)
        forms = {column.name: column.form for column in self._columns}
        self._manner = Manner(fractions=True, numeric_disposition=forms["disposition"] == NUMBER)
        self._needs_witness = UNQUOTED not in forms.values()
        times = UsualTimes(zone)
        self._moments = [_reader_of(forms.get(name, ""), times) for name in TIMES]
        self._usual = UsualCustom(self._columns, times)

    def record(self, raw: bytes, *, line: int, offset: int) -> Decoded | Rejected:
        """Read one whole record, with or without its newline."""
        reading = self._reading(raw)
        if isinstance(reading, Problem):
            return Rejected(raw, line, offset, *reading)
        is_all_said = not reading.cut and raw.endswith(b"\n") and is_text(raw)
        return Decoded(reading.leg, line, offset, None if is_all_said else raw)

    def glued(self, raw: bytes) -> int | None:
        """Where a whole record begins behind a torn one."""
        return first_glued(raw, self._is_certain)

    def usual(self, like: bytes) -> UsualLine | None:
        """The fast path for lines with quotes in the same places."""
        fields = fields_of(like.decode(errors="replace")) or []
        return self._usual.line(tuple(map(is_quoted, fields)))

    def usual_texts(self, texts: list[str], data: bytes) -> list[str]:
        """The lines that need no escaping for COPY."""
        return unescaped_lines(texts, data)

    def _is_certain(self, raw: bytes) -> bool:
        outcome = self.record(raw, line=0, offset=0)
        return self._needs_witness and isinstance(outcome, Decoded)

    def _reading(self, raw: bytes) -> Reading | Problem:
        fields = fields_of(raw.decode(errors="replace"))
        if fields is None or b"\0" in raw:
            return quoting_problem(raw)
        problem = self._shape_problem(fields)
        if problem:
            return problem
        texts, extra = _named(self._columns, fields)
        printed = self._printed(texts)
        if isinstance(printed, Problem):
            return printed
        return read_leg(texts, printed, self._manner, extra or None)

    def _shape_problem(self, fields: Sequence[str]) -> Problem | None:
        expected = f"{len(fields)} columns, expected {len(self._columns)}"
        if len(fields) < len(self._columns):
            return Problem(Reason.TOO_FEW_COLUMNS, expected)
        if len(fields) > len(self._columns):
            return Problem(Reason.TOO_MANY_COLUMNS, expected)
        if self._needs_witness and not self._has_witness(fields):
            return Problem(
                Reason.BAD_QUOTING, "nothing is in quotes that should be, not even a time"
            )
        return None

    def _has_witness(self, fields: Sequence[str]) -> bool:
        return any(
            column.is_checked and is_quoted(field) and unquoted(field)
            for column, field in zip(self._columns, fields, strict=True)
        )

    def _printed(self, texts: Mapping[str, str]) -> Printed | Problem:
        printed = [texts.get(name, "") for name in TIMES]
        moments = [read(text) for read, text in zip(self._moments, printed, strict=True)]
        return printed_times(moments, printed)


def _reader_of(form: str, times: UsualTimes) -> Callable[[str], Moment | None]:
    readers = {EPOCH: epoch_moment, ISO: iso_moment}
    return readers.get(form) or (lambda text: local_moment(text, times))


def _named(
    columns: Sequence[Column], fields: Sequence[str]
) -> tuple[dict[str, str], dict[str, Any]]:
    """The texts of Asterisk's fields, and those of the operator's own."""
    texts: dict[str, str] = {}
    extra: dict[str, Any] = {}
    for column, field in zip(columns, fields, strict=True):
        if column.name:
            (texts if column.is_known else extra)[column.name] = unquoted(field)
    return texts, extra
