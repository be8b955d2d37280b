"""A suspended record is decided: tried again with the settings as they are now, or discarded."""

from __future__ import annotations

from cdrd.decode.copytext import copy_row
from cdrd.decode.decoders import Shape, decoder_for
from cdrd.errors import NotFound, RowRefused
from cdrd.records import AcctId, Reason, Rejected, SuspenseId
from cdrd.store.database import Database
from cdrd.store.legs import append_suspended
from cdrd.store.statements import Row
from cdrd.store.suspense import close, deciding, suspended_record


async def retry(database: Database, suspense_id: SuspenseId, shape: Shape) -> AcctId | Rejected:
    """The leg it became, with the place in the file that it came from; or why it became none again.

    Trying again what became a leg already returns that leg. Raises NotFound for what was discarded.
    """
    record = await suspended_record(database, suspense_id)
    acctid = _became(record)
    if acctid is not None:
        return acctid
    decoded = decoder_for(shape).record(
        record["raw"], line=record["line"] or 1, offset=record["byte_offset"] or 0
    )
    if isinstance(decoded, Rejected):
        return decoded
    try:
        return await _store(database, record, copy_row(decoded))
    except RowRefused as refused:
        words = str(refused).partition("\n")[0]
        return Rejected(record["raw"], decoded.line, decoded.offset, Reason.REFUSED, words)
    except NotFound:  # somebody else decided in the meantime
        acctid = _became(await suspended_record(database, suspense_id))
        if acctid is None:
            raise
        return acctid


async def discard(database: Database, suspense_id: SuspenseId) -> None:
    """The record will never become a leg. Raises NotFound when it does not wait for a decision."""
    async with deciding(database, suspense_id) as connection:
        await close(connection, suspense_id, state="discarded")


def _became(record: Row) -> AcctId | None:
    """The leg that a record is already; NotFound when it is to become none."""
    if record["state"] == "discarded":
        raise NotFound(f"suspended record {record['suspense_id']} was discarded")
    return AcctId(record["acctid"]) if record["acctid"] is not None else None


async def _store(database: Database, record: Row, row: str) -> AcctId:
    suspense_id = SuspenseId(record["suspense_id"])
    async with deciding(database, suspense_id) as connection:
        acctid = await append_suspended(
            connection, source_id=record["source_id"], file_id=record["file_id"], row=row
        )
        await close(connection, suspense_id, state="retried", acctid=acctid)
    return acctid
