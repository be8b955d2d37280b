from __future__ import annotations

import base64

import pytest

from cdrd.serve.credentials import (
    SESSION_COOKIE,
    Bearer,
    Credentials,
    Password,
    Session,
    from_another_site,
    in_headers,
)
from cdrd.serve.refusal import Refusal


def basic(text: str | bytes) -> str:
    raw = text.encode() if isinstance(text, str) else text
    return "Basic " + base64.b64encode(raw).decode()


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("Bearer cdrd_abc", Bearer("cdrd_abc")),
        ("bearer  cdrd_abc ", Bearer("cdrd_abc")),
        (basic("bob:secret"), Password("bob", "secret")),
        (basic("bob:a:b"), Password("bob", "a:b")),
        (basic("bob:"), Password("bob", "")),
        (basic("bob:pässwörd"), Password("bob", "pässwörd")),
        (basic("bob:pässwörd".encode("latin-1")), Password("bob", "pässwörd")),
    ],
)
def test_the_authorization_header_is_bearer_or_basic(header: str, found: Credentials) -> None:
    assert in_headers({"Authorization": header}, {}) == found


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Digest x", "Basic !!!", basic("no colon"), "Basic é"]
)
def test_any_other_authorization_is_refused_even_beside_a_session(header: str) -> None:
    with pytest.raises(Refusal) as refused:
        in_headers({"Authorization": header}, {SESSION_COOKIE: "value"})

    assert refused.value.status == 401


def test_a_session_counts_unless_another_site_made_the_request() -> None:
    cookies = {SESSION_COOKIE: "value"}

    assert in_headers({}, cookies) == Session("value")
    assert in_headers({"Sec-Fetch-Site": "same-origin"}, cookies) == Session("value")
    assert in_headers({"Sec-Fetch-Site": "cross-site"}, cookies) is None
    assert in_headers({"Sec-Fetch-Site": "same-site"}, cookies) is None
    assert in_headers({}, {}) is None
    assert in_headers({}, {SESSION_COOKIE: ""}) is None


@pytest.mark.parametrize(
    ("headers", "another"),
    [
        ({}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Origin": "https://cdr.example", "Host": "cdr.example"}, False),
        ({"Origin": "http://cdr.example:8887", "Host": "cdr.example:8887"}, False),
        ({"Origin": "https://evil.example", "Host": "cdr.example"}, True),
        ({"Origin": "null", "Host": "cdr.example"}, True),
        (
            {
                "Origin": "https://evil.example",
                "Host": "cdr.example",
                "Sec-Fetch-Site": "same-origin",
            },
            False,
        ),
    ],
)
def test_another_site_is_what_the_browser_says_it_is(
    headers: dict[str, str], *, another: bool
) -> None:
    assert from_another_site(headers) is another


@pytest.mark.parametrize("login", ["a\0b", "\ud800", "x" * 2000])
def test_a_login_that_cannot_be_stored_is_not_looked_for(login: str) -> None:
    assert not Password(login, "secret").plausible()
    assert Password("bob", "\ud800").plausible()
