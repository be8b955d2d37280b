"""Calls: one row for each, written with the attributions of its legs, and settled when its time has come."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import timedelta
from io import BytesIO
from typing import Any, NamedTuple

from cdrd.records import AcctId, Attribution, CallRecord, SettledBy
from cdrd.store.database import Database
from cdrd.store.statements import Row, statement
from cdrd.store.work import Known

ROWS_COME_WITHIN = timedelta(seconds=2)
"""Asterisk writes the rows of a channel as it ends. So long after its last event a call is over."""

_OF_THE_RECORD = tuple(
    name
    for name in CallRecord._fields
    if name not in {"pbx", "call", "linkedids", "legs", "settled_by"}
)
_COPIED = (
    *("call_id", "pbx", "linkedid", "linkedids", "acctids", "roles", "end_reasons"),
    *_OF_THE_RECORD,
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


async def copy_calls(
    connection: Any, calls: Sequence[Decided], known: Known, first_revision: int
) -> None:
    """Writes calls of which nothing was decided yet."""
    await connection.copy_to_table(
        "call",
        source=BytesIO(copy_text(calls, known, first_revision)),
        columns=_COPIED,
        format="text",
    )


async def write_calls(
    connection: Any, calls: Sequence[Decided], known: Known, first_revision: int
) -> None:
    """Writes calls, or what has become of them."""
    await statement("write_calls").rows(
        connection,
        calls=[_as_json(number, call) for number, call in enumerate(calls)],
        claimed_from=known.claimed_from,
        quiet=known.quiet,
        directory_version=known.directory_version,
        seen_acctid=known.seen_acctid,
        seen_event_id=known.seen_event_id,
        first_revision=first_revision,
    )


def _as_json(number: int, call: Decided) -> dict[str, Any]:
    record = call.record
    assert record is not None  # noqa: S101 - calls without one are not written
    told: dict[str, Any] = record._asdict()
    legs = told.pop("legs")
    times = {name: _text(told[name]) for name in ("started", "rang", "answered", "ended")}
    return {
        **told,
        **times,
        "number": number,
        "call_id": call.call_id,
        "linkedid": told.pop("call"),
        "acctids": [leg.acctid for leg in legs],
        "roles": [leg.role for leg in legs],
        "end_reasons": [leg.end_reason for leg in legs],
        "rules": json.loads(record.rules),
        "events": call.events,
        "is_over": call.is_over,
    }


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def copy_text(calls: Iterable[Decided], known: Known, first_revision: int) -> bytes:
    """Rows for COPY, columns as in `_COPIED`."""
    over = f"{known.known_at + ROWS_COME_WITHIN}\t{SettledBy.EVENTS}"
    quiet = f"{known.known_at + known.quiet}\t{SettledBy.QUIET}"
    last = f"{known.directory_version}\t{known.seen_acctid}\t{known.seen_event_id}"
    rows = []
    for revision, call in enumerate(calls, first_revision):
        settles = over if call.is_over else quiet
        held = call.call_id
        rows.append(f"{_row(held, call)}\t{call.events}\t{settles}\t{held}\t{last}\t{revision}\n")
    return "".join(rows).encode()


def _row(call_id: AcctId, call: Decided) -> str:
    record = call.record
    assert record is not None  # noqa: S101 - calls without one are not written
    legs = record.legs
    if len(legs) == 1:
        ((acctid, role, end_reason),) = legs
        of_legs = f"{{{acctid}}}\t{{{role}}}\t{{{end_reason or 'NULL'}}}"
    else:
        acctids = ",".join([str(leg.acctid) for leg in legs])
        roles = ",".join([leg.role for leg in legs])
        end_reasons = ",".join([leg.end_reason or "NULL" for leg in legs])
        of_legs = f"{{{acctids}}}\t{{{roles}}}\t{{{end_reasons}}}"
    names = ",".join([f'"{name.translate(_QUOTED)}"' for name in record.linkedids])
    pbx, linkedid, _, _, *rest = record[:-2]
    told = "\t".join(
        [
            "\\N"
            if value is None
            else value.translate(_ESCAPES)
            if isinstance(value, str)
            else str(value)
            for value in (*rest, record.rules)
        ]
    )
    return (
        f"{call_id}\t{pbx}\t{linkedid.translate(_ESCAPES)}\t{{{names.translate(_ESCAPES)}}}"
        f"\t{of_legs}\t{told}"
    )


async def settle_calls(database: Database, *, most: int) -> int:
    """Settles calls of which nothing more is expected, and returns how many; several may do it at once."""
    async with database.transaction() as connection:
        if not await statement("calls_to_settle").value(connection):
            return 0
        last = await statement("reserve_revisions").value(connection, count=most)
        return int(
            await statement("settle_calls").value(
                connection, first_revision=last - most + 1, most=most
            )
        )


async def settled_horizon(database: Database) -> AcctId:
    """The newest acctid below which every leg is decided, and its call settled when it was."""
    async with database.connection() as connection:
        return AcctId(await statement("settled_horizon").value(connection))


async def call_of(connection: Any, call_id: AcctId) -> Row | None:
    """A call by the first of its legs; of one that was joined into another, that one."""
    return await statement("call_of").row(connection, call_id=call_id)
