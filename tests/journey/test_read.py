"""/rest/call/read over a real socket: what it answers, what it refuses, and in which words."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from support.reading import (
    MORNING,
    Served,
    add_user,
    decided,
    decided_legs,
    serving,
    store_attributions,
    store_legs,
)
from support.waiting import until, until_blocked

from cdrd import metrics
from cdrd.owners import Permission
from cdrd.store.database import Database

CONTRACT = json.loads(Path(__file__).with_name("raw_contract.json").read_text())
READ = "/rest/call/read"


@pytest.fixture
async def served(database: Database) -> AsyncIterator[Served]:
    async with serving(database) as served:
        yield served


@pytest.fixture
async def token(database: Database) -> str:
    return await add_user(database, "biller")


async def test_an_answer_has_exactly_the_keys_of_the_dialect(
    database: Database, served: Served, token: str
) -> None:
    dispositions = ["ANSWERED", "NO ANSWER", "BUSY", "FAILED"]
    for n, disposition in enumerate(dispositions, 1):
        await store_legs(
            database, n, [MORNING], disposition=disposition, uniqueid=f"1.{n}", linkedid="1.1"
        )
    words = ("target", "company", "src_ext", "dial_short", "dial_full", "trunk", "bill_to", "xfer")
    flags = ("is_ivr", "is_park", "is_pick", "is_auth", "is_bounce")
    full = {
        **dict.fromkeys((*words, "auth", "call_rec"), "acme"),
        **dict.fromkeys(flags, True),
    }
    await store_attributions(database, [decided(1, **full), decided(2), decided(3), decided(4)])
    answer = await served.read(token)

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert list(answer.json) == CONTRACT["envelope"]
    assert answer.json | {"values": None} == {
        "result": "success",
        "minID": None,
        "maxRows": 500,
        "values": None,
        "numrows": 4,
        "numRows": 4,
    }
    assert [list(row) for row in answer.json["values"]] == [CONTRACT["fields"]] * 4
    assert list(answer.json["values"][0]["properties"]) == CONTRACT["properties"]
    assert {row["disposition"] for row in answer.json["values"]} == {*CONTRACT["dispositions"]}
    first = answer.json["values"][0]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00", first["calldate"])
    numbers = ("acctid", "duration", "billsec", "amaflags")
    assert all(type(first[name]) is int for name in numbers)
    assert all(type(first["properties"][name]) is bool for name in flags)


async def test_scope_and_query_ask_for_the_same(
    database: Database, served: Served, token: str
) -> None:
    await decided_legs(database, 30)
    epoch = int(MORNING.timestamp() * 1000)
    scopes: list[tuple[dict[str, Any], list[int]]] = [
        ({}, list(range(1, 31))),
        ({"minID": 28}, [28, 29, 30]),
        ({"minID": 31}, []),
        ({"maxRows": 2}, [1, 2]),
        ({"minID": 5, "maxRows": 2, "queuedata": True, "cachedata": False}, [5, 6]),
        ({"minDate": epoch + 27_000}, [28, 29, 30]),
        ({"minDate": epoch + 27_001}, [29, 30]),
        ({"maxDate": epoch + 1000}, [1, 2]),
        ({"minDate": epoch + 3000, "maxDate": epoch + 3000}, [4]),
        ({"minDate": epoch + 3000, "minID": 6, "maxRows": 1, "raw": True}, [6]),
    ]
    for scope, acctids in scopes:
        posted = await served.read(token, **scope)
        query = {name: json.dumps(value) for name, value in scope.items()}
        got = await served.ask("GET", READ, params=query, token=token)

        assert posted.acctids == acctids
        assert got.text == posted.text
        assert posted.json["minID"] == scope.get("minID")
        assert posted.json["maxRows"] == scope.get("maxRows", 500)


async def test_the_content_type_does_not_matter(served: Served, token: str) -> None:
    for kind in ("application/x-www-form-urlencoded", "text/plain", "nonsense", ""):
        answer = await served.ask(
            "POST", READ, data=b'{"type":"cdr"}', headers={"Content-Type": kind}, token=token
        )
        assert answer.status == 200


BAD_BODIES = [
    (b"", "the body is empty"),
    (b"minID=5", "the body is not JSON"),
    (b"[]", "the body is a list"),
    (b'{"scope":{"minID":NaN}}', "NaN"),
    (b'{"scope":{"minID":1,"minID":2}}', '"minID" is given twice'),
    (b'{"scope":{"minid":1}}', "did you mean minID?"),
    (b'{"scope":{"minID":-1}}', "scope.minID: -1 is wrong; a whole number from 0"),
    (
        b'{"scope":{"maxRows":10001}}',
        "10001 is too many; a whole number from 1 to 10000 is allowed",
    ),
    (b'{"scope":{"minDate":2,"maxDate":1}}', "minDate (2) is after maxDate (1)"),
    (b'{"type":"call"}', 'type: "call" is wrong; "cdr" is allowed'),
    (b"[" * 60_000, "nested too deeply"),
]


async def test_bad_input_is_told_what_is_wrong_in_the_dialects_envelope(
    served: Served, token: str
) -> None:
    for body, words in BAD_BODIES:
        answer = await served.ask("POST", READ, data=body, token=token)

        assert answer.status == 400
        assert answer.json.keys() == {"result", "message"}
        assert answer.json["result"] == "fail"
        assert words in answer.json["message"]


ASTRAY = [
    ("GET", READ + "?minID=x", 400, 'scope.minID: "x" is wrong'),
    ("GET", READ + "?minID=1&minID=2", 400, '"minID" is given twice'),
    ("POST", READ + "?minID=1", 400, "the scope of a POST is in its body"),
    ("PUT", READ, 405, "PUT is not allowed here; GET, HEAD, POST is"),
    ("DELETE", "/rest/auth/", 405, "DELETE is not allowed here; POST is"),
    ("GET", "/rest/auth/logout", 405, "GET is not allowed here; POST is"),
    ("GET", "/rest/call/reed", 404, "there is nothing at /rest/call/reed"),
    ("POST", "/rest", 404, "there is nothing at /rest"),
]


async def test_wrong_paths_and_methods_are_refused_in_the_same_envelope(served: Served) -> None:
    for method, path, status, words in ASTRAY:
        answer = await served.ask(method, path)

        assert answer.status == status
        assert answer.json["result"] == "fail"
        assert words in answer.json["message"]
        assert ("Allow" in answer.headers) == (status == 405)


async def test_a_body_over_the_limit_is_refused_also_when_it_is_compressed(
    database: Database, token: str
) -> None:
    async with serving(database, max_body=2000) as served:
        padded = b'{"type":"cdr"' + b" " * 5000 + b"}"
        for body, coding in ((padded, ""), (gzip.compress(padded * 1000), "gzip")):
            headers = {"Content-Encoding": coding} if coding else {}
            answer = await served.ask("POST", READ, data=body, headers=headers, token=token)
            assert answer.status == 413
            assert answer.json == {
                "result": "fail",
                "message": "the body is too large; 2000 bytes are allowed",
            }


async def test_raw_cdrs_need_one_of_two_permissions(database: Database, served: Served) -> None:
    await decided_legs(database, 1)
    may = (Permission.SYSTEM_ADMIN, Permission.BILLING_CALL_SUMMARY)
    for permission in Permission:
        token = await add_user(database, permission.value, permissions=[permission])
        answer = await served.read(token)

        assert answer.status == (200 if permission in may else 403)
        if permission not in may:
            assert answer.json["result"] == "fail"
            assert "`billing call-summary` or `system-admin`" in answer.json["message"]


async def test_a_company_sees_its_own_legs_and_counts_only_those(
    database: Database, served: Served
) -> None:
    await store_legs(database, 1, [MORNING] * 6)
    owners: list[dict[str, str]] = [
        {"company": "acme"},
        {"company": "globex", "target": "acme"},
        {"company": "globex", "bill_to": "acme"},
        {"company": "globex"},
        {},
    ]
    decisions = [decided(n, **found) for n, found in enumerate(owners, 1)]
    await store_attributions(database, decisions)  # and nobody has decided leg 6
    acme = await add_user(database, "acme", companies=["acme"])
    globex = await add_user(database, "globex", companies=["globex"])
    both = await add_user(database, "both", companies=["acme", "globex"])
    nobody = await add_user(database, "nobody", companies=[])

    for token, acctids in (
        (acme, [1, 2, 3]),
        (globex, [2, 3, 4]),
        (both, [1, 2, 3, 4]),
        (nobody, []),
    ):
        answer = await served.read(token)
        assert answer.acctids == acctids
        assert answer.json["numrows"] == answer.json["numRows"] == len(acctids)
        raw = await served.read(token, raw=True)
        assert (raw.status, raw.json["result"]) == (403, "fail")
        assert "scope.raw" in raw.json["message"]


async def test_answers_are_compressed_when_asked_for(
    database: Database, served: Served, token: str
) -> None:
    await decided_legs(database, 200)
    plain = await served.ask("GET", READ, headers={"Accept-Encoding": "identity"}, token=token)
    for coding in ("gzip", "deflate"):
        answer = await served.ask("GET", READ, headers={"Accept-Encoding": coding}, token=token)
        assert answer.headers["Content-Encoding"] == coding
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert int(answer.headers["Content-Length"]) < len(plain.text) / 5
        assert answer.text == plain.text
    small = await served.ask(
        "GET", READ, params={"minID": "900"}, headers={"Accept-Encoding": "gzip"}, token=token
    )
    assert "Content-Encoding" not in plain.headers
    assert "Content-Encoding" not in small.headers


async def test_a_connection_serves_many_requests_and_a_head_has_no_body(
    database: Database, served: Served, token: str
) -> None:
    await decided_legs(database, 3)
    request = (
        f"HEAD {READ} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
        f"GET {READ}?maxRows=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        "Connection: close\r\n\r\n"
    )
    host, port = served.url.removeprefix("http://").split(":")
    reading, writing = await asyncio.open_connection(host, int(port))
    writing.write(request.encode())
    answers = (await reading.read()).decode()
    writing.close()

    assert answers.count("HTTP/1.1 200 OK") == 2
    head, get = answers.split("\r\n\r\n")[0], answers.split("\r\n\r\n")[-1]
    assert "Content-Length" in head
    assert json.loads(get)["numrows"] == 1


ZIPPED = b" HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\n"
NO_HTTP = [
    (b"garbage\r\n\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", 400),
    (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"POST " + READ.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
    (b"POST " + READ.encode() + ZIPPED + b"Content-Length: 2\r\n\r\n{}", 400),
    (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    (b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    (b"GET " + READ.encode() + b" HTTP/1.1\r\nHost: x\r\nAuthorization: Basic \xff\xfe\r\n\r\n", 401),
    (b"GET " + READ.encode() + b' HTTP/1.1\r\nHost: x\r\nCookie: Red60urne="\xff\xfe\r\n\r\n', 401),
]  # fmt: skip


async def test_what_is_no_proper_http_is_refused_without_an_error_in_the_log(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    host, port = served.url.removeprefix("http://").split(":")
    for request, status in NO_HTTP:
        reading, writing = await asyncio.open_connection(host, int(port))
        writing.write(request)
        line = await reading.readline()
        writing.close()
        assert line.split()[1] == str(status).encode()
    assert (await served.ask("GET", "/healthz")).status == 200
    assert not caplog.records


async def test_nothing_that_is_answered_may_be_kept_framed_or_guessed_at(served: Served) -> None:
    for path in ("/healthz", READ, "/nowhere"):
        answer = await served.ask("GET", path)
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Server"] == "cdrd"
        assert "Access-Control-Allow-Origin" not in answer.headers


async def test_hostile_words_in_a_request_stay_words(served: Served, token: str) -> None:
    answer = await served.ask(
        "POST", READ, json={"<script>alert(1)</script>\u202e\0": "x" * 10_000}, token=token
    )

    assert answer.status == 400
    assert answer.headers["Content-Type"] == "application/json"
    assert len(answer.json["message"]) < 200


async def test_health_readiness_and_metrics_are_told_to_anybody(database: Database) -> None:
    await decided_legs(database, 1, company="secret-company")
    reasons: list[str] = []
    async with serving(database, readiness=lambda: reasons) as served:
        healthy = await served.ask("GET", "/healthz")
        ready = await served.ask("GET", "/readyz")
        reasons.append("enrich has not turned its loop for 30 s")
        not_ready = await served.ask("GET", "/readyz")
        told = await served.ask("GET", "/metrics")
        nowhere = await served.ask("GET", "/")

    assert (healthy.status, healthy.text) == (200, "ok\n")
    assert (ready.status, ready.json) == (200, {"ready": True, "reasons": []})
    assert (not_ready.status, not_ready.json["reasons"]) == (503, reasons)
    assert told.headers["Content-Type"].startswith("text/plain; version=")
    assert 'cdrd_requests_total{dialect="health",status="200"}' in told.text
    assert "secret-company" not in told.text
    assert (nowhere.status, nowhere.json) == (404, {"error": "there is nothing at /"})
    assert served.beats


async def test_while_the_database_is_away_readers_are_told_to_retry(token: str) -> None:
    gone = Database("postgresql://nobody@127.0.0.1:1/nowhere")
    async with gone, serving(gone) as served:
        with capture_logs() as events:
            await served.read(token)
            answer = await served.read(token)
        healthy = await served.ask("GET", "/healthz")
        ready = await served.ask("GET", "/readyz")

    assert answer.status == 503
    assert answer.headers["Retry-After"] == "5"
    assert answer.json == {
        "result": "retry",
        "message": "the database does not answer at the moment",
    }
    assert healthy.status == 200
    assert (ready.status, ready.json["reasons"]) == (503, ["the database does not answer"])
    assert [event["event"] for event in events].count("database_away") == 1


async def test_a_schema_that_is_not_there_yet_is_a_reason_to_retry(
    server_dsn: str, token: str
) -> None:
    async with Database(server_dsn) as empty, serving(empty) as served:
        answer = await served.read(token)
        ready = await served.ask("GET", "/readyz")

    assert (answer.status, answer.json["result"]) == (503, "retry")
    assert ready.status == 503
    assert "the database lacks" in ready.json["reasons"][0]


async def test_a_fault_of_our_own_is_an_envelope_without_a_stack_trace(
    served: Served, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> int:
        raise ZeroDivisionError("a secret detail")

    monkeypatch.setattr("cdrd.serve.raw.routes.horizon", broken)
    faults = metrics.faults.labels("serve", "ZeroDivisionError")
    before = faults._value.get()
    answer = await served.read(token)

    assert (answer.status, answer.json["result"]) == (500, "fail")
    assert "secret" not in answer.text
    assert faults._value.get() == before + 1


async def test_stopping_lets_a_request_that_has_begun_have_its_answer(
    database: Database, token: str
) -> None:
    await decided_legs(database, 3)
    locking = await database.dedicated()
    await locking.execute("BEGIN; LOCK TABLE attribution IN ACCESS EXCLUSIVE MODE")

    async with AsyncExitStack() as stack:
        served = await stack.enter_async_context(serving(database))
        reading = asyncio.create_task(served.read(token))
        await until_blocked(database)
        served.stopping.set()
        await until(lambda: _refuses(served.url))
        assert not reading.done()
        await locking.close()

        assert (await reading).acctids == [1, 2, 3]


async def _refuses(url: str) -> bool:
    """Whether the server takes no new connections any more."""
    host, port = url.removeprefix("http://").split(":")
    try:
        _, writing = await asyncio.open_connection(host, int(port))
    except ConnectionError:
        return True
    writing.close()
    return False
