"""Records of cdr_csv: the Master.csv of Asterisk, with 16 to 21 columns.

Which columns there are depends on `loguniqueid`, `loguserfield` and `newcdrcolumns`, and is seen by
their number; only the 17th of 17 and of 20 can be the uniqueid or the userfield: the settings say, or
its value does (a uniqueid is `[systemname-]epoch.counter`).
Asterisk quotes every text and no number, and an empty time is bare. What is quoted otherwise is
understood as long as the start is quoted: that is the record's witness (see `quoting`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from cdrd.decode.copytext import escaped_lines
from cdrd.decode.grammar import UsualLine
from cdrd.decode.legs import ASTERISK_NAMES, TIMES, printed_times, read_leg
from cdrd.decode.quoting import (
    fields_of,
    find_record,
    first_glued,
    is_quoted,
    quoting_problem,
    unquoted,
)
from cdrd.decode.times import Printed, UsualTimes, is_uniqueid, local_moment
from cdrd.decode.usual_csv import usual_line
from cdrd.decode.values import Problem, shown
from cdrd.records import Decoded, Leg, Reason, Rejected

Ambiguous = Literal["auto", "uniqueid", "userfield"]

ALWAYS = ASTERISK_NAMES[:16]
FEWEST, MOST = 16, 21
_17TH = "17th"
_NEW = ("peeraccount", "linkedid", "sequence")
_OPTIONAL = {
    16: (),
    17: (_17TH,),
    18: ("uniqueid", "userfield"),
    19: _NEW,
    20: (_17TH, *_NEW),
    21: ("uniqueid", "userfield", *_NEW),
}
_BARE = frozenset(("duration", "billsec", "sequence"))
_AMAFLAGS = ("Unknown", "OMIT", "BILLING", "DOCUMENTATION")


class CsvGrammar:
    """How the cdr_csv records of one source are read."""

    def __init__(self, zone: str, ambiguous: Ambiguous, max_record_bytes: int) -> None:
        self.max_record_bytes = max_record_bytes
        self.find = find_record
        self._zone = zone
        self._ambiguous = ambiguous
        self._times = UsualTimes(zone)
        self._usual = {
            columns: usual_line(columns, self._times, self._name_of_17th) for columns in _OPTIONAL
        }

    def record(self, raw: bytes, *, line: int, offset: int) -> Decoded | Rejected:
        """Read one whole record, with or without its newline."""
        read = self._leg(raw)
        if isinstance(read, Problem):
            return Rejected(raw, line, offset, *read)
        leg, columns = read
        is_usual = raw == write_csv(leg, zone=self._zone, columns=columns)
        return Decoded(leg, line, offset, None if is_usual else raw)

    def glued(self, raw: bytes) -> int | None:
        """Where a record exactly as Asterisk writes it begins behind a torn one."""
        return first_glued(raw, self._is_usual)

    def usual(self, like: bytes) -> UsualLine | None:
        """The fast path for lines with as many columns."""
        fields = fields_of(like.decode(errors="replace"))
        return self._usual.get(len(fields or ()))

    def usual_texts(self, texts: list[str], data: bytes) -> list[str]:
        """The lines, escaped for COPY."""
        if any(special in data for special in (b"\\", b"\t", b"\r")):
            return escaped_lines(texts)
        return texts

    def _is_usual(self, raw: bytes) -> bool:
        outcome = self.record(raw, line=0, offset=0)
        return isinstance(outcome, Decoded) and outcome.original is None

    def _leg(self, raw: bytes) -> tuple[Leg, int] | Problem:
        fields = fields_of(raw.decode(errors="replace"))
        if fields is None or b"\0" in raw:
            return quoting_problem(raw)
        problem = _shape_problem(fields)
        if problem:
            return problem
        texts = dict(zip(self._names(fields), map(unquoted, fields), strict=True))
        printed = self._printed(texts)
        if isinstance(printed, Problem):
            return printed
        reading = read_leg(texts, printed)
        return reading if isinstance(reading, Problem) else (reading.leg, len(fields))

    def _names(self, fields: list[str]) -> tuple[str, ...]:
        optional = _OPTIONAL[len(fields)]
        if _17TH not in optional:
            return ALWAYS + optional
        return (*ALWAYS, self._name_of_17th(unquoted(fields[16])), *optional[1:])

    def _name_of_17th(self, text: str) -> str:
        if self._ambiguous != "auto":
            return self._ambiguous
        return "uniqueid" if is_uniqueid(text) else "userfield"

    def _printed(self, texts: dict[str, str]) -> Printed | Problem:
        moments = [local_moment(texts[name], self._times) for name in TIMES]
        return printed_times(moments, [texts[name] for name in TIMES])


def _shape_problem(fields: list[str]) -> Problem | None:
    expected = f"{len(fields)} columns, expected {FEWEST} to {MOST}"
    if len(fields) < FEWEST:
        return Problem(Reason.TOO_FEW_COLUMNS, expected)
    if len(fields) > MOST:
        return Problem(Reason.TOO_MANY_COLUMNS, expected)
    if not is_quoted(fields[9]):
        start = shown(fields[9])
        return Problem(Reason.BAD_QUOTING, f"the start, {start}, is not in quotes as it should be")
    return None


def columns_of(leg: Leg) -> int:
    """How many columns Master.csv had for this leg, as far as the leg can tell."""
    old = (leg.uniqueid is not None) + (leg.userfield is not None)
    new = (leg.linkedid, leg.peeraccount, leg.sequence) != (None, None, None)
    return FEWEST + old + (3 if new else 0)


def write_csv(leg: Leg, *, zone: str, columns: int) -> bytes:
    """The record as cdr_csv writes it, with its newline."""
    local = ZoneInfo(zone)
    written = [_written(name, leg, local) for name in _written_names(leg, columns)]
    return (",".join(written) + "\n").encode()


def _written_names(leg: Leg, columns: int) -> tuple[str, ...]:
    seventeenth = "userfield" if leg.uniqueid is None else "uniqueid"
    optional = [seventeenth if name == _17TH else name for name in _OPTIONAL[columns]]
    return (*ALWAYS, *optional)


def _written(name: str, leg: Leg, zone: ZoneInfo) -> str:
    if name in TIMES:
        return _written_time((leg.calldate, leg.answerdate, leg.enddate)[TIMES.index(name)], zone)
    if name == "amaflags":
        return _quoted(_AMAFLAGS[leg.amaflags])
    value = getattr(leg, name)
    if name in _BARE:
        return str(value or 0)
    return _quoted(value or "")


def _written_time(time: datetime | None, zone: ZoneInfo) -> str:
    if time is None:
        return ""
    local = time.astimezone(zone).replace(tzinfo=None)
    return f'"{local.isoformat(" ", "seconds")}"'


def _quoted(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"'
