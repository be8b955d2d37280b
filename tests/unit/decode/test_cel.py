"""Records of cel_custom become channel events, on the captures and in every shape."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.decoded import CAPTURES
from support.events import CEL_FIELDS, Stored, cel_record, cel_stored

from cdrd.beside import CelEvent
from cdrd.decode.cel import CUT_AT, CelGrammar
from cdrd.decode.cel_columns import SAMPLE, fields_of_columns
from cdrd.decode.cel_json import CelJsonGrammar
from cdrd.decode.chunks import decode_rows
from cdrd.decode.event_rows import DecodedEvent, event_row
from cdrd.errors import SettingsError
from cdrd.records import Chunk, Reason, Rejected

CSV = CelGrammar(zone="America/New_York")
JSON = CelJsonGrammar("America/New_York")
GOOD = cel_record()
NO_EPOCH = tuple(name for name in SAMPLE if name != "eventtime(double)")


@cache
def captured(capture: str) -> bytes:
    return gzip.decompress((CAPTURES / capture / "cel.csv.gz").read_bytes())


def stored(data: bytes, grammar: CelGrammar | CelJsonGrammar = CSV) -> list[Stored]:
    decoded = decode_rows(Chunk(data, 0, 1, final=True), grammar, event_row)
    assert decoded.rejected == []
    return [cel_stored(row) for row in decoded.rows]


def event(grammar: CelGrammar | CelJsonGrammar, raw: bytes) -> CelEvent:
    found = grammar.record(raw, line=1, offset=0)
    assert isinstance(found, DecodedEvent), found
    return found.event


def rejected(raw: bytes, grammar: CelGrammar | CelJsonGrammar = CSV) -> Rejected:
    found = grammar.record(raw, line=1, offset=0)
    assert isinstance(found, Rejected)
    return found


@cache
def captured_events(capture: str) -> list[Stored]:
    return stored(captured(capture))


def without_fast_path(data: bytes) -> list[CelEvent]:
    class Careful(CelGrammar):
        def usual(self, _like: bytes) -> None:
            return None

    grammar = Careful(zone="America/New_York")
    return [found.event for found in stored(data, grammar)]


def test_every_event_of_asterisk_22_is_decoded_and_both_paths_say_the_same() -> None:
    found = captured_events("main")
    assert len(found) == 13521
    stretch = captured("main")[:700_000]
    stretch = stretch[: stretch.rindex(b"\n") + 1]
    careful = without_fast_path(stretch)
    assert [each.event for each in found[: len(careful)]] == careful


def test_every_event_of_asterisk_16_is_decoded_to_the_microsecond_of_its_local_time() -> None:
    found = captured_events("v16")
    assert len(found) == 13364
    assert found[0].event.eventtime == datetime(2026, 11, 21, 18, 37, 40, 723851, tzinfo=UTC)


def test_what_asterisk_prints_is_what_the_event_has() -> None:
    transfers = [
        each.event for each in captured_events("main") if each.event.eventtype == "ATTENDEDTRANSFER"
    ]
    assert len(transfers) == 5
    first = transfers[0]
    assert first.extra is not None
    assert first.extra["transferee_channel_name"] == "PJSIP/acme-101-00000099"
    assert (first.accountcode, first.amaflags) == ("acme", 3)


def test_a_name_with_newlines_is_one_event() -> None:
    names = {each.event.cid_name for each in captured_events("main")}
    assert {"line1\nline2", "a\r\nb"} <= names


def test_what_asterisk_22_cuts_is_an_event_without_its_last_columns() -> None:
    cut = [
        each for each in captured_events("main") if each.original and b"lastdata" in each.original
    ]
    assert [len(each.original or b"") for each in cut] == [CUT_AT + 1, CUT_AT + 1]
    assert [each.event.linkedid for each in cut] == ["1795285904.972"] * 2


def cut_in(column: str, at: int) -> bytes:
    """A record that Asterisk cut `at` bytes into a column."""
    fields = {"peer": "PJSIP/102-1", "eventextra": '{"hangupcause":16}'}
    before = SAMPLE[: SAMPLE.index(column)]
    begin = len(cel_record(before, **fields, appdata="")) + len('"') + len(",") - len("\n")
    return cel_record(**fields, appdata="x" * (CUT_AT - begin - at))[:CUT_AT] + b"\n"


def test_json_that_was_cut_is_kept_as_text_and_the_next_event_is_whole() -> None:
    first, second = stored(cut_in("eventextra", 8) + GOOD)
    assert first.event.extra == {"text": '{"hangu'}
    assert first.original is not None
    assert second.event == event(CSV, GOOD)


def test_an_id_that_was_cut_is_not_believed() -> None:
    raw = cut_in("linkedid", 5)
    decoded = decode_rows(Chunk(raw + GOOD, 0, 1), CSV, event_row)
    assert [(bad.reason, bad.raw) for bad in decoded.rejected] == [(Reason.MISSING_FIELD, raw)]
    assert len(decoded.rows) == 1


def test_columns_may_have_any_order_and_any_of_asterisks_names() -> None:
    columns = (
        "${CHANNEL(linkedid)}",
        "uniqueid",
        "${eventtype}",
        "-",
        "CALLERID(num)",
        "acctcode",
        "eventtime",
    )
    raw = b'"1.1","1.2","HANGUP","unwanted","101","acme","1795285487.5"\n'
    found = event(CelGrammar(columns), raw)
    assert (found.linkedid, found.uniqueid, found.eventtype) == ("1.1", "1.2", "HANGUP")
    assert (found.cid_num, found.accountcode, found.extra) == ("101", "acme", None)
    assert found.eventtime == datetime(2026, 11, 21, 18, 24, 47, 500000, tzinfo=UTC)


def test_columns_of_the_operators_own_are_kept_beside_the_events_json() -> None:
    columns = (*SAMPLE, "tenantid", "mine")
    values = CEL_FIELDS | {"eventextra": '{"forward":"x"}', "tenantid": "t1", "mine": ""}
    raw = ('"' + '","'.join(values[name].replace('"', '""') for name in columns) + '"\n').encode()
    assert stored(raw, CelGrammar(columns))[0].event.extra == {"tenantid": "t1", "forward": "x"}


def test_columns_that_make_no_sense_are_refused_with_every_reason() -> None:
    with pytest.raises(SettingsError) as refused:
        fields_of_columns(("eventtype", "num", "cidnum"))
    assert refused.value.problems == [
        "columns: cid_num is there 2 times",
        "columns: eventtime is missing",
        "columns: uniqueid is missing",
        "columns: linkedid is missing",
    ]


def test_without_an_epoch_the_doubled_hour_is_told_by_the_channels_uniqueid() -> None:
    grammar = CelGrammar(NO_EPOCH, "America/New_York")
    printed = "2026-11-01 01:30:00.250000"
    first = cel_record(NO_EPOCH, eventtime=printed, uniqueid="1793509000.1")
    second = cel_record(NO_EPOCH, eventtime=printed, uniqueid="1793513000.1")
    times = [each.event.eventtime for each in stored(first + second, grammar)]
    assert times == [
        datetime(2026, 11, 1, 5, 30, 0, 250000, tzinfo=UTC),
        datetime(2026, 11, 1, 6, 30, 0, 250000, tzinfo=UTC),
    ]


@pytest.mark.parametrize(
    ("text", "extra"),
    [
        ('{"a":{"b":[1,2.5,null]}}', {"a": {"b": [1, 2.5, None]}}),
        ('{"a":"\\u00e9 \\"q\\""}', {"a": 'é "q"'}),
        ("{broken", {"text": "{broken"}),
        ("[1]", {"text": "[1]"}),
        ('{"a":NaN}', {"text": '{"a":NaN}'}),
        ('{"a":1e999}', {"text": '{"a":1e999}'}),
        ('{"a":"\\u0000"}', {"text": '{"a":"\\u0000"}'}),
        ('{"a":"\\ud800"}', {"text": '{"a":"\\ud800"}'}),
        ("", None),
    ],
)
def test_the_events_json_is_kept_whole_or_as_text(text: str, extra: object) -> None:
    assert stored(cel_record(eventextra=text))[0].event.extra == extra


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (cel_record(eventtime="soon", eventtime_double=""), Reason.BAD_TIME),
        (cel_record(uniqueid=""), Reason.MISSING_FIELD),
        (cel_record(eventtype=""), Reason.MISSING_FIELD),
        (cel_record(amaflags="FREE"), Reason.BAD_AMAFLAGS),
        (cel_record(linkedid="1" * 3000), Reason.TOO_LONG),
        (cel_record(name="a\0b"), Reason.NUL_BYTES),
        (cel_record(SAMPLE[:-1]), Reason.TOO_FEW_COLUMNS),
        (cel_record((*SAMPLE, "peer")), Reason.TOO_MANY_COLUMNS),
        (b'"ANSWER" x,"2026"\n', Reason.BAD_QUOTING),
        (GOOD.replace(b'"', b""), Reason.TOO_MANY_COLUMNS),
        (cel_record(appdata="").replace(b'"', b""), Reason.BAD_QUOTING),
    ],
)
def test_each_kind_of_bad_record_is_rejected_alone(raw: bytes, reason: Reason) -> None:
    decoded = decode_rows(Chunk(GOOD + raw + GOOD, 0, 1), CSV, event_row)
    assert rejected(raw).reason is reason
    assert ([bad.raw for bad in decoded.rejected], len(decoded.rows)) == ([raw], 2)


def test_bytes_that_are_not_utf8_are_kept() -> None:
    raw = cel_record(name="M\udcff")
    found = stored(raw)[0]
    assert (found.event.cid_name, found.original) == ("M\ufffd", raw)


def test_a_torn_record_does_not_take_the_next_one_with_it() -> None:
    decoded = decode_rows(Chunk(GOOD[:50] + GOOD + GOOD, 0, 1), CSV, event_row)
    assert ([bad.raw for bad in decoded.rejected], len(decoded.rows)) == ([GOOD[:50]], 2)


def test_more_seconds_than_are_remembered_are_all_right() -> None:
    raws = [cel_record(eventtime_double=f"{1795285487 + n}") for n in (*range(10_002), 1)]
    found = decode_rows(Chunk(b"".join(raws), 0, 1), CSV, event_row).rows
    last = cel_stored(found[-1]).event.eventtime
    assert (
        last
        == cel_stored(found[1]).event.eventtime
        == datetime(2026, 11, 21, 18, 24, 48, tzinfo=UTC)
    )


def test_it_makes_no_difference_where_a_file_is_cut_into_chunks() -> None:
    data = cut_in("eventextra", 8) + cel_record(name='a\n"b"\r\n') + GOOD[:50] + GOOD + GOOD
    whole = decode_rows(Chunk(data, 0, 1, final=True), CSV, event_row)
    for cut in range(0, len(data), 7):
        first = decode_rows(Chunk(data[:cut], 0, 1), CSV, event_row)
        rest = Chunk(data[first.consumed :], first.consumed, 1 + first.lines, final=True)
        second = decode_rows(rest, CSV, event_row)
        assert [*first.rows, *second.rows] == whole.rows
        assert [*first.rejected, *second.rejected] == whole.rejected


TEXTS = st.sampled_from(
    ["", "x", "é", '"', "a,b", '","', "\n", "\t", "\\", "{", '{"a":1}', '{"a":"b\\n"}', "0", "3"]
)
TIMES = st.sampled_from(
    [
        *(
            "1795285487.559852",
            "1795285487",
            "1795285487.5",
            "1795285487.",
            "0",
            "-1",
            "",
            "+5",
            "1e9",
        ),
        *(
            "2026-11-21 13:24:47.559852",
            "2026-11-21 13:24:47",
            "2026-11-21 13:24:47.55",
            "2026-11-21",
        ),
        *("2026-11-01 01:30:00.000001", "2026-11-21 13:24:47.5598५२", "2026-11-21 13:24:47x559852"),
    ]
)


@given(
    st.dictionaries(st.sampled_from([*CEL_FIELDS]), TEXTS, max_size=4),
    st.tuples(TIMES, TIMES),
    st.sampled_from([SAMPLE, NO_EPOCH, (*SAMPLE[::-1], "tenantid")]),
)
@settings(max_examples=120, deadline=None)
def test_both_paths_agree_on_anything(
    fields: dict[str, str], times: tuple[str, str], columns: tuple[str, ...]
) -> None:
    said = CEL_FIELDS | {"tenantid": ""} | fields
    said |= {"eventtime": times[0], "eventtime(double)": times[1]}
    quoted = [said[name].replace('"', '""') for name in columns]
    raw = ('"' + '","'.join(quoted) + '"\n').encode()
    grammar = CelGrammar(columns, "America/New_York")
    decoded = decode_rows(Chunk(raw, 0, 1), grammar, event_row)
    careful = grammar.record(raw, line=1, offset=0)
    if isinstance(careful, Rejected):
        assert decoded.rejected == [careful]
    else:
        assert [cel_stored(row) for row in decoded.rows] == [tuple(careful)]


@given(
    st.dictionaries(
        st.sampled_from([*CEL_FIELDS, "tenantid", "EXTEN", "cid_name"]),
        TEXTS | st.sampled_from([3, 4, True, None, 1.5]),
        max_size=4,
    ),
    st.tuples(TIMES, TIMES),
    st.sets(st.sampled_from([*CEL_FIELDS]), max_size=3),
)
@settings(max_examples=120, deadline=None)
def test_both_paths_agree_on_any_object(
    fields: dict[str, object], times: tuple[str, str], without: set[str]
) -> None:
    said = CEL_FIELDS | {"eventtime": times[0], "eventtime(double)": times[1]} | fields
    plain = {name: text for name, text in said.items() if name not in without}
    raw = (json.dumps(plain, ensure_ascii=False, separators=(",", ":")) + "\n").encode()
    grammar = CelJsonGrammar("America/New_York")
    decoded = decode_rows(Chunk(raw, 0, 1), grammar, event_row)
    careful = grammar.record(raw, line=1, offset=0)
    if isinstance(careful, Rejected):
        assert decoded.rejected == [careful]
    else:
        assert [cel_stored(row) for row in decoded.rows] == [tuple(careful)]


FORGED = cel_record(eventtype="FORGED").decode()
PIECES = [
    '"',
    '""',
    ",",
    "\n",
    '","',
    '"\n"',
    "x",
    FORGED,
    "\n" + FORGED,
    FORGED[1:],
    FORGED[:-2],
    "\\",
    "\t",
]


@given(st.lists(st.sampled_from(PIECES), max_size=6).map("".join), st.booleans())
@settings(max_examples=80, deadline=None)
def test_no_name_can_pass_for_an_event(name: str, is_torn: bool) -> None:
    raw = cel_record(name=name)
    begun = raw[: len(raw) // 2] if is_torn else b""
    decoded = decode_rows(Chunk(begun + raw + GOOD, 0, 1, final=True), CSV, event_row)
    found = [cel_stored(row).event for row in decoded.rows]
    assert {each.eventtype for each in found} <= {"ANSWER"}
    assert is_torn or [each.cid_name for each in found] == [name, "Alice Archer"]


AS_JSON = {name: text for name, text in CEL_FIELDS.items() if text}


def json_line(**fields: object) -> bytes:
    return (json.dumps(AS_JSON | fields) + "\n").encode()


def test_json_lines_say_the_same_as_csv() -> None:
    said = {name: text for name, text in CEL_FIELDS.items() if name != "eventtime(double)"}
    raw = (
        json.dumps({**said, "eventtime": 1795285487.559852}, separators=(",", ":")).encode() + b"\n"
    )
    assert event(JSON, raw) == event(CSV, GOOD)


@pytest.mark.parametrize("extra", ['{"hangupcause":16}', {"hangupcause": 16}])
def test_the_events_json_may_be_a_text_or_an_object(extra: object) -> None:
    found = stored(json_line(eventextra=extra) * 2, JSON)
    assert [each.event.extra for each in found] == [{"hangupcause": 16}] * 2


def test_a_null_is_an_empty_text() -> None:
    assert event(JSON, json_line(peer=None, userfield=None)) == event(JSON, json_line())


def test_json_that_asterisk_breaks_is_repaired_and_kept() -> None:
    said = {name: text for name, text in CEL_FIELDS.items() if "(" not in name}
    plain = json.dumps(said, separators=(",", ":")).replace("Alice Archer", 'A\\B\n\\"C\\"')
    found = stored(plain.encode() + b"\n" + plain.encode() + b"\n", JSON)
    assert [each.event.cid_name for each in found] == ['A\\B\n"C"'] * 2
    assert found[0].original == plain.encode() + b"\n"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"{}\n", Reason.BAD_TIME),
        (b'{"eventtype":"ANSWER","eventtime":1795285487}\n', Reason.MISSING_FIELD),
        (b'{"eventtype":[1]}\n', Reason.BAD_JSON),
        (b"[]\n", Reason.BAD_JSON),
        (b'{"eventtype": "\\u0000"}\n', Reason.NUL_BYTES),
        (b"nonsense\n", Reason.BAD_JSON),
    ],
)
def test_bad_json_is_rejected_alone(raw: bytes, reason: Reason) -> None:
    assert rejected(raw, JSON).reason is reason
    good = json_line()
    decoded = decode_rows(Chunk(good + raw + good, 0, 1, final=True), JSON, event_row)
    assert ([bad.raw for bad in decoded.rejected], len(decoded.rows)) == ([raw], 2)


NOISE = st.binary(max_size=4) | st.sampled_from(
    [b'"', b'",', b',"', b"\n", b'"\n"', b"\\", b"{", b"}"]
)


@given(st.integers(0, len(GOOD)), NOISE, st.integers(0, 3))
@settings(max_examples=100, deadline=None)
def test_whatever_breaks_in_an_event_its_neighbours_stay(at: int, noise: bytes, lost: int) -> None:
    broken = GOOD[:at] + noise + GOOD[at + lost :]
    decoded = decode_rows(Chunk(GOOD + broken + GOOD + GOOD, 0, 1, final=True), CSV, event_row)
    good = event(CSV, GOOD)
    found = [cel_stored(row).event for row in decoded.rows]
    assert (found[0], found[-1]) == (good, good)
    assert decoded.consumed == len(GOOD + broken + GOOD + GOOD)


@given(st.integers(0, 300), NOISE, st.binary(max_size=40))
@settings(max_examples=80, deadline=None)
def test_any_bytes_are_survived(at: int, noise: bytes, other: bytes) -> None:
    good = json_line()
    broken = good[:at] + noise + good[at + 1 :]
    for raw in (broken, other, broken + good, other + GOOD):
        for grammar in (CSV, JSON):
            decoded = decode_rows(Chunk(raw, 0, 1, final=True), grammar, event_row)
            assert decoded.consumed == len(raw)
            assert isinstance(grammar.record(raw, line=1, offset=0), DecodedEvent | Rejected)
