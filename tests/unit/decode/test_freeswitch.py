"""Documents of FreeSWITCH, in every wrapping, become the leg that they tell of."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdrd.decode.forms import unwrap
from cdrd.decode.freeswitch import freeswitch_json, freeswitch_xml
from cdrd.decode.values import Problem
from cdrd.records import Decoded, Leg, Reason, Rejected

A_LEG = "9c5a3f0e-6d4e-4a58-8f0c-0e7e3f9b7a01"
B_LEG = "3f1d2b44-1c3a-4a0e-9f0e-2a6b7c8d9e02"

VARIABLES = {
    "direction": "inbound",
    "uuid": A_LEG,
    "call_uuid": A_LEG,
    "bridge_uuid": B_LEG,
    "channel_name": "sofia/internal/1001@pbx.example",
    "bridge_channel": "sofia/internal/1002@pbx.example:5060",
    "accountcode": "acme",
    "last_app": "bridge",
    "last_arg": "user/1002@pbx.example",
    "start_stamp": "2026-11-21 13:24:47",
    "start_epoch": "1795285487",
    "answer_epoch": "1795285490",
    "end_epoch": "1795285500",
    "start_uepoch": "1795285487251379",
    "duration": "13",
    "billsec": "10",
    "billmsec": "10250",
    "hangup_cause": "NORMAL_CLEARING",
    "sip_hangup_disposition": "recv_bye",
}
PROFILE = {
    "username": "1001",
    "caller_id_name": "Alice & Co",
    "caller_id_number": "1001",
    "destination_number": "1002",
    "context": "default",
    "uuid": A_LEG,
    "chan_name": "sofia/internal/1001@pbx.example",
}
TIMES = {"created_time": "1795285487251379", "answered_time": "1795285490000000"}


def document(**variables: str | None) -> dict[str, Any]:
    said = {name: text for name, text in (VARIABLES | variables).items() if text is not None}
    return {
        "core-uuid": "5f1c",
        "switchname": "fs1",
        "channel_data": {"state": "CS_REPORTING", "direction": "inbound"},
        "variables": said,
        "app_log": {"applications": [{"app_name": "bridge", "app_data": "user/1002"}]},
        "callflow": [
            {"dialplan": "XML", "profile_index": "1", "caller_profile": PROFILE, "times": TIMES}
        ],
    }


def as_json(said: Mapping[str, Any], *, encodes: bool = False) -> bytes:
    if encodes:
        variables = {name: quote(text, safe="") for name, text in said["variables"].items()}
        said = {**said, "variables": variables}
    return json.dumps(said).encode()


def xml_of(name: str, value: Any) -> str:
    if isinstance(value, list):
        return "".join(xml_of(name, each) for each in value)
    if isinstance(value, dict):
        return f"<{name}>{''.join(xml_of(key, each) for key, each in value.items())}</{name}>"
    return f"<{name}>{escape(value)}</{name}>"


def as_xml(said: Mapping[str, Any]) -> bytes:
    variables = {name: quote(text, safe="") for name, text in said["variables"].items()}
    inner = "".join(
        xml_of(name, variables if name == "variables" else value)
        for name, value in said.items()
        if name not in {"core-uuid", "switchname"}
    )
    head = f'<cdr core-uuid="{said["core-uuid"]}" switchname="{said["switchname"]}">'
    return f'<?xml version="1.0"?>\n{head}{inner}</cdr>'.encode()


def leg(raw: bytes) -> Leg:
    found = freeswitch_json(raw)
    assert isinstance(found, Decoded), found
    return found.leg


def of(**variables: str | None) -> Leg:
    return leg(as_json(document(**variables)))


def test_a_document_is_the_leg_that_it_tells_of() -> None:
    found = of()
    assert found.extra is not None
    assert found._replace(extra=None) == Leg(
        calldate=datetime(2026, 11, 21, 18, 24, 47, tzinfo=UTC),
        answerdate=datetime(2026, 11, 21, 18, 24, 50, tzinfo=UTC),
        enddate=datetime(2026, 11, 21, 18, 25, tzinfo=UTC),
        clid='"Alice & Co" <1001>',
        src="1001",
        dst="1002",
        dcontext="default",
        channel="sofia/internal/1001@pbx.example",
        dstchannel="sofia/internal/1002@pbx.example:5060",
        lastapp="bridge",
        lastdata="user/1002@pbx.example",
        duration=13,
        billsec=10,
        disposition="ANSWERED",
        amaflags=0,
        accountcode="acme",
        uniqueid=A_LEG,
        linkedid=A_LEG,
        sequence=None,
        peeraccount=None,
        userfield=None,
    )


def test_what_has_no_column_is_in_extra() -> None:
    extra = of().extra
    assert extra is not None
    assert extra["variables"] == {
        name: VARIABLES[name]
        for name in (
            *("direction", "bridge_uuid", "start_stamp", "start_uepoch", "billmsec"),
            *("hangup_cause", "sip_hangup_disposition"),
        )
    }
    assert extra["callflow"][0]["times"] == TIMES
    assert extra["switchname"] == "fs1"


def test_encoded_and_plain_values_json_and_xml_say_the_same() -> None:
    plain = of()
    assert leg(as_json(document(), encodes=True)) == plain
    found = freeswitch_xml(as_xml(document()))
    assert isinstance(found, Decoded)
    assert found.leg._replace(extra=None) == plain._replace(extra=None)
    assert found.leg.extra is not None
    assert found.leg.extra["variables"] == (plain.extra or {})["variables"]
    assert found.leg.extra["core-uuid"] == "5f1c"


def test_a_percent_sign_in_plain_values_is_not_decoded() -> None:
    assert of(accountcode="50%25 off").accountcode == "50%25 off"


DIALLED = {"direction": "outbound", "uuid": B_LEG, "call_uuid": None, "bridge_uuid": None}


@pytest.mark.parametrize(
    ("variables", "linkedid"),
    [
        ({"uuid": B_LEG}, A_LEG),
        ({**DIALLED, "originating_leg_uuid": A_LEG}, A_LEG),
        ({**DIALLED, "signal_bond": A_LEG}, A_LEG),
        ({**DIALLED, "bridge_uuid": A_LEG}, A_LEG),
        (DIALLED, B_LEG),
        ({"call_uuid": None}, A_LEG),
    ],
)
def test_the_legs_of_a_call_have_one_linkedid(
    variables: dict[str, str | None], linkedid: str
) -> None:
    assert of(**variables).linkedid == linkedid


def test_a_dialled_leg_names_its_originator() -> None:
    said = document(**DIALLED)
    originator = {"originator_caller_profiles": [{"uuid": A_LEG}]}
    said["callflow"][0]["caller_profile"] = {**PROFILE, "originator": originator}
    assert leg(as_json(said)).linkedid == A_LEG


@pytest.mark.parametrize(
    ("cause", "disposition"),
    [
        ("USER_BUSY", "BUSY"),
        ("ORIGINATOR_CANCEL", "NO ANSWER"),
        ("CALL_REJECTED", "NO ANSWER"),
        ("NO_ANSWER", "NO ANSWER"),
        ("NORMAL_CIRCUIT_CONGESTION", "CONGESTION"),
        ("UNALLOCATED_NUMBER", "FAILED"),
        ("SOMETHING_NEW", "FAILED"),
        (None, "NO ANSWER"),
    ],
)
def test_the_hangup_cause_of_an_unanswered_call_is_in_asterisks_words(
    cause: str | None, disposition: str
) -> None:
    found = of(hangup_cause=cause, answer_epoch="0", billsec="0")
    assert (found.disposition, found.answerdate) == (disposition, None)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"{", Reason.BAD_JSON),
        (b"[" * 100_000, Reason.BAD_JSON),
        (b"[]", Reason.MISSING_FIELD),
        (b'{"variables":[]}', Reason.MISSING_FIELD),
        (as_json(document(uuid=None)).replace(A_LEG.encode(), b""), Reason.MISSING_FIELD),
        (as_json(document(start_epoch="0")), Reason.BAD_TIME),
        (as_json(document(end_epoch="soon")), Reason.BAD_TIME),
        (as_json(document(duration="-1")), Reason.BAD_NUMBER),
        (as_json(document(accountcode="a\0")), Reason.NUL_BYTES),
        (as_json(document(accountcode="a\0"), encodes=True), Reason.NUL_BYTES),
        (b'{"a":\0}', Reason.NUL_BYTES),
        (b'{"a":NaN}', Reason.BAD_JSON),
        (b'{"variables":{"x":1e999}}', Reason.BAD_JSON),
        (b'{"a":' * 40 + b"1" + b"}" * 40, Reason.BAD_JSON),
    ],
)
def test_what_makes_no_leg_is_rejected_with_its_reason(raw: bytes, reason: Reason) -> None:
    found = freeswitch_json(raw, line=3, offset=7)
    assert isinstance(found, Rejected)
    assert (found.reason, found.raw, found.line, found.offset) == (reason, raw, 3, 7)


def test_what_is_no_text_is_replaced_and_the_document_kept() -> None:
    broken = as_json(document(accountcode="x")).replace(b'"x"', b'"\xff"')
    halved = as_json(document(accountcode="x")).replace(b'"x"', b'"\\ud800"')
    encoded = as_json(document(accountcode="x"), encodes=True).replace(b'"x"', b'"%FF"')
    for raw in (broken, halved, encoded):
        found = freeswitch_json(raw)
        assert isinstance(found, Decoded)
        assert (found.leg.accountcode, found.original) == ("\ufffd", raw)


BOMB = (
    b'<!DOCTYPE cdr [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><cdr><variables>&b;</variables></cdr>'
)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<cdr>",
        b"<other/>",
        BOMB,
        b'<!DOCTYPE cdr SYSTEM "file:///etc/hostname"><cdr/>',
        b"<cdr>&unknown;</cdr>",
        b"<cdr>" + b"<a>" * 100 + b"</a>" * 100 + b"</cdr>",
        b"<cdr>" + b"<a/>" * 30_000 + b"</cdr>",
        b'<?xml version="1.0" encoding="nonsense"?><cdr/>',
        b"<cdr>\xff</cdr>",
    ],
)
def test_xml_that_a_call_record_needs_not_is_refused(raw: bytes) -> None:
    found = freeswitch_xml(raw)
    assert isinstance(found, Rejected)
    assert (found.reason, found.raw) == (Reason.BAD_XML, raw)


def test_xml_with_texts_between_elements_and_lists_is_read() -> None:
    said = document()
    said["callflow"] = [*said["callflow"], *said["callflow"]]
    said["app_log"]["applications"] *= 3
    found = freeswitch_xml(as_xml(said).replace(b"</variables>", b"</variables> text "))
    assert isinstance(found, Decoded)
    assert found.leg.dst == "1002"


DOCUMENT = as_json(document())


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (DOCUMENT, "application/json"),
        (DOCUMENT, ""),
        (b"cdr=" + quote(DOCUMENT).encode(), "application/x-www-form-urlencoded"),
        (
            b"uuid=x&cdr=" + quote(DOCUMENT).encode() + b"&a=b",
            "Application/X-WWW-Form-Urlencoded; charset=utf-8",
        ),
        (b"cdr=" + base64.b64encode(DOCUMENT), "application/x-www-form-base64-encoded"),
        (b"cdr=" + base64.encodebytes(DOCUMENT), "application/x-www-form-base64-encoded"),
        (b"cdr=" + quote(base64.b64encode(DOCUMENT)).encode(), "application/x-www-form-urlencoded"),
        (b"cdr=" + quote(DOCUMENT).encode(), "text/plain"),
    ],
)
def test_every_wrapping_is_taken_off(body: bytes, kind: str) -> None:
    assert unwrap(body, kind) == DOCUMENT


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"other=1", Reason.MISSING_FIELD),
        (b"cdr=hello", Reason.BAD_QUOTING),
        (b"", Reason.MISSING_FIELD),
    ],
)
def test_a_form_without_a_document_is_told_so(body: bytes, reason: Reason) -> None:
    found = unwrap(body, "application/x-www-form-urlencoded")
    assert isinstance(found, Problem)
    assert found.reason is reason


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from([*VARIABLES]), JSON_VALUES, max_size=4),
    st.dictionaries(st.sampled_from(["variables", "callflow", "x"]), JSON_VALUES, max_size=1),
)
@settings(max_examples=60, deadline=None)
def test_any_json_is_survived(variables: dict[str, Any], around: dict[str, Any]) -> None:
    said = {**document(), "variables": {**VARIABLES, **variables}, **around}
    assert isinstance(freeswitch_json(json.dumps(said).encode()), Decoded | Rejected)


@given(
    st.binary(max_size=60) | st.sampled_from([DOCUMENT, as_xml(document())]),
    st.binary(max_size=3),
    st.integers(0, 900),
)
@settings(max_examples=80, deadline=None)
def test_any_bytes_are_survived(raw: bytes, noise: bytes, at: int) -> None:
    broken = raw[:at] + noise + raw[at + 1 :]
    assert isinstance(freeswitch_json(broken), Decoded | Rejected)
    assert isinstance(freeswitch_xml(broken), Decoded | Rejected)
    assert isinstance(unwrap(b"cdr=" + broken, ""), bytes | Problem)
