"""What a forwarder ships arrives as it was, whatever is in it; what is not whole is known for it."""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdrd.collect.pieces import (
    Malformed,
    Shipment,
    Told,
    Wellbeing,
    arrived,
    file_as_json,
    file_of_json,
    shipped,
    taking_of_json,
)
from cdrd.records import FileId, FileMark, FilePosition

counts = st.integers(0, 1 << 60)
paths = st.binary(min_size=1, max_size=200).map(
    lambda name: name.replace(b"\0", b"/").decode("utf-8", "surrogateescape")
)
positions = st.builds(
    FilePosition,
    file_id=st.none() | counts.map(FileId),
    path=paths,
    physical=st.text(string.digits + ":", min_size=1, max_size=40),
    mark=st.builds(
        FileMark, st.integers(0, 1024), st.binary(min_size=32, max_size=32), st.binary(max_size=64)
    ),
    offset=counts,
    line=counts,
    seen_size=counts,
    seen_mtime_ns=st.integers(-(1 << 60), 1 << 60),
    unread_bytes=counts,
)
seconds = st.none() | st.floats(0, 1e8)
wellbeings = st.builds(
    Wellbeing,
    lag_bytes=st.none() | counts,
    behind_seconds=seconds,
    failing_seconds=seconds,
    error=st.none() | st.text(string.printable, min_size=1, max_size=100),
    unread_bytes=counts,
)
shipments = st.builds(Shipment, counts, positions, st.binary(), st.booleans(), wellbeings)


@given(shipments | st.builds(Told, counts, wellbeings))
def test_what_is_shipped_arrives_as_it_was(what: Shipment | Told) -> None:
    assert arrived(shipped(what)) == what


@given(positions)
def test_a_file_is_the_same_on_both_sides(position: FilePosition) -> None:
    assert file_of_json(json.loads(json.dumps(file_as_json(position)))) == position


@given(shipments, st.data())
def test_a_piece_that_was_cut_is_no_piece(shipment: Shipment, data: st.DataObject) -> None:
    body = shipped(shipment)
    cut = data.draw(st.integers(0, len(body) - 1))

    with pytest.raises(Malformed):
        arrived(body[:cut])


@given(st.binary())
def test_nothing_that_is_sent_does_more_than_make_no_sense(body: bytes) -> None:
    with pytest.raises(Malformed):
        arrived(body + b"\n")


def test_a_collector_cannot_take_more_than_it_was_sent() -> None:
    with pytest.raises(Malformed, match="consumed"):
        taking_of_json({"file": 1, "consumed": 11, "lines": 1}, most=10)
