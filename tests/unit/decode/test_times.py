"""Local times become the right instants, also in the night when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.decoded import decoded_row, record

from cdrd.decode.cdr_csv import write_csv
from cdrd.decode.decoders import Shape, decoder_for
from cdrd.records import Chunk, Decoded, Leg, SourceKind

LONDON = "Europe/London"
FIRST = int(datetime(2026, 10, 25, 0, 30, tzinfo=UTC).timestamp())
"""01:30 BST; an hour later it is 01:30 GMT."""
HOUR = 3600


def times(zone: str, **fields: str) -> tuple[datetime, datetime | None, datetime | None]:
    decoder = decoder_for(Shape(SourceKind.ASTERISK_CSV, zone=zone))
    decoded = decoder.record(record(**fields), line=1, offset=0)
    assert isinstance(decoded, Decoded), decoded
    return decoded.leg.calldate, decoded.leg.answerdate, decoded.leg.enddate


def epochs(zone: str, **fields: str) -> tuple[int | None, ...]:
    return tuple(None if time is None else int(time.timestamp()) for time in times(zone, **fields))


def night(start: str, answer: str, end: str, **fields: str) -> tuple[int | None, ...]:
    """A call in London's autumn night."""
    day = "2026-10-25 "
    found = epochs(
        LONDON, start=day + start, answer=answer and day + answer, end=day + end, **fields
    )
    return tuple(None if time is None else time - FIRST for time in found)


def test_the_epoch_of_the_uniqueid_says_which_of_two_hours_it_was() -> None:
    call = {"start": "01:30:00", "answer": "01:30:03", "end": "01:30:13"}
    call |= {"duration": "13", "billsec": "10"}
    assert night(**call, uniqueid=f"{FIRST}.1") == (0, 3, 13)
    assert night(**call, uniqueid=f"{FIRST + HOUR}.1") == (HOUR, HOUR + 3, HOUR + 13)
    assert night(**call, uniqueid=f"hq1-pbx-{FIRST + HOUR}.1") == (HOUR, HOUR + 3, HOUR + 13)


def test_a_call_across_the_change_ends_after_it_began() -> None:
    call = {"start": "01:59:57", "answer": "01:59:58", "end": "01:00:01"}
    found = night(**call, duration="4", billsec="3", uniqueid=f"{FIRST + 1797}.1")
    assert found == (1797, 1798, 1801)


def test_a_call_across_the_change_may_be_answered_after_it() -> None:
    call = {"start": "01:59:57", "answer": "01:00:00", "end": "01:00:01"}
    assert night(**call, duration="4", billsec="1") == (1797, 1800, 1801)


def test_a_later_leg_of_an_old_channel_is_placed_by_its_seconds() -> None:
    """The channel was made in the first hour; the leg began in the second and ended after it."""
    call = {"start": "01:45:00", "answer": "", "end": "02:00:00", "duration": "900"}
    assert night(**call, billsec="0", uniqueid=f"{FIRST}.1") == (900 + HOUR, None, 1800 + HOUR)


def test_a_leg_longer_than_the_hour_ends_in_the_second_one() -> None:
    call = {"start": "01:30:00", "answer": "01:30:10", "end": "01:31:00"}
    found = night(**call, duration="3660", billsec="3650", uniqueid=f"{FIRST}.1")
    assert found == (0, 10, HOUR + 60)


def test_without_uniqueid_and_seconds_to_tell_it_is_the_first_hour() -> None:
    call = {"start": "01:30:00", "answer": "01:30:03", "end": "01:30:13", "duration": "13"}
    assert night(**call, billsec="10", uniqueid="") == (0, 3, 13)


def test_without_uniqueid_an_end_outside_the_doubled_hour_tells_the_start() -> None:
    call = {"start": "01:59:50", "answer": "", "end": "02:00:10", "billsec": "0", "uniqueid": ""}
    assert night(**call, duration="20")[0] == 1790 + HOUR
    assert night(**call, duration="3620")[0] == 1790


def test_a_time_that_the_clocks_left_out_is_moved_and_kept() -> None:
    decoder = decoder_for(Shape(SourceKind.ASTERISK_CSV, zone="America/New_York"))
    raw = record(start="2026-03-08 02:30:00")
    decoded = decoder.record(raw, line=1, offset=0)
    assert isinstance(decoded, Decoded)
    assert datetime(2026, 3, 8, 7, 30, tzinfo=UTC) == decoded.leg.calldate
    assert raw == decoded.original


def test_an_end_before_its_start_is_stored_as_it_is() -> None:
    start, _, end = times("UTC", end="2026-11-21 13:24:40")
    assert end is not None
    assert timedelta(seconds=-7) == end - start


@pytest.mark.parametrize(
    ("zone", "utc"),
    [
        ("UTC", "2026-11-21 13:24:47"),
        ("Asia/Kathmandu", "2026-11-21 07:39:47"),
        ("America/St_Johns", "2026-11-21 16:54:47"),
        ("Pacific/Kiritimati", "2026-11-20 23:24:47"),
    ],
)
def test_offsets_need_not_be_whole_hours(zone: str, utc: str) -> None:
    assert datetime.fromisoformat(utc + "+00:00") == times(zone)[0]


def test_offsets_of_seconds_are_understood() -> None:
    assert times("Africa/Monrovia", start="1971-06-01 12:00:00")[0] == datetime(
        1971, 6, 1, 12, 44, 30, tzinfo=UTC
    )


ZONES = ("Europe/London", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "UTC")
NIGHTS = {
    "Europe/London": datetime(2026, 10, 25, 1, tzinfo=UTC),
    "America/New_York": datetime(2026, 11, 1, 6, tzinfo=UTC),
    "Australia/Lord_Howe": datetime(2026, 4, 4, 15, tzinfo=UTC),
    "Africa/Casablanca": datetime(2026, 2, 15, 2, tzinfo=UTC),
    "UTC": datetime(2026, 6, 1, tzinfo=UTC),
}


@settings(max_examples=150, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    seconds=st.integers(-3 * HOUR, 3 * HOUR),
    ringing=st.integers(0, 60),
    talking=st.integers(0, 1500),
)
def test_any_call_around_a_change_of_clocks_is_placed_by_its_uniqueid(
    zone: str, seconds: int, ringing: int, talking: int
) -> None:
    start = NIGHTS[zone] + timedelta(seconds=seconds)
    answer = start + timedelta(seconds=ringing)
    end = answer + timedelta(seconds=talking)
    leg = Leg(
        *(start, answer, end, "", "", "", "", "", "", "", ""),
        *(ringing + talking, talking, "ANSWERED", 3, ""),
        *(f"{int(start.timestamp())}.1", None, None, None, ""),
    )
    raw = write_csv(leg, zone=zone, columns=18)
    chunk = decoder_for(Shape(SourceKind.ASTERISK_CSV, zone=zone)).chunk(Chunk(raw * 2, 0, 1))
    assert [leg, leg] == [decoded_row(row).leg for row in chunk.rows]


@settings(max_examples=100, deadline=None)
@given(zone=st.sampled_from(ZONES), epoch=st.integers(100_000_000, 7_000_000_000))
def test_any_second_is_what_the_zone_database_says(zone: str, epoch: int) -> None:
    local = datetime.fromtimestamp(epoch, ZoneInfo(zone))
    text = local.strftime("%Y-%m-%d %H:%M:%S")
    found = times(zone, start=text, end=text, answer="", duration="0", uniqueid=f"{epoch}.1")
    assert epoch == int(found[0].timestamp())
