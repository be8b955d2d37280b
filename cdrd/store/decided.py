"""What was decided of calls, and the rows for COPY that it becomes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from cdrd.calls import CallLeg, CallRecord, SettledBy
from cdrd.errors import RowRefused
from cdrd.records import AcctId, Attribution
from cdrd.store.work import Known

ROWS_COME_WITHIN = timedelta(seconds=2)
"""Asterisk writes the rows of a channel as it ends. So long after its last event a call is over."""

ATTRIBUTION_COLUMNS = (
    *Attribution._fields,
    *("directory_version", "seen_acctid", "seen_event_id", "changed", "revision"),
)
CALL_COLUMNS = (
    *("call_id", "pbx", "linkedid", "linkedids", "acctids", "roles", "end_reasons"),
    *(
        name
        for name in CallRecord._fields
        if name not in {"pbx", "call", "linkedids", "legs", "settled_by"}
    ),
    *("events", "settles_at", "settles_by", "holds_from"),
    *("directory_version", "seen_acctid", "seen_event_id", "revision"),
)
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_QUOTED = str.maketrans({"\\": "\\\\", '"': '\\"'})


class Decided(NamedTuple):
    """What was decided of a call."""

    attributions: Sequence[Attribution]
    """Of its legs, those that are to be written."""
    record: CallRecord | None = None
    """None for legs that no rules could decide."""
    events: int = 0
    """So many channel events it was decided with."""
    is_over: bool = False
    """Its events say that it has ended, and every row that they let expect is there."""

    @property
    def call_id(self) -> AcctId:
        """The acctid of the first leg that was stored; of a call with a record."""
        if self.record is None:
            raise ValueError("there is no record of this call")
        return min(leg.acctid for leg in self.record.legs)


def attribution_rows(
    attributions: Sequence[Attribution], known: Known, first_revision: int
) -> bytes:
    """Attributions, columns as in ATTRIBUTION_COLUMNS."""
    last = f"{known.directory_version}\t{known.seen_acctid}\t{known.seen_event_id}\t{known.late}"
    revision = first_revision
    rows = []
    for attribution in attributions:
        acctid, *properties = tuple[object, ...](attribution)  # whatever a rule has made of them
        columns = "\t".join([_property(value) for value in properties])
        rows.append(f"{acctid}\t{columns}\t{last}\t{revision}\n")
        revision += 1
    return _encoded(rows)


def call_rows(calls: Sequence[Decided], known: Known, first_revision: int) -> bytes:
    """Calls that have a record, columns as in CALL_COLUMNS."""
    over = f"{known.known_at + ROWS_COME_WITHIN}\t{SettledBy.EVENTS}"
    quiet = f"{known.known_at + known.quiet}\t{SettledBy.QUIET}"
    last = f"{known.directory_version}\t{known.seen_acctid}\t{known.seen_event_id}"
    revision = first_revision
    rows = []
    for call in calls:
        call_id = call.call_id
        settles = over if call.is_over else quiet
        rows.append(
            f"{call_id}\t{_call(call)}\t{call.events}\t{settles}\t{call_id}\t{last}\t{revision}\n"
        )
        revision += 1
    return _encoded(rows)


def _call(call: Decided) -> str:
    record = call.record
    if record is None:
        raise ValueError("there is no record of this call")
    names = ",".join([f'"{name.translate(_QUOTED)}"' for name in record.linkedids])
    told = "\t".join([_column(value) for value in record[4:-2]])
    return (
        f"{_column(record.pbx)}\t{_column(record.call)}\t{{{_column(names)}}}"
        f"\t{_legs(record.legs)}\t{told}\t{_column(record.rules)}"
    )


def _legs(legs: Sequence[CallLeg]) -> str:
    """Three arrays: acctids, roles, end reasons."""
    if len(legs) == 1:
        acctid, role, end_reason = legs[0]
        return f"{{{acctid}}}\t{{{role}}}\t{{{end_reason or 'NULL'}}}"
    acctids = ",".join([str(leg.acctid) for leg in legs])
    roles = ",".join([leg.role for leg in legs])
    end_reasons = ",".join([leg.end_reason or "NULL" for leg in legs])
    return f"{{{acctids}}}\t{{{roles}}}\t{{{end_reasons}}}"


def _property(value: object) -> str:
    if value is None or isinstance(value, (str, bool)):
        return _column(value)
    raise RowRefused(f"a property is no text: {value!r}")


def _column(value: object) -> str:
    """A value as COPY's text format has it."""
    if value is None:
        return "\\N"
    if isinstance(value, str):
        # the usual text needs no look at each of its characters
        usual = value.isprintable() and "\\" not in value
        return value if usual else value.translate(_ESCAPES)
    if isinstance(value, datetime):
        return value.isoformat(" ")
    return str(value)


def _encoded(rows: Sequence[str]) -> bytes:
    try:
        return "".join(rows).encode()
    except UnicodeEncodeError as error:
        raise RowRefused(f"a text that is no Unicode: {error}") from error
