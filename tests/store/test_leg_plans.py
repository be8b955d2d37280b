"""What it costs to find the other legs of calls: those of these calls, however many are stored."""

from __future__ import annotations

from support.sources import ask, file_source

from cdrd.records import AcctId, SourceKind
from cdrd.store.database import Database
from cdrd.store.legs import Window, legs_of_calls
from cdrd.store.work import prepare_to_decide

STORED, CLAIMED = 5000, 50
LEGS = """
    INSERT INTO leg (
        acctid, source_id, line, byte_offset, calldate, clid, src, dst, dcontext, channel, dstchannel,
        lastapp, lastdata, duration, billsec, disposition, amaflags, accountcode, uniqueid
    )
    SELECT
        n, $1, n, n, now(), '', '', '', '', 'PJSIP/101-' || n, '', '', '', 0, 0, 'ANSWERED', 3, '',
        (n % 4000)::text
    FROM generate_series(1, $2::bigint) AS n
"""
READ = """
    SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::integer
    FROM pg_stat_xact_user_tables
    WHERE relname ~ '^leg_'
"""


async def test_legs_of_calls_are_read_without_the_rest_of_their_partition(
    database: Database,
) -> None:
    """Nothing is known yet of a partition that fills, but what its rows are looked up by."""
    async with file_source(database, "legs", SourceKind.ASTERISK_CSV) as source:
        await ask(database, LEGS, source.source_id, STORED)
    first = AcctId(STORED - CLAIMED + 1)
    window = Window(0, AcctId(STORED), [(first, AcctId(STORED))])
    names = [str(acctid % 4000) for acctid in range(first, STORED + 1)]
    async with database.transaction() as connection:
        await prepare_to_decide(connection)
        found = await legs_of_calls(connection, names, window=window, most=1000)
        read = await connection.fetchval(READ)

    assert sorted(leg.acctid or 0 for leg in found) == [
        acctid - 4000 for acctid in range(first, STORED + 1)
    ]
    assert read == 2 * CLAIMED
