"""Calls: one row for each, written with the attributions of its legs, and settled when its time has come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cdrd.records import AcctId
from cdrd.store.database import Database
from cdrd.store.decided import Basis, Decided
from cdrd.store.statements import Row, statement


async def write_calls(
    connection: Any, calls: Sequence[Decided], basis: Basis, first_revision: int
) -> None:
    """Writes calls, or what has become of them."""
    known = basis.known
    await statement("write_calls").rows(
        connection,
        calls=[_as_json(number, call, basis) for number, call in enumerate(calls)],
        claimed_from=known.claimed_from,
        quiet=known.quiet,
        directory_version=known.directory_version,
        seen_acctid=known.seen_acctid,
        seen_event_id=known.seen_event_id,
        first_revision=first_revision,
    )
    await _note_calls(connection, calls)


async def _note_calls(connection: Any, calls: Sequence[Decided]) -> None:
    """What names no other leg of its call is found by the call's row, which its leg has to know."""
    parts = [
        (leg.acctid, call.call_id)
        for call in calls
        if call.record is not None and len(call.record.linkedids) > 1
        for leg in call.record.legs
    ]
    if parts:
        acctids, call_ids = zip(*parts, strict=True)
        await statement("note_calls").rows(connection, acctids=acctids, call_ids=call_ids)


def _as_json(number: int, call: Decided, basis: Basis) -> dict[str, Any]:
    record = call.record
    assert record is not None  # noqa: S101 - calls without one are not written
    told: dict[str, Any] = record._asdict()
    times = {name: _text(told[name]) for name in ("started", "rang", "answered", "ended")}
    legs = record.legs
    return {
        **told,
        **times,
        "number": number,
        "call_id": call.call_id,
        "linkedid": record.call,
        "acctids": [leg.acctid for leg in legs],
        "roles": [leg.role for leg in legs],
        "end_reasons": [leg.end_reason for leg in legs],
        "rule_set_id": basis.rule_sets[record.rules],
        "events": call.events,
        "is_over": call.is_over,
    }


def _text(value: object) -> str | None:
    return None if value is None else str(value)


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
