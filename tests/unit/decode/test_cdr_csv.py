"""A record of Master.csv: which column is what, what is understood, and why something is not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from support.decoded import record

from cdrd.decode.cdr_csv import columns_of, write_csv
from cdrd.decode.decoders import Decoder, Shape, decoder_for
from cdrd.records import Decoded, Leg, Reason, Rejected, SourceKind

NEW_YORK = decoder_for(Shape(SourceKind.ASTERISK_CSV, zone="America/New_York"))


def leg(raw: bytes, decoder: Decoder = NEW_YORK) -> Leg:
    decoded = decoder.record(raw, line=1, offset=0)
    assert isinstance(decoded, Decoded), decoded
    return decoded.leg


def rejected(raw: bytes, decoder: Decoder = NEW_YORK) -> Rejected:
    outcome = decoder.record(raw, line=7, offset=99)
    assert isinstance(outcome, Rejected), outcome
    assert (raw, 7, 99) == (outcome.raw, outcome.line, outcome.offset)
    return outcome


def test_every_column_has_its_place() -> None:
    assert leg(record(21)) == Leg(
        calldate=datetime(2026, 11, 21, 18, 24, 47, tzinfo=UTC),
        answerdate=datetime(2026, 11, 21, 18, 24, 50, tzinfo=UTC),
        enddate=datetime(2026, 11, 21, 18, 25, 0, tzinfo=UTC),
        clid='"Alice Archer" <101>',
        src="101",
        dst="102",
        dcontext="internal",
        channel="PJSIP/101-00000001",
        dstchannel="PJSIP/102-00000002",
        lastapp="Dial",
        lastdata="PJSIP/102,20",
        duration=13,
        billsec=10,
        disposition="ANSWERED",
        amaflags=3,
        accountcode="acme",
        uniqueid="1795285487.10",
        linkedid="1795285487.9",
        sequence=17,
        peeraccount="acme",
        userfield="did:5551000",
    )


@pytest.mark.parametrize(
    ("columns", "missing"),
    [
        (16, {"uniqueid", "userfield", "peeraccount", "linkedid", "sequence"}),
        (17, {"userfield", "peeraccount", "linkedid", "sequence"}),
        (18, {"peeraccount", "linkedid", "sequence"}),
        (19, {"uniqueid", "userfield"}),
        (20, {"userfield"}),
        (21, set()),
    ],
)
def test_a_column_that_is_not_written_is_none(columns: int, missing: set[str]) -> None:
    found = leg(record(columns))
    assert missing == {name for name, value in found._asdict().items() if value is None} - {
        "extra",
        "acctid",
    }


@pytest.mark.parametrize("columns", [17, 20])
@pytest.mark.parametrize("value", ["1795285487.10", "hq1-pbx-1795285806.0", "a-b-1795285806.123"])
def test_the_17th_column_is_the_uniqueid_where_it_looks_like_one(columns: int, value: str) -> None:
    found = leg(record(columns, uniqueid=value))
    assert (value, None) == (found.uniqueid, found.userfield)


@pytest.mark.parametrize("columns", [17, 20])
@pytest.mark.parametrize("value", ["", "did:5551000", "1795285487", "1795285487.", "12.5"])
def test_the_17th_column_is_the_userfield_where_it_looks_otherwise(
    columns: int, value: str
) -> None:
    found = leg(record(columns, uniqueid=value))
    assert (None, value) == (found.uniqueid, found.userfield)


@pytest.mark.parametrize("columns", [17, 20])
def test_the_17th_column_is_what_the_settings_say(columns: int) -> None:
    as_userfield = decoder_for(Shape(SourceKind.ASTERISK_CSV, ambiguous="userfield"))
    as_uniqueid = decoder_for(Shape(SourceKind.ASTERISK_CSV, ambiguous="uniqueid"))
    assert leg(record(columns), as_userfield).userfield == "1795285487.10"
    assert leg(record(columns, uniqueid="x"), as_uniqueid).uniqueid == "x"


def test_an_unanswered_call_has_no_answer() -> None:
    found = leg(record(answer="", disposition="NO ANSWER", billsec="0"))
    assert (found.answerdate, found.disposition) == (None, "NO ANSWER")


@pytest.mark.parametrize(
    ("written", "meant"),
    [(name, name) for name in ("NO ANSWER", "FAILED", "BUSY", "ANSWERED", "CONGESTION", "CANCEL")]
    + [("UNKNOWN", "UNKNOWN"), ("NOANSWER", "NO ANSWER")],
)
def test_dispositions_are_asterisks(written: str, meant: str) -> None:
    assert meant == leg(record(disposition=written)).disposition


@pytest.mark.parametrize(
    ("written", "meant"),
    [("OMIT", 1), ("BILLING", 2), ("DOCUMENTATION", 3), ("default", 3), ("2", 2), ("Unknown", 0)],
)
def test_amaflags_are_numbers(written: str, meant: int) -> None:
    assert meant == leg(record(amaflags=written)).amaflags


def test_empty_ids_are_none() -> None:
    found = leg(record(21, uniqueid="", linkedid=""))
    assert (found.uniqueid, found.linkedid) == (None, None)


@pytest.mark.parametrize(
    "text",
    [
        "a,b",
        'say "hi"',
        "two\nlines",
        "tab\there",
        "back\\slash",
        "\\N",
        "\x1b[31m",
        "\u202e",
        "=1+1",
    ],
)
def test_text_is_kept_as_it_is(text: str) -> None:
    raw = record(clid=text, userfield=text)
    decoded = NEW_YORK.record(raw, line=1, offset=0)
    assert isinstance(decoded, Decoded)
    assert (text, text, None) == (decoded.leg.clid, decoded.leg.userfield, decoded.original)


def test_what_is_not_utf8_is_marked_and_kept() -> None:
    raw = record(userfield="caf\udce9")
    decoded = NEW_YORK.record(raw, line=1, offset=0)
    assert isinstance(decoded, Decoded)
    assert ("caf\ufffd", raw) == (decoded.leg.userfield, decoded.original)


@pytest.mark.parametrize(
    "change",
    [
        (b'"101"', b"101"),
        (b",13,", b',"13",'),
        (b",13,", b",013,"),
        (b"\n", b"\r\n"),
        (b"\n", b""),
        (b'"DOCUMENTATION"', b"3"),
        (b'"ANSWERED"', b"NOANSWER"),
    ],
)
def test_a_harmless_deviation_is_understood_and_kept(change: tuple[bytes, bytes]) -> None:
    raw = record().replace(*change, 1)
    decoded = NEW_YORK.record(raw, line=1, offset=0)
    assert isinstance(decoded, Decoded)
    assert ("101", 13, raw) == (decoded.leg.src, decoded.leg.duration, decoded.original)


@pytest.mark.parametrize(
    ("raw", "reason", "said"),
    [
        (record(userfield="a\0b"), Reason.NUL_BYTES, "NUL"),
        (b'"a","b"\n', Reason.TOO_FEW_COLUMNS, "2 columns, expected 16 to 21"),
        (record(21)[:-1] + b',"22"\n', Reason.TOO_MANY_COLUMNS, "22 columns"),
        (b'"a"b' + record(), Reason.BAD_QUOTING, "quote"),
        (b'a"' + record(), Reason.UNCLOSED_QUOTE, "never closed"),
        (record().replace(b'"', b""), Reason.BAD_QUOTING, "the start"),
        (record(start="2026-02-30 00:00:00"), Reason.BAD_TIME, "2026-02-30"),
        (record(start="2026-11-21 24:00:00"), Reason.BAD_TIME, "24:00:00"),
        (record(start="2026-11-21 13:60:00"), Reason.BAD_TIME, "13:60:00"),
        (record(start="2026-11-21 13:24:60"), Reason.BAD_TIME, "13:24:60"),
        (record(start="2026-11-21T13:24:47"), Reason.BAD_TIME, "expected"),
        (record(start="٢٠٢٦-11-21 13:24:47"), Reason.BAD_TIME, "start"),
        (record(start=""), Reason.BAD_TIME, "start is ''"),
        (record(answer="soon"), Reason.BAD_TIME, "answer is 'soon'"),
        (record(end="0000-00-00 00:00:00"), Reason.BAD_TIME, "end"),
        (record(start="1066-10-14 09:00:00"), Reason.BAD_TIME, "1066"),
        (record(duration="-1"), Reason.BAD_NUMBER, "duration is '-1'"),
        (record(duration="1.5"), Reason.BAD_NUMBER, "1.5"),
        (record(duration=""), Reason.BAD_NUMBER, "duration is ''"),
        (record(billsec="2147483648"), Reason.BAD_NUMBER, "more than 2147483647"),
        (record(billsec="9" * 5000), Reason.BAD_NUMBER, "999…"),
        (record(billsec="\u0663"), Reason.BAD_NUMBER, "billsec"),
        (record(21, sequence="x"), Reason.BAD_NUMBER, "sequence is 'x'"),
        (record(21, sequence="2147483648"), Reason.BAD_NUMBER, "sequence"),
        (record(disposition="MAYBE"), Reason.BAD_DISPOSITION, "'MAYBE'"),
        (record(disposition="8"), Reason.BAD_DISPOSITION, "'8'"),
        (record(amaflags="4"), Reason.BAD_AMAFLAGS, "'4'"),
        (record(uniqueid="x" * 2001), Reason.TOO_LONG, "2001 bytes"),
        (record(21, linkedid="é" * 1001), Reason.TOO_LONG, "2002 bytes"),
    ],
)
def test_a_rejected_record_says_what_was_found_and_expected(
    raw: bytes, reason: Reason, said: str
) -> None:
    outcome = rejected(raw)
    assert reason == outcome.reason
    assert said in outcome.detail


def test_the_largest_numbers_are_taken() -> None:
    found = leg(record(21, duration="2147483647", billsec="2147483647", sequence="2147483647"))
    assert {2147483647} == {found.duration, found.billsec, found.sequence}


def test_a_detail_is_fit_for_a_terminal() -> None:
    outcome = rejected(record(disposition="\x1b[2J\u202e" + "x" * 500))
    assert outcome.detail.isprintable()
    assert len(outcome.detail) < 250


@pytest.mark.parametrize("columns", [16, 17, 18, 19, 20, 21])
def test_a_leg_is_written_as_asterisk_wrote_it(columns: int) -> None:
    raw = record(columns, clid='"""" <>', lastdata="a,b\nc", answer="")
    found = leg(raw)
    assert raw == write_csv(found, zone="America/New_York", columns=columns)
    assert columns == columns_of(found)
