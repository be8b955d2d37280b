"""Records in chunks: nothing lost, nothing twice, wherever the file is cut and whatever is in it."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.decoded import FULL, decoded_row, master_files, record

from cdrd.decode.cdr_csv import CsvGrammar
from cdrd.decode.cdr_custom import CustomGrammar
from cdrd.decode.cdr_json import JsonGrammar
from cdrd.decode.chunks import decode_rows
from cdrd.decode.copytext import copy_row
from cdrd.decode.grammar import Grammar, UsualLine
from cdrd.records import Chunk, Decoded, DecodedChunk, Reason, Rejected

Outcome = Decoded | Rejected

LIMIT = 1500
CSV = CsvGrammar("America/New_York", "auto", LIMIT)
CUSTOM = CustomGrammar(("src", "dst", "clid", "start", "-", *FULL[16:20], "mine"), "UTC", LIMIT)
JSON = JsonGrammar("America/New_York", LIMIT)
GOOD = record()
LINES_TOGETHER = 16384
"""Bytes of the lines that are cut together at most."""


class Careful:
    """A grammar without its fast path."""

    def __init__(self, grammar: Grammar[Decoded]) -> None:
        self.max_record_bytes = grammar.max_record_bytes
        self.record = grammar.record
        self.find = grammar.find
        self.glued = grammar.glued
        self.usual_texts = grammar.usual_texts

    def usual(self, like: bytes) -> UsualLine | None:  # noqa: ARG002 - the grammar's own signature
        return None


def outcomes(decoded: DecodedChunk) -> list[Outcome]:
    """Legs and rejected records in the order of the file."""
    found: list[Outcome] = [*map(decoded_row, decoded.rows), *decoded.rejected]
    return sorted(found, key=lambda outcome: outcome.offset)


def in_pieces(grammar: Grammar[Decoded], data: bytes, cuts: list[int]) -> list[Outcome]:
    """What a file becomes that is read piece by piece, as it grows."""
    found: list[Outcome] = []
    left, offset, line = b"", 0, 1
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in pairwise(edges):
        left += data[start:end]
        decoded = decode_rows(Chunk(left, offset, line, final=end == len(data)), grammar, copy_row)
        assert decoded.lines == left.count(b"\n", 0, decoded.consumed)
        left, offset, line = (
            left[decoded.consumed :],
            offset + decoded.consumed,
            line + decoded.lines,
        )
        found += outcomes(decoded)
    assert left == b""
    return found


def whole(grammar: Grammar[Decoded], data: bytes, *, final: bool = True) -> list[Outcome]:
    return outcomes(decode_rows(Chunk(data, 0, 1, final=final), grammar, copy_row))


def rejected(
    data: bytes, grammar: Grammar[Decoded] = CSV, *, final: bool = False
) -> list[Rejected]:
    return [found for found in whole(grammar, data, final=final) if isinstance(found, Rejected)]


def json_record(*, asterisks_way: bool = False, **fields: object) -> bytes:
    """A record as JSON, or as Asterisk writes it: with backslashes before quotes and nowhere else."""
    usual = {"src": "101", "dst": "102", "clid": '"A" <1>', "start": "2026-11-21 13:24:47"}
    usual |= {"answer": "", "end": "2026-11-21 13:24:48", "disposition": "BUSY"}
    usual |= {"uniqueid": "1795285487.0", "mine": "x"}
    values: dict[str, object] = usual | {"duration": 1, "billsec": 0, "sequence": 3} | fields
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    if asterisks_way:
        text = "{" + ",".join(f'"{key}":{_asterisks(value)}' for key, value in values.items()) + "}"
    return text.encode(errors="surrogateescape") + b"\n"


def _asterisks(value: object) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    escaped = value.replace('"', '\\"')
    return f'"{escaped}"'


def custom_record(**fields: str) -> bytes:
    usual = {
        "src": "101",
        "dst": "102",
        "clid": '"A" <1>',
        "start": "2026-11-21 13:24:47",
        "_": "gone",
    }
    usual |= {
        "duration": "1",
        "billsec": "0",
        "disposition": "BUSY",
        "amaflags": "OMIT",
        "mine": "x",
    }
    quoted = (value.replace('"', '""') for value in (usual | fields).values())
    return ",".join(f'"{value}"' for value in quoted).encode(errors="surrogateescape") + b"\n"


TEXTS = st.sampled_from(
    [
        *("", "x", '"', '""', '"A" <1>', "a,b", "two\nlines", "\n", "\r\n", "\\", "\\N", "tab\t"),
        *("\x07", "é", "\udcff\udcfe", "\ufffd", '","', '",', '\\"', "\0", "{\n{", '"}\n'),
        *("a" * 400, "b" * 1500),
    ]
)
GARBAGE = st.one_of(
    st.sampled_from(
        [b"\n", b"\r\n", b"garbage\n", b'"\n', b'"open\n', b"\0\0\0\0", b"x" * 2000, b"{\n"]
    )
    | st.sampled_from(
        [b'{"a":1}\n', b'""\n', b'","\n', b"\xff\n", b'"a"b\n', b",,,\n", b"[1]\n", b"}\n"]
    ),
    st.binary(max_size=20),
)


def damaged(records: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Good records, torn ones, and garbage."""
    torn = st.builds(lambda raw, at: raw[: at % len(raw)], records, st.integers(0, 400))
    pieces = st.one_of(records, records, records, torn, GARBAGE)
    return st.lists(pieces, max_size=8).map(b"".join)


def csv_records() -> st.SearchStrategy[bytes]:
    return st.builds(
        lambda columns, clid, userfield, account, **others: record(
            columns, clid=clid, userfield=userfield, accountcode=account, **others
        ),
        st.sampled_from([16, 17, 18, 18, 18, 19, 20, 21]),
        TEXTS,
        TEXTS,
        st.sampled_from(["acme", "acme", "", 'a"b,c']),
        answer=st.sampled_from(["", "2026-11-21 13:24:50"]),
        start=st.sampled_from(
            ["2026-11-21 13:24:47", "2026-11-01 01:30:00", "2026-11-31 00:00:00"]
        ),
        duration=st.sampled_from(["13", "13", "0", "20000", "-1", "007"]),
        uniqueid=st.sampled_from(["1795285487.10", "", "x-1795285487.2", "u"]),
        sequence=st.sampled_from(["0", "123456", "", "01"]),
    )


CASES: dict[str, tuple[Grammar[Decoded], st.SearchStrategy[bytes]]] = {
    "csv": (CSV, csv_records()),
    "custom": (
        CUSTOM,
        st.builds(
            custom_record,
            clid=TEXTS,
            mine=TEXTS,
            duration=st.sampled_from(["1", "1.5", "x", "99999"]),
            start=st.sampled_from(["2026-11-21 13:24:47", ""]),
        ),
    ),
    "json": (
        JSON,
        st.builds(
            json_record,
            asterisks_way=st.booleans(),
            clid=TEXTS,
            mine=st.one_of(TEXTS, st.integers(), st.floats(), st.none(), st.booleans()),
            duration=st.sampled_from([1, "1", 1.5, -1, None, True, 2**40]),
            sequence=st.sampled_from([3, "3", None, ""]),
            start=st.sampled_from(["2026-11-21 13:24:47", 1795285487, "1795285487.5", 0, ""]),
        ),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_it_makes_no_difference_where_a_file_is_cut(case: str) -> None:
    grammar, records = CASES[case]

    @settings(max_examples=80, deadline=None)
    @given(data=damaged(records), cuts=st.lists(st.integers(0, 5000), max_size=6))
    def holds(data: bytes, cuts: list[int]) -> None:
        assert whole(grammar, data) == in_pieces(grammar, data, cuts)

    holds()


@pytest.mark.parametrize("case", CASES)
def test_the_fast_path_decides_as_the_careful_one(case: str) -> None:
    grammar, records = CASES[case]

    @settings(max_examples=80, deadline=None)
    @given(data=damaged(records), final=st.booleans())
    def holds(data: bytes, final: bool) -> None:
        assert whole(grammar, data, final=final) == whole(Careful(grammar), data, final=final)

    holds()


@pytest.mark.parametrize("case", CASES)
def test_every_byte_is_in_a_leg_or_rejected(case: str) -> None:
    grammar, records = CASES[case]

    @settings(max_examples=80, deadline=None)
    @given(data=damaged(records))
    def holds(data: bytes) -> None:
        found = whole(grammar, data)
        ends = [*(outcome.offset for outcome in found), len(data)]
        assert data[: ends[0]].strip(b"\r\n") == b""
        for outcome, end in zip(found, ends[1:], strict=True):
            raw = data[outcome.offset : end]
            kept = outcome.raw if isinstance(outcome, Rejected) else outcome.original
            if kept is None:
                kept = raw.rstrip(b"\r\n") + b"\n"
                again = grammar.record(kept, line=outcome.line, offset=outcome.offset)
                assert again == outcome
            assert raw.startswith(kept)
            assert raw[len(kept) :].replace(b"\r\n", b"\n").strip(b"\n") == b""
            assert data.count(b"\n", 0, outcome.offset) + 1 == outcome.line

    holds()


@pytest.mark.parametrize("case", CASES)
def test_a_chunk_as_long_as_a_record_may_be_always_goes_on(case: str) -> None:
    grammar, records = CASES[case]

    @settings(max_examples=30, deadline=None)
    @given(
        data=damaged(records),
        filling=st.sampled_from([b"x", b'"', b"\n", b'"x', b'{"a":', b'{"a":"']),
    )
    def holds(data: bytes, filling: bytes) -> None:
        data = data[: LIMIT // 2] + filling * LIMIT
        assert decode_rows(Chunk(data[:LIMIT], 0, 1), grammar, copy_row).consumed > 0

    holds()


@pytest.mark.parametrize(
    "special",
    [
        record(userfield="two\nlines\n"),
        record(userfield="é"),
        record(userfield="\udcff"),
        record(userfield="\0"),
        record(userfield="x" * LIMIT),
    ],
    ids=["lines", "utf-8", "no utf-8", "nul", "too long"],
)
def test_it_makes_no_difference_where_a_record_lies_in_a_large_chunk(special: bytes) -> None:
    """It is read with each byte of its beginning and end the first behind the lines cut out together."""
    short = record(userfield="")
    for reach in (*range(60), *range(len(special) - 60, len(special) + 2)):
        lines, room = divmod(LINES_TOGETHER - reach, len(short))
        before = (lines - 1) * short + record(userfield="x" * room)
        data = before + special + GOOD
        assert len(before) + reach == LINES_TOGETHER
        assert whole(CSV, data) == in_pieces(CSV, data, [len(before)])


def test_a_captured_file_read_byte_by_byte_gives_the_same() -> None:
    data = master_files("variants/newcols")[0].read_bytes()[:3000]
    assert whole(CSV, data) == in_pieces(CSV, data, list(range(len(data))))


def test_a_record_still_being_written_is_left() -> None:
    decoded = decode_rows(Chunk(GOOD + GOOD[:100], 0, 1), CSV, copy_row)
    assert (1, len(GOOD), 1) == (len(decoded.rows), decoded.consumed, decoded.lines)


def test_a_record_within_a_quoted_newline_is_left() -> None:
    raw = record(userfield="two\nlines")
    begun = raw[: raw.rfind(b"lines")]
    assert decode_rows(Chunk(GOOD + begun, 0, 1), CSV, copy_row).consumed == len(GOOD)


def test_lines_and_offsets_count_from_where_the_chunk_begins() -> None:
    data = b"\n" + record(userfield="two\nlines") + GOOD
    decoded = decode_rows(Chunk(data, 1000, 50), CSV, copy_row)
    found = [(each.line, each.offset) for each in map(decoded_row, decoded.rows)]
    assert [(51, 1001), (53, 1000 + len(data) - len(GOOD))] == found
    assert decoded.lines == 4


def test_a_last_record_without_newline_is_a_leg_and_kept_as_it_was() -> None:
    (found,) = whole(CSV, GOOD[:-1])
    assert isinstance(found, Decoded)
    assert GOOD[:-1] == found.original


def test_a_file_that_ends_within_a_record_is_torn_there() -> None:
    (torn,) = rejected(GOOD + GOOD[:100], final=True)
    assert (GOOD[:100], len(GOOD), 2, Reason.TORN) == (
        torn.raw,
        torn.offset,
        torn.line,
        torn.reason,
    )


def test_a_file_that_ends_within_a_quoted_newline_is_torn_as_a_whole() -> None:
    raw = record(userfield="one\ntwo\nthree")
    (torn,) = rejected(GOOD + raw[:-4], final=True)
    assert (raw[:-4], Reason.TORN) == (torn.raw, torn.reason)


@pytest.mark.parametrize("at", [3, 30, 100, 190, 199])
def test_a_record_behind_a_torn_one_on_its_line_is_kept(at: int) -> None:
    torn, legs = rejected(GOOD[:at] + GOOD), whole(CSV, GOOD[:at] + GOOD + GOOD)[1:]
    assert [(GOOD[:at], Reason.TORN)] == [(each.raw, each.reason) for each in torn]
    assert [(1, at), (2, at + len(GOOD))] == [(leg.line, leg.offset) for leg in legs]


def test_a_record_behind_a_block_of_nul_bytes_is_kept() -> None:
    nul, leg = whole(CSV, b"\0" * 512 + GOOD, final=False)
    assert isinstance(nul, Rejected)
    assert (nul.raw, nul.reason, leg.offset) == (b"\0" * 512, Reason.NUL_BYTES, 512)


@pytest.mark.parametrize(
    ("grammar", "good"), [(CUSTOM, custom_record()), (JSON, json_record())], ids=["custom", "json"]
)
@pytest.mark.parametrize("at", [4, 20, 50])
def test_every_kind_keeps_the_record_behind_a_torn_one(
    grammar: Grammar[Decoded], good: bytes, at: int
) -> None:
    torn, leg = whole(grammar, good[:at] + good, final=False)
    assert isinstance(torn, Rejected)
    assert isinstance(leg, Decoded)
    assert (good[:at], Reason.TORN, at) == (torn.raw, torn.reason, leg.offset)


def test_a_torn_record_that_ends_with_a_quote_is_given_up_with_the_one_behind_it() -> None:
    """Its last quote and the next record's first are a doubled quote: nobody can tell them apart."""
    torn = GOOD[: GOOD.index(b'"102"') + len('"102"')]
    assert [each.reason for each in rejected(torn + GOOD)] == [Reason.BAD_TIME]


def test_a_quote_that_never_closes_takes_only_its_own_line() -> None:
    bad = GOOD.replace(b'"internal"', b'"internal')
    found = whole(CSV, GOOD + bad + GOOD * 3, final=False)
    kinds = [found.reason if isinstance(found, Rejected) else "leg" for found in found]
    assert kinds == ["leg", Reason.UNCLOSED_QUOTE, "leg", "leg", "leg"]


def test_a_quote_that_never_closes_within_the_longest_record_is_too_long() -> None:
    data = b'"open\n' + b"plain\n" * 400
    first, *others = rejected(data)
    assert (first.raw, first.reason) == (b'"open\n', Reason.TOO_LONG)
    assert {Reason.TOO_FEW_COLUMNS} == {other.reason for other in others}


def test_an_endless_line_is_rejected_in_pieces_and_the_next_line_is_a_record() -> None:
    data = b"x" * (3 * LIMIT + 10) + b"\n" + GOOD
    pieces, leg = rejected(data), whole(CSV, data, final=False)[-1]
    assert isinstance(leg, Decoded)
    assert all(len(piece.raw) <= LIMIT for piece in pieces)
    assert [piece.reason for piece in pieces[:3]] == [Reason.TOO_LONG] * 3
    assert data == b"".join(piece.raw for piece in pieces) + GOOD
    assert (2, len(data) - len(GOOD)) == (leg.line, leg.offset)


def test_a_record_of_the_greatest_length_is_a_leg_and_one_byte_more_is_too_long() -> None:
    spare = LIMIT - len(record(userfield=""))
    longest, too_long = record(userfield="x" * spare), record(userfield="x" * (spare + 1))
    assert rejected(longest + GOOD) == []
    assert [each.reason for each in rejected(too_long + GOOD)] == [Reason.TOO_LONG]


def test_empty_lines_are_nothing() -> None:
    decoded = decode_rows(Chunk(b"\n\r\n" + GOOD + b"\n\n", 0, 1), CSV, copy_row)
    assert (len(decoded.rows), decoded.rejected, decoded.lines) == (1, [], 5)


def test_windows_line_ends_are_understood() -> None:
    found = whole(CSV, (GOOD * 3).replace(b"\n", b"\r\n"), final=False)
    assert [each.line for each in found if isinstance(each, Decoded)] == [1, 2, 3]


def test_a_file_whose_columns_change_goes_on() -> None:
    data = b"".join(record(columns) * 2 for columns in (16, 18, 21, 17, 20, 19))
    assert rejected(data) == []
    assert len(whole(CSV, data)) == 12
