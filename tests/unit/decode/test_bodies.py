"""Bodies of pushes fall apart into records, whatever they hold; nothing of them disappears."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.posted import FREESWITCH_XML, GRANDSTREAM, asterisk_json, freeswitch

from cdrd.decode.bodies import Row, document, records
from cdrd.decode.decoders import Shape
from cdrd.decode.values import Problem
from cdrd.records import Reason, Rejected, SourceKind

JSON = Shape(SourceKind.ASTERISK_JSON)
PUSHED = [
    SourceKind.ASTERISK_CSV,
    SourceKind.ASTERISK_JSON,
    SourceKind.FREESWITCH,
    SourceKind.YEASTAR,
    SourceKind.GRANDSTREAM,
    SourceKind.THREECX,
]


def places(found: list[Row | Rejected]) -> list[tuple[int, int] | Reason]:
    """Line and offset of each row, or why it is none."""
    return [
        one.reason
        if isinstance(one, Rejected)
        else (int(one.row.split("\t")[0]), int(one.row.split("\t")[1]))
        for one in found
    ]


def test_an_array_has_the_records_that_json_says_each_in_its_place() -> None:
    body = b" [ %s ,\n%s]\n" % tuple(
        json.dumps(asterisk_json(number)).encode() for number in (1, 2)
    )
    second = body.index(b",\n{") + 2

    assert places(records(JSON, body)) == [(1, 3), (2, second)]


def test_what_is_behind_the_end_of_json_is_rejected_and_what_is_before_it_is_not() -> None:
    good = json.dumps(asterisk_json(1)).encode()
    found = records(JSON, b"[" + good + b", {]" + good)

    assert places(found) == [(1, 1), Reason.BAD_JSON]
    assert isinstance(found[1], Rejected)
    assert found[1].raw == b", {]" + good


def test_an_element_that_is_no_record_takes_no_other_with_it() -> None:
    good = json.dumps(asterisk_json(1)).encode()
    found = places(records(JSON, b'[1, {"src": "1"}, ' + good + b"]"))

    assert found[-1] == (3, 18)
    assert len([one for one in found if isinstance(one, Reason)]) == 2


@pytest.mark.parametrize("body", [b"", b" \r\n\t ", b"[]", b"[ \n]"])
def test_where_there_is_nothing_there_is_no_record(body: bytes) -> None:
    assert records(JSON, body) == []


def test_documents_of_freeswitch_come_alone_in_xml_and_in_arrays() -> None:
    shape = Shape(SourceKind.FREESWITCH)
    many = json.dumps([freeswitch("a"), freeswitch("b")]).encode()

    assert [type(one) for one in records(shape, FREESWITCH_XML)] == [Row]
    assert [type(one) for one in records(shape, many)] == [Row, Row]


def test_a_document_is_no_form_whatever_its_content_type_says() -> None:
    shape, form = Shape(SourceKind.FREESWITCH), "application/x-www-form-urlencoded"

    assert document(shape, b'{"a": 1}', form) == b'{"a": 1}'
    assert document(shape, b"cdr=%7B%7D", form) == b"{}"
    assert isinstance(document(shape, b"other=1", form), Problem)


def test_a_record_of_grandstream_has_bytes_for_suspense() -> None:
    body = json.dumps({"cdr": [GRANDSTREAM]}).encode()
    (found,) = records(Shape(SourceKind.GRANDSTREAM), body)

    assert found.raw


@given(st.sampled_from(PUSHED), st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@settings(max_examples=150, deadline=None)
def test_nothing_that_is_pushed_breaks_anything_or_disappears(
    kind: SourceKind, body: bytes
) -> None:
    found = records(Shape(kind), body)

    empty = b"".join(body.removeprefix(b"\xef\xbb\xbf").split()) in {b"", b"[]"}
    header = kind is SourceKind.GRANDSTREAM or not body.strip(b"\r\n \t\xef\xbb\xbf\x0b\x0c")
    assert found or empty or header
