"""JSON records: JSON as it should be, and JSON as Asterisk writes it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from cdrd.decode.decoders import Shape, decoder_for
from cdrd.records import Chunk, Decoded, Leg, Reason, Rejected, SourceKind

DECODER = decoder_for(Shape(SourceKind.ASTERISK_JSON, zone="America/New_York"))
USUAL = {
    "src": "101",
    "dst": "102",
    "start": "2026-11-21 13:24:47",
    "answer": "",
    "duration": 13,
    "billsec": 10,
    "disposition": "ANSWERED",
}
START = datetime(2026, 11, 21, 18, 24, 47, tzinfo=UTC)


def compact(**fields: object) -> bytes:
    return json.dumps(USUAL | fields, separators=(",", ":")).encode() + b"\n"


def asterisks(clid: bytes) -> bytes:
    """A record with a clid as it stands in the file."""
    return compact(clid="HERE").replace(b"HERE", clid)


def decoded(raw: bytes) -> Decoded:
    found = DECODER.record(raw, line=1, offset=0)
    assert isinstance(found, Decoded), found
    return found


def leg(**fields: object) -> Leg:
    return decoded(compact(**fields)).leg


def rejected(raw: bytes) -> Rejected:
    found = DECODER.record(raw, line=1, offset=0)
    assert isinstance(found, Rejected), found
    return found


@pytest.mark.parametrize(
    "start",
    [
        "2026-11-21 13:24:47",
        1795285487,
        "1795285487",
        1795285487.0,
        "1795285487.25",
        "2026-11-21 13:24:47.251379 -0500",
        "2026-11-21T18:24:47Z",
    ],
)
def test_a_start_may_be_text_or_an_epoch(start: object) -> None:
    assert leg(start=start).calldate == START


def test_calldate_is_the_start() -> None:
    raw = compact(calldate="2026-11-21 13:24:47").replace(b'"start":"2026-11-21 13:24:47",', b"")
    assert decoded(raw).leg.calldate == START


@pytest.mark.parametrize("answer", ["", None, 0, "0.000000"])
def test_an_answer_that_never_came_is_none(answer: object) -> None:
    assert leg(answer=answer).answerdate is None


@pytest.mark.parametrize(
    ("seconds", "meant"), [(13, 13), ("13", 13), (13.9, 13), ("13.9", 13), (0, 0)]
)
def test_seconds_may_be_text_or_number(seconds: object, meant: int) -> None:
    assert meant == leg(duration=seconds).duration


def test_a_disposition_may_be_a_number() -> None:
    assert leg(disposition=4).disposition == "BUSY"


def test_a_number_where_text_is_expected_is_its_text() -> None:
    assert leg(src=101).src == "101"


def test_other_keys_are_extra_as_they_are() -> None:
    found = leg(trunk="alpha", rate=0.5, n=3, nothing=None, yes=True)
    assert found.extra == {"trunk": "alpha", "rate": 0.5, "n": 3, "nothing": None, "yes": True}


def test_what_is_cut_keeps_the_record() -> None:
    raw = compact(start=1795285487.25)
    assert raw == decoded(raw).original


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (rb"\"A\" <1>", '"A" <1>'),
        (rb"\"C:\\new\\table\" <1>", r'"C:\\new\\table" <1>'),
        (rb"\"say \\\"hi\\\"\" <1>", r'"say \\"hi\\"" <1>'),
        (rb'\"say \\"hi\\"\" <1>', r'"say \"hi\"" <1>'),
        (rb"c\nd\\e" + b"\\", "c\\nd\\\\e\\"),
        (b"line1\\\nline2", "line1\\\nline2"),
        (b"a\tb\x01", "a\tb\x01"),
        (rb"\u0041", r"\u0041"),
    ],
)
def test_a_value_is_what_asterisk_meant_where_it_writes_no_json(written: bytes, meant: str) -> None:
    raw = asterisks(written)
    chunk = DECODER.chunk(Chunk(raw + compact(), 0, 1))
    assert (chunk.rejected, len(chunk.rows)) == ([], 2)
    assert meant == decoded(raw).leg.clid


def test_what_can_be_read_in_two_ways_is_kept_as_it_was() -> None:
    raw = asterisks(rb"C:\\new")
    assert raw == decoded(raw).original


def test_json_of_another_writer_is_read_as_json() -> None:
    raw = json.dumps(USUAL | {"clid": 'caf\u00e9 "x" \\ \n'}).encode()
    found = decoded(raw)
    assert (found.leg.clid, found.original) == ('caf\u00e9 "x" \\ \n', None)


def test_json_with_blanks_is_read_from_a_file_too() -> None:
    raw = json.dumps(USUAL | {"clid": "\u00e9"}).encode() + b"\n"
    chunk = DECODER.chunk(Chunk(raw * 2, 0, 1))
    assert (2, [], 2 * len(raw)) == (len(chunk.rows), chunk.rejected, chunk.consumed)


def test_a_record_behind_a_torn_one_is_kept_at_the_end_of_a_file_too() -> None:
    raw = compact()
    chunk = DECODER.chunk(Chunk(raw[:30] + raw[:-1], 0, 1, final=True))
    assert [(raw[:30], Reason.TORN)] == [(each.raw, each.reason) for each in chunk.rejected]
    assert len(chunk.rows) == 1


def test_half_a_surrogate_pair_is_marked_and_kept() -> None:
    raw = json.dumps(USUAL | {"clid": "a\ud800b", "\udfff": "\ud800"}).encode() + b"\n"
    found = decoded(raw)
    assert ("a\ufffdb", {"\ufffd": "\ufffd"}, raw) == (
        found.leg.clid,
        found.leg.extra,
        found.original,
    )


def test_a_record_that_ends_with_a_backslash_waits_for_the_next() -> None:
    """Only then is it sure that the quote behind the backslash ended the value."""
    raw = compact(clid="HERE").replace(b'"HERE"', rb'"x\"')
    assert DECODER.chunk(Chunk(raw, 0, 1)).consumed == 0
    assert DECODER.chunk(Chunk(raw + compact()[:12], 0, 1)).consumed == len(raw)
    assert DECODER.chunk(Chunk(raw, 0, 1, final=True)).consumed == len(raw)


@pytest.mark.parametrize(
    ("raw", "reason", "said"),
    [
        (b"no json\n", Reason.BAD_JSON, "no json"),
        (b"[1]\n", Reason.BAD_JSON, "[1]"),
        (b"[" * 100_000, Reason.BAD_JSON, "[[["),
        (compact(src=["101"]), Reason.BAD_JSON, "'src' is neither text nor a number"),
        (compact(mine={"a": 1}), Reason.BAD_JSON, "'mine'"),
        (compact(mine=float("nan")), Reason.BAD_JSON, "no JSON"),
        (compact().replace(b":13", b":1e999"), Reason.BAD_JSON, "'duration'"),
        (compact().replace(b":13", b":" + b"1" * 5000), Reason.BAD_JSON, "JSON"),
        (compact().replace(b":13", b":1."), Reason.BAD_JSON, "no JSON"),
        (compact().replace(b":13", b":1e"), Reason.BAD_JSON, "no JSON"),
        (b'{"src":"1","dst":"2"}\n', Reason.MISSING_FIELD, "no start, no duration, no billsec"),
        (compact(start=None), Reason.MISSING_FIELD, "no start"),
        (compact(start=""), Reason.BAD_TIME, "start is ''"),
        (compact(start=9_999_999_999_999), Reason.BAD_TIME, "9999999999999"),
        (compact(start=99_999_999_999), Reason.BAD_TIME, "99999999999"),
        (compact(start="2026-02-30 00:00:00"), Reason.BAD_TIME, "2026-02-30"),
        (compact(start="2026-02-30 00:00:00 +0000"), Reason.BAD_TIME, "2026-02-30"),
        (compact(start="2026-11-21 13:24:47 New York"), Reason.BAD_TIME, "New York"),
        (compact(start="0001-01-01 00:00:00 +0100"), Reason.BAD_TIME, "0001"),
        (compact(duration=-1), Reason.BAD_NUMBER, "'-1'"),
        (compact(duration=True), Reason.BAD_NUMBER, "'True'"),
        (compact(sequence=1.5), Reason.BAD_NUMBER, "sequence"),
        (compact(disposition=64), Reason.BAD_DISPOSITION, "'64'"),
        (compact(amaflags="X"), Reason.BAD_AMAFLAGS, "'X'"),
        (compact(clid="a\0b").replace(b'"src"', b'"src" '), Reason.NUL_BYTES, "NUL"),
        (compact(clid="HERE").replace(b"HERE", b"\0"), Reason.NUL_BYTES, "NUL"),
    ],
)
def test_a_rejected_record_says_what_was_found(raw: bytes, reason: Reason, said: str) -> None:
    found = rejected(raw)
    assert reason == found.reason
    assert said in found.detail


def test_a_bad_line_takes_no_neighbour_with_it() -> None:
    bad = b'{"src":"1",\n'
    chunk = DECODER.chunk(Chunk(compact() + b"x\n" + compact() + bad + compact() * 2, 0, 1))
    assert [b"x\n", bad] == [each.raw for each in chunk.rejected]
    assert len(chunk.rows) == 4
