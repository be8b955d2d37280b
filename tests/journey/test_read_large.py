"""Large pages and bad readers: streamed slice by slice, at the reader's pace, whole or broken off."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from support.reading import MORNING, Served, add_user, decided_legs, serving, store_legs
from support.waiting import until

from cdrd import metrics
from cdrd.serve import door, sending
from cdrd.store import feed
from cdrd.store.database import Database

READ = "/rest/call/read"


@asynccontextmanager
async def stalled_reader(served: Served, token: str) -> AsyncIterator[socket.socket]:
    """Asks for a large page and does not read it; the socket, to read it after all."""
    host, port = served.url.removeprefix("http://").split(":")
    request = (
        f"GET {READ}?maxRows=10000 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        "Connection: close\r\n\r\n"
    )
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(reader, (host, int(port)))
        await loop.sock_sendall(reader, request.encode())
        yield reader


async def rest_of(reader: socket.socket) -> bytes:
    """Everything until the connection ends."""
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    loop = asyncio.get_running_loop()
    found = bytearray()
    while piece := await loop.sock_recv(reader, 1 << 20):
        found += piece
    return bytes(found)


def rows_in(answer: bytes) -> dict[str, Any]:
    """The JSON of a chunked answer."""
    head = answer.index(b"\r\n\r\n")
    assert b"Transfer-Encoding: chunked" in answer[:head]
    body, at = bytearray(), head + 4
    while at < len(answer):
        begin = answer.index(b"\r\n", at) + 2
        size = int(answer[at : begin - 2], 16)
        body += answer[begin : begin + size]
        at = begin + size + 2
    page: dict[str, Any] = json.loads(body)
    return page


@pytest.fixture
def slices(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Which slices were fetched, by their first acctid."""
    fetched: list[int] = []
    original = feed._slice

    async def counted(database: Database, principal: Any, scope: feed.Scope) -> Any:
        fetched.append(scope.first)
        return await original(database, principal, scope)

    monkeypatch.setattr(feed, "_slice", counted)
    return fetched


@pytest.fixture
async def wide(database: Database) -> str:
    """9,500 legs that fill 40 MB of JSON, ten slices; a token to read them."""
    await store_legs(database, 1, [MORNING] * 9500, lastdata="x" * 4000)
    return await add_user(database, "biller")


def idle_connections(database: Database) -> bool:
    pool = database._pool
    assert pool is not None
    return bool(pool.get_idle_size() == pool.get_size())


async def test_a_long_page_comes_in_slices_and_is_whole(
    database: Database, slices: list[int]
) -> None:
    await decided_legs(database, 3500)
    token = await add_user(database, "biller")
    limited = await add_user(database, "acme", companies=["acme"])
    async with serving(database) as served:
        for reader, coding in ((token, "identity"), (token, "gzip"), (limited, "deflate")):
            slices.clear()
            answer = await served.ask(
                "GET",
                READ,
                params={"maxRows": "3200"},
                headers={"Accept-Encoding": coding},
                token=reader,
            )
            assert answer.headers["Transfer-Encoding"] == "chunked"
            assert answer.headers.get("Content-Encoding", "identity") == coding
            assert answer.acctids == list(range(1, 3201))
            assert answer.json["numrows"] == answer.json["numRows"] == 3200
            assert slices == [0, 1001, 2001, 3001]


async def test_a_slow_reader_is_waited_for_with_a_slice_in_memory_and_no_connection(
    database: Database, wide: str, slices: list[int]
) -> None:
    async with serving(database) as served, stalled_reader(served, wide) as reader:
        await until_stalled(database, slices)
        fetched_ahead = len(slices)
        others = await asyncio.gather(*(served.read(wide, maxRows=1) for _ in range(15)))
        page = rows_in(await rest_of(reader))

    assert fetched_ahead <= 4  # what the sockets' own buffers take, of ten
    assert [other.status for other in others] == [200] * 15
    assert [row["acctid"] for row in page["values"]] == list(range(1, 9501))
    assert page["numRows"] == 9500


async def until_stalled(database: Database, slices: list[int]) -> None:
    """Until the server has no slice to fetch because nobody takes the one it has."""
    seen = -1

    async def quiet() -> bool:
        nonlocal seen
        before, seen = seen, len(slices)
        await asyncio.sleep(0.1)
        return 0 < seen == before == len(slices) and idle_connections(database)

    await until(quiet)


async def test_a_fault_in_the_middle_breaks_the_answer_off(
    database: Database, wide: str, slices: list[int]
) -> None:
    """Nobody may take half a page for a whole one: the connection is reset, not closed."""
    async with serving(database) as served, stalled_reader(served, wide) as reader:
        await until_stalled(database, slices)
        async with database.connection() as connection:
            await connection.execute("ALTER TABLE leg RENAME TO gone")
        with pytest.raises(ConnectionResetError):
            await rest_of(reader)
        async with database.connection() as connection:
            await connection.execute("ALTER TABLE gone RENAME TO leg")
        answer = await served.read(wide, maxRows=1)

    assert answer.acctids == [1]


async def test_a_reader_that_takes_nothing_is_given_up(
    database: Database, wide: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "SECONDS", 0.2)
    broken_off = metrics.requests.labels("raw", "broken off")
    before = broken_off._value.get()

    async def given_up() -> bool:
        return bool(broken_off._value.get() == before + 1)

    async with serving(database) as served, stalled_reader(served, wide):
        await until(given_up)


async def test_one_reader_cannot_fill_the_memory_with_answers_it_does_not_take(
    database: Database, wide: str, slices: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "_ANSWERS", 1)
    other = await add_user(database, "other")
    async with serving(database) as served, stalled_reader(served, wide) as reader:
        await until_stalled(database, slices)
        refused = await served.read(wide)
        answered = await served.read(other, maxRows=1)
        await rest_of(reader)
        again = await served.read(wide, maxRows=1)

    assert (refused.status, refused.json["result"]) == (429, "retry")
    assert refused.headers["Retry-After"] == "1"
    assert (answered.status, again.status) == (200, 200)
