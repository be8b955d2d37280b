"""Events of the manager interface become what the files of the same calls say."""

from __future__ import annotations

import csv
import gzip
import re
from collections import Counter
from datetime import UTC, datetime
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.ami import CAPTURED_MAPPINGS, CDR, MAPPINGS, block, cdr_block, messages
from support.decoded import CAPTURES, FULL, legs_of, master_files
from support.events import cel_stored, queue_stored

from cdrd.beside import CelEvent, QueueEvent
from cdrd.decode.ami import AmiMessage
from cdrd.decode.ami_events import AmiReader
from cdrd.decode.ami_order import BASE_CDR
from cdrd.decode.cel import CelGrammar
from cdrd.decode.chunks import decode_rows
from cdrd.decode.decoders import Shape, decoder_for
from cdrd.decode.event_rows import event_row
from cdrd.decode.queue_log import QueueLogDecoder
from cdrd.records import Chunk, Decoded, Leg, Reason, Rejected, SourceKind

ZONE = "America/New_York"
NOW = datetime(2026, 11, 21, 19, tzinfo=UTC)
READER = AmiReader(ZONE, MAPPINGS)

Read = Decoded | CelEvent | QueueEvent | Rejected | None


def read_all(reader: AmiReader, data: bytes) -> list[Read]:
    found = messages(reader.orders, data)
    return [each if isinstance(each, Rejected) else reader.read(each, NOW) for each in found]


def read_one(data: bytes) -> Read:
    (found,) = read_all(READER, data)
    return found


def leg(data: bytes) -> Leg:
    found = read_one(data)
    assert isinstance(found, Decoded), found
    return found.leg


@cache
def captured_legs() -> list[Leg]:
    data = gzip.decompress((CAPTURES / "main" / "ami_cdr.log.gz").read_bytes())
    found = read_all(AmiReader(ZONE, CAPTURED_MAPPINGS), data)
    assert {type(each) for each in found} == {Decoded}
    return [each.leg for each in found if isinstance(each, Decoded)]


@cache
def stretches() -> list[Read]:
    data = gzip.decompress((CAPTURES / "main" / "ami_stretches.log.gz").read_bytes())
    return read_all(AmiReader(ZONE, CAPTURED_MAPPINGS), data)


def test_every_cdr_event_is_the_leg_that_master_csv_has_field_by_field() -> None:
    decoder = decoder_for(Shape(SourceKind.ASTERISK_CSV, zone=ZONE))
    assert [
        each._replace(linkedid=None, sequence=None, peeraccount=None, extra=None)
        for each in captured_legs()
    ] == legs_of(decoder, master_files("main"))


def test_what_is_mapped_is_what_cdr_custom_has() -> None:
    path = CAPTURES / "main" / "cdr-custom" / "full.csv"
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        rows = [dict(zip(FULL, row, strict=True)) for row in csv.reader(file)]
    own = ("trunkname", "dialfull", "authuser")
    assert [
        (each.linkedid, str(each.sequence), each.peeraccount, each.extra)
        for each in captured_legs()
    ] == [
        (row["linkedid"], row["sequence"], row["peeraccount"], {name: row[name] for name in own})
        for row in rows
    ]


def test_hostile_values_arrive_as_they_were_set() -> None:
    hostile = [
        (each.clid, each.userfield)
        for each in captured_legs()
        if "\n" in each.clid + (each.userfield or "")
    ]
    assert hostile == [
        ('"line1\\\nline2" <555>', "uf1\nuf2"),
        ('"a\\\r\\\nb" <555>', "x\r\ny"),
        ('"x" <555>', "evil\r\nEvent: Fake\r\nFoo: bar"),
    ]


def test_a_real_stream_has_nothing_that_is_rejected_or_forged() -> None:
    data = gzip.decompress((CAPTURES / "main" / "ami_stretches.log.gz").read_bytes())
    found = Counter(type(each).__name__ for each in stretches() if each is not None)
    assert found == {
        "CelEvent": data.count(b"\r\nEvent: CEL\r\n"),
        "Decoded": data.count(b"\r\nEvent: Cdr\r\n"),
        "QueueEvent": 16,
    }


def test_channel_events_are_those_of_the_file_to_the_second_and_in_order() -> None:
    data = gzip.decompress((CAPTURES / "main" / "cel.csv.gz").read_bytes())[:1_500_000]
    rows = decode_rows(Chunk(data, 0, 1), CelGrammar(zone=ZONE), event_row).rows
    written = [cel_stored(row).event for row in rows]
    sent = [each for each in stretches() if isinstance(each, CelEvent)]
    by_key = {
        (each.uniqueid, each.eventtype, each.eventtime.replace(microsecond=0), each.appname): each
        for each in written
    }
    pairs = [
        (
            each,
            by_key.get(
                (each.uniqueid, each.eventtype, each.eventtime.replace(microsecond=0), each.appname)
            ),
        )
        for each in sent
    ]
    assert None not in [pair[1] for pair in pairs]
    differing = {
        name
        for mine, other in pairs
        if other is not None
        for name in CelEvent._fields
        if getattr(mine, name) != getattr(other, name)
    }
    assert differing <= {"eventtime", "userdeftype"}
    assert [each.eventtime for each in sent] == sorted(each.eventtime for each in sent)


def test_queue_events_have_the_words_of_queue_log() -> None:
    data = (CAPTURES / "main" / "queue_log").read_bytes()
    rows = QueueLogDecoder(ZONE).chunk(Chunk(data, 0, 1)).rows
    written = [queue_stored(row).event for row in rows]
    sent = [each for each in stretches() if isinstance(each, QueueEvent)]
    calls = {each.callid for each in sent}
    unknown_here = ("QueueCallerLeave",)
    unknown_there = ("RINGCANCELED",)
    assert [
        (each.callid, each.queue, each.agent, each.event)
        for each in sent
        if each.event not in unknown_here
    ] == [
        (each.callid, each.queue, each.agent, each.event)
        for each in written
        if each.callid in calls and each.event not in unknown_there
    ]


def test_the_data_of_queue_events_are_those_of_queue_log_except_for_a_place_that_ami_lacks() -> (
    None
):
    sent = {each.event: each.data for each in stretches() if isinstance(each, QueueEvent)}
    assert sent["CONNECT"] == ("1", "1795285586.204", "0")
    assert sent["ENTERQUEUE"] == ("", "07700900999", "1")
    assert sent["COMPLETECALLER"] == ("1", "2", "")
    assert sent["ABANDON"] == ("1", "1", "1")
    assert sent["RINGNOANSWER"] == ("2000",)


def test_a_cdr_event_without_mappings_is_a_leg_without_linkedid() -> None:
    plain = {key: text for key, text in CDR.items() if key not in MAPPINGS}
    (found,) = read_all(AmiReader(ZONE), block("Cdr", plain))
    assert isinstance(found, Decoded)
    assert (found.leg.linkedid, found.leg.sequence, found.leg.extra) == (None, None, None)


@pytest.mark.parametrize("key", ["StartTime", "Duration", "Disposition"])
def test_a_mapping_cannot_take_a_key_of_asterisk_away(key: str) -> None:
    reader = AmiReader(ZONE, {key: "own"})
    plain = {key: text for key, text in CDR.items() if key not in MAPPINGS}
    event = block("Cdr", plain).removesuffix(b"\r\n") + f"{key}: again\r\n\r\n".encode()

    assert [type(each) for each in read_all(reader, event)] == [Rejected]


def test_the_heads_that_other_settings_make_are_understood() -> None:
    rest = {key: text for key, text in CDR.items() if key not in {"Privilege", "Timestamp"}}
    where = {"SequenceNumber": "4", "File": "cdr_manager.c", "Line": "1", "Func": "f"}
    named = {"Privilege": "cdr,all", "Timestamp": "1795285500.25", **where, "SystemName": "hq"}
    assert leg(block("Cdr", named | rest)) == leg(cdr_block())
    assert leg(block("Cdr", {"Privilege": "cdr,all"} | rest)) == leg(cdr_block())


def test_an_unanswered_call_has_no_answer() -> None:
    found = leg(cdr_block(AnswerTime="", BillableSeconds="0", Disposition="NO ANSWER"))
    assert (found.answerdate, found.billsec, found.disposition) == (None, 0, "NO ANSWER")


def test_the_doubled_hour_is_told_by_uniqueid() -> None:
    times = {
        "StartTime": "2026-11-01 01:30:00",
        "AnswerTime": "2026-11-01 01:30:03",
        "EndTime": "2026-11-01 01:30:13",
    }
    first = leg(cdr_block(**times, UniqueID="1793511000.1"))
    second = leg(cdr_block(**times, UniqueID="1793514600.1"))
    assert first.calldate == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    assert second.calldate == datetime(2026, 11, 1, 6, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (cdr_block(StartTime="soon"), Reason.BAD_TIME),
        (cdr_block(EndTime="2026-02-30 01:01:01"), Reason.BAD_TIME),
        (cdr_block(Duration="-1"), Reason.BAD_NUMBER),
        (cdr_block(Disposition="GONE"), Reason.BAD_DISPOSITION),
        (cdr_block(UserField="a\0b"), Reason.NUL_BYTES),
    ],
)
def test_values_that_make_no_leg_are_rejected_with_their_reason(
    data: bytes, reason: Reason
) -> None:
    found = read_one(data)
    assert isinstance(found, Rejected)
    assert (found.reason, found.raw) == (reason, data)


def test_bytes_that_are_not_utf8_are_kept() -> None:
    data = cdr_block().replace(b"Alice", b"Al\xff")
    found = read_one(data)
    assert isinstance(found, Decoded)
    assert found.original == data


CEL = {
    "Privilege": "call,all",
    "Timestamp": "1795285487.251544",
    "EventName": "USER_DEFINED",
    **dict.fromkeys(("AccountCode", "CallerIDnum", "CallerIDname", "CallerIDani"), "x"),
    **dict.fromkeys(("CallerIDrdnis", "CallerIDdnid", "Exten", "Context"), ""),
    "Channel": "PJSIP/101-00000001",
    "Application": "",
    "AppData": "",
    "EventTime": "2026-11-21 13:24:47",
    "AMAFlags": "OMIT",
    "UniqueID": "1795285487.0",
    "LinkedID": "1795285487.0",
    "TenantID": "t1",
    "Userfield": "",
    "Peer": "",
    "PeerAccount": "",
    "UserDefType": "hold",
    "Extra": '{"extra":"y"}',
}


def cel(**fields: str) -> CelEvent:
    found = read_one(
        block("CEL", {key: text for key, text in (CEL | fields).items() if text != "-"})
    )
    assert isinstance(found, CelEvent), found
    return found


def test_keys_that_not_every_channel_event_has_are_understood() -> None:
    found = cel()
    assert (found.userdeftype, found.amaflags) == ("hold", 1)
    assert found.extra == {"tenantid": "t1", "extra": "y"}
    assert cel(TenantID="-", UserDefType="-", Extra="").extra is None


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("1795285487.251544", "18:24:47.251544"),
        ("1795285489.000001", "18:24:47.999999"),
        ("1795285486.999999", "18:24:47"),
        ("-", "18:24:47"),
    ],
)
def test_within_its_second_an_event_has_the_time_at_which_it_was_sent(
    sent: str, expected: str
) -> None:
    assert cel(Timestamp=sent).eventtime == datetime.fromisoformat(f"2026-11-21T{expected}+00:00")


def test_the_time_at_which_it_was_sent_tells_the_hours_of_a_clock_change_apart() -> None:
    found = cel(EventTime="2026-11-01 01:30:00", Timestamp="1793514600.5")
    assert found.eventtime == datetime(2026, 11, 1, 6, 30, 0, 500000, tzinfo=UTC)


MEMBER = {
    "Privilege": "agent,all",
    "Channel": "PJSIP/trunk-1",
    "Uniqueid": "1.2",
    "DestUniqueid": "1.3",
    "Queue": "support",
    "MemberName": "Bob Baker",
}


def queue_event(name: str, fields: dict[str, str]) -> tuple[str, ...]:
    found = read_one(block(name, fields))
    assert isinstance(found, QueueEvent), found
    assert found.eventtime == NOW
    return (found.callid, found.agent, found.event, *found.data)


@pytest.mark.parametrize(
    ("name", "more", "expected"),
    [
        (
            "AgentComplete",
            {"HoldTime": "1", "TalkTime": "2", "Reason": "agent"},
            ("COMPLETEAGENT", "1", "2", ""),
        ),
        (
            "AgentComplete",
            {"HoldTime": "1", "TalkTime": "2", "Reason": "transfer"},
            ("TRANSFER", "", "", "1", "2", ""),
        ),
        ("AgentDump", {}, ("AGENTDUMP",)),
    ],
)
def test_events_of_a_call_at_a_member(
    name: str, more: dict[str, str], expected: tuple[str, ...]
) -> None:
    assert queue_event(name, MEMBER | more) == ("1.2", "Bob Baker", *expected)


@pytest.mark.parametrize(
    ("name", "more", "expected"),
    [
        ("QueueMemberPause", {"Paused": "1", "PausedReason": "lunch"}, ("PAUSE", "lunch")),
        ("QueueMemberPause", {"Paused": "0", "PausedReason": ""}, ("UNPAUSE", "")),
        ("QueueMemberPause", {"Paused": "1"}, ("PAUSE", "")),
        ("QueueMemberAdded", {"Paused": "1"}, ("ADDMEMBER", "PAUSED")),
        ("QueueMemberAdded", {"Paused": "0"}, ("ADDMEMBER",)),
        ("QueueMemberRemoved", {}, ("REMOVEMEMBER",)),
        ("QueueMemberPenalty", {"Penalty": "3"}, ("PENALTY", "3")),
        ("QueueMemberRinginuse", {"Ringinuse": "1"}, ("RINGINUSE", "1")),
    ],
)
def test_events_of_a_member_without_a_call(
    name: str, more: dict[str, str], expected: tuple[str, ...]
) -> None:
    fields = {"Privilege": "agent,all", "Queue": "support", "MemberName": "Bob Baker", **more}
    assert queue_event(name, fields) == ("NONE", "Bob Baker", *expected)


def test_a_queue_event_with_keys_in_a_callers_name_is_rejected() -> None:
    fields = {"Privilege": "agent,all", "CallerIDNum": "1", "CallerIDName": "x\r\nUniqueid: 6.6"}
    more = {"Uniqueid": "1.2", "Queue": "support", "Position": "1", "Count": "1"}
    assert isinstance(read_one(block("QueueCallerJoin", fields | more)), Rejected)


def test_a_cdr_has_no_value_long_enough_for_another_cdr() -> None:
    """Asterisk cuts userfield at 255 bytes, and what else a Cdr event has without mappings at 79."""
    least = {
        "StartTime": "2026-11-21 13:24:47",
        "Duration": "1",
        "BillableSeconds": "1",
        "Disposition": "BUSY",
    }
    lines = [f"{key}:{least.get(key, '')}" for key in BASE_CDR]
    assert len("\r\n".join(["", "", "Event: Cdr", "Privilege:", *lines])) > 255


@given(st.dictionaries(st.sampled_from([*CDR]), st.text(max_size=12), max_size=3))
@settings(max_examples=80, deadline=None)
def test_any_values_are_survived(fields: dict[str, str]) -> None:
    data = cdr_block(
        **{key: text.encode(errors="replace").decode() for key, text in fields.items()}
    )
    for each in read_all(READER, data):
        assert isinstance(each, Decoded | Rejected)


def test_other_messages_are_of_no_interest() -> None:
    message = AmiMessage("Newstate", (), b"", 1, 0)
    assert READER.read(message, NOW) is None


def test_the_end_of_a_talk_may_be_told_when_its_channels_are_gone() -> None:
    """Such an event does not say whose talk it was, and takes none of those after it with it."""
    data = gzip.decompress((CAPTURES / "queues" / "ami_queues.log.gz").read_bytes())
    names = Counter(re.findall(rb"\r\nEvent: (QueueCaller\w+|Agent\w+)\r\n", data))
    del names[b"AgentCalled"]
    found = [each for each in read_all(READER, data) if each is not None]

    assert {type(each) for each in found} == {QueueEvent}
    assert len(found) == names.total()
    gone = [each for each in found if isinstance(each, QueueEvent) and each.callid == "NONE"]
    assert [(each.event, each.data) for each in gone] == [("COMPLETECALLER", ("1", "3", ""))]


def test_the_end_of_a_talk_without_its_caller_is_of_no_channel_that_the_caller_s_name_tells() -> (
    None
):
    """The member's connected line is the caller, who may have a name of two lines."""
    end = {"HoldTime": "1", "TalkTime": "2", "Reason": "caller"}
    name = "Mallory\r\nUniqueid: 9.9"
    member = {"DestChannel": "PJSIP/102-00000001", "DestConnectedLineName": name}
    gone = {"Privilege": "agent,all", **member, **MEMBER, **end}
    del gone["Channel"], gone["Uniqueid"]

    assert queue_event("AgentComplete", gone)[0] == "NONE"
    assert queue_event("AgentComplete", MEMBER | end)[0] == "1.2"
