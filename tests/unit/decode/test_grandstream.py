"""Answers of a Grandstream UCM's CDR API, in JSON and CSV, become legs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.posted import GRANDSTREAM

from cdrd.decode.grandstream import COLUMNS, grandstream_csv, grandstream_json
from cdrd.records import Decoded, Leg, Reason, Rejected

ZONE = ZoneInfo("America/New_York")


def as_csv(**fields: str) -> bytes:
    return ",".join((GRANDSTREAM | fields)[name] for name in COLUMNS).encode()


def legs(found: list[Decoded | Rejected]) -> list[Leg]:
    assert [each for each in found if isinstance(each, Rejected)] == []
    return [each.leg for each in found if isinstance(each, Decoded)]


def from_json(said: Any) -> list[Leg]:
    return legs(grandstream_json(json.dumps(said).encode(), ZONE))


def test_asterisks_fields_are_the_legs_and_the_others_are_extra() -> None:
    (found,) = from_json({"cdr": [GRANDSTREAM]})
    assert found.calldate == datetime(2026, 11, 21, 18, 24, 47, tzinfo=UTC)
    assert (found.clid, found.lastdata) == (GRANDSTREAM["clid"], GRANDSTREAM["lastdata"])
    assert (found.duration, found.billsec, found.amaflags) == (13, 10, 3)
    assert (found.uniqueid, found.linkedid) == ("1795285487.10", "1795285487.10")
    assert found.extra == {
        "AcctId": "61",
        "channel_ext": "1001",
        "dstchannel_ext": "1002",
        "service": "s",
    }


def test_a_session_joins_the_records_of_a_call_however_they_are_nested() -> None:
    main = GRANDSTREAM | {"session": "s-1"}
    sub = main | {"uniqueid": "1795285488.11"}
    nested = {"cdr_root": [{"cdr": "CDR1", "main_cdr": main, "sub_cdr_1": sub}, main]}
    assert [(each.uniqueid, each.linkedid) for each in from_json(nested)] == [
        ("1795285487.10", "s-1"),
        ("1795285488.11", "s-1"),
        ("1795285487.10", "s-1"),
    ]


def test_an_answer_without_records_has_none() -> None:
    assert from_json({"cdr": []}) == []


@pytest.mark.parametrize("answer", ["", "0000-00-00 00:00:00"])
def test_an_unanswered_call_has_no_answer(answer: str) -> None:
    unanswered = {"answer": answer, "billsec": "0", "disposition": "NO ANSWER"}
    assert from_json({"cdr": [GRANDSTREAM | unanswered]})[0].answerdate is None
    assert legs(grandstream_csv(as_csv(**unanswered), ZONE))[0].answerdate is None


def test_csv_says_the_same_as_json_though_nothing_is_quoted() -> None:
    header = ",".join(COLUMNS).encode()
    raw = b"\r\n".join([header, as_csv(), b"", as_csv(AcctId="62", clid='"a" <1>,', lastdata="x")])
    found = grandstream_csv(raw, ZONE)
    assert [(type(each), each.line) for each in found] == [(Decoded, 2), (Rejected, 4)]
    assert legs(found[:1]) == from_json({"cdr": [GRANDSTREAM]})


@pytest.mark.parametrize(
    "fields",
    [
        {"clid": '"x>,PJSIP/a,PJSIP/b,Dial,y" <1001>'},
        {"lastdata": "x>,PJSIP/1,,Dial,y"},
        {"userfield": "a,b"},
        {"channel": ""},
    ],
)
def test_csv_that_can_be_read_in_two_ways_is_rejected_alone(fields: dict[str, str]) -> None:
    found = grandstream_csv(as_csv() + b"\n" + as_csv(**fields) + b"\n" + as_csv(), ZONE)
    assert [type(each) for each in found] == [Decoded, Rejected, Decoded]
    rejected = found[1]
    assert isinstance(rejected, Rejected)
    assert (rejected.reason, rejected.line) == (Reason.AMBIGUOUS, 2)
    assert (rejected.raw, rejected.offset) == (as_csv(**fields), len(as_csv()) + 1)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"{", Reason.BAD_JSON),
        (b"1", Reason.MISSING_FIELD),
        (b'{"response":{}}', Reason.MISSING_FIELD),
        (json.dumps({"cdr": [{"start": "x"}]}).encode(), Reason.MISSING_FIELD),
        (json.dumps({"cdr": [GRANDSTREAM | {"start": "x"}]}).encode(), Reason.BAD_TIME),
        (json.dumps({"cdr": [GRANDSTREAM | {"billsec": "x"}]}).encode(), Reason.BAD_NUMBER),
        (json.dumps({"cdr": [GRANDSTREAM | {"src": "\0"}]}).encode(), Reason.NUL_BYTES),
    ],
)
def test_json_that_makes_no_leg_is_rejected_with_its_reason(raw: bytes, reason: Reason) -> None:
    (found,) = grandstream_json(raw, ZONE)
    assert isinstance(found, Rejected)
    assert found.reason is reason


def test_a_bad_record_takes_no_neighbour_with_it() -> None:
    raw = json.dumps({"cdr": [GRANDSTREAM, GRANDSTREAM | {"duration": None}, GRANDSTREAM]}).encode()
    found = grandstream_json(raw, ZONE)
    assert [(type(each), each.line) for each in found] == [
        (Decoded, 1),
        (Rejected, 2),
        (Decoded, 3),
    ]
    bad = found[1]
    assert isinstance(bad, Rejected)
    assert json.loads(bad.raw) == GRANDSTREAM | {"duration": None}


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"1,2,3", Reason.TOO_FEW_COLUMNS),
        (as_csv(src="\0"), Reason.NUL_BYTES),
        (as_csv(start="soon"), Reason.AMBIGUOUS),
        (as_csv(amaflags="FREE"), Reason.BAD_AMAFLAGS),
    ],
)
def test_csv_that_makes_no_leg_is_rejected_with_its_reason(raw: bytes, reason: Reason) -> None:
    (found,) = grandstream_csv(raw, ZONE)
    assert isinstance(found, Rejected)
    assert found.reason is reason


def test_bytes_that_are_not_utf8_are_kept() -> None:
    raw = as_csv().replace(b"Alice", b"\xff")
    (found,) = grandstream_csv(raw, ZONE)
    assert isinstance(found, Decoded)
    assert found.original == raw


VALUES: st.SearchStrategy[Any] = (
    st.none() | st.integers() | st.floats() | st.text(max_size=9) | st.just([]) | st.just({})
)


@given(st.dictionaries(st.sampled_from(COLUMNS), VALUES, max_size=3), st.binary(max_size=40))
@settings(max_examples=60, deadline=None)
def test_anything_is_survived(fields: dict[str, Any], noise: bytes) -> None:
    for each in grandstream_json(json.dumps({"cdr": [GRANDSTREAM | fields]}).encode(), ZONE):
        assert isinstance(each, Decoded | Rejected)
    texts = {name: text for name, text in fields.items() if isinstance(text, str)}
    for raw in (noise, ",".join((GRANDSTREAM | texts).values()).encode(errors="replace") + noise):
        assert isinstance(grandstream_csv(raw, ZONE), list)
        assert isinstance(grandstream_json(raw, ZONE), list)
