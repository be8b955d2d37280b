"""The fast paths leave what is not usual, and remember only so much."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
from support.decoded import FULL, record

from cdrd.decode.columns import columns_of_mapping
from cdrd.decode.times import UsualTimes
from cdrd.decode.usual_csv import usual_line
from cdrd.decode.usual_custom import UsualCustom
from cdrd.decode.usual_json import usual_line as usual_json_line

ALL_COLUMNS = range(16, 22)
TIMES = UsualTimes("UTC")


def usual(columns: int, raw: bytes) -> str | None:
    line = usual_line(columns, TIMES, lambda _: "uniqueid")
    return line(raw.decode().removesuffix("\n"), 1, 0)


@pytest.mark.parametrize("columns", ALL_COLUMNS)
@pytest.mark.parametrize("answer", ["", "2026-11-21 13:24:50"])
def test_a_line_is_usual_for_its_own_columns_only(columns: int, answer: str) -> None:
    raw = record(columns, answer=answer)
    assert [columns] == [other for other in ALL_COLUMNS if usual(other, raw)]


@pytest.mark.parametrize(
    "change",
    [
        (b'""Alice Archer""', b'"Alice Archer"'),
        (b'"101"', b"101"),
        (b'"102"', b'"1""2"'),
        (b",13,", b',"13",'),
        (b",13,", b",10000,"),
        (b",13,10,", b"x,13,10,"),
        (b",17", b",017"),
        (b",17", b",-7"),
        (b",17", b",x"),
        (b"13:24:47", b"13:24:60"),
        (b"13:24:47", b"13:24"),
        (b"13:24:50", b"13:24:99"),
        (b"13:25:00", b""),
        (b"ANSWERED", b"answered"),
        (b"DOCUMENTATION", b"3"),
        (b'"acme"', b"acme"),
        (b"\n", b'"'),
        (b"\n", b"\r"),
    ],
)
def test_a_line_that_differs_at_all_is_not_usual(change: tuple[bytes, bytes]) -> None:
    raw = record(21)
    assert usual(21, raw)
    assert usual(21, raw.replace(*change, 1)) is None


@pytest.mark.parametrize("columns", [17, 18])
def test_a_quote_that_does_not_end_the_line_is_not_usual(columns: int) -> None:
    raw = record(columns)
    assert usual(columns, raw[:-2] + b"\n") is None
    assert usual(columns, raw[:-4] + b'"00\n') is None


@pytest.mark.parametrize("columns", [17, 18, 20, 21])
def test_a_separator_that_is_none_is_not_usual(columns: int) -> None:
    raw = record(columns, answer="")
    assert usual(columns, raw.replace(b'","1795285487.10', b'";"1795285487.10')) is None


def test_the_17th_column_may_be_the_userfield() -> None:
    row = usual_line(17, TIMES, lambda _: "userfield")(record(17).decode()[:-1], 1, 0)
    assert row is not None
    assert [row.split("\t")[place] for place in (18, 22)] == ["\\N", "1795285487.10"]


def test_a_fraction_in_a_key_of_the_operators_own_is_not_usual() -> None:
    keys = {"src": "1", "dst": "2", "start": "2026-11-21 13:24:47", "disposition": "BUSY"}
    line = usual_json_line({*keys, "duration", "billsec", "mine"}, TIMES)
    assert line is not None
    values = keys | {"duration": 1, "billsec": 1}
    assert line(json.dumps(values | {"mine": 1}), 1, 0)
    assert line(json.dumps(values | {"mine": 1.5}), 1, 0) is None
    assert usual_json_line({"src"}, TIMES) is None


def test_times_remembered_are_bounded() -> None:
    times = UsualTimes("Europe/London")
    first = datetime(2026, 1, 1)  # noqa: DTZ001 - a local time, as it is printed
    for hours in range(25_000):
        text = str(first + timedelta(hours=hours))
        try:
            assert times[text].startswith(text)
        except KeyError:
            assert text[5:10] in {"03-29", "10-25", "03-28", "10-31", "03-26", "10-29"}
        assert len(times) <= 4_000


def test_places_of_quotes_remembered_are_bounded() -> None:
    usual = UsualCustom(columns_of_mapping(FULL), UsualTimes("UTC"))
    for number in range(200):
        quoted = tuple(bool(number >> bit & 1) for bit in range(8)) + (True,) * 19
        assert usual.line(quoted) is not None
        assert usual.line(quoted) is usual.line(quoted)
