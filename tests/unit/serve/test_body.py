from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdrd.serve.body import shortened, strict_json
from cdrd.serve.refusal import Refusal


@pytest.mark.parametrize(
    ("body", "data"),
    [
        (b"{}", {}),
        (b' {"scope": {"minID": 5}}\n', {"scope": {"minID": 5}}),
        (b'\xef\xbb\xbf{"a": "\xc3\xa9"}', {"a": "é"}),
    ],
)
def test_an_object_is_taken_also_with_a_byte_order_mark(body: bytes, data: object) -> None:
    assert strict_json(body) == data


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "the body is empty"),
        (b" \n", "the body is empty"),
        (b"[]", "the body is a list; a JSON object is expected"),
        (b'"text"', "the body is a text"),
        (b"null", "the body is null"),
        (b"17", "the body is a number"),
        (b"minID=5&maxRows=2", "not JSON: Expecting value at line 1, column 1"),
        (b'{"a": 1', "not JSON"),
        (b'{"a": 1}}', "not JSON: Extra data at line 1, column 9"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": NaN}', "NaN is no JSON number"),
        (b'{"a": -Infinity}', "-Infinity is no JSON number"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', '"c" is given twice'),
        (b"\xff\xfe{\x00}\x00", "not UTF-8"),
        (b'{"a": ' + b"9" * 5000 + b"}", "a number that is far too long"),
        (b'{"a":' * 20_000, "nested too deeply"),
        (b"[" * 60_000, "nested too deeply"),
    ],
)
def test_whatever_is_no_plain_json_object_is_refused_in_words(body: bytes, words: str) -> None:
    with pytest.raises(Refusal) as refused:
        strict_json(body)

    assert refused.value.status == 400
    assert words in refused.value.message


@given(st.binary(max_size=200))
def test_any_bytes_are_an_object_or_a_refusal(body: bytes) -> None:
    with suppress(Refusal):
        assert isinstance(strict_json(body), dict)


def test_a_value_is_shown_back_escaped_and_not_at_length() -> None:
    assert shortened('<script>"\u202e') == '"<script>\\"\\u202e"'
    assert len(shortened("x" * 1000)) == 40
