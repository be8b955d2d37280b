"""A suspended record is decided: tried again with the settings as they are now, or discarded."""

from __future__ import annotations

from cdrd.collect.carriers import Carrier
from cdrd.decode.decoders import Shape, row_decoder_for
from cdrd.errors import NotFound, RowRefused, SettingsError
from cdrd.records import Reason, Rejected, SourceKind, SuspenseId
from cdrd.store.arrivals import known_recognition
from cdrd.store.batches import Origin, store_late
from cdrd.store.database import Database
from cdrd.store.statements import Row
from cdrd.store.suspense import close, deciding, suspended_record

_SAID_ONCE = (
    "what a manager interface said is not read again, because only within its stream it is known what was"
    " injected; the file of the same PBX has the record"
)


async def retry(
    database: Database, suspense_id: SuspenseId, shape: Shape, *, carrier: Carrier | None = None
) -> int | Rejected:
    """What it became, with the place in the file that it came from; or why it became none again.

    Trying again what became one already returns that one; so does a record that another source has
    delivered in the meantime. Raises NotFound for what was discarded.
    """
    record = await suspended_record(database, suspense_id)
    stored_as = _became(record)
    if stored_as is not None:
        return stored_as
    line, offset = record["line"] or 1, record["byte_offset"] or 0
    row = _decoded(record, shape, carrier)
    if isinstance(row, Rejected):
        return row
    try:
        return await _store(database, record, row, shape.kind)
    except RowRefused as refused:
        words = str(refused).partition("\n")[0]
        return Rejected(record["raw"], line, offset, Reason.REFUSED, words)
    except NotFound:  # somebody else decided in the meantime
        stored_as = _became(await suspended_record(database, suspense_id))
        if stored_as is None:
            raise
        return stored_as


def _decoded(record: Row, shape: Shape, carrier: Carrier | None) -> str | Rejected:
    """A row as the settings are now, or why it is none."""
    raw, line, offset = record["raw"], record["line"] or 1, record["byte_offset"] or 0
    if shape.kind is SourceKind.ASTERISK_AMI:
        return Rejected(raw, line, offset, Reason(record["reason"]), _SAID_ONCE)
    try:
        decoder = carrier.decoder(record["header"] or b"") if carrier else row_decoder_for(shape)
    except SettingsError as error:  # the columns that are named now are not those of that file
        return Rejected(raw, line, offset, Reason.MISSING_FIELD, str(error))
    return decoder.row(raw, line=line, offset=offset)


async def discard(database: Database, suspense_id: SuspenseId) -> None:
    """The record will never become a leg. Raises NotFound when it does not wait for a decision."""
    async with deciding(database, suspense_id) as connection:
        await close(connection, suspense_id, state="discarded")


def _became(record: Row) -> int | None:
    """The leg or event that a record is already; NotFound when it is to become none."""
    if record["state"] == "discarded":
        raise NotFound(f"suspended record {record['suspense_id']} was discarded")
    stored_as: int | None = record["stored_as"]
    return stored_as


async def _store(database: Database, record: Row, row: str, kind: SourceKind) -> int:
    suspense_id = SuspenseId(record["suspense_id"])
    [family] = kind.families
    origin = Origin(record["source_id"], record["file_id"], family)
    async with deciding(database, suspense_id) as connection:
        recognition = await known_recognition(connection, origin.source_id, kind)
        stored_as = await store_late(connection, origin, row, recognition=recognition)
        await close(connection, suspense_id, state="retried", stored_as=stored_as)
    return stored_as
