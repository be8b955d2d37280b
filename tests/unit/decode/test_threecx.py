"""Lines of 3CX, from file and socket and with any choice of fields, become legs."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.decoded import decoded_row

from cdrd.decode.chunks import decode_rows
from cdrd.decode.copytext import copy_row
from cdrd.decode.threecx import COLUMNS, ThreeCxGrammar
from cdrd.errors import SettingsError
from cdrd.records import Chunk, Decoded, Leg, Reason, Rejected

FIELDS = dict.fromkeys(COLUMNS, "") | {
    "historyid": "Call 265500",
    "callid": "00000179C8B2D34D_265500",
    "duration": "00:00:10",
    "time-start": "2026/11/21 13:24:47",
    "time-answered": "2026/11/21 13:24:50",
    "time-end": "2026/11/21 13:25:00",
    "reason-terminated": "TerminatedBySrc",
    "from-no": "Ext.80002",
    "to-no": "Ext.80001",
    "from-dn": "80002",
    "to-dn": "80001",
    "dial-no": "80001",
    "final-number": "80001",
    "final-dn": "80001",
    "bill-code": "acme",
    "bill-cost": "0.25",
    "chain": "Chain: Ext.80002;Ext.80001;",
    "from-type": "Extension",
    "from-dispname": "Alice Archer",
}
GRAMMAR = ThreeCxGrammar()


def line(columns: tuple[str, ...] = COLUMNS, /, **fields: str) -> bytes:
    said = FIELDS | {name.replace("_", "-"): text for name, text in fields.items()}
    return (",".join(said[name] for name in columns) + "\r\n").encode()


def leg(raw: bytes, grammar: ThreeCxGrammar = GRAMMAR) -> Leg:
    found = grammar.record(raw, line=1, offset=0)
    assert isinstance(found, Decoded), found
    return found.leg


def test_a_line_is_the_leg_that_it_tells_of() -> None:
    assert leg(line()) == Leg(
        calldate=datetime(2026, 11, 21, 13, 24, 47, tzinfo=UTC),
        answerdate=datetime(2026, 11, 21, 13, 24, 50, tzinfo=UTC),
        enddate=datetime(2026, 11, 21, 13, 25, tzinfo=UTC),
        clid='"Alice Archer" <80002>',
        src="80002",
        dst="80001",
        dcontext="",
        channel="80002",
        dstchannel="80001",
        lastapp="",
        lastdata="Ext.80002;Ext.80001;",
        duration=13,
        billsec=10,
        disposition="ANSWERED",
        amaflags=0,
        accountcode="acme",
        uniqueid="00000179C8B2D34D_265500",
        linkedid="265500",
        sequence=None,
        peeraccount=None,
        userfield=None,
        extra={
            "duration": "00:00:10",
            "reason-terminated": "TerminatedBySrc",
            "to-no": "Ext.80001",
            "to-dn": "80001",
            "dial-no": "80001",
            "final-number": "80001",
            "final-dn": "80001",
            "bill-cost": "0.25",
            "from-type": "Extension",
        },
    )


def test_the_socket_writes_dashes_and_says_the_same() -> None:
    dashes = {
        name.replace("-", "_"): FIELDS[name].replace("/", "-") for name in FIELDS if "time-" in name
    }
    assert leg(line(**dashes)) == leg(line())


def test_fields_may_be_chosen_and_in_any_order() -> None:
    columns = ("to-no", "from-no", "time-start", "historyid", "duration", "-")
    found = leg(line(columns[:-1])[:-2] + b",unwanted\r\n", ThreeCxGrammar(columns))
    assert (found.src, found.dst, found.linkedid, found.uniqueid) == (
        "80002",
        "80001",
        "265500",
        "265500",
    )
    assert (found.duration, found.billsec, found.enddate) == (10, 0, None)


def test_a_choice_that_makes_no_sense_is_refused_with_every_reason() -> None:
    with pytest.raises(SettingsError) as refused:
        ThreeCxGrammar(("from-no", "mine"))
    assert refused.value.problems == [
        "columns: time-start is missing",
        "columns: to-no is missing",
        "columns: mine is no field of 3CX",
    ]


@pytest.mark.parametrize(
    ("reason", "disposition"),
    [
        ("TerminatedBySrc", "NO ANSWER"),
        ("Busy", "BUSY"),
        ("CallFailed", "FAILED"),
        ("", "NO ANSWER"),
    ],
)
def test_an_unanswered_call_is_in_asterisks_words(reason: str, disposition: str) -> None:
    found = leg(line(time_answered="", reason_terminated=reason, duration="00:00:00"))
    assert (found.disposition, found.billsec, found.answerdate) == (disposition, 0, None)


def test_the_night_when_clocks_go_back_is_counted_through() -> None:
    grammar = ThreeCxGrammar(zone="Europe/London")
    times = {"time_start": "2026/10/25 01:59:57", "time_answered": "2026/10/25 01:59:59"}
    found = leg(line(**times, time_end="2026/10/25 01:00:01"), grammar)
    assert (found.duration, found.billsec) == (4, 2)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"1,2\r\n", Reason.TOO_FEW_COLUMNS),
        (line(from_dispname="Archer, Alice"), Reason.TOO_MANY_COLUMNS),
        (line(time_start=""), Reason.BAD_TIME),
        (line(time_end="soon"), Reason.BAD_TIME),
        (line(time_end="2026/11/21 13:00:00"), Reason.BAD_TIME),
        (line(duration="10"), Reason.BAD_NUMBER),
        (line(duration="9999999:00:00"), Reason.BAD_NUMBER),
        (line(bill_code="\0"), Reason.NUL_BYTES),
    ],
)
def test_what_makes_no_leg_is_rejected_alone(raw: bytes, reason: Reason) -> None:
    decoded = decode_rows(Chunk(line() + raw + line(), 0, 1), GRAMMAR, copy_row)
    assert [(bad.raw, bad.reason, bad.line) for bad in decoded.rejected] == [(raw, reason, 2)]
    assert [decoded_row(row).line for row in decoded.rows] == [1, 3]


def test_bytes_that_are_not_utf8_are_kept() -> None:
    raw = line().replace(b"Alice", b"\xff")
    found = GRAMMAR.record(raw, line=1, offset=0)
    assert isinstance(found, Decoded)
    assert (found.leg.clid, found.original) == ('"\ufffd Archer" <80002>', raw)


def test_a_line_that_is_not_whole_waits() -> None:
    assert decode_rows(Chunk(line() + line()[:40], 0, 1), GRAMMAR, copy_row).consumed == len(line())


@given(
    st.dictionaries(st.sampled_from(COLUMNS), st.text(max_size=12), max_size=4),
    st.binary(max_size=40),
)
@settings(max_examples=60, deadline=None)
def test_anything_is_survived(fields: dict[str, str], noise: bytes) -> None:
    raw = ",".join((FIELDS | fields).values()).encode(errors="replace")
    for each in (raw, noise, raw + noise):
        assert isinstance(GRAMMAR.record(each, line=1, offset=0), Decoded | Rejected)
