"""Attributions: what was decided of each leg, written so that whoever knew more is never overwritten."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from itertools import compress, islice
from operator import not_
from typing import Any, TypeVar

from cdrd.errors import RowRefused
from cdrd.records import AcctId, Attribution, Leg
from cdrd.store.calls import write_calls
from cdrd.store.database import Database, translated
from cdrd.store.decided import (
    ATTRIBUTION_COLUMNS,
    CALL_COLUMNS,
    Basis,
    Decided,
    Placed,
    Unnumbered,
    attribution_rows,
    call_rows,
    may_be_there,
    numbered,
    placed,
    rules_of,
)
from cdrd.store.ranges import ranges_of
from cdrd.store.statements import Row, copy_in_binary, statement
from cdrd.store.work import Known

_WRITTEN = (*(name for name in Attribution._fields if name != "rules"), "rule_set_id", "call_id")
_PARAMETER = {"company": "companies"}
_One = TypeVar("_One")

_AT_ONCE = 256
"""Rows that are made before others have their turn."""
_WORTH_COPYING = 100
"""So many new rows are copied; fewer go with those that are decided again, for COPY is one more question."""


async def write_decisions(connection: Any, decided: Sequence[Decided], known: Known) -> int:
    """Writes decisions made from what was known, and returns the directory version in force now.

    A decision already there that knew more stays. Once the revisions are reserved the transaction holds
    their counter, and nobody else writes decisions until it ends: what is not there now can be copied, and
    what can be done before is done before.
    """
    attributions = placed(decided)
    if not attributions:
        return known.directory_version
    calls = [one for one in decided if one.record is not None]
    new = await _made(attribution_rows(attributions, known))
    new_calls = await _made(call_rows(calls, known))
    count = len(attributions) + len(calls)
    first_revision = await statement("reserve_revisions").value(connection, count=count) - count + 1
    there, directory_version = await _already_decided(connection, attributions)
    basis = Basis(known, await _rule_sets(connection, decided))
    are_there = [attribution.acctid in there for attribution, _ in attributions]
    fresh, again = _told_apart(attributions, new, are_there)
    if fresh:
        rows = numbered(fresh, basis.rule_sets, first_revision)
        await copy_in_binary(connection, "attribution", ATTRIBUTION_COLUMNS, rows)
    if again:
        await _decide_again(connection, again, basis, first_revision + len(fresh))
    first_revision += len(attributions)
    fresh, calls_again = _told_apart(calls, new_calls, may_be_there(calls, there))
    if fresh:
        rows = numbered(fresh, basis.rule_sets, first_revision)
        await copy_in_binary(connection, "call", CALL_COLUMNS, rows)
    if calls_again:
        await write_calls(connection, calls_again, basis, first_revision + len(fresh))
    return directory_version


async def _made(rows: Iterator[Unnumbered]) -> list[Unnumbered]:
    """All of them; others have their turn meanwhile.

    Raises RowRefused for a value that its column has no room for, as the database would.
    """
    made: list[Unnumbered] = []
    try:
        while some := list(islice(rows, _AT_ONCE)):
            made += some
            await asyncio.sleep(0)
    except (ValueError, TypeError, OverflowError) as error:
        raise RowRefused(f"a value that its column has no room for: {error}") from error
    return made


async def _already_decided(
    connection: Any, attributions: Sequence[Placed]
) -> tuple[set[AcctId], int]:
    """Which legs somebody has decided, and the directory that is in force now."""
    ranges = ranges_of([attribution.acctid for attribution, _ in attributions])
    firsts, lasts = zip(*ranges, strict=True)
    row = await statement("already_decided").row(connection, firsts=firsts, lasts=lasts)
    assert row is not None  # noqa: S101 - a SELECT without FROM has one row
    return set(row["acctids"]), int(row["directory_version"])


async def _rule_sets(connection: Any, decided: Sequence[Decided]) -> dict[str, int]:
    """The numbers of the rules that decided these."""
    rows = await statement("numbers_of_rule_sets").rows(connection, rules=list(rules_of(decided)))
    return {row["said"]: row["rule_set_id"] for row in rows}


def _told_apart(
    decided: Sequence[_One], rows: Sequence[Unnumbered], are_there: Sequence[bool]
) -> tuple[list[Unnumbered], list[_One]]:
    """The rows to be copied, and what is not, because it may be there already or they are few."""
    fresh = list(compress(rows, map(not_, are_there)))
    if len(fresh) < _WORTH_COPYING:
        return [], list(decided)
    return fresh, list(compress(decided, are_there))


async def write_by_halves(
    connection: Any,
    calls: Sequence[Decided],
    known: Known,
    *,
    instead: Callable[[Decided, RowRefused], Decided],
) -> int:
    """The same, where the database has refused some of it: finds which call, and writes `instead` of it."""
    try:
        with translated():
            async with connection.transaction():
                return await write_decisions(connection, calls, known)
    except RowRefused as error:
        if len(calls) == 1:
            return await write_decisions(connection, [instead(calls[0], error)], known)
    half = len(calls) // 2
    await write_by_halves(connection, calls[:half], known, instead=instead)
    return await write_by_halves(connection, calls[half:], known, instead=instead)


async def _decide_again(
    connection: Any, attributions: Sequence[Placed], basis: Basis, first_revision: int
) -> None:
    known, rule_sets = basis
    rows = [(*one[:-1], rule_sets[one.rules], call_id) for one, call_id in attributions]
    columns = zip(_WRITTEN, zip(*rows, strict=True), strict=True)
    await statement("write_attributions").rows(
        connection,
        **{_PARAMETER.get(name, f"{name}s"): values for name, values in columns},
        directory_version=known.directory_version,
        seen_acctid=known.seen_acctid,
        seen_event_id=known.seen_event_id,
        first_revision=first_revision,
        late=known.late,
    )


async def note_late(connection: Any, decided: Sequence[Decided]) -> None:
    """What was just written may have been served without: it is a change to who read it."""
    acctids = [one.acctid for call in decided for one in call.attributions]
    await statement("note_late").rows(connection, acctids=acctids)


async def wait_for_writers(connection: Any) -> None:
    """Until everybody who is writing attributions now has committed."""
    await statement("reserve_revisions").value(connection, count=0)


async def parked_legs(connection: Any, *, after: AcctId, most: int) -> list[Leg] | None:
    """The next legs that wait for a directory or a better rule; None while another worker looks."""
    if not await statement("try_parked_lock").value(connection):
        return None
    rows = await statement("parked_legs").rows(connection, after=after, most=most)
    return [Leg._make(row) for row in rows]


async def attribution_of(database: Database, acctid: AcctId) -> Row | None:
    """What is decided of a leg."""
    async with database.connection() as connection:
        return await statement("attribution_of").row(connection, acctid=acctid)


async def attributions_of(connection: Any, acctids: Sequence[AcctId]) -> list[Row]:
    """What is decided of legs, in the order of acctid."""
    return await statement("attributions_of").rows(connection, acctids=acctids)
