"""What Asterisk 22 and 16 wrote, in every variant, becomes the legs that it means."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import accumulate
from typing import Any

import pytest
from support.decoded import (
    CAPTURES,
    CUSTOM_ZONES,
    FULL,
    LEGACY,
    RECORDS,
    ZONES,
    decode_files,
    decoded_row,
    legs_of,
    master_files,
)

from cdrd.decode.cdr_csv import columns_of, write_csv
from cdrd.decode.decoders import Shape, decoder_for
from cdrd.records import Decoded, Leg, SourceKind

ALL = pytest.mark.parametrize("capture", RECORDS)
WITH_JSON = pytest.mark.parametrize("capture", [name for name in RECORDS if name != "v16"])


def master_shape(capture: str) -> Shape:
    return Shape(SourceKind.ASTERISK_CSV, zone=ZONES[capture])


@cache
def master_legs(capture: str) -> list[Leg]:
    return legs_of(decoder_for(master_shape(capture)), master_files(capture))


@cache
def custom_legs(capture: str, file: str, columns: tuple[str, ...] | None = None) -> list[Leg]:
    kind = SourceKind.ASTERISK_CUSTOM if columns else SourceKind.ASTERISK_JSON
    shape = Shape(kind, zone=CUSTOM_ZONES[capture], columns=columns or "auto")
    return legs_of(decoder_for(shape), [CAPTURES / capture / "cdr-custom" / file])


def renamed(columns: Sequence[str], names: dict[str, str]) -> tuple[str, ...]:
    return tuple(names.get(name, name) for name in columns)


def printed_rows(capture: str) -> list[dict[str, str]]:
    """The records of full.csv, read by Python's own csv module."""
    path = CAPTURES / capture / "cdr-custom" / "full.csv"
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        return [dict(zip(FULL, row, strict=True)) for row in csv.reader(file)]


def exact_time(text: str) -> datetime | None:
    """A `*_us` column: with offset in Asterisk 22, an epoch in 16."""
    if text in ("", "0.000000"):
        return None
    if "-" in text:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f %z").replace(microsecond=0)
    return datetime.fromtimestamp(int(text.partition(".")[0]), UTC)


@ALL
def test_every_record_of_master_csv_becomes_a_leg(capture: str) -> None:
    assert RECORDS[capture] == len(master_legs(capture))


@ALL
def test_every_byte_of_master_csv_is_done_with(capture: str) -> None:
    for data, decoded in decode_files(decoder_for(master_shape(capture)), master_files(capture)):
        assert (len(data), data.count(b"\n")) == (decoded.consumed, decoded.lines)


@ALL
def test_a_record_is_where_its_row_says(capture: str) -> None:
    for data, decoded in decode_files(decoder_for(master_shape(capture)), master_files(capture)):
        starts = list(accumulate((len(line) + 1 for line in data.split(b"\n")), initial=0))
        places = [(each.line, each.offset) for each in map(decoded_row, decoded.rows)]
        assert places == [(line, starts[line - 1]) for line, _ in places]


@ALL
def test_master_csv_written_again_is_the_same_bytes(capture: str) -> None:
    for data, decoded in decode_files(decoder_for(master_shape(capture)), master_files(capture)):
        again = [
            each.original or write_csv(each.leg, zone=ZONES[capture], columns=columns_of(each.leg))
            for each in map(decoded_row, decoded.rows)
        ]
        assert data == b"".join(again)


@ALL
def test_only_what_is_not_text_is_kept_as_it_was(capture: str) -> None:
    kept = [
        each.original
        for _, decoded in decode_files(decoder_for(master_shape(capture)), master_files(capture))
        for each in map(decoded_row, decoded.rows)
        if each.original is not None
    ]
    assert {"main": 1, "v16": 2}.get(capture, 0) == len(kept)
    for original in kept:
        with pytest.raises(UnicodeDecodeError):
            original.decode()


@ALL
def test_one_record_alone_is_read_as_within_its_file(capture: str) -> None:
    decoder = decoder_for(master_shape(capture))
    for data, decoded in decode_files(decoder, master_files(capture)):
        found = [decoded_row(row) for row in decoded.rows]
        ends = [*(each.offset for each in found[1:]), len(data)]
        alone = [
            decoder.record(data[each.offset : end], line=each.line, offset=each.offset)
            for each, end in zip(found, ends, strict=True)
        ]
        assert alone == found


@ALL
def test_times_are_right_to_the_second_by_what_cdr_custom_wrote_with_offset(capture: str) -> None:
    exact = [
        tuple(exact_time(row[name]) for name in ("start_us", "answer_us", "end_us"))
        for row in printed_rows(capture)
    ]
    legs = master_legs(capture)
    assert exact == [(leg.calldate, leg.answerdate, leg.enddate) for leg in legs]


@ALL
def test_cdr_custom_gives_the_same_legs_as_cdr_csv(capture: str) -> None:
    full = custom_legs(capture, "full.csv", FULL)
    master = master_legs(capture)
    assert master == [reduced(leg, like=own) for leg, own in zip(full, master, strict=True)]


def reduced(leg: Leg, *, like: Leg) -> Leg:
    """A leg without the columns that the other has not."""
    optional = ("uniqueid", "linkedid", "sequence", "peeraccount", "userfield", "extra")
    missing: dict[str, Any] = {name: None for name in optional if getattr(like, name) is None}
    return leg._replace(**missing)


@ALL
def test_full_csv_says_what_python_reads_in_it(capture: str) -> None:
    legs = custom_legs(capture, "full.csv", FULL)
    expected = [
        {
            "clid": row["clid"],
            "lastdata": row["lastdata"],
            "userfield": row["userfield"],
            "duration": int(row["duration"]),
            "sequence": int(row["sequence"]),
            "linkedid": row["linkedid"],
        }
        for row in printed_rows(capture)
    ]
    assert expected == [{name: getattr(leg, name) for name in expected[0]} for leg in legs]


@WITH_JSON
def test_json_gives_the_same_legs_as_csv_even_where_it_is_no_json(capture: str) -> None:
    own = ("trunkname", "dialfull", "authuser")
    from_csv = [
        leg._replace(extra={name: (leg.extra or {})[name] for name in own})
        for leg in custom_legs(capture, "full.csv", FULL)
    ]
    assert from_csv == custom_legs(capture, "full.json")


@WITH_JSON
def test_the_old_style_mapping_gives_what_it_has_of_the_same_legs(capture: str) -> None:
    shared = "calldate clid src dst duration disposition uniqueid linkedid sequence userfield"
    if capture != "variants/cancel_quiet":  # initiatedseconds rounds up, but not ${CDR(billsec,f)}
        shared += " billsec"
    full = custom_legs(capture, "full.csv", FULL)
    legacy = custom_legs(capture, "legacy.csv", LEGACY)
    for name in shared.split():
        assert [getattr(leg, name) for leg in full] == [getattr(leg, name) for leg in legacy], name


@WITH_JSON
def test_the_epoch_of_the_old_style_mapping_is_the_same_instant(capture: str) -> None:
    by_text = custom_legs(capture, "legacy.csv", LEGACY)
    swapped = {"start": "-", "start_epoch": "start:epoch"}
    by_epoch = custom_legs(capture, "legacy.csv", renamed(LEGACY, swapped))
    assert [leg.calldate for leg in by_text] == [leg.calldate for leg in by_epoch]


@WITH_JSON
def test_the_disposition_as_number_is_the_same_disposition(capture: str) -> None:
    by_name = custom_legs(capture, "legacy.csv", LEGACY)
    swapped = {"disposition": "-", "disposition_number": "disposition:number"}
    by_number = custom_legs(capture, "legacy.csv", renamed(LEGACY, swapped))
    assert [leg.disposition for leg in by_name] == [leg.disposition for leg in by_number]


@pytest.mark.parametrize("capture", [name for name in RECORDS if name != "v16"])
def test_times_written_with_offset_need_no_zone(capture: str) -> None:
    swapped = {"start": "-", "start_us": "start:iso", "answer": "-", "answer_us": "answer:iso"}
    swapped |= {"end": "-", "end_us": "end:iso"}
    columns = renamed(FULL, swapped)
    shape = Shape(SourceKind.ASTERISK_CUSTOM, zone="Asia/Kathmandu", columns=columns)
    legs = legs_of(decoder_for(shape), [CAPTURES / capture / "cdr-custom" / "full.csv"])
    expected = custom_legs(capture, "full.csv", FULL)
    assert [leg[:3] for leg in expected] == [leg[:3] for leg in legs]


def test_a_fraction_that_is_cut_keeps_the_record_as_it_was() -> None:
    shape = Shape(SourceKind.ASTERISK_CUSTOM, zone="America/New_York", columns=LEGACY)
    path = CAPTURES / "main" / "cdr-custom" / "legacy.csv"
    raw = path.read_bytes().split(b"\n")[0] + b"\n"
    decoded = decoder_for(shape).record(raw, line=1, offset=0)
    assert isinstance(decoded, Decoded)
    assert (1, 1, raw) == (decoded.leg.duration, decoded.leg.billsec, decoded.original)
