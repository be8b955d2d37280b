"""What queue events tell: against the captured calls as they were meant, and where they are hard to read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.captured import ami_queue_events, queue_event_rows
from support.decoded import CAPTURES
from support.events import queue_stored
from support.legs import START, leg
from support.truth import calls, directory

from cdrd.beside import QueueEvent
from cdrd.calls import CallRecord, LeaveReason
from cdrd.enrich.batch import Gathered, decide_calls
from cdrd.enrich.deciding import decide_call
from cdrd.enrich.grouping import CallGroup
from cdrd.enrich.hearing import hear
from cdrd.enrich.queue_row import by_caller, queue_events_of, told_by_queue
from cdrd.enrich.queued import hear_queue
from cdrd.enrich.visits import Visit, telling_visit
from cdrd.records import AcctId, Leg
from cdrd.store.decided import Decided

ANSWERED, ABANDONED, TIMED_OUT = (
    LeaveReason.ANSWERED,
    LeaveReason.ABANDONED,
    LeaveReason.TIMED_OUT,
)
EXACT = "cdr_custom and cel"
MEMBERS = {
    "103": "Carol Cole",
    "202": "Liam Lane",
    "70102": "Desk Two",
    "70203": "Desk Three",
    "12": "Room Three",
}
"""The extensions of the members who answer, and what the queues call them."""
NEAR = timedelta(seconds=1)
SAID = ("agent", "waited_seconds", "leave_reason")


@cache
def queue_events(capture: str) -> Sequence[QueueEvent]:
    return [queue_stored(row).event for row in queue_event_rows(capture)]


def queued_calls(capture: str, kind: str) -> list[tuple[CallGroup, list[QueueEvent]]]:
    """The calls of a capture that queue events are of."""
    callers = by_caller(queue_events(capture))
    told = [(c, queue_events_of(c.legs, c.events, callers)) for c in calls(capture, kind)]
    return [(call, said) for call, said in told if said]


def decided(call: CallGroup, said: Sequence[QueueEvent], capture: str = "main") -> Decided:
    found = decide_call(call.legs, directory(capture), call.events)
    return told_by_queue(found, call.legs, said)


def record_of(
    call: CallGroup, said: Sequence[QueueEvent] = (), capture: str = "main"
) -> CallRecord:
    record = decided(call, said, capture).record
    assert record is not None
    return record


@cache
def scenarios(capture: str) -> dict[str, dict[str, str]]:
    """Those that call a queue, by the linkedid of their call."""
    lines = (CAPTURES / capture / "scenarios.jsonl").read_text().splitlines()
    told = [json.loads(line) for line in lines if "_queue_" in line]
    return {
        one["linkedids"][0]: {"name": one["name"].partition("@")[0], **one["note"]} for one in told
    }


REASONS = {"answered": ANSWERED, "abandoned": ABANDONED, "timeout": TIMED_OUT}


@pytest.mark.parametrize("kind", ["cdr_csv", "cdr_custom", EXACT])
@pytest.mark.parametrize("capture", ["main", "v16", "america"])
def test_the_row_of_every_captured_call_to_a_queue_says_what_happened_there(
    capture: str, kind: str
) -> None:
    """From whatever else there is: who answered, how long the caller waited, and why it left."""
    found = queued_calls(capture, kind)
    assert len(found) == len(scenarios(capture)) == 7
    for call, said in found:
        truth = scenarios(capture)[said[0].callid]
        row = record_of(call, said, capture)
        [started] = [e for e in said if e.event == "ENTERQUEUE"]
        assert row.leave_reason == REASONS[truth["name"].rpartition("_")[2]]
        assert row.answered_by == truth.get("answered_by", row.answered_by)
        assert row.agent == MEMBERS.get(row.answered_by or "")
        assert (row.agent is None) == (row.leave_reason is not ANSWERED)
        assert row.queue == started.queue
        rules = json.loads(row.rules)
        assert [rules.get(name) for name in ("waited_seconds", "leave_reason")] == [
            "queue-event"
        ] * 2


@pytest.mark.parametrize("capture", ["main", "v16"])
def test_visits_agree_with_the_channel_events_of_the_same_calls(capture: str) -> None:
    """When the caller came, and when somebody answered or the caller left."""
    for call, said in queued_calls(capture, EXACT):
        [visit] = hear_queue(said)
        heard = hear(call.events)
        caller = heard.channels[said[0].callid]
        [started] = [one for one in caller.started if one.app == "queue"]
        called = [channel for channel in heard.channels.values() if channel.was_called]
        rung = [one for one in called if one.name.startswith("Local/")] or called
        assert visit.left is not None
        assert abs(visit.entered - started.at) <= NEAR
        if visit.reason is ANSWERED:
            answered = min(c.answered for c in rung if c.answered is not None)
            assert abs(visit.left - answered) <= NEAR
        else:
            ended = max(c.ended for c in rung if c.ended is not None)
            assert abs(visit.left - ended) <= NEAR
        assert visit.waited == pytest.approx((visit.left - visit.entered).total_seconds(), abs=1)


@pytest.mark.parametrize("kind", ["cdr_csv", "cdr_custom"])
@pytest.mark.parametrize("capture", ["main", "v16"])
def test_without_channel_events_the_ringing_of_a_member_is_no_talk(capture: str, kind: str) -> None:
    """The leg of a member begins when it is rung: the queue says when it answered."""
    exact = {said[0].callid: record_of(call) for call, said in queued_calls(capture, EXACT)}
    sooner = 0
    for call, said in queued_calls(capture, kind):
        row, without = record_of(call, said), record_of(call)
        truth = exact[said[0].callid]
        assert (row.answered is None) == (truth.answered is None)
        if row.answered is not None and truth.answered is not None:
            assert without.answered is not None
            assert abs(row.answered - truth.answered) <= NEAR
            assert abs(row.talk_seconds - truth.talk_seconds) <= 1
            assert row.talk_seconds <= without.talk_seconds
            sooner += without.answered < row.answered
    assert sooner >= 2


@pytest.mark.parametrize("kind", ["cdr_custom", EXACT])
def test_queue_events_change_no_attribution_and_nothing_that_channel_events_tell(kind: str) -> None:
    for call, said in queued_calls("main", kind):
        plain = decide_call(call.legs, directory(), call.events)
        told = decided(call, said)
        assert told.attributions == plain.attributions
        assert (told.is_over, told.events) == (plain.is_over, plain.events + len(said))
        if kind == EXACT:
            assert plain.record is not None
            assert told.record is not None
            other: dict[str, Any] = dict.fromkeys((*SAID, "rules"), None)
            assert told.record._replace(**other) == plain.record._replace(**other)


class Meant(NamedTuple):
    """A scenario, and what of its calls was found."""

    name: str
    visits: list[tuple[str, str, str | None]]
    """As they were meant: queue, reason, agent."""
    found: list[tuple[CallGroup, list[QueueEvent]]]


def of_queues(kind: str, events: Sequence[QueueEvent]) -> list[Meant]:
    """Every scenario of calls to queues, with its calls and their queue events."""
    callers = by_caller(events)
    meant = []
    for line in (CAPTURES / "queues" / "scenarios.jsonl").read_text().splitlines():
        told = json.loads(line)
        names = set(told["linkedids"])
        mine = [
            (call, queue_events_of(call.legs, call.events, callers))
            for call in calls("queues", kind)
            if any({leg.uniqueid, leg.linkedid} & names for leg in call.legs)
        ]
        visits = [(one["queue"], one["reason"], one["agent"]) for one in told["visits"]]
        meant.append(Meant(told["name"], visits, mine))
    return meant


def told_by(visits: Sequence[Visit]) -> list[tuple[object, ...]]:
    return [(visit.queue, visit.reason, visit.agent) for visit in visits]


NOT_JOINED = ("q_attended_waiting", "q_attended_abandon")
"""Of a caller who was joined with a queue that somebody consulted, no record names both calls."""


@pytest.mark.parametrize("kind", ["cdr_csv", "cdr_custom", EXACT])
def test_every_way_into_and_out_of_a_queue_is_told_as_it_was_meant(kind: str) -> None:
    """Keys, empty queues, two queues, one queue twice, transfers by callers, members and others."""
    for meant in of_queues(kind, queue_events("queues")):
        if kind != EXACT and meant.name in NOT_JOINED:
            continue
        visits = [visit for _, said in meant.found for visit in hear_queue(said)]
        assert sorted(meant.visits) == sorted(told_by(visits)), meant.name
        for call, said in meant.found:
            row, visit = record_of(call, said), telling_visit(hear_queue(said))
            if visit is not None:
                facts = (row.queue, row.agent, row.waited_seconds, row.leave_reason)
                assert facts == (visit.queue, visit.agent, visit.waited, visit.reason)
            if kind == EXACT:
                heard = record_of(call)
                assert (row.queue, row.answered) == (heard.queue, heard.answered)
                assert row.talk_seconds == heard.talk_seconds


def test_the_manager_interface_tells_of_the_same_visits() -> None:
    """But not why somebody left who was not answered: of a key nothing, of the others ABANDON."""
    here = of_queues(EXACT, queue_events("queues"))
    there = of_queues(EXACT, ami_queue_events("queues"))
    for meant, sent in zip(here, there, strict=True):
        for (call, said), (_, heard) in zip(meant.found, sent.found, strict=True):
            written, told = hear_queue(said), hear_queue(heard)
            assert [v.agent for v in written] == [v.agent for v in told]
            assert [v.waited for v in written] == [v.waited for v in told]
            assert hear_queue([*heard, *said]) == written
            row = record_of(call, heard)
            known = (ANSWERED, ABANDONED)
            expected = record_of(call, said).leave_reason
            assert row.leave_reason == (expected if expected in known else None), meant.name


def event(seconds: float, name: str, *data: str, **said: str) -> QueueEvent:
    """An event so many seconds after the beginning, of one caller in one queue."""
    at = START + timedelta(seconds=seconds)
    told = {"callid": "1.0", "queue": "support", "agent": "NONE", **said}
    return QueueEvent(at, told["callid"], told["queue"], told["agent"], name, data, "hq")


def outline(*events: QueueEvent) -> list[tuple[object, ...]]:
    """Of each visit: the queue, begin and end in seconds, the reason, the agent, the wait."""

    def since(at: datetime | None) -> float | None:
        return None if at is None else (at - START).total_seconds()

    return [
        (v.queue, since(v.entered), since(v.left), v.reason, v.agent, v.waited)
        for v in hear_queue(events)
    ]


ENTERS = event(10, "ENTERQUEUE", "", "01632960777", "1")
CONNECTS = event(32, "CONNECT", "22", "1.5", "8", agent="Ann")


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("ABANDON", ("1", "2", "30"), ABANDONED),
        ("EXITWITHTIMEOUT", ("1", "2", "30"), TIMED_OUT),
        ("EXITWITHKEY", ("7", "1", "2", "30"), LeaveReason.KEY_PRESSED),
        ("EXITEMPTY", ("1", "2", "30"), LeaveReason.QUEUE_EMPTY),
        ("WITHDRAW", ("1", "2", "30", "by|hand"), LeaveReason.WITHDRAWN),
    ],
)
def test_each_way_to_leave_a_queue_has_its_reason(
    name: str, data: tuple[str, ...], reason: LeaveReason
) -> None:
    left = event(40, name, *data)

    assert outline(ENTERS, left) == [("support", 10, 40, reason, None, 30)]
    assert outline(left) == [("support", 10, 40, reason, None, 30)]


@pytest.mark.parametrize(
    "ended",
    [
        event(92, "COMPLETECALLER", "22", "60", "1", agent="Ann"),
        event(92, "COMPLETEAGENT", "22", "60", agent="Ann"),
        event(92, "BLINDTRANSFER", "107", "internal", "22", "60", "1", agent="Ann"),
        event(92, "TRANSFER", "", "", "22", "60", "", agent="Ann"),
        event(92, "ATTENDEDTRANSFER", "LINK", "PJSIP/a", "PJSIP/b", "22", "60", "1", agent="Ann"),
    ],
)
def test_an_answered_caller_waited_until_the_member_answered(ended: QueueEvent) -> None:
    """Also where CONNECT, or ENTERQUEUE, is lost."""
    expected = [("support", 10, 32, ANSWERED, "Ann", 22)]

    for events in ((ENTERS, CONNECTS, ended), (ENTERS, ended), (CONNECTS, ended), (ended,)):
        assert outline(*events) == expected
        assert [visit.talked for visit in hear_queue(events)] == [60]
    assert outline(ENTERS, CONNECTS) == expected


def test_who_is_transferred_into_a_queue_waits_there_in_the_place_of_another_channel() -> None:
    """ENTERQUEUE is of the channel that consulted the queue, CONNECT of the caller."""
    connects = CONNECTS._replace(callid="7.0")
    [visit] = hear_queue([ENTERS, connects])

    assert outline(ENTERS, connects) == [("support", 10, 32, ANSWERED, "Ann", 22)]
    assert visit.callids == ("1.0", "7.0")


def test_a_caller_who_comes_back_to_a_queue_has_been_there_twice() -> None:
    """At once, too: the seconds that an event counts say which visit it ends."""
    events = [
        *(ENTERS, event(40, "EXITWITHTIMEOUT", "1", "1", "30")),
        *(event(40, "ENTERQUEUE", "", "101", "1"), event(45, "ABANDON", "1", "1", "5")),
    ]

    assert outline(*events) == [
        ("support", 10, 40, TIMED_OUT, None, 30),
        ("support", 40, 45, ABANDONED, None, 5),
    ]


def test_a_call_is_told_by_the_visit_that_was_answered_else_by_the_last() -> None:
    sales = event(40, "ENTERQUEUE", "", "101", "1", queue="sales")
    timed_out = event(40, "EXITWITHTIMEOUT", "1", "1", "30")
    answered = event(50, "CONNECT", "10", "1.9", "3", queue="sales", agent="Bea")
    third = event(90, "ENTERQUEUE", "", "101", "1", queue="night")

    def told(*events: QueueEvent) -> str | None:
        visit = telling_visit(hear_queue(events))
        return visit.queue if visit is not None else None

    assert told() is None
    assert told(ENTERS, timed_out, sales) == "sales"
    assert told(ENTERS, timed_out, sales, answered, third) == "sales"
    assert told(ENTERS, CONNECTS, sales, answered) == "support"


def test_a_queue_that_is_left_in_the_second_it_was_entered_was_before_the_next_one() -> None:
    """queue_log has whole seconds, and its queues no order but that of time."""
    empty = event(10, "EXITEMPTY", "1", "1", "0")
    next_one = ENTERS._replace(queue="sales")
    timed_out = event(40, "EXITWITHTIMEOUT", "1", "1", "30", queue="sales")

    for further in ((), (timed_out,)):
        visits = hear_queue([ENTERS, empty, next_one, *further])
        assert [visit.queue for visit in visits] == ["support", "sales"]


def test_a_wait_of_many_years_is_a_clock_that_was_wrong() -> None:
    """No column has room for it, and the database would refuse the whole call."""
    unsaid = event(70 * 365 * 86400, "ABANDON", "1", "1", "")
    [visit] = hear_queue([ENTERS, unsaid])

    assert (visit.reason, visit.waited) == (ABANDONED, None)


def test_a_caller_who_comes_back_very_often_is_told_of_each_time() -> None:
    count = 5000
    times = range(0, 20 * count, 20)
    entered = [ENTERS._replace(eventtime=START + timedelta(seconds=at)) for at in times]
    others = [event(at + 5, "RINGNOANSWER", "5000", agent="Ann") for at in times]
    left = [event(at + 7, "ABANDON", "1", "1", "7") for at in times]
    late = [event(at + 15, "QueueCallerLeave", callid="7.0") for at in times]

    visits = hear_queue([*late, *left, *others, *entered])
    assert [(visit.reason, visit.waited) for visit in visits] == [(ABANDONED, 7)] * count


def test_what_is_no_event_of_a_visit_or_cannot_be_read_tells_nothing() -> None:
    others = [
        event(11, "DID", "5551000"),
        event(12, "PAUSE", "lunch", agent="Ann"),
        event(13, "RINGNOANSWER", "8000", agent="Ann"),
    ]
    strange = CONNECTS._replace(data=("-3", "", "x" * 40))

    assert outline(ENTERS, *others) == [("support", 10, None, None, None, None)]
    assert outline(*others) == []
    assert outline(ENTERS, strange) == [("support", 10, 32, ANSWERED, "Ann", 22)]
    assert outline(CONNECTS._replace(data=())) == [("support", 32, 32, ANSWERED, "Ann", 0)]


def told_row(legs: Sequence[Leg], *events: QueueEvent) -> CallRecord:
    record = told_by_queue(decide_call(legs, directory()), legs, events).record
    assert record is not None
    return record


def test_who_goes_on_in_the_dialplan_has_not_given_up() -> None:
    """The manager interface says so of all who leave; queue_log has the word, where it is read as well."""
    waiting = leg("1.0", lastapp="Queue", lastdata="support,t,,,30", disposition="NO ANSWER")
    waiting = waiting._replace(acctid=AcctId(1), calldate=START + timedelta(seconds=10))
    on = waiting._replace(
        acctid=AcctId(2), lastapp="VoiceMail", dstchannel="", calldate=START + timedelta(seconds=40)
    )
    after = on._replace(dst="h", lastapp="NoOp")
    abandon = event(40.3, "ABANDON", "1", "1", "30")
    both = (abandon, event(40, "EXITWITHTIMEOUT", "1", "1", "30"))

    assert told_row([waiting], ENTERS, abandon).leave_reason is ABANDONED
    assert told_row([waiting, after], ENTERS, abandon).leave_reason is ABANDONED
    assert told_row([waiting, on], ENTERS, abandon).leave_reason is None
    assert told_row([waiting], ENTERS, *both).leave_reason is TIMED_OUT


def test_where_only_the_manager_interface_tells_of_a_key_the_reason_stays_unknown() -> None:
    gone = event(40.5, "QueueCallerLeave", "1", "0")

    assert outline(ENTERS, gone) == [("support", 10, 40.5, None, None, 30)]
    assert outline(gone) == []
    assert outline(ENTERS, gone._replace(eventtime=CONNECTS.eventtime), CONNECTS)[0][2:] == (
        32,
        ANSWERED,
        "Ann",
        22,
    )


def test_a_queue_that_no_leg_names_is_known_from_its_events() -> None:
    """Nobody was rung, and the caller went on to a mailbox: that is the only leg."""
    mailbox = leg("1.0", lastapp="VoiceMail", dstchannel="", acctid=AcctId(1))
    row = told_row([mailbox], ENTERS, event(10, "EXITEMPTY", "1", "1", "0"))

    assert (row.queue, row.waited_seconds, row.leave_reason) == ("support", 0, "QUEUE_EMPTY")
    assert json.loads(row.rules)["queue"] == "queue-event"


def test_queue_events_that_cannot_be_told_cost_a_call_nothing_else() -> None:
    poison = CONNECTS._replace(eventtime=datetime.min.replace(tzinfo=UTC))
    legs = [leg("1.0", acctid=AcctId(1), pbx="hq"), leg("2.0", acctid=AcctId(2), pbx="hq")]
    decisions = decide_calls(
        legs, Gathered(queued=[poison]), lambda call, events: decide_call(call, directory(), events)
    )

    assert [fault.parked for fault in decisions.faults] == [False]
    assert [call.record is not None for call in decisions.calls] == [True, True]


def by_ami(said: QueueEvent) -> QueueEvent:
    """The same event as the manager interface says it: parts of seconds, and no position at the end."""
    data = (*said.data[:-1], "") if said.event.startswith("COMPLETE") else said.data
    return said._replace(eventtime=said.eventtime + timedelta(milliseconds=430), data=data)


HARD = (
    *(ENTERS, event(40, "EXITWITHTIMEOUT", "1", "1", "30")),
    event(20, "RINGNOANSWER", "8000", agent="Ann"),
    *(event(40, "ENTERQUEUE", "", "101", "1"), event(45, "EXITWITHKEY", "1", "1", "1", "5")),
    *(event(45, "ENTERQUEUE", "", "101", "1", queue="sales"), event(46, "DID", "x")),
    event(60, "CONNECT", "15", "1.9", "3", queue="sales", agent="Bea", callid="7.0"),
    event(90, "COMPLETEAGENT", "15", "30", "1", queue="sales", agent="Bea", callid="7.0"),
)
CALLS = [
    *(said for c in ("main", "v16", "queues") for _, said in queued_calls(c, EXACT)),
    [*HARD],
]


@settings(max_examples=200, deadline=None)
@given(data=st.data(), said=st.sampled_from(CALLS))
def test_neither_order_nor_repetition_of_queue_events_changes_anything(
    data: st.DataObject, said: list[QueueEvent]
) -> None:
    """From the same source, and from queue_log and the manager interface both."""
    again = data.draw(st.lists(st.sampled_from(said)))
    ami = data.draw(st.lists(st.sampled_from(said)).map(lambda some: [by_ami(e) for e in some]))
    shuffled = data.draw(st.permutations([*said, *again, *ami]))
    expected: tuple[Visit, ...] = hear_queue(said)

    assert hear_queue(shuffled) == expected
