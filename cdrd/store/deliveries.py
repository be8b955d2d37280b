"""Records without a file: pushed over HTTP, or heard on a manager interface. Answered after commit.

A delivery is stored whole, each of its records as what it is: new, a duplicate, or suspended. The same
delivery sent again is answered as the first was: by its key where it has one, else because its records are
recognised (see `arrivals`), and the rejected ones by their bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, NamedTuple

from cdrd.errors import Conflict, RowRefused
from cdrd.records import Family, Reason, Rejected, SourceId
from cdrd.store.arrivals import Recognised, look_up, note_arrivals
from cdrd.store.batches import Origin, correct, counts, store_rows
from cdrd.store.database import Database
from cdrd.store.identity import Recognition, keys_of
from cdrd.store.statements import statement


class Sent(NamedTuple):
    """One record of a delivery, decoded."""

    row: str
    """COPY text, as a decoder makes it; its line and offset say where it was in the delivery."""
    raw: bytes
    """Its own bytes, for suspense, should the database refuse the row."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Records of one source that came together."""

    source_id: SourceId
    recognition: Recognition
    """`recognition_of(..., alone=True)`; with `repeats` for what may be sent again."""
    records: Sequence[Sent | Rejected]
    family: Family = Family.LEG
    key: str | None = None
    """The sender's idempotency key; or one of the collector's own, for what it may have to try again."""
    epoch: int | None = None
    """Of the claim, where only one may collect; None where anybody may deliver."""


class Outcome(StrEnum):
    """What became of a record."""

    STORED = "stored"
    SUSPENDED = "suspended"


class Became(NamedTuple):
    """What became of one record: the same each time it comes."""

    outcome: Outcome
    number: int
    """The acctid, event_id or suspense_id."""
    again: bool = False
    """It was there already: it came before, or another source has delivered it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a delivery is answered."""

    became: Sequence[Became]
    """In the order of the records."""
    repeated: bool = False
    """The delivery came before, by its key: this is what it was answered then."""

    def count(self, outcome: Outcome, *, again: bool = False) -> int:
        """How many records became that now, or were it already."""
        return sum(one.outcome is outcome and one.again is again for one in self.became)


async def append_records(database: Database, delivery: Delivery) -> Answer:
    """Stores a delivery whole; what the database refuses of it is suspended.

    Raises Conflict when the claim is not ours any more, and StoreUnavailable when it is not known to be
    stored: the same delivery may be sent again then.
    """
    try:
        return await _append(database, delivery)
    except RowRefused:
        records = await _without_refused(database, delivery)
    return await _append(database, replace(delivery, records=records))


async def _append(database: Database, delivery: Delivery) -> Answer:
    async with database.transaction() as connection:
        return await _append_within(connection, delivery)


async def _append_within(connection: Any, delivery: Delivery) -> Answer:
    recognition = delivery.recognition
    await statement("lock_pbx").rows(connection, pbx=recognition.pbx)
    held = await statement("hold_source").value(
        connection, source_id=delivery.source_id, epoch=delivery.epoch
    )
    if held is None:
        raise Conflict("another daemon collects from this source now")
    before = await _answered(connection, delivery)
    if before is not None:
        return before
    became = await _store(connection, delivery)
    if delivery.key is not None:
        await statement("remember_answer").rows(
            connection, source_id=delivery.source_id, key=delivery.key, answer=became
        )
    return Answer(became)


async def _answered(connection: Any, delivery: Delivery) -> Answer | None:
    if delivery.key is None:
        return None
    answer = await statement("answered").value(
        connection, source_id=delivery.source_id, key=delivery.key
    )
    if answer is None:
        return None
    became = [Became(Outcome(outcome), number, again) for outcome, number, again in answer]
    return Answer(became, repeated=True)


async def _store(connection: Any, delivery: Delivery) -> list[Became]:
    """Stores what is new, and says of each record what became of it."""
    rows = [record.row for record in delivery.records if isinstance(record, Sent)]
    rejected = [record for record in delivery.records if isinstance(record, Rejected)]
    keys = keys_of(rows, delivery.family, delivery.recognition)
    recognised = await look_up(connection, keys, delivery.source_id, delivery.recognition)
    stored = iter(await _store_new(connection, delivery, recognised, rows))
    suspended = iter(await _suspend(connection, delivery, rejected))
    became = [
        next(stored if isinstance(record, Sent) else suspended) for record in delivery.records
    ]
    await _count(connection, delivery, became)
    return became


async def _store_new(
    connection: Any, delivery: Delivery, recognised: Recognised, rows: Sequence[str]
) -> list[Became]:
    origin = Origin(delivery.source_id, None, delivery.family)
    new = recognised.new(rows)
    last = await store_rows(connection, origin, new)
    ids = recognised.ids(0 if last is None else last - len(new) + 1)
    await note_arrivals(
        connection, recognised.arrivals, ids, source_id=delivery.source_id, file_id=None
    )
    return [
        Became(Outcome.STORED, number, not arrival.is_new)
        for arrival, number in zip(recognised.arrivals, ids, strict=True)
    ]


async def _suspend(
    connection: Any, delivery: Delivery, rejected: Sequence[Rejected]
) -> list[Became]:
    if not rejected:
        return []
    known: dict[bytes, int] = {}
    if delivery.recognition.repeats:
        rows = await statement("suspended_before").rows(
            connection, source_id=delivery.source_id, raws=[record.raw for record in rejected]
        )
        known = {row["raw"]: row["suspense_id"] for row in rows}
    new = [record for record in rejected if record.raw not in known]
    rows = await statement("suspend_delivered").rows(
        connection,
        source_id=delivery.source_id,
        lines=[record.line for record in new],
        offsets=[record.offset for record in new],
        raws=[record.raw for record in new],
        reasons=[record.reason.value for record in new],
        details=[record.detail for record in new],
    )
    suspended = iter(rows)
    return [
        Became(Outcome.SUSPENDED, known[record.raw], again=True)
        if record.raw in known
        else Became(Outcome.SUSPENDED, next(suspended)["suspense_id"])
        for record in rejected
    ]


async def _count(connection: Any, delivery: Delivery, became: Sequence[Became]) -> None:
    answer = Answer(became)
    origin = Origin(delivery.source_id, None, delivery.family)
    counted = counts(
        delivery.family,
        stored=answer.count(Outcome.STORED),
        suspended=answer.count(Outcome.SUSPENDED),
        duplicates=sum(one.again for one in became),
    )
    await correct(connection, origin, counted)


async def _without_refused(database: Database, delivery: Delivery) -> list[Sent | Rejected]:
    """The same records, with those rejected that the database refuses: halves are stored and undone."""
    records = list(delivery.records)
    waiting = [range(len(records))]
    while waiting:
        part = waiting.pop()
        sent = [record for record in records[part.start : part.stop] if isinstance(record, Sent)]
        refused = await _refused(database, delivery, [record.row for record in sent])
        if refused is None:
            continue
        if len(part) > 1:
            middle = len(part) // 2
            waiting += [part[middle:], part[:middle]]
        else:
            line, offset, _ = sent[0].row.split("\t", 2)
            words = str(refused).partition("\n")[0]
            records[part[0]] = Rejected(sent[0].raw, int(line), int(offset), Reason.REFUSED, words)
    return records


async def _refused(
    database: Database, delivery: Delivery, rows: Sequence[str]
) -> RowRefused | None:
    """Why the database refuses some of these rows; nothing is stored in any case."""
    try:
        async with database.connection() as connection:
            trial = connection.transaction()
            await trial.start()
            try:
                keys_of(rows, delivery.family, delivery.recognition)
                await store_rows(
                    connection, Origin(delivery.source_id, None, delivery.family), rows
                )
            finally:
                await trial.rollback()
    except RowRefused as refused:
        return refused
    return None
