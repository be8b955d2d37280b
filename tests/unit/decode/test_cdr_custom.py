"""Records of cdr_custom: the mapping says what they are."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cdrd.decode.decoders import Decoder, Shape, decoder_for
from cdrd.errors import SettingsError
from cdrd.records import Chunk, Decoded, Leg, Reason, Rejected, SourceKind

NEEDED = ("src", "dst", "duration", "billsec", "disposition")


def decoder(*columns: str, zone: str = "UTC") -> Decoder:
    return decoder_for(Shape(SourceKind.ASTERISK_CUSTOM, zone=zone, columns=columns))


def decoded(columns: tuple[str, ...], raw: bytes) -> Decoded:
    found = decoder(*columns).record(raw, line=1, offset=0)
    assert isinstance(found, Decoded), found
    return found


def leg(columns: tuple[str, ...], raw: bytes) -> Leg:
    return decoded(columns, raw).leg


def rejected(columns: tuple[str, ...], raw: bytes) -> tuple[Reason, str]:
    found = decoder(*columns).record(raw, line=1, offset=0)
    assert isinstance(found, Rejected), found
    return found.reason, found.detail


REST = b'"101","102","13","10","ANSWERED"\n'
START = datetime(2026, 11, 21, 13, 24, 47, tzinfo=UTC)


@pytest.mark.parametrize(
    ("column", "written", "is_cut"),
    [
        ("start", b'"2026-11-21 13:24:47"', False),
        ("calldate", b'"2026-11-21 13:24:47"', False),
        ("start:epoch", b"1795267487", False),
        ("start:epoch", b'"1795267487.000000"', False),
        ("start:epoch", b"1795267487.251379", True),
        ("start:iso", b'"2026-11-21 08:24:47 -0500"', False),
        ("start:iso", b'"2026-11-21T13:24:47.000Z"', False),
        ("start:iso", b'"2026-11-21 18:54:47.9 +05:30"', True),
        ("start:unquoted", b"2026-11-21 13:24:47", False),
    ],
)
def test_a_start_may_be_written_in_several_ways(column: str, written: bytes, is_cut: bool) -> None:
    raw = written + b"," + REST
    found = decoded((column, *NEEDED), raw)
    assert found.leg.calldate == START
    assert (raw if is_cut else None) == found.original


@pytest.mark.parametrize("never", [b'""', b"", b'"0.000000"', b"0"])
def test_an_answer_that_never_came_is_none(never: bytes) -> None:
    columns = ("start:epoch", "answer:epoch", *NEEDED)
    assert leg(columns, b"1795267487," + never + b"," + REST).answerdate is None


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (b"0", "NO ANSWER"),
        (b"1", "NO ANSWER"),
        (b"2", "FAILED"),
        (b"4", "BUSY"),
        (b'"8"', "ANSWERED"),
        (b"16", "CONGESTION"),
        (b"32", "CANCEL"),
    ],
)
def test_a_disposition_may_be_asterisks_number(written: bytes, meant: str) -> None:
    columns = ("start", *NEEDED[:4], "disposition:number")
    raw = b'"2026-11-21 13:24:47","101","102",13,10,' + written + b"\n"
    assert meant == leg(columns, raw).disposition


def test_seconds_may_have_fractions_which_are_cut_and_kept() -> None:
    raw = b'"2026-11-21 13:24:47","101","102",13.999,10.000,"BUSY"\n'
    found = decoded(("start", *NEEDED), raw)
    assert (13, 10, raw) == (found.leg.duration, found.leg.billsec, found.original)


def test_columns_of_the_operators_own_are_extra_and_unwanted_ones_are_not() -> None:
    columns = ("start", "trunk", "-", *NEEDED, "_", "note")
    raw = b'"2026-11-21 13:24:47","alpha","secret",' + REST[:-1] + b',"x","say ""hi""\n"\n'
    assert leg(columns, raw).extra == {"trunk": "alpha", "note": 'say "hi"\n'}


def test_what_a_mapping_has_not_is_empty_or_none() -> None:
    found = leg(("start", *NEEDED), b'"2026-11-21 13:24:47",' + REST)
    assert {"", None, 0} == {
        *(found.clid, found.dcontext, found.channel, found.accountcode, found.amaflags),
        *(found.answerdate, found.enddate, found.uniqueid, found.linkedid, found.sequence),
        *(found.peeraccount, found.userfield, found.extra),
    }


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (REST, Reason.TOO_FEW_COLUMNS),
        (b'"2026-11-21 13:24:47","x",' + REST, Reason.TOO_MANY_COLUMNS),
        (b'"2026-11-21 13:24",' + REST, Reason.BAD_TIME),
        (b'"2026-11-21 13:24:47","1","2",1e3,1,"BUSY"\n', Reason.BAD_NUMBER),
        (b'"2026-11-21 13:24:47","1","2",1,1,8\n', Reason.BAD_DISPOSITION),
        (b"2026-11-21 13:24:47,1,2,1,1,BUSY\n", Reason.BAD_QUOTING),
        (b'"2026-11-21 13:24:47",a"b,2,1,1,BUSY\n', Reason.UNCLOSED_QUOTE),
        (b'"2026-11-21 13:24:47","\0",2,1,1,BUSY\n', Reason.NUL_BYTES),
    ],
)
def test_a_rejected_record_has_a_reason(raw: bytes, reason: Reason) -> None:
    assert reason == rejected(("start", *NEEDED), raw)[0]


def test_a_mapping_without_quotes_is_read_when_the_settings_say_so() -> None:
    raw = b"2026-11-21 13:24:47,101,102,1,1,BUSY\n"
    assert leg(("start:unquoted", *NEEDED), raw).src == "101"


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        (NEEDED, "columns: start is missing"),
        (("start", "start:epoch", *NEEDED), "columns: start is there 2 times"),
        (("start", "calldate", *NEEDED), "columns: start is there 2 times"),
        (("start:utc", *NEEDED), "columns: start can't have the form 'utc'"),
        (("start", "clid:number", *NEEDED), "columns: clid can't have the form 'number'"),
        (("start", "mine:epoch", *NEEDED), "columns: mine can't have the form 'epoch'"),
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused(columns: tuple[str, ...], problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        decoder(*columns)
    assert [problem] == caught.value.problems


def test_every_problem_of_a_mapping_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        decoder("clid", "clid", "duration:x")
    assert len(caught.value.problems) == 7


def test_a_mapping_must_be_given() -> None:
    with pytest.raises(SettingsError):
        decoder_for(Shape(SourceKind.ASTERISK_CUSTOM))


def test_named_columns_of_cdr_csv_are_read_as_a_mapping() -> None:
    shape = Shape(SourceKind.ASTERISK_CSV, columns=("start", *NEEDED))
    chunk = decoder_for(shape).chunk(Chunk(b'"2026-11-21 13:24:47",' + REST, 0, 1))
    assert (len(chunk.rows), chunk.rejected) == (1, [])
