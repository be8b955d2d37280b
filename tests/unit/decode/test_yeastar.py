"""Records that Yeastar PBXs push, of both kinds and every spelling, become legs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.posted import YEASTAR, YEASTAR_P_SERIES

from cdrd.decode.yeastar import yeastar_record
from cdrd.records import Decoded, Leg, Reason, Rejected

ZONE = ZoneInfo("Europe/London")
NEW_CDR = {"event": "NewCdr", **YEASTAR}
P_SERIES = {
    **YEASTAR_P_SERIES,
    "call_id": "1795285487.6",
    "pin_code": "1234",
    "recording": "",
    "did_number": "",
    "agent_ring_time": 0,
}


def push(**fields: Any) -> bytes:
    return json.dumps(
        {"type": 30012, "sn": "369152", "msg": json.dumps(P_SERIES | fields)}
    ).encode()


def new_cdr(**fields: Any) -> bytes:
    return json.dumps(NEW_CDR | fields).encode()


def leg(raw: bytes) -> Leg:
    found = yeastar_record(raw, ZONE)
    assert isinstance(found, Decoded), found
    return found.leg


def test_a_new_cdr_is_the_leg_that_it_tells_of() -> None:
    found = leg(new_cdr())
    assert (found.src, found.dst, found.clid) == ("07700900123", "1000", '"" <07700900123>')
    assert (found.channel, found.dstchannel) == ("Trunk1", "")
    assert (found.calldate, found.answerdate, found.enddate) == (
        datetime(2026, 11, 21, 13, 24, 47, tzinfo=UTC),
        datetime(2026, 11, 21, 13, 24, 50, tzinfo=UTC),
        datetime(2026, 11, 21, 13, 25, tzinfo=UTC),
    )
    assert (found.duration, found.billsec, found.disposition) == (13, 10, "ANSWERED")
    assert (found.uniqueid, found.linkedid) == ("1795285487.6", "1795285487.6")


def test_what_has_no_column_is_in_extra() -> None:
    extra = leg(new_cdr()).extra
    assert extra is not None
    assert (extra["didnumber"], extra["type"], extra["sn"]) == ("5551000", "Inbound", "369152")
    assert "callfrom" not in extra


def test_a_30012_of_the_p_series_has_names_and_an_id_of_its_own() -> None:
    found = leg(push())
    assert (found.src, found.clid, found.dst) == ("1002", '"Alice Archer" <1002>', "07700900123")
    assert (found.uniqueid, found.linkedid) == ("20261121132447ABCDE", "1795285487.6")
    assert found.dstchannel == "Trunk1"
    assert found.extra is not None
    assert (found.extra["pin_code"], found.extra["sn"]) == ("1234", "369152")


def test_msg_may_be_an_object_and_type_a_text() -> None:
    raw = json.dumps({"type": "30012", "sn": "369152", "msg": P_SERIES}).encode()
    assert leg(raw) == leg(push())


@pytest.mark.parametrize(
    ("status", "talked", "disposition"),
    [
        ("NO ANSWER", 0, "NO ANSWER"),
        ("NOANSWER", 0, "NO ANSWER"),
        ("Busy", 0, "BUSY"),
        ("VOICEMAIL", 5, "ANSWERED"),
        ("FAILED", 0, "FAILED"),
    ],
)
def test_the_status_is_in_asterisks_words(status: str, talked: int, disposition: str) -> None:
    found = leg(push(status=status, talk_duration=talked))
    assert (found.disposition, found.answerdate is None) == (disposition, not talked)
    assert (found.extra or {})["status"] == status


def test_the_doubled_hour_is_told_by_the_calls_id() -> None:
    printed = "2026-10-25 01:30:00"
    first = leg(new_cdr(timestart=printed, callid="1792888200.1"))
    second = leg(new_cdr(timestart=printed, callid="1792891800.1"))
    assert first.calldate == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert second.calldate == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"{", Reason.BAD_JSON),
        (b"[]", Reason.BAD_JSON),
        (b"{}", Reason.MISSING_FIELD),
        (json.dumps({"type": 30011, "msg": "{}"}).encode(), Reason.MISSING_FIELD),
        (json.dumps({"type": 30012, "msg": "{"}).encode(), Reason.BAD_JSON),
        (json.dumps({"type": 30012, "msg": "[]"}).encode(), Reason.BAD_JSON),
        (new_cdr(callid=""), Reason.MISSING_FIELD),
        (new_cdr(timestart="13:24"), Reason.BAD_TIME),
        (new_cdr(callduraction="x"), Reason.BAD_NUMBER),
        (new_cdr(status="LOST"), Reason.BAD_DISPOSITION),
        (new_cdr(callfrom="a\0"), Reason.NUL_BYTES),
        (push(call_from="a\0"), Reason.NUL_BYTES),
    ],
)
def test_what_makes_no_leg_is_rejected_with_its_reason(raw: bytes, reason: Reason) -> None:
    found = yeastar_record(raw, ZONE, line=2, offset=9)
    assert isinstance(found, Rejected)
    assert (found.reason, found.raw, found.line, found.offset) == (reason, raw, 2, 9)


def test_what_is_no_text_is_replaced_and_the_record_kept() -> None:
    raw = push(call_to="\ud800")
    found = yeastar_record(raw, ZONE)
    assert isinstance(found, Decoded)
    assert (found.leg.dst, found.original) == ("\ufffd", raw)


VALUES: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.just({})
)


@given(st.dictionaries(st.sampled_from([*P_SERIES]), VALUES, max_size=3), st.binary(max_size=30))
@settings(max_examples=60, deadline=None)
def test_anything_is_survived(fields: dict[str, Any], noise: bytes) -> None:
    assert isinstance(yeastar_record(push(**fields), ZONE), Decoded | Rejected)
    assert isinstance(yeastar_record(noise, ZONE), Decoded | Rejected)
