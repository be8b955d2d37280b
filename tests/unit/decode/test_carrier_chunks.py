"""A carrier's file read in pieces is the file read at once, wherever it is cut."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdrd.beside import CARRIER_COLUMNS, CarrierRow
from cdrd.decode.carrier import carrier_rows
from cdrd.decode.carrier_chunks import CarrierDecoder, header_of
from cdrd.decode.carrier_mapping import CarrierMapping
from cdrd.errors import SettingsError
from cdrd.records import Chunk, Reason, Rejected

MAPPING = CarrierMapping(
    columns={"date": "Start", "caller": "From", "called": "To", "duration": "Secs", "cost": "Cost"},
    currency="GBP",
    max_record_bytes=1024,
)
HEADER = b"Start,From,To,Secs,Cost,Note\n"
ROW = b"2026-07-01 13:24:47,01632960111,+33145678901,61,0.0250,\n"
QUOTED = b'2026-07-01 13:24:47,1,2,61,0.0250,"a\n\nnote"\n'
OPEN = b'2026-07-01 13:24:47,1,2,61,0.0250,"never closed\n'


def decoded(
    data: bytes, mapping: CarrierMapping = MAPPING, *, step: int = 1 << 20
) -> tuple[list[str], list[Rejected], int]:
    """Rows, rejected records and lines, read as a drop folder reads: more when a piece holds nothing."""
    decoder = CarrierDecoder("alpha", mapping, header_of(data, mapping))
    rows: list[str] = []
    rejected: list[Rejected] = []
    place, line, want = 0, 1, step
    while place < len(data):
        piece = data[place : place + want]
        final = place + len(piece) == len(data)
        found = decoder.chunk(Chunk(piece, place, line, final=final))
        assert found.consumed or not final
        rows += found.rows
        rejected += found.rejected
        want = step if found.consumed else 2 * want
        place, line = place + found.consumed, line + found.lines
    return rows, rejected, line


def columns(row: str) -> dict[str, str]:
    return dict(zip(CARRIER_COLUMNS, row.split("\t"), strict=True))


def test_a_row_has_its_place_its_money_to_the_last_digit_and_its_own_bytes() -> None:
    [row] = decoded(HEADER + ROW.replace(b"0.0250", b"12345678901234567.123456789012"))[0]
    assert columns(row) == {
        "line": "2",
        "byte_offset": str(len(HEADER)),
        "carrier": "alpha",
        "carrier_call_id": "\\N",
        "calldate": "2026-07-01 13:24:47+00:00",
        "caller": "01632960111",
        "called": "+33145678901",
        "duration": "61",
        "cost": "12345678901234567.123456789012",
        "currency": "GBP",
        "charge_band": "",
        "direction": "",
        "description": "",
        "extra": "\\N",
        "original": "\\\\x" + ROW.replace(b"0.0250", b"12345678901234567.123456789012").hex(),
    }


def test_money_is_never_rounded_by_the_unit_of_a_cost() -> None:
    mapping = replace(MAPPING, cost_unit=Decimal("0.0000000001"))
    [row] = decoded(HEADER + ROW.replace(b"0.0250", b"123456789012345678.123456789012"), mapping)[0]
    assert columns(row)["cost"] == "12345678.9012345678123456789012"


def test_what_a_carrier_wrote_stays_in_its_column() -> None:
    hostile = b'2026-07-01 13:24:47,"a\tb\\N","c\\\r\nd",61,1,\x1b]0;x\x07\n'
    [row] = decoded(HEADER + hostile)[0]
    assert columns(row)["caller"] == "a\\tb\\\\N"
    assert columns(row)["called"] == "c\\\\\\r\\nd"


@given(
    st.lists(
        st.sampled_from([ROW, QUOTED, OPEN, b"\n", b"\r\n", b"x\n", b'"', b"\0\n", b"y" * 3000])
    ),
    st.integers(1, 400),
    st.integers(0, 2),
)
@settings(max_examples=150)
def test_where_a_file_is_cut_makes_no_difference(
    pieces: list[bytes], step: int, footer: int
) -> None:
    mapping = replace(MAPPING, footer_lines=footer)
    data = HEADER + b"".join(pieces)
    small, whole = decoded(data, mapping, step=step), decoded(data, mapping)
    if b"y" * 1025 not in data:  # a line that no record is as long as may be cut anywhere
        assert small == whole
        found = list(carrier_rows(data.splitlines(keepends=True), mapping))
        assert len(whole[0]) == sum(isinstance(one, CarrierRow) for one in found)
    assert {columns(row)["original"] for row in small[0]} == {
        columns(row)["original"] for row in whole[0]
    }


def test_the_last_lines_are_a_footer_only_at_the_end_of_the_file() -> None:
    mapping = replace(MAPPING, footer_lines=1)
    data = HEADER + ROW * 50 + b"Total,1.25\n\n"
    for step in (10, 100, 1000):
        rows, rejected, line = decoded(data, mapping, step=step)
        assert (len(rows), rejected, line) == (50, [], 54)


def test_a_line_without_end_is_told_and_those_around_it_are_read() -> None:
    giant = b"z" * 100_000 + b"\n"
    mapping = replace(MAPPING, footer_lines=1)
    rows, rejected, _ = decoded(HEADER + ROW + giant + ROW + b"Total\n", mapping, step=4096)
    assert len(rows) == 2
    assert {one.reason for one in rejected} <= {Reason.TOO_LONG, Reason.TOO_FEW_COLUMNS}
    assert b"".join(one.raw for one in rejected) == giant


def test_a_file_can_be_gone_on_with_behind_its_header() -> None:
    decoder = CarrierDecoder("alpha", MAPPING, HEADER)
    found = decoder.chunk(Chunk(ROW, len(HEADER) + len(ROW), 3, final=True))
    [row] = found.rows
    assert (columns(row)["line"], columns(row)["byte_offset"]) == ("3", str(len(HEADER + ROW)))


def test_a_header_without_a_column_that_is_named_cannot_be_read() -> None:
    with pytest.raises(SettingsError, match="alpha: the header has no column Cost"):
        CarrierDecoder("alpha", MAPPING, HEADER.replace(b"Cost", b"Price"))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-7", "raw_unicode_escape", "zip", "idna", "x"])
def test_an_encoding_in_which_ascii_is_something_else_is_refused(encoding: str) -> None:
    assert [p for p in replace(MAPPING, encoding=encoding).problems() if "encoding" in p]


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "latin-1", "iso8859-15", "koi8-r", "gbk"])
def test_other_encodings_are_taken(encoding: str) -> None:
    assert replace(MAPPING, encoding=encoding).problems() == []
