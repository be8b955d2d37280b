"""Who is let in: tokens, passwords, sessions; and how those who guess are slowed down."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from support.reading import PASSWORD, Answer, Served, add_user, decided_legs, serving

from cdrd.owners import Permission
from cdrd.serve import access
from cdrd.serve.passwords import digest, fits, hash_password, new_token
from cdrd.settings import ThrottleSettings
from cdrd.store.database import Database
from cdrd.store.principals import create_token, set_disabled, set_password, tokens

READ = "/rest/call/read"
COOKIE = "Red60urne"


@pytest.fixture
async def served(database: Database) -> AsyncIterator[Served]:
    await decided_legs(database, 1)
    await add_user(database, "bob", permissions=[Permission.SYSTEM_ADMIN])
    async with serving(database) as served:
        yield served


def basic(login: str, password: str) -> dict[str, str]:
    credentials = base64.b64encode(f"{login}:{password}".encode()).decode()
    return {"Authorization": f"Basic {credentials}"}


async def log_in(served: Served, password: str = PASSWORD, **headers: str) -> Answer:
    auth = {"type": "auth", "username": "bob", "password": password}
    return await served.ask("POST", "/rest/auth/", json={"auth": auth}, headers=headers)


async def test_there_are_four_ways_in(database: Database, served: Served) -> None:
    token = await add_user(database, "eve")
    auth = {"type": "auth", "username": "bob", "password": PASSWORD}
    body = {"type": "cdr", "scope": {}, "auth": auth}

    assert (await served.read(token)).status == 200
    assert (await served.ask("GET", READ, headers=basic("bob", PASSWORD))).status == 200
    assert (await served.ask("POST", READ, json=body)).status == 200
    assert (await served.ask("GET", READ)).status == 401
    await log_in(served)
    assert (await served.ask("GET", READ)).status == 200


async def test_a_login_tells_who_it_was_and_the_cookie_is_for_the_browser_alone(
    served: Served,
) -> None:
    answer = await log_in(served)
    cookie = answer.headers["Set-Cookie"]

    assert answer.json == {
        "result": "success",
        "user": {
            "id": 1,
            "login": "bob",
            "name": "Bob",
            "company": "default",
            "home": None,
            "session": answer.json["user"]["session"],
            "perms": {"system-admin": "yes"},
        },
    }
    assert cookie.startswith(f"{COOKIE}=")
    assert {"HttpOnly", "SameSite=Strict", "Max-Age=28800"} <= {*cookie.split("; ")}
    assert "Secure" not in cookie
    assert cookie.split("=")[1].split(";")[0] not in answer.text


async def test_a_session_ends_by_logout_by_time_and_by_a_new_password(
    database: Database, served: Served
) -> None:
    await log_in(served)
    assert (await served.ask("POST", "/rest/auth/logout")).json == {"result": "success"}
    assert (await served.ask("GET", READ)).status == 401
    assert await tokens(database, "bob") == [
        row for row in await tokens(database, "bob") if row["kind"] == "bearer"
    ]
    await log_in(served)
    async with database.connection() as connection:
        await connection.execute("UPDATE token SET expires_at = now() WHERE kind = 'session'")
    over = await served.ask("GET", READ)
    assert over.json["message"] == "the session is over; log in again"
    await log_in(served)
    await set_password(database, "bob", hash_password("another password"))
    assert (await served.ask("GET", READ)).status == 401
    assert (await served.ask("POST", "/rest/auth/logout")).status == 200


async def test_a_session_of_an_ended_cookie_cannot_be_used_again(served: Served) -> None:
    value = (await log_in(served)).headers["Set-Cookie"].split("=")[1].split(";")[0]
    await served.ask("POST", "/rest/auth/logout")
    stolen = await served.ask("GET", READ, headers={"Cookie": f"{COOKIE}={value}"})

    assert stolen.status == 401


async def test_the_cookie_is_secure_where_the_client_speaks_tls_with_the_proxy(
    database: Database,
) -> None:
    await add_user(database, "bob")
    for trusted, secure in ((("127.0.0.0/8",), True), ((), False)):
        async with serving(database, trusted_proxies=trusted) as served:
            answer = await log_in(served, **{"X-Forwarded-Proto": "https"})
        assert ("Secure" in answer.headers["Set-Cookie"]) is secure


async def test_another_site_can_do_nothing_with_a_browsers_session(
    database: Database, served: Served
) -> None:
    await log_in(served)
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ):
        assert (await served.ask("GET", READ, headers=headers)).status == 401
        assert (await served.ask("POST", "/rest/auth/logout", headers=headers)).status == 403
        assert (await log_in(served, **headers)).status == 403
    same = {"Sec-Fetch-Site": "same-origin", "Origin": served.url}
    assert (await served.ask("GET", READ, headers=same)).status == 200
    sessions = [row for row in await tokens(database) if row["kind"] == "session"]
    assert len(sessions) == 1


async def test_an_unknown_user_and_a_wrong_password_get_the_same_answer(
    database: Database, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same words, and the same work: argon2 runs once for each of them."""
    hashed: list[str] = []

    def counted(stored: str, password: str) -> bool:
        hashed.append(stored)
        return fits(stored, password)

    monkeypatch.setattr(access, "fits", counted)
    await add_user(database, "disabled")
    await set_disabled(database, "disabled", disabled=True)
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO principal (login, name, permissions) VALUES ('tokens-only', '', '{}')"
        )
    answers = [
        await served.ask("GET", READ, headers=basic(login, "wrong password"))
        for login in ("bob", "nobody", "disabled", "tokens-only", "a\0b", "x" * 3000)
    ]

    assert {(answer.status, answer.text) for answer in answers} == {
        (401, '{"result": "fail", "message": "the login or the password is wrong"}')
    }
    assert {answer.headers["WWW-Authenticate"] for answer in answers} == {
        'Basic realm="cdrd", charset="UTF-8"'
    }
    assert len(hashed) == len(answers)


async def test_a_poller_pays_for_its_password_once_and_a_change_counts_at_once(
    database: Database, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []

    def counted(stored: str, password: str) -> bool:
        hashed.append(stored)
        return fits(stored, password)

    monkeypatch.setattr(access, "fits", counted)

    async def status(password: str = PASSWORD) -> int:
        return (await served.ask("GET", READ, headers=basic("bob", password))).status

    assert await asyncio.gather(*(status() for _ in range(12))) == [200] * 12
    assert await status() == 200
    assert len(hashed) == 1
    await set_password(database, "bob", hash_password("another password"))
    assert await status() == 401
    assert await status("another password") == 200
    await set_disabled(database, "bob", disabled=True)
    assert await status("another password") == 401


async def test_a_token_that_expired_or_was_revoked_lets_nobody_in(
    database: Database, served: Served
) -> None:
    token = new_token()
    await create_token(
        database, "bob", digest=digest(token), label="", life=timedelta(milliseconds=-1)
    )
    answer = await served.read(token)

    assert (answer.status, answer.json["message"]) == (401, "the token is not valid")
    assert token not in answer.text


async def test_who_guesses_must_wait_and_a_right_token_need_not(database: Database) -> None:
    token = await add_user(database, "bob")
    throttle = ThrottleSettings.model_validate({"failures": 3, "per": "5m"})
    async with serving(database, throttle=throttle) as served:

        async def attempt(password: str) -> Answer:
            return await served.ask("GET", READ, headers=basic("bob", password))

        assert (await attempt(PASSWORD)).status == 200
        guesses = [await attempt(f"guess {n}") for n in range(5)]
        right = await attempt(PASSWORD)
        with_token = await served.read(token)
        wrong_token = await served.read("cdrd_wrong")
        login = await log_in(served)

    assert [guess.status for guess in guesses] == [401, 401, 401, 429, 429]
    assert guesses[-1].json == {
        "result": "retry",
        "message": "too many wrong credentials from your address",
    }
    assert 290 <= int(guesses[-1].headers["Retry-After"]) <= 300
    assert right.status == 429  # else the right one would be found out by trying on
    assert with_token.status == 200
    assert wrong_token.status == 429
    assert login.status == 429


async def test_guesses_are_counted_by_the_address_behind_the_proxy(database: Database) -> None:
    await add_user(database, "bob")
    throttle = ThrottleSettings.model_validate({"failures": 1, "per": "5m"})
    trusted = ("127.0.0.1",)
    async with serving(database, throttle=throttle, trusted_proxies=trusted) as served:

        async def attempt(address: str, password: str) -> int:
            headers = basic("bob", password) | {"X-Forwarded-For": f"192.0.2.99, {address}"}
            return (await served.ask("GET", READ, headers=headers)).status

        assert await attempt("198.51.100.7", "wrong") == 401
        assert await attempt("198.51.100.7", PASSWORD) == 429
        assert await attempt("198.51.100.8", PASSWORD) == 200


BAD_LOGINS: list[tuple[dict[str, Any], int, str]] = [
    ({}, 400, "auth: is missing"),
    ({"auth": {"username": "bob"}}, 400, "auth.password: is missing; a text is allowed"),
    ({"auth": {"username": "bob", "password": "wrong"}}, 401, "the login or the password is wrong"),
    ({"username": "bob", "password": PASSWORD}, 400, 'there is no "username"'),
]


async def test_a_login_that_is_none_says_why(served: Served) -> None:
    for body, status, words in BAD_LOGINS:
        answer = await served.ask("POST", "/rest/auth/", json=body)

        assert (answer.status, answer.json["result"]) == (status, "fail")
        assert words in answer.json["message"]
        assert "Set-Cookie" not in answer.headers
        assert PASSWORD not in answer.text
