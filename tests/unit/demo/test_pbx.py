"""The demo PBX goes on where it was stopped, and never writes a number twice."""

from __future__ import annotations

import csv
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdrd.demo.pbx import DemoPbx, PbxState

NOW = 1_795_285_487.25
LONDON = ZoneInfo("Europe/London")


def pbx(state: PbxState, *, now: float = NOW, rate: float = 60.0) -> DemoPbx:
    return DemoPbx(state, zone=LONDON, rate=rate, now=now)


def played(demo: DemoPbx, start: float, seconds: float) -> list[bytes]:
    """Everything that is written in so long a time, looked at whenever something happens."""
    records: list[bytes] = []
    now = start
    while now < start + seconds:
        records += demo.due(now)
        now = demo.next_event
    return records


@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.7, 0.99])
def test_there_are_whole_calls_to_read_at_once_the_first_over_a_trunk(fraction: float) -> None:
    state = PbxState()

    records = pbx(state, now=NOW + fraction).due(NOW + fraction)

    assert all(record.endswith(b"\n") and record.count(b"\n") == 1 for record in records)
    assert state.pending == []
    assert rows(records)[0][7] == "Dial"
    assert "trunk" in rows(records)[0][6]


def test_a_pbx_that_was_used_before_begins_with_no_call() -> None:
    assert pbx(PbxState(calls=100)).due(NOW) == []


def test_calls_come_at_the_rate_that_was_asked_for() -> None:
    state = PbxState(calls=1)

    played(pbx(state), NOW, 3600)

    assert 3600 * 0.9 < state.calls < 3600 * 1.1


def test_the_same_calls_are_played_in_every_demo() -> None:
    assert played(pbx(PbxState()), NOW, 60) == played(pbx(PbxState()), NOW, 60)


def test_the_records_of_a_call_are_written_when_its_channels_end() -> None:
    """Not before: Asterisk writes a record when its channel is gone."""
    demo = pbx(PbxState(calls=1))
    now = NOW
    for _ in range(500):
        for record in demo.due(now):
            (row,) = csv.reader([record.decode()])
            assert float(row[16].partition(".")[0]) + int(row[12]) <= now + 1
        now = demo.next_event


def test_a_pbx_that_slept_does_not_make_up_for_the_calls_it_missed() -> None:
    state = PbxState(calls=1)
    demo = pbx(state)

    demo.due(NOW + 86400)

    assert state.calls <= 2


def rows(records: list[bytes]) -> list[list[str]]:
    return list(csv.reader(record.decode() for record in records))


def all_records_of(calls: int) -> list[bytes]:
    """What a PBX that was never stopped wrote of its first calls."""
    state, now = PbxState(), NOW
    demo, records = pbx(state), list[bytes]()
    while state.calls < calls:
        records += demo.due(now)
        now = demo.next_event
    return records + [text.encode() for _, _, text in state.pending]


@settings(max_examples=30)
@given(stops=st.lists(st.floats(min_value=0, max_value=20), min_size=1, max_size=6))
def test_however_often_it_is_stopped_each_record_is_written_once(stops: list[float]) -> None:
    state, now, records = PbxState(), NOW, list[bytes]()
    for seconds in stops:
        records += played(pbx(state, now=now), now, seconds)
        state = PbxState.from_json(state.to_json())
        now += seconds
    records += [text.encode() for _, _, text in state.pending]

    identities = [(row[16], row[20]) for row in rows(records)]
    sequences = sorted(int(row[20]) for row in rows(records))
    assert len(set(identities)) == len(identities)
    assert sequences == sorted(int(row[20]) for row in rows(all_records_of(state.calls)))
