from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdrd.records import AcctId
from cdrd.serve.credentials import Password
from cdrd.serve.raw.request import ReadRequest, login_request, read_request, scope_of_query
from cdrd.serve.refusal import Refusal


def asked(data: dict[str, Any]) -> ReadRequest:
    return read_request(data, default_rows=500, max_rows=10_000)


def refused(data: dict[str, Any]) -> str:
    with pytest.raises(Refusal) as refusal:
        asked(data)
    assert refusal.value.status == 400
    return refusal.value.message


@pytest.mark.parametrize("data", [{}, {"type": "cdr"}, {"scope": {}}, {"scope": None}])
def test_nothing_in_the_scope_is_the_first_page_of_everything(data: dict[str, Any]) -> None:
    assert asked(data) == ReadRequest(None, 500, None, None, raw=False, password=None)


def test_every_key_of_a_body_is_understood() -> None:
    scope = {
        "minID": 44493,
        "maxRows": 10_000,
        "minDate": 0,
        "maxDate": 1458643961123,
        "queuedata": True,
        "cachedata": False,
        "raw": True,
    }
    auth = {"type": "auth", "username": "bob", "password": ""}

    assert asked({"type": "cdr", "scope": scope, "auth": auth}) == ReadRequest(
        first=AcctId(44493),
        most=10_000,
        min_date=datetime(1970, 1, 1, tzinfo=UTC),
        max_date=datetime(2016, 3, 22, 10, 52, 41, 123_000, tzinfo=UTC),
        raw=True,
        password=Password("bob", ""),
    )


def test_of_thousands_of_mistakes_some_are_told() -> None:
    """Whoever sent them need not have logged in, and is not answered at such length."""
    message = refused({"scope": {f"key{n}": n for n in range(5000)}})

    assert message.startswith('scope: there is no "key0"')
    assert message.endswith("; and 4980 more")


def test_settled_calls_and_changes_are_asked_for() -> None:
    assert asked({"scope": {"settled": True, "minID": 7}}).settled
    changed = asked({"scope": {"settled": False, "sinceRevision": 12.0, "maxRows": 5}})
    assert (changed.since, changed.most, changed.settled) == (12, 5, False)
    both = asked({"scope": {"minID": 7, "sinceRevision": 12}})
    assert (both.first, both.since) == (7, 12)
    query = scope_of_query([("settled", "TRUE"), ("sinceRevision", "0")])
    assert query == {"scope": {"settled": True, "sinceRevision": 0}}


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        (
            {"sinceRevision": 1, "minDate": 0, "maxDate": 9, "raw": True},
            "scope: sinceRevision goes without minDate, maxDate, raw",
        ),
        ({"settled": True, "raw": True}, "scope: settled waits for what raw does not wait for"),
        ({"sinceRevision": -1}, "scope.sinceRevision: -1 is wrong; a whole number from 0"),
        ({"settled": 1}, "scope.settled: 1 is wrong; true or false is allowed"),
        ({"sincerevision": 1}, "did you mean sinceRevision?"),
    ],
)
def test_scopes_that_contradict_themselves_are_refused(scope: dict[str, Any], words: str) -> None:
    assert words in refused({"scope": scope})


def test_null_is_as_good_as_absent() -> None:
    scope = dict.fromkeys(("minID", "maxRows", "minDate", "maxDate", "raw", "queuedata"))

    assert asked({"scope": scope, "auth": None}) == asked({})


def test_a_whole_number_may_be_written_with_a_point() -> None:
    assert asked({"scope": {"minID": 5.0, "minDate": 1.4e12}}).first == 5


BIG = 2**63 - 1
KEYS = "minID, maxRows, minDate, maxDate, queuedata, cachedata, raw, settled, sinceRevision"
DATES = "milliseconds since 1970 in UTC are allowed, a whole number from 0 to 253402300799999"


@pytest.mark.parametrize(
    ("scope", "message"),
    [
        ({"minID": "5"}, f'scope.minID: "5" is wrong; a whole number from 0 to {BIG} is allowed'),
        ({"minID": -1}, f"scope.minID: -1 is wrong; a whole number from 0 to {BIG} is allowed"),
        ({"minID": True}, f"scope.minID: true is wrong; a whole number from 0 to {BIG} is allowed"),
        ({"minID": 5.5}, f"scope.minID: 5.5 is wrong; a whole number from 0 to {BIG} is allowed"),
        (
            {"minID": 2**63},
            f"scope.minID: {2**63} is wrong; a whole number from 0 to {BIG} is allowed",
        ),
        ({"minID": [1]}, f"scope.minID: [1] is wrong; a whole number from 0 to {BIG} is allowed"),
        ({"maxRows": 0}, "scope.maxRows: 0 is wrong; a whole number from 1 to 10000 is allowed"),
        (
            {"maxRows": 10_001},
            "scope.maxRows: 10001 is too many; a whole number from 1 to 10000 is allowed",
        ),
        ({"minDate": "2026-01-01"}, f'scope.minDate: "2026-01-01" is wrong; {DATES}'),
        ({"maxDate": 10**18}, f"scope.maxDate: {10**18} is wrong; {DATES}"),
        ({"minDate": 2, "maxDate": 1}, "scope: minDate (2) is after maxDate (1)"),
        ({"raw": 1}, "scope.raw: 1 is wrong; true or false is allowed"),
        ({"queuedata": "yes"}, 'scope.queuedata: "yes" is wrong; true or false is allowed'),
        ({"minId": 1}, 'scope: there is no "minId"; did you mean minID?'),
        ({"limit": 1}, f'scope: there is no "limit"; there are {KEYS}'),
    ],
)
def test_a_message_names_the_field_and_what_was_wrong_and_what_is_allowed(
    scope: dict[str, Any], message: str
) -> None:
    assert refused({"scope": scope}) == message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"type": "call"}, 'type: "call" is wrong; "cdr" is allowed'),
        ({"scope": []}, "scope: [] is wrong; an object is allowed"),
        ({"Scope": {}}, 'the body: there is no "Scope"; did you mean scope?'),
        ({"auth": "bob"}, "auth: the value is wrong; an object is allowed"),
        ({"auth": {"username": "bob"}}, "auth.password: is missing; a text is allowed"),
        (
            {"auth": {"username": 5, "password": "x"}},
            "auth.username: 5 is wrong; a text is allowed",
        ),
    ],
)
def test_so_does_the_message_about_what_is_around_the_scope(
    data: dict[str, Any], message: str
) -> None:
    assert refused(data) == message


def test_all_that_is_wrong_is_said_at_once_and_no_password_is_repeated() -> None:
    message = refused(
        {"scope": {"minID": "x", "raw": "x"}, "auth": {"username": "bob", "password": 1234567}}
    )

    assert "scope.minID" in message
    assert "scope.raw" in message
    assert "auth.password: the value is wrong" in message
    assert "1234567" not in message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda values: (
        st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=8), values, max_size=3)
    ),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [
        "type",
        "scope",
        "auth",
        "minID",
        "maxRows",
        "minDate",
        "maxDate",
        "raw",
        "username",
        "password",
    ]
)


@given(st.dictionaries(NAMES, JSON | st.dictionaries(NAMES, JSON, max_size=4), max_size=4))
def test_any_json_is_a_request_or_a_refusal(data: dict[str, Any]) -> None:
    with suppress(Refusal):
        assert 1 <= asked(data).most <= 10_000


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "minID": st.integers(0, BIG),
            "maxRows": st.integers(1, 10_000),
            "minDate": st.integers(0, 10**12),
            "maxDate": st.integers(10**12, 10**13),
            "raw": st.booleans(),
            "cachedata": st.booleans(),
        },
    )
)
def test_the_query_of_a_get_says_the_same_as_the_body_of_a_post(scope: dict[str, Any]) -> None:
    query = [(name, json.dumps(value)) for name, value in scope.items()]

    assert asked(scope_of_query(query)) == asked({"scope": scope})
    assert asked(scope_of_query([*query, ("type", "cdr")])) == asked({"scope": scope})


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ([("minID", "1"), ("minID", "2")], '"minID" is given twice'),
        ([("minID", "")], 'scope.minID: "" is wrong'),
        ([("minID", "1e3")], 'scope.minID: "1e3" is wrong'),
        ([("minID", "٣")], "scope.minID"),
        ([("minID", "9" * 100)], "scope.minID"),
        ([("maxRows", "-1")], "scope.maxRows: -1 is wrong"),
        ([("raw", "maybe")], 'scope.raw: "maybe" is wrong; true or false is allowed'),
        ([("minid", "1")], 'there is no "minid"; did you mean minID?'),
        ([("password", "geheim")], 'there is no "password"'),
    ],
)
def test_a_bad_query_is_refused_in_words(query: list[tuple[str, str]], words: str) -> None:
    with pytest.raises(Refusal) as refusal:
        asked(scope_of_query(query))

    assert words in refusal.value.message
    assert "geheim" not in refusal.value.message


def test_a_login_is_an_auth_object() -> None:
    auth = {"type": "auth", "username": "bob", "password": "secret"}

    assert login_request({"auth": auth}) == Password("bob", "secret")
    assert login_request({}) is None
    with pytest.raises(Refusal, match="did you mean auth"):
        login_request({"auht": auth})
