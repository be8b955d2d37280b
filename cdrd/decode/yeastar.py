"""Call records that a Yeastar PBX pushes: `NewCdr` of the S, K and Cloud series, 30012 of the P series.

A 30012 is `{type, sn, msg}`, where msg is the record as a JSON text. Both kinds have the same fields
under slightly different names (`callid`, `call_id`), some misspelt by some firmware; all are understood.

| record | leg |
|---|---|
| time_start, local time | calldate |
| time_start + call_duration | enddate |
| enddate - talk_duration, if they talked | answerdate |
| call_from: a number, or `name<number>` | src, clid |
| call_to, the same way | dst |
| src_trunk_name, dst_trunk_name | channel, dstchannel |
| call_duration, talk_duration | duration, billsec |
| status; VOICEMAIL is ANSWERED | disposition |
| uid, else call_id | uniqueid |
| call_id | linkedid |
| did_number, type, pin_code, recording, status and the rest | extra |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from cdrd.decode import values
from cdrd.decode.instants import clock_instants, not_before
from cdrd.decode.pushed import Document, Received, clid, json_document, leg_of, outcome, text_of
from cdrd.decode.times import epoch_of
from cdrd.decode.values import Problem, shown
from cdrd.records import Decoded, Leg, Reason, Rejected

NEW_CDR_OF_P_SERIES = "30012"

_NAMES = {
    "callid": "call_id",
    "timestart": "time_start",
    "callfrom": "call_from",
    "callto": "call_to",
    "callduration": "call_duration",
    "callduraction": "call_duration",
    "talkduration": "talk_duration",
    "talkduraction": "talk_duration",
    "srctrunkname": "src_trunk_name",
    "dsttrunkname": "dst_trunk_name",
    "desttrunkname": "dst_trunk_name",
    "dsttrcunkname": "dst_trunk_name",
    "status": "status",
    "uid": "uid",
}
"""Names without underscores → the field."""
_NEEDED = (
    "call_id",
    "time_start",
    "call_from",
    "call_to",
    "call_duration",
    "talk_duration",
    "status",
)
_TAKEN = frozenset(_NAMES.values()) - {"status"}
_NAMED_NUMBER = re.compile(r"(.*)<([^<>]*)>", re.DOTALL)


def yeastar_record(
    raw: bytes, zone: ZoneInfo, *, line: int = 1, offset: int = 0
) -> Decoded | Rejected:
    """One pushed record, of whichever series."""
    place = Received(raw, line, offset)
    document = json_document(raw)
    if isinstance(document, Problem):
        return outcome(place, document)
    record = _record(document)
    if isinstance(record, Problem):
        return outcome(place, record)
    return outcome(place, _leg(record.content, zone), is_exact=record.is_exact)


def _record(document: Document) -> Document | Problem:
    """The record itself, out of its envelope if it has one."""
    said = document.content
    if not isinstance(said, dict):
        return Problem(Reason.BAD_JSON, "this is no object")
    if "msg" not in said:
        return document
    kind = text_of(said.get("type"))
    if kind != NEW_CDR_OF_P_SERIES:
        detail = f"type is {shown(kind)}; call records are {NEW_CDR_OF_P_SERIES}"
        return Problem(Reason.MISSING_FIELD, detail)
    message = said["msg"]
    inner = message if isinstance(message, Mapping) else json_document(text_of(message).encode())
    if isinstance(inner, Problem):
        return inner
    is_exact = document.is_exact and (not isinstance(inner, Document) or inner.is_exact)
    content = inner.content if isinstance(inner, Document) else inner
    if not isinstance(content, dict):
        return Problem(Reason.BAD_JSON, "msg is no object")
    return Document({"sn": said.get("sn"), **content}, is_exact)


def _leg(said: Mapping[str, Any], zone: ZoneInfo) -> Leg | Problem:
    texts: dict[str, str] = {}
    extra: dict[str, Any] = {}
    for key, value in said.items():
        name = _NAMES.get(key.replace("_", "").lower())
        if name:
            texts[name] = text_of(value)
        if name not in _TAKEN:
            extra[key] = value
    missing = [name for name in _NEEDED if not texts.get(name)]
    if missing:
        return Problem(Reason.MISSING_FIELD, f"there is no {', no '.join(missing)}")
    times = _times(texts, zone)
    if isinstance(times, Problem):
        return times
    name, number = _person(texts["call_from"])
    status = texts["status"].upper()
    known = {
        "start": texts["time_start"],
        "clid": clid(name, number),
        "src": number,
        "dst": _person(texts["call_to"])[1],
        "channel": texts.get("src_trunk_name", ""),
        "dstchannel": texts.get("dst_trunk_name", ""),
        "duration": texts["call_duration"],
        "billsec": texts["talk_duration"],
        "disposition": "ANSWERED" if status == "VOICEMAIL" else status,
        "uniqueid": texts.get("uid") or texts["call_id"],
        "linkedid": texts["call_id"],
    }
    return leg_of(known, times, extra)


def _times(texts: Mapping[str, str], zone: ZoneInfo) -> list[tuple[datetime, ...]] | Problem:
    """Start, answer and end: only the start is written, the others follow from the seconds."""
    starts = clock_instants(texts["time_start"], zone)
    start = not_before(starts, epoch_of(texts["call_id"]))
    if start is None:
        time = shown(texts["time_start"])
        return Problem(Reason.BAD_TIME, f"time_start is {time}, expected 2026-11-21 13:24:47")
    seconds = []
    for name in ("call_duration", "talk_duration"):
        number = values.number(texts[name], name)
        if isinstance(number, Problem):
            return number
        seconds.append(number.value)
    end = start + timedelta(seconds=seconds[0])
    answer = end - timedelta(seconds=seconds[1])
    return [(start,), (answer,) if seconds[1] else (), (end,)]


def _person(text: str) -> tuple[str, str]:
    """Name and number."""
    match = _NAMED_NUMBER.fullmatch(text)
    return (match[1].strip(), match[2]) if match else ("", text)
