"""Forwarders: who ships the files of a source from another machine, and that nobody else does meanwhile."""

from __future__ import annotations

from cdrd.errors import Conflict
from cdrd.records import Claim, FilePosition, SourceId
from cdrd.store.database import Database
from cdrd.store.filenames import as_text
from cdrd.store.sources import Report, write_report
from cdrd.store.statements import statement

QUIET = 30.0
"""Seconds after which a forwarder that says nothing may be replaced by one on another machine."""


async def begin_forwarding(database: Database, source_id: SourceId, machine: str) -> Claim:
    """The claim of a forwarder that begins: whatever it has sent before counts for nothing from now on.

    What of that is being stored right now is waited for, so that positions read after this are true.
    Raises Conflict while a forwarder on another machine is heard.
    """
    owner = f"forwarder {as_text(machine)}"
    async with database.connection() as connection:
        epoch = await statement("begin_forwarding").value(
            connection, source_id=source_id, owner=owner, quiet=QUIET
        )
        if epoch is None:
            other = await statement("owner_of_source").value(connection, source_id=source_id)
            raise Conflict(f"{other} has this source; a source is forwarded by one machine")
    return Claim(source_id, epoch)


async def is_begun(database: Database, claim: Claim, position: FilePosition) -> bool:
    """Whether a file that the forwarder takes for a new one is one that it has begun already.

    Then somebody on the way has repeated its request. If it is another file after all, the forwarder finds
    that out: it has to begin again, and from then on this file is one of before.
    """
    mark = position.mark
    async with database.connection() as connection:
        return bool(
            await statement("begun_since").value(
                connection,
                source_id=claim.source_id,
                physical=position.physical,
                head_length=mark.head_length,
                head_digest=mark.head_digest,
            )
        )


async def heard_forwarder(database: Database, claim: Claim, report: Report) -> None:
    """Writes down how a forwarder is doing; Conflict where another one has begun meanwhile."""
    async with database.transaction() as connection:
        held = await statement("hold_source").value(
            connection, source_id=claim.source_id, epoch=claim.epoch
        )
        if held is None:
            raise Conflict("another forwarder has begun")
        await write_report(connection, claim.source_id, report)
