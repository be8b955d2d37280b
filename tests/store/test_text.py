"""Arrays of names, as PostgreSQL reads them."""

from __future__ import annotations

import pytest

from cdrd.store.database import Database
from cdrd.store.text import text_array

HOSTILE = [
    *("", " ", "NULL", "null", '"', '""', "\\", '\\"', '\\\\"', "{", "}", "{}", ",", "','"),
    *("a,b", '{"a"}', " a ", "a\nb", "a\tb", "é", "☎️", "1700000000.1", "PJSIP/a'b-00000001"),
]


@pytest.mark.parametrize("names", [[], ["a"], HOSTILE, list(reversed(HOSTILE)), ["", ""]])
async def test_names_arrive_as_they_are(database: Database, names: list[str]) -> None:
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT $1::text::text[]", text_array(names)) == names
