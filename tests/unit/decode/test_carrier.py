"""Carriers' files become rows by a mapping, and a dry run shows everything that is wrong."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.carriers import MAPPING

from cdrd.beside import CarrierRow
from cdrd.decode.carrier import _parsed, carrier_rows
from cdrd.decode.carrier_mapping import CarrierMapping
from cdrd.decode.carrier_values import Times
from cdrd.records import Reason, Rejected

ALPHA = CarrierMapping(**MAPPING)
HEADER = "ID,Start,From,To,Seconds,Cost,Band,Note\n"
ROW = "x1,2026-07-01 13:24:47,01632960111,+33145678901,61,0.0250,FR-FIX,\n"
NUMBERED = CarrierMapping(
    columns={"date": 1, "caller": 2, "called": 3, "duration": 4, "cost": 5},
    header_lines=0,
    currency="EUR",
)


def rows(text: str | bytes, mapping: CarrierMapping = ALPHA) -> list[CarrierRow | Rejected]:
    data = text if isinstance(text, bytes) else text.encode(mapping.encoding)
    return list(carrier_rows(data.splitlines(keepends=True), mapping))


def row(text: str | bytes, mapping: CarrierMapping = ALPHA) -> CarrierRow:
    (found,) = rows(text, mapping)
    assert isinstance(found, CarrierRow), found
    return found


def read(text: str, **options: Any) -> CarrierRow:
    return row(text, replace(NUMBERED, **options))


def rejected(text: str | bytes, mapping: CarrierMapping = ALPHA) -> Rejected:
    (found,) = rows(text, mapping)
    assert isinstance(found, Rejected), found
    return found


def test_a_row_is_what_the_mapping_says() -> None:
    assert row(HEADER + ROW) == CarrierRow(
        line=2,
        carrier_call_id="x1",
        calldate=datetime(2026, 7, 1, 12, 24, 47, tzinfo=UTC),
        caller="01632960111",
        called="+33145678901",
        duration=61,
        cost=Decimal("0.0250"),
        currency="GBP",
        charge_band="FR-FIX",
        direction="",
        description="",
        extra=None,
    )


def test_columns_that_are_not_mapped_are_extra_by_their_names() -> None:
    assert row(HEADER + ROW.replace("FR-FIX,", "FR-FIX,promo")).extra == {"Note": "promo"}
    assert read("2026-07-01 13:24:47,1,2,3,4,five,,seven\n").extra == {
        "column 6": "five",
        "column 8": "seven",
    }


def test_names_of_columns_may_be_written_otherwise_and_a_mark_before_them_is_no_part_of_them() -> (
    None
):
    other = "\ufeff" + HEADER.replace("ID,Start", ' id ,"START"')
    assert row(other + ROW) == row(HEADER + ROW)


def test_heads_and_feet_are_skipped_and_lines_counted_all_the_same() -> None:
    mapping = replace(ALPHA, header_lines=3, footer_lines=2)
    found = rows(f"Report\n\n{HEADER}{ROW}\n{ROW}Total,2\n\nEnd\n\n", mapping)
    assert [each.line for each in found if isinstance(each, CarrierRow)] == [4, 6]
    assert len(found) == 2


def test_date_and_time_may_be_two_columns() -> None:
    columns = {"date": 1, "time": 6, "caller": 2, "called": 3, "duration": 4, "cost": 5}
    found = read("01/07/26,1,2,3,4,13:24:47\n", columns=columns, date_format="%d/%m/%y %H:%M:%S")
    assert found.calldate == datetime(2026, 7, 1, 13, 24, 47, tzinfo=UTC)


def test_a_time_with_an_offset_needs_no_zone() -> None:
    found = read("2026-07-01T13:24:47+0200,1,2,3,4\n", date_format="%Y-%m-%dT%H:%M:%S%z")
    assert found.calldate == datetime(2026, 7, 1, 11, 24, 47, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "mark", "cost"),
    [
        ("1234.5", ".", "1234.5"),
        ("1,234.50", ".", "1234.50"),
        ("1,234", ".", "1234"),
        ("1.234,50", ",", "1234.50"),
        ("1 234 567,5", ",", "1234567.5"),
        ("1'234.5", ".", "1234.5"),
        ("1\u00a0234,5", ",", "1234.5"),
        ("-0.5", ".", "-0.5"),
        ("0,5-", ",", "-0.5"),
        ("", ".", "0"),
    ],
)
def test_costs_are_read_with_their_decimal_mark_and_never_rounded(
    text: str, mark: Any, cost: str
) -> None:
    found = read(f"2026-07-01 13:24:47;1;2;3;{text}\n", delimiter=";", decimal_mark=mark)
    assert (found.cost, str(found.cost)) == (Decimal(cost), cost)


@pytest.mark.parametrize("text", ["0.5", "1.234.567,5", "1,2,3", "five", "1e3", "NaN", "1 23"])
def test_a_cost_with_another_mark_is_no_number(text: str) -> None:
    mapping = replace(NUMBERED, delimiter=";", decimal_mark="," if text == "0.5" else ".")
    found = rejected(f"2026-07-01 13:24:47;1;2;3;{text}\n", mapping)
    assert found.reason is Reason.BAD_NUMBER
    assert "cost (column 5)" in found.detail


def test_costs_may_be_in_pence_and_with_the_other_sign() -> None:
    assert read("2026-07-01 13:24:47,1,2,3,-12.5\n", cost_unit=Decimal("-0.01")).cost == Decimal(
        "0.125"
    )


def test_the_currency_may_be_a_column() -> None:
    columns = {**NUMBERED.columns, "currency": 6}
    assert read("2026-07-01 13:24:47,1,2,3,4,USD\n", columns=columns).currency == "USD"
    assert read("2026-07-01 13:24:47,1,2,3,4,\n", columns=columns).currency == "EUR"
    missing = replace(NUMBERED, columns=columns, currency="")
    assert rejected("2026-07-01 13:24:47,1,2,3,4,\n", missing).reason is Reason.MISSING_FIELD


@pytest.mark.parametrize(
    ("text", "form", "seconds"),
    [
        ("61", "seconds", 61),
        ("00:01:01", "clock", 61),
        ("01:01", "clock", 61),
        ("90:00", "clock", 5400),
        ("1.5", "minutes", 90),
    ],
)
def test_durations_are_seconds_whatever_the_form(text: str, form: Any, seconds: int) -> None:
    assert read(f"2026-07-01 13:24:47,1,2,{text},4\n", duration_form=form).duration == seconds


def test_a_fraction_of_a_second_is_cut_off_and_kept() -> None:
    found = read("2026-07-01 13:24:47,1,2,61.7,4\n")
    assert (found.duration, found.extra) == (61, {"duration": "61.7"})


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("-1", "seconds"),
        ("99999999999", "seconds"),
        ("61", "clock"),
        ("00:61:00", "clock"),
        ("1:99", "clock"),
    ],
)
def test_a_duration_that_is_none_is_rejected(text: str, form: Any) -> None:
    mapping = replace(NUMBERED, duration_form=form)
    assert rejected(f"2026-07-01 13:24:47,1,2,{text},4\n", mapping).reason is Reason.BAD_NUMBER


def test_the_longest_fitting_prefix_is_taken_off_once() -> None:
    found = read("2026-07-01 13:24:47,004455,00990,3,4\n", strip_prefixes=("00", "0044", "x"))
    assert (found.caller, found.called) == ("55", "990")


def test_every_problem_of_a_row_is_told_with_its_column() -> None:
    found = rejected(HEADER + "x1,yesterday,1,,long,dear,,\n")
    assert (found.reason, found.line, found.offset) == (Reason.MISSING_FIELD, 2, len(HEADER))
    assert found.detail == (
        "called (column To) is empty; date (column Start): 'yesterday' is no time in the form "
        "%Y-%m-%d %H:%M:%S; duration (column Seconds): 'long' is no number with the decimal mark .; "
        "cost (column Cost): 'dear' is no number with the decimal mark ."
    )


def test_a_withheld_caller_may_be_empty() -> None:
    assert read("2026-07-01 13:24:47,,2,3,4\n").caller == ""


def test_a_file_without_a_mapped_column_says_so_and_nothing_else() -> None:
    found = rejected(HEADER.replace("Cost", "Price").replace("To", "Called") + ROW * 3)
    assert (found.reason, found.line) == (Reason.MISSING_FIELD, 1)
    assert found.detail == "the header has no column To, no column Cost"
    assert rejected(b"").reason is Reason.MISSING_FIELD
    assert "UTF-16" in rejected((HEADER + ROW).encode("utf-16")).detail


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("a,b\n", Reason.TOO_FEW_COLUMNS),
        (ROW.replace("FR-FIX", "a,b,c"), Reason.TOO_MANY_COLUMNS),
        (ROW.replace("FR-FIX", '"FR'), Reason.BAD_QUOTING),
        (ROW.replace("FR-FIX", '"FR" x'), Reason.BAD_QUOTING),
        (ROW.replace("FR-FIX", "\0"), Reason.NUL_BYTES),
        (ROW.replace("FR-FIX", "x" * 70_000), Reason.TOO_LONG),
        (ROW.replace("2026-07-01", "1026-07-01"), Reason.BAD_TIME),
        (ROW.replace("2026-07-01", "2026-02-30"), Reason.BAD_TIME),
    ],
)
def test_each_kind_of_bad_row_is_rejected_alone(bad: str, reason: Reason) -> None:
    found = rows(HEADER + ROW + bad + ROW * 25)
    assert [each.reason for each in found if isinstance(each, Rejected)] == [reason]
    assert len(found) == 27


def test_a_text_in_quotes_may_have_newlines_and_lines_are_counted_on() -> None:
    found = rows(HEADER + ROW.replace("FR-FIX", '"FR\n\n""FIX"""') + ROW)
    assert [(each.line, each.charge_band) for each in found if isinstance(each, CarrierRow)] == [
        (2, 'FR\n\n"FIX"'),
        (5, "FR-FIX"),
    ]


def test_a_last_row_without_newline_is_a_row() -> None:
    assert len(rows(HEADER + ROW.replace("FR-FIX", '"FR\nFIX"')[:-1])) == 1


@pytest.mark.parametrize("after", ["", ROW, ROW * 30])
def test_quotes_that_are_never_closed_cost_their_own_rows_only(after: str) -> None:
    bad = ROW.replace("FR-FIX", '"FR')
    found = rows(HEADER + bad + bad.replace("x1", "x2") + bad + after)
    assert [each.line for each in found if isinstance(each, Rejected)] == [2, 3, 4]
    assert len(found) == 3 + after.count("\n")


def test_without_quoting_a_quote_is_a_letter_like_others() -> None:
    columns = {**NUMBERED.columns, "description": 6}
    assert (
        read('2026-07-01 13:24:47,1,2,3,4,5" pipe\n', columns=columns, quote=None).description
        == '5" pipe'
    )


def test_another_encoding_is_read() -> None:
    columns = {**NUMBERED.columns, "description": 6}
    found = read("2026-07-01 13:24:47,1,2,3,4,Genève\n", columns=columns, encoding="latin-1")
    assert found.description == "Genève"


def test_a_mapping_that_makes_no_sense_is_told_everything() -> None:
    mapping = CarrierMapping(
        columns={"date": "Start", "price": 1, "cost": 0},
        delimiter="",
        quote="xx",
        header_lines=0,
        footer_lines=-1,
        encoding="utf-16",
        date_format="%Q",
        zone="Mars",
        cost_unit=Decimal(0),
    )
    assert [problem.partition(":")[0] for problem in mapping.problems()] == [
        *["columns"] * 6,
        *["delimiter", "quote", "encoding", "date_format", "zone"],
        *["footer_lines", "currency", "cost_unit"],
    ]
    assert (ALPHA.problems(), NUMBERED.problems()) == ([], [])
    assert replace(NUMBERED, encoding="nonsense", date_format="%Y%").problems() != []
    assert replace(NUMBERED, date_format="").problems() != []


@given(
    st.lists(st.sampled_from([*HEADER, *ROW, ROW, HEADER, "\n", '"', "\0", "\r", "é"]), max_size=30)
)
@settings(max_examples=60, deadline=None)
def test_anything_is_survived_and_good_rows_with_it(pieces: list[str]) -> None:
    noise = "".join(pieces) + "\n"
    found = rows(HEADER + noise + ROW * 21)
    assert row(HEADER + ROW)._replace(line=0) in [
        each._replace(line=0) for each in found if isinstance(each, CarrierRow)
    ]
    for mapping in (NUMBERED, replace(NUMBERED, quote=None)):
        assert isinstance(rows(noise.encode("latin-1", errors="replace"), mapping), list)


FORMS = ["%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M", "%m/%d/%Y", "%Y%m%d%H%M%S", "%S:%M:%H %d-%m-%Y"]


@given(
    st.sampled_from(FORMS),
    st.one_of(
        st.integers(-300_000_000, 7_300_000_000).map(
            lambda epoch: datetime.fromtimestamp(epoch, UTC)
        ),
        st.text("0123456789-/.: é٣", max_size=20),
    ),
)
def test_a_usual_time_is_what_strptime_makes_of_it(form: str, given_time: Any) -> None:
    text = given_time.strftime(form) if isinstance(given_time, datetime) else given_time
    times = Times(replace(NUMBERED, date_format=form, zone="Europe/London"))
    try:
        printed = datetime.strptime(text, form).replace(tzinfo=ZoneInfo("Europe/London"))
    except ValueError:
        assert isinstance(times.instant(text), str)
        return
    found = times.instant(text)
    if 1970 <= printed.astimezone(UTC).year < 2200:
        assert found == printed.astimezone(UTC)
    else:
        assert isinstance(found, str)


@given(st.text(";,abc '\t\u00a0\u2028", min_size=1))
def test_a_row_without_quotes_is_what_csv_makes_of_it(text: str) -> None:
    assert _parsed(text, NUMBERED) == next(csv.reader([text], strict=True))
