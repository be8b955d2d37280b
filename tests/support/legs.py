"""Legs as tests need them, stored as a collector stores them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from cdrd.collect.identity import beginning
from cdrd.decode.copytext import copy_row
from cdrd.decode.decoders import Shape, decoder_for
from cdrd.records import (
    AcctId,
    Attribution,
    Chunk,
    Claim,
    Decoded,
    FileId,
    FileMark,
    FilePosition,
    Leg,
    SourceKind,
)
from cdrd.store.attributions import write_decisions
from cdrd.store.batches import Batch, append
from cdrd.store.database import Database
from cdrd.store.decided import Decided
from cdrd.store.sources import Claims, register_source
from cdrd.store.work import Known

START = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
_numbers = count()


def leg(call: str | None = None, **changes: Any) -> Leg:
    """An answered internal leg; `call` is its uniqueid and linkedid."""
    number = next(_numbers)
    told = Leg(
        calldate=START + timedelta(seconds=number),
        answerdate=START + timedelta(seconds=number + 1),
        enddate=START + timedelta(seconds=number + 60),
        clid='"Alice" <101>',
        src="101",
        dst="102",
        dcontext="acme-internal",
        channel=f"PJSIP/acme-101-{number:08x}",
        dstchannel=f"PJSIP/acme-102-{number:08x}",
        lastapp="Dial",
        lastdata="PJSIP/acme-102,30",
        duration=60,
        billsec=59,
        disposition="ANSWERED",
        amaflags=3,
        accountcode="acme",
        uniqueid=call,
        linkedid=call,
        sequence=number,
        peeraccount="",
        userfield="",
    )
    return told._replace(**changes)


class Collector:
    """Stores legs of one PBX, each call of `store` as one batch."""

    def __init__(self, database: Database, claims: Claims, pbx: str) -> None:
        self._database = database
        self._claims = claims
        self._pbx = pbx
        self._file_id: FileId | None = None
        self._line = 1

    async def _claim(self) -> Claim:
        source_id = await register_source(
            self._database, name=self._pbx, kind=SourceKind.ASTERISK_CSV, pbx=self._pbx
        )
        claim = await self._claims.claim(source_id)
        assert claim is not None
        return claim

    async def store_file(self, path: Path, data: bytes) -> None:
        """A whole Master.csv with times in UTC."""
        decoder = decoder_for(Shape(SourceKind.ASTERISK_CSV))
        decoded = decoder.chunk(Chunk(data, 0, 1, final=True))
        position = FilePosition(None, str(path), "1:2", beginning(data), len(data), decoded.lines)
        await append(self._database, Batch(await self._claim(), position, 0, rows=decoded.rows))

    async def store(self, *legs: Leg) -> list[AcctId]:
        """The acctids that the legs got."""
        claim = await self._claim()
        rows = [copy_row(Decoded(leg, self._line + n, 0, None)) for n, leg in enumerate(legs)]
        mark = FileMark(4, b"head", b"tail")
        line = self._line + len(legs)
        position = FilePosition(self._file_id, "Master.csv", "1:2", mark, line, line)
        expected = self._line if self._file_id else 0
        done = await append(self._database, Batch(claim, position, expected, rows=rows))
        self._file_id, self._line = done.file_id, line
        assert done.last_id is not None
        return [AcctId(done.last_id - len(legs) + 1 + n) for n in range(len(legs))]


@asynccontextmanager
async def collecting(database: Database, pbx: str = "pbx1") -> AsyncIterator[Collector]:
    """A collector that holds its source until the end of the block."""
    claims = Claims(database, "test")
    try:
        yield Collector(database, claims, pbx)
    finally:
        await claims.close()


async def write_attributions(
    connection: Any, attributions: Sequence[Attribution], known: Known
) -> int:
    """Writes decisions about legs alone, without a call."""
    return await write_decisions(connection, [Decided(attributions)], known)
