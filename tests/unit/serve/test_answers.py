"""What goes out: the envelope, and in which coding."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cdrd.owners import Permission, Principal
from cdrd.records import AcctId
from cdrd.serve.raw import envelope
from cdrd.serve.raw.request import ReadRequest
from cdrd.serve.refusal import away, bad_input, too_many
from cdrd.serve.sending import accepted_coding
from cdrd.store.feed import Page


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        ("", None),
        ("gzip", "gzip"),
        ("gzip, deflate, br", "gzip"),
        ("deflate", "deflate"),
        ("br, zstd", None),
        ("gzip;q=0", None),
        ("gzip;q=0.2, deflate;q=0.5", "deflate"),
        ("GZIP ; q=1.0", "gzip"),
        ("*", "gzip"),
        ("identity", None),
        ("gzip;q=nonsense", None),
    ],
)
def test_the_coding_is_the_one_the_reader_likes_best(header: str, coding: str | None) -> None:
    found = accepted_coding(header)

    assert (None if found is None else found.value) == coding


def asked(**changes: Any) -> ReadRequest:
    values = {"first": None, "most": 500, "min_date": None, "max_date": None, "raw": False}
    return ReadRequest(**{**values, "password": None, **changes})


PAGES = [
    Page(b'{"acctid":1},{"acctid":2}', 2, 0, AcctId(2)),
    Page(b'{"acctid":3}', 1, 0, AcctId(3)),
]


def test_a_page_is_the_same_whole_or_in_parts() -> None:
    async def rest() -> AsyncIterator[Page]:
        yield PAGES[1]

    async def joined() -> bytes:
        return b"".join([part async for part in envelope.parts(asked(), PAGES[:1], rest())])

    whole = envelope.whole(asked(), PAGES)

    assert asyncio.run(joined()) == whole
    assert json.loads(whole) == {
        "result": "success",
        "minID": None,
        "maxRows": 500,
        "values": [{"acctid": 1}, {"acctid": 2}, {"acctid": 3}],
        "numrows": 3,
        "numRows": 3,
    }


def test_an_empty_page_echoes_what_was_asked_for() -> None:
    page = json.loads(envelope.whole(asked(first=AcctId(0), most=7), []))

    assert (page["minID"], page["maxRows"], page["values"], page["numRows"]) == (0, 7, [], 0)


def test_retry_is_what_may_succeed_later_and_fail_what_never_will() -> None:
    assert envelope.failure(bad_input("no")) == {"result": "fail", "message": "no"}
    assert envelope.failure(away("no"))["result"] == "retry"
    assert envelope.failure(too_many("no", 3.2))["result"] == "retry"
    assert too_many("no", 3.2).headers == {"Retry-After": "4"}


@pytest.mark.parametrize(
    ("companies", "company", "perms"),
    [
        (None, "default", {"calls": "yes", "system-admin": "yes"}),
        (("acme",), "acme", {"calls": "acme", "system-admin": "acme"}),
        (
            ("acme", "globex"),
            "acme",
            {"calls": ["acme", "globex"], "system-admin": ["acme", "globex"]},
        ),
        ((), "default", {"calls": [], "system-admin": []}),
    ],
)
def test_a_user_is_told_what_their_permissions_hold_for(
    companies: tuple[str, ...] | None, company: str, perms: dict[str, Any]
) -> None:
    permissions = frozenset({Permission.SYSTEM_ADMIN, Permission.CALLS})
    user = envelope.user(Principal(7, "bob", "Bob", permissions, companies), 12)

    assert user == {
        "id": 7,
        "login": "bob",
        "name": "Bob",
        "company": company,
        "home": None,
        "session": 12,
        "perms": perms,
    }
