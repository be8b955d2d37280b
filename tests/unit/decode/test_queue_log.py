"""Lines of queue_log become events, known or not, and a bad one takes no neighbour with it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.decoded import CAPTURES
from support.events import queue_stored

from cdrd.beside import QueueEvent
from cdrd.decode.queue_fields import FIELDS, named
from cdrd.decode.queue_log import QueueLogDecoder
from cdrd.records import Chunk, Reason, Rejected

DECODER = QueueLogDecoder("America/New_York")
GOOD = b"1795285583|1795285582.194|support|Carol Cole|CONNECT|3|1795285583.195|2\n"


def event(line: str) -> QueueEvent:
    found = DECODER.record(line.encode(), line=1, offset=0)
    assert isinstance(found, QueueEvent)
    return found


def rejected(line: bytes) -> Rejected:
    found = DECODER.record(line, line=1, offset=0)
    assert isinstance(found, Rejected)
    return found


def of(name: str, *data: str) -> QueueEvent:
    return event("|".join(["1795285583", "1.2", "q", "a", name, *data]))


@pytest.mark.parametrize("capture", ["main", "v16"])
def test_every_line_of_the_captures_is_an_event_and_both_paths_say_the_same(capture: str) -> None:
    data = (CAPTURES / capture / "queue_log").read_bytes()
    decoded = DECODER.chunk(Chunk(data, 0, 1, final=True))
    lines = data.splitlines(keepends=True)
    assert (decoded.rejected, decoded.consumed, decoded.lines) == ([], len(data), len(lines))
    careful = [DECODER.record(line, line=1, offset=0) for line in lines]
    assert [queue_stored(row).event for row in decoded.rows] == careful


def test_a_line_says_when_who_and_what() -> None:
    assert event(GOOD.decode()) == QueueEvent(
        datetime(2026, 11, 21, 18, 26, 23, tzinfo=UTC),
        "1795285582.194",
        "support",
        "Carol Cole",
        "CONNECT",
        ("3", "1795285583.195", "2"),
    )


@pytest.mark.parametrize(
    "time",
    ["1795285583.25", "2026-11-21 13:26:23.250000", "2026-11-21T18:26:23.25Z"],
)
def test_times_with_fractions_and_as_text_are_understood(time: str) -> None:
    expected = datetime(2026, 11, 21, 18, 26, 23, 250000, tzinfo=UTC)
    assert event(f"{time}|NONE|NONE|NONE|QUEUESTART|").eventtime == expected


def test_an_event_without_data_has_none() -> None:
    assert of("QUEUESTART", "").data == ()
    assert of("REMOVEMEMBER").data == ()


def test_an_unknown_event_is_kept() -> None:
    found = of("DID", "5551000", "", "x")
    assert (found.event, found.data, named(found)) == ("DID", ("5551000", "", "x"), {})


def test_old_and_new_numbers_of_values_are_understood() -> None:
    assert of("ENTERQUEUE", "", "101", "1").data == ("", "101", "1")
    assert named(of("ENTERQUEUE", "", "101", "1", "Bob|by"))["callerid_name"] == "Bob|by"
    assert "ringtime" not in named(of("CONNECT", "3", "1.2"))
    assert named(of("COMPLETEAGENT", "3", "44")) == {"holdtime": "3", "calltime": "44"}


def test_a_bar_in_a_last_text_belongs_to_it() -> None:
    assert of("PAUSE", "lunch|late").data == ("lunch|late",)
    assert named(of("WITHDRAW", "1", "2", "30", "moved|away"))["info"] == "moved|away"


def test_a_transfer_by_linking_two_bridges_has_one_value_more() -> None:
    by_bridge = named(of("ATTENDEDTRANSFER", "BRIDGE", "b-1", "3", "44", "1"))
    by_link = named(of("ATTENDEDTRANSFER", "LINK", "PJSIP/a", "PJSIP/b", "3", "44", "1"))

    assert by_link == {
        **by_bridge,
        "method": "LINK",
        "target": "PJSIP/a",
        "second_channel": "PJSIP/b",
    }


@pytest.mark.parametrize("name", FIELDS)
def test_every_known_event_has_a_name_for_each_value(name: str) -> None:
    values = [f"v{n}" for n in range(len(FIELDS[name]))]
    assert named(of(name, *values)) == dict(zip(FIELDS[name], values, strict=True))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"hello\n", Reason.TOO_FEW_COLUMNS),
        (b"1795285583|1.2|q|a||x\n", Reason.TOO_FEW_COLUMNS),
        (b"yesterday|1.2|q|a|PAUSE|\n", Reason.BAD_TIME),
        (b"0|1.2|q|a|PAUSE|\n", Reason.BAD_TIME),
        (b"99999999999|1.2|q|a|PAUSE|\n", Reason.BAD_TIME),
        (b"7258118400|1.2|q|a|PAUSE|\n", Reason.BAD_TIME),
        (b"1795285583|1.2|q|\0|PAUSE|\n", Reason.NUL_BYTES),
        (b"1795285583|" + b"1" * 3000 + b"|q|a|PAUSE|\n", Reason.TOO_LONG),
    ],
)
def test_each_kind_of_bad_line_is_rejected_alone(line: bytes, reason: Reason) -> None:
    decoded = DECODER.chunk(Chunk(GOOD + line + b"\n" + GOOD, 100, 7))
    assert rejected(line).reason is reason
    assert [(bad.raw, bad.line, bad.offset) for bad in decoded.rejected] == [
        (line, 8, 100 + len(GOOD))
    ]
    assert [queue_stored(row).line for row in decoded.rows] == [7, 10]


def test_a_line_that_is_not_utf8_is_kept_as_it_was() -> None:
    line = b"1795285583|1.2|q|\xff\xfe|PAUSE|\n"
    stored = queue_stored(DECODER.chunk(Chunk(line, 0, 1)).rows[0])
    assert (stored.event.agent, stored.original) == ("\ufffd\ufffd", line)


def test_what_copy_and_arrays_escape_comes_back() -> None:
    line = b'1795285583|1.2|q|a\tb|PAUSE|say "hi" \\ {x},y\r\n'
    stored = queue_stored(DECODER.chunk(Chunk(line, 0, 1)).rows[0])
    assert (stored.event.agent, stored.event.data) == ("a\tb", ('say "hi" \\ {x},y',))


def test_an_unended_line_waits_and_is_torn_when_nothing_follows() -> None:
    begun = GOOD[:-10]
    assert DECODER.chunk(Chunk(GOOD + begun, 0, 1)).consumed == len(GOOD)
    ended = DECODER.chunk(Chunk(GOOD + begun, 0, 1, final=True))
    assert (ended.consumed, len(ended.rows)) == (len(GOOD + begun), 1)
    assert [bad.reason for bad in ended.rejected] == [Reason.TORN]


def test_more_seconds_than_are_remembered_are_all_right() -> None:
    times = range(1795285583, 1795285583 + 10_002)
    data = "".join(f"{time}|1.2|q|a|PAUSE|\n" for time in times).encode()
    found = DECODER.chunk(Chunk(data, 0, 1)).rows
    assert [queue_stored(row).event.eventtime.timestamp() for row in (found[0], found[-1])] == [
        times[0],
        times[-1],
    ]


def test_a_record_too_long_is_told_so() -> None:
    decoder = QueueLogDecoder(max_record_bytes=100)
    found = decoder.record(GOOD + b"x" * 100, line=1, offset=0)
    assert isinstance(found, Rejected)
    assert found.reason is Reason.TOO_LONG


def test_a_line_without_end_does_not_stop_the_file() -> None:
    decoder = QueueLogDecoder(max_record_bytes=100)
    endless = decoder.chunk(Chunk(b"x" * 150, 0, 1))
    assert (endless.consumed, endless.rejected[0].reason) == (150, Reason.TOO_LONG)


@given(
    st.lists(st.sampled_from(["|", "\n", "1795285583", "a", "\0", '"', "\\", "\xff", "é", "PAUSE"]))
)
@settings(max_examples=80, deadline=None)
def test_both_paths_agree_on_anything(pieces: list[str]) -> None:
    data = ("".join(pieces) + "\n").encode("latin-1")
    decoded = DECODER.chunk(Chunk(data, 0, 1, final=True))
    careful = [
        DECODER.record(line, line=1, offset=0)
        for line in data.splitlines(keepends=True)
        if line.strip(b"\r\n")
    ]
    assert [queue_stored(row).event for row in decoded.rows] == [
        found for found in careful if isinstance(found, QueueEvent)
    ]
    assert len(decoded.rejected) == len(careful) - len(decoded.rows)
