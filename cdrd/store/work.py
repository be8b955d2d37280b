"""Work that waits for a stage, and the attributions that the enrich stage writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cdrd.records import AcctId, Attribution
from cdrd.store.database import Database
from cdrd.store.statements import Row, statement


@dataclass(frozen=True, slots=True)
class Waiting:
    """How much waits for a stage."""

    ranges: int
    legs: int
    oldest_seconds: float


async def claim_work(connection: Any, stage: str, *, most_legs: int) -> list[tuple[AcctId, AcctId]]:
    """The oldest ranges of acctid that nobody else holds; ours until the transaction ends."""
    rows = await statement("claim_work").rows(connection, stage=stage, most_legs=most_legs)
    return [(AcctId(row["first_acctid"]), AcctId(row["last_acctid"])) for row in rows]


async def finish_work(connection: Any, stage: str, ranges: Sequence[tuple[AcctId, AcctId]]) -> None:
    """What was claimed is done, once the transaction commits."""
    await statement("finish_work").rows(
        connection, stage=stage, firsts=[first for first, _ in ranges]
    )


async def waiting(database: Database, stage: str) -> Waiting:
    """How much waits for a stage now."""
    async with database.connection() as connection:
        row = await statement("waiting_work").row(connection, stage=stage)
    return Waiting(**dict(row)) if row else Waiting(0, 0, 0.0)


_WRITTEN = Attribution._fields
_PARAMETER = {"company": "companies", "rules": "rules"}


async def write_attributions(
    connection: Any,
    attributions: Sequence[Attribution],
    *,
    directory_version: int,
    seen_acctid: AcctId,
) -> None:
    """Writes decisions made knowing every leg up to `seen_acctid` and that version of the directory.

    A decision already there that knew more stays. Holds the revision counter until commit.
    """
    if not attributions:
        return
    last = await statement("reserve_revisions").value(connection, count=len(attributions))
    columns = zip(_WRITTEN, zip(*attributions, strict=True), strict=True)
    await statement("write_attributions").rows(
        connection,
        **{_PARAMETER.get(name, f"{name}s"): values for name, values in columns},
        directory_version=directory_version,
        seen_acctid=seen_acctid,
        first_revision=last - len(attributions) + 1,
    )


async def attribution_of(database: Database, acctid: AcctId) -> Row | None:
    """What is decided of a leg."""
    async with database.connection() as connection:
        return await statement("attribution_of").row(connection, acctid=acctid)
