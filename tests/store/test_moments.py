"""Moments on their way to the database and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from cdrd.store.database import Database

MOMENTS = [
    datetime(2000, 1, 1, tzinfo=UTC),
    datetime(2026, 3, 22, 10, 52, 41, 123456, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2026, 10, 25, 2, 30, tzinfo=timezone(timedelta(hours=1))),
]


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_moment_comes_back_as_it_was_sent(database: Database, moment: datetime) -> None:
    async with database.connection() as connection:
        back, text, of_array = await connection.fetchrow(
            "SELECT $1::timestamptz, ($1::timestamptz AT TIME ZONE 'UTC')::text, ($2::timestamptz[])[2]",
            moment,
            [None, moment],
        )

    assert back == of_array == moment
    assert back.tzinfo is UTC
    assert text == moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ")


async def test_for_ever_is_the_first_or_the_last_moment_of_all(database: Database) -> None:
    ends = [datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)]
    async with database.connection() as connection:
        back = await connection.fetchrow("SELECT 'infinity'::timestamptz, '-infinity'::timestamptz")
        texts = await connection.fetchrow(
            "SELECT $1::timestamptz::text, $2::timestamptz::text", *ends
        )

    assert list(back) == ends
    assert list(texts) == ["infinity", "-infinity"]
