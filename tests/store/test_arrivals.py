"""The same records by several sources of one PBX: stored once, each arrival noted."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from support.captured import (
    ami_channel_event_rows,
    ami_rows,
    channel_event_rows,
    custom_rows,
    json_rows,
    master_rows,
)
from support.sources import accounts_are_even, ask, file_source

from cdrd.errors import Conflict
from cdrd.records import AcctId, Family, Reason, Rejected, SourceKind
from cdrd.store.arrivals import arrivals_of_leg, keep_arrivals, recognition_of
from cdrd.store.database import Database
from cdrd.store.deliveries import Delivery, Sent, append_records
from cdrd.store.identity import Recognition, keys_of
from cdrd.store.sources import register_source
from cdrd.store.statements import statement

CUSTOM = SourceKind.ASTERISK_CUSTOM


async def legs(database: Database) -> Counter[tuple[str, str]]:
    return Counter(await ask(database, "SELECT channel, uniqueid FROM leg"))


def expected(rows: Sequence[str]) -> Counter[tuple[str, str]]:
    return Counter((row.split("\t")[9], row.split("\t")[18]) for row in rows)


@pytest.mark.parametrize("seed", range(4))
async def test_two_sources_in_any_interleaving_store_each_leg_once_with_both_provenances(
    database: Database, seed: int
) -> None:
    chance = random.Random(seed)
    async with file_source(database, "csv") as csv, file_source(database, "own", CUSTOM) as own:
        await csv.recognise()
        waiting = {csv: list(master_rows("main")), own: list(custom_rows("main"))}
        while any(waiting.values()):
            source = chance.choice([source for source, rows in waiting.items() if rows])
            count = chance.choice((1, 5, 50, 400))
            batch, waiting[source] = waiting[source][:count], waiting[source][count:]
            await source.store(batch)

    assert await legs(database) == expected(master_rows("main"))
    provenances = "SELECT count(*), count(DISTINCT source_id) FROM arrival GROUP BY stored_as"
    assert set(await ask(database, provenances)) == {(2, 2)}
    assert await accounts_are_even(database)


async def test_two_sources_at_once_store_each_leg_once(database: Database) -> None:
    async with file_source(database, "csv") as csv, file_source(database, "own", CUSTOM) as own:
        await csv.recognise()
        for start in range(0, 600, 60):
            done = await asyncio.gather(
                csv.store(master_rows("main")[start : start + 60]),
                own.store(custom_rows("main")[start : start + 60]),
            )
            assert sum(one.stored for one in done) == 60

    assert await legs(database) == expected(master_rows("main")[:600])
    assert await accounts_are_even(database)


async def test_twins_survive_and_the_second_source_knows_both(database: Database) -> None:
    rows = master_rows("main")
    async with file_source(database, "csv") as csv, file_source(database, "own", CUSTOM) as own:
        await csv.recognise()
        await csv.store(rows)
        done = await own.store(custom_rows("main"))

    assert (done.stored, done.duplicates) == (0, len(rows))
    twins = "SELECT count(*) FROM arrival WHERE ordinal = 1"
    assert await ask(database, twins) == [(2,)]


async def test_a_source_alone_pays_nothing(database: Database) -> None:
    async with (
        file_source(database, "csv") as csv,
        file_source(database, "other", pbx="branch") as other,
    ):
        await csv.recognise()
        await csv.store(master_rows("main")[:10])
        await other.store(master_rows("main")[:10])

    assert csv.recognition is None
    assert await ask(database, "SELECT count(*) FROM arrival") == [(0,)]
    assert await ask(database, "SELECT count(*) FROM leg") == [(20,)]


async def test_a_second_source_knows_what_the_first_had_stored_alone(database: Database) -> None:
    """However old it is; and the first one must recognise its records from then on."""
    async with file_source(database, "csv") as csv:
        await csv.store(master_rows("main")[:700])
        await csv.store(master_rows("main")[700:1000])
        async with file_source(database, "own", CUSTOM) as own:
            with pytest.raises(Conflict):
                await csv.store(master_rows("main")[1000:])
            done = await own.store(custom_rows("main"))
            await csv.recognise()
            late = await csv.store(master_rows("main")[1000:])

    assert done.stored == 232
    assert late.duplicates == 232
    assert await legs(database) == expected(master_rows("main"))
    assert await accounts_are_even(database)


async def test_the_database_makes_the_same_digests_of_stored_legs(database: Database) -> None:
    rows = [*master_rows("main"), *json_rows("main")]
    async with file_source(database, "csv") as csv:
        await csv.store(rows)
    for by_channel in (True, False):
        recognition = Recognition("hq", by_channel=by_channel)
        made = await ask(
            database, "SELECT leg_digest(leg, 'hq', $1) FROM leg ORDER BY acctid", by_channel
        )
        assert [digest for (digest,) in made] == [
            key.digest for key in keys_of(rows, Family.LEG, recognition)
        ]


async def test_a_leg_tells_who_delivered_it(database: Database) -> None:
    async with file_source(database, "csv") as csv, file_source(database, "own", CUSTOM) as own:
        await csv.recognise()
        await csv.store(master_rows("main")[:3])
        await own.store(custom_rows("main")[:3])
        async with database.connection() as connection:
            told = await arrivals_of_leg(connection, AcctId(2), kind=SourceKind.ASTERISK_CSV)

    assert [(row["source"], row["line"]) for row in told] == [("csv", 2), ("own", 2)]


async def test_channel_events_of_file_and_manager_interface_are_stored_once(
    database: Database,
) -> None:
    """The database takes all of them, and those heard are among those written."""
    async with file_source(database, "cel", SourceKind.ASTERISK_CEL) as cel:
        recognition = await recognition_of(
            database, cel.source_id, SourceKind.ASTERISK_CEL, alone=True
        )
        assert recognition is not None
        await cel.recognise()
        await cel.store(channel_event_rows("main"))
        heard = await register_source(database, name="ami", kind=SourceKind.ASTERISK_CEL, pbx="hq")
        records = [Sent(row, b"") for row in ami_channel_event_rows()]
        answer = await append_records(
            database, Delivery(heard, recognition, records, Family.CEL_EVENT)
        )

    assert all(one.again for one in answer.became)
    assert await ask(database, "SELECT count(*) FROM cel_event") == [(13521,)]
    assert await accounts_are_even(database)


async def test_a_repeated_push_is_answered_as_the_first_and_stored_once(database: Database) -> None:
    source_id = await register_source(database, name="push", kind=SourceKind.ASTERISK_CSV, pbx="hq")
    recognition = await recognition_of(database, source_id, SourceKind.ASTERISK_CSV, alone=True)
    assert recognition is not None
    repeating = recognition._replace(repeats=True)
    torn = Rejected(b"torn", 5, 500, Reason.TORN, "torn")
    records: list[Sent | Rejected] = [*(Sent(row, b"") for row in master_rows("main")[:4]), torn]
    first = await append_records(database, Delivery(source_id, repeating, records))
    second = await append_records(database, Delivery(source_id, repeating, records))
    with_key = Delivery(source_id, repeating, records, key="k1")
    third, fourth = [await append_records(database, with_key) for _ in range(2)]

    assert [one.again for one in first.became] == [False] * 5
    for other in (second, third, fourth):
        assert [one[:2] for one in other.became] == [one[:2] for one in first.became]
    assert (third.repeated, fourth.repeated) == (False, True)
    assert await ask(database, "SELECT count(*) FROM leg") == [(4,)]
    assert await ask(database, "SELECT records, legs, suspended, duplicates FROM tally") == [
        (15, 4, 1, 10)
    ]
    assert await accounts_are_even(database)


async def test_a_delivery_at_once_from_many_is_stored_once(database: Database) -> None:
    source_id = await register_source(database, name="push", kind=SourceKind.ASTERISK_CSV, pbx="hq")
    recognition = await recognition_of(database, source_id, SourceKind.ASTERISK_CSV, alone=True)
    assert recognition is not None
    records = [Sent(row, b"") for row in master_rows("main")[:50]]
    delivery = Delivery(source_id, recognition._replace(repeats=True), records)
    answers = await asyncio.gather(*(append_records(database, delivery) for _ in range(6)))

    assert sum(not one.again for answer in answers for one in answer.became) == 50
    assert len({tuple(one.number for one in answer.became) for answer in answers}) == 1
    assert await accounts_are_even(database)


async def test_what_the_database_refuses_of_a_delivery_is_suspended_alone(
    database: Database,
) -> None:
    source_id = await register_source(database, name="push", kind=SourceKind.ASTERISK_CSV, pbx="hq")
    recognition = await recognition_of(database, source_id, SourceKind.ASTERISK_CSV, alone=True)
    assert recognition is not None
    rows = master_rows("main")[:9]
    columns = rows[4].split("\t")
    columns[13] = "99999999999"
    refused = "\t".join(columns)
    records = [Sent(row, row.encode()) for row in (*rows[:4], refused, *rows[5:])]
    delivery = Delivery(source_id, recognition._replace(repeats=True), records)
    first, second = [await append_records(database, delivery) for _ in range(2)]

    assert [one.outcome.value for one in first.became] == ["stored"] * 4 + ["suspended"] + [
        "stored"
    ] * 4
    assert [one[:2] for one in second.became] == [one[:2] for one in first.became]
    assert await ask(database, "SELECT reason, raw FROM suspense") == [
        ("refused", refused.encode())
    ]
    assert await accounts_are_even(database)


async def test_a_manager_interface_beside_a_file_doubles_nothing(database: Database) -> None:
    """Each of its records is another one, but a batch that is tried again is known by its key."""
    async with file_source(database, "csv") as csv:
        source_id = await register_source(
            database, name="ami", kind=SourceKind.ASTERISK_CSV, pbx="hq"
        )
        recognition = await recognition_of(database, source_id, SourceKind.ASTERISK_CSV, alone=True)
        assert recognition is not None
        await csv.recognise()
        rows = ami_rows()
        for number, start in enumerate(range(0, len(rows), 300)):
            records = [Sent(row, b"") for row in rows[start : start + 300]]
            delivery = Delivery(source_id, recognition, records, key=f"batch {number}")
            await append_records(database, delivery)
            await append_records(database, delivery)
            await csv.store(master_rows("main")[start : start + 300])

    assert await legs(database) == expected(master_rows("main"))
    assert await accounts_are_even(database)


async def test_days_are_kept_apart_and_forgotten(database: Database) -> None:
    today = datetime.now(UTC)

    def on(days_ago: int, number: int) -> str:
        columns = master_rows("main")[number].split("\t")
        columns[2] = f"{today - timedelta(days=days_ago):%Y-%m-%d %H:%M:%S}+00"
        return "\t".join(columns)

    async with file_source(database, "csv") as csv, file_source(database, "own", CUSTOM) as own:
        await csv.recognise()
        await csv.store([on(-1, 0), on(100, 1)])
        await keep_arrivals(database, remember_days=45)
        await csv.store([on(0, 2)])
        for table, count in (("arrival_default", 1), (f"arrival_{today:%Y%m%d}", 1)):
            assert await ask(database, f"SELECT count(*) FROM {table}") == [(count,)]  # noqa: S608 - a name of ours
        done = await own.store([on(-1, 0), on(100, 1), on(0, 2)])
        assert done.duplicates == 3
        async with database.connection() as connection:
            await connection.execute("UPDATE arrival SET arrived_at = now() - interval '46 days'")
            await connection.execute(
                "CREATE TABLE arrival_20200101 PARTITION OF arrival"
                " FOR VALUES FROM ('2020-01-01') TO ('2020-01-02')"
            )
        await keep_arrivals(database, remember_days=45)

    assert await ask(database, "SELECT count(*) FROM arrival_default") == [(0,)]
    assert await ask(database, "SELECT to_regclass('arrival_20200101')::text") == [(None,)]
    assert await ask(database, "SELECT count(*) FROM arrival") == [(4,)]


async def test_what_has_arrived_is_found_by_its_key_in_the_partition_of_its_day(
    database: Database,
) -> None:
    async with file_source(database, "csv") as csv, file_source(database, "own", CUSTOM):
        await csv.recognise()
        await csv.store(master_rows("main")[:3])
        await keep_arrivals(database, remember_days=45)
        async with database.transaction() as connection:
            await connection.execute("SET LOCAL enable_seqscan = off")
            await connection.execute(f"PREPARE asked AS {statement('arrived').sql}")
            day = f"{datetime.now(UTC):%Y-%m-%d}"
            plan = await connection.fetch(f"EXPLAIN EXECUTE asked('{day}', ARRAY['\\x00'::bytea])")
    text = "\n".join(line for (line,) in plan)

    assert f"arrival_{day.replace('-', '')}_pkey" in text
    assert "arrival_default" not in text


async def test_records_are_found_by_their_place_without_reading_the_table(
    database: Database,
) -> None:
    async with file_source(database, "csv") as csv:
        await csv.store(master_rows("main"))
        async with database.transaction() as connection:
            await statement("look_by_place").rows(connection)
            await connection.execute(f"PREPARE asked AS {statement('leg_places').sql}")
            plan = await connection.fetch("EXPLAIN EXECUTE asked(1, 0, 100000)")
    text = "\n".join(line for (line,) in plan)

    assert "Bitmap Index Scan on leg_0_file_id_byte_offset_idx" in text
    assert "Seq Scan" not in text
