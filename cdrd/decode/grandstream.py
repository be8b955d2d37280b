"""Call records of a Grandstream UCM, as its CDR API gives them in JSON or CSV.

The fields are Asterisk's, so they are the leg's; AcctId, channel_ext, dstchannel_ext, service and whatever
newer firmware adds go to `extra`. `session`, where it is written, joins the legs of a call: it is the
linkedid, else uniqueid is.

JSON is `{"cdr": [...]}` or `{"cdr_root": [...]}`. An item may hold further records (`main_cdr`,
`sub_cdr_1`…): each is a leg. CSV has clid and lastdata unquoted, with commas in them. The other columns
have none, and clid ends with `>`: where that allows more than one reading the record is rejected. Prefer
JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from cdrd.decode.instants import instants_of
from cdrd.decode.legs import ASTERISK_NAMES, REQUIRED
from cdrd.decode.pushed import Received, json_document, leg_of, outcome, text_of
from cdrd.decode.values import DISPOSITIONS, Problem
from cdrd.records import Decoded, Leg, Reason, Rejected

COLUMNS = (
    "AcctId",
    *("accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp"),
    *("lastdata", "start", "answer", "end", "duration", "billsec", "disposition", "amaflags"),
    *("uniqueid", "userfield", "channel_ext", "dstchannel_ext", "service"),
)
"""The columns of the CSV form, in order."""

_LISTS = ("cdr", "cdr_root")
_CLID, _START = COLUMNS.index("clid"), COLUMNS.index("start")
_BEHIND_CLID = ("channel", "dstchannel", "lastapp")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
_NO_TIME = ("", "0000-00-00 00:00:00")


def grandstream_json(raw: bytes, zone: ZoneInfo) -> list[Decoded | Rejected]:
    """The records of an answer of the CDR API, each numbered in order."""
    document = json_document(raw)
    if isinstance(document, Problem):
        return [outcome(Received(raw), document)]
    records = list(_records(document.content))
    if not records and not _is_empty_answer(document.content):
        return [outcome(Received(raw), Problem(Reason.MISSING_FIELD, "there is no record in it"))]
    return [
        outcome(
            Received(json.dumps(record, ensure_ascii=False).encode(), line),
            _leg(record, zone),
            is_exact=document.is_exact,
        )
        for line, record in enumerate(records, 1)
    ]


def grandstream_csv(raw: bytes, zone: ZoneInfo) -> list[Decoded | Rejected]:
    """The records of an answer in CSV, numbered by their lines; the header is no record."""
    outcomes: list[Decoded | Rejected] = []
    offset = 0
    for line, bare in enumerate(raw.split(b"\n"), 1):
        place = Received(bare, line, offset)
        offset += len(bare) + 1
        text = bare.decode(errors="replace").strip("\r\ufeff")
        if text and not text.startswith("AcctId,"):
            record = _csv_record(text) if "\0" not in text else _NULS
            leg = record if isinstance(record, Problem) else _leg(record, zone)
            outcomes.append(outcome(place, leg, is_exact="\ufffd" not in text))
    return outcomes


_NULS = Problem(Reason.NUL_BYTES, "NUL bytes")


def _records(content: Any) -> Iterator[Mapping[str, Any]]:
    """Every object that has a record's fields, however they are nested."""
    if isinstance(content, list):
        for item in content:
            yield from _records(item)
    elif isinstance(content, dict):
        if "start" in content or "disposition" in content:
            yield content
        else:
            for inner in content.values():
                yield from _records(inner)


def _is_empty_answer(content: Any) -> bool:
    return isinstance(content, dict) and any(content.get(name) == [] for name in _LISTS)


def _leg(said: Mapping[str, Any], zone: ZoneInfo) -> Leg | Problem:
    missing = [name for name in REQUIRED if name not in said]
    if missing:
        return Problem(Reason.MISSING_FIELD, f"there is no {', no '.join(missing)}")
    texts = {name: text_of(said[name]) for name in ASTERISK_NAMES if name in said}
    extra = {name: value for name, value in said.items() if name not in ASTERISK_NAMES}
    times = [_instants(texts.get(name, ""), zone) for name in ("start", "answer", "end")]
    texts.setdefault("linkedid", text_of(said.get("session")) or texts.get("uniqueid", ""))
    texts["disposition"] = texts["disposition"].upper()
    return leg_of(texts, times, extra)


def _instants(text: str, zone: ZoneInfo) -> tuple[datetime, ...] | None:
    if text in _NO_TIME:
        return ()
    return instants_of(text, zone) or None


def _csv_record(text: str) -> dict[str, str] | Problem:
    parts = text.split(",")
    if len(parts) < len(COLUMNS):
        expected = f"{len(parts)} columns, expected {len(COLUMNS)}"
        return Problem(Reason.TOO_FEW_COLUMNS, expected)
    start = len(parts) - (len(COLUMNS) - _START)
    readings = [end for end in range(_CLID, start - len(_BEHIND_CLID)) if _may_end_clid(parts, end)]
    if len(readings) != 1 or not _is_tail(parts[start:]):
        detail = f"{len(readings)} ways to tell clid and lastdata apart; JSON has no such trouble"
        return Problem(Reason.AMBIGUOUS, detail)
    end = readings[0]
    behind = end + 1 + len(_BEHIND_CLID)
    fields = [
        *parts[:_CLID],
        ",".join(parts[_CLID : end + 1]),
        *parts[end + 1 : behind],
        ",".join(parts[behind:start]),
        *parts[start:],
    ]
    return dict(zip(COLUMNS, fields, strict=True))


def _may_end_clid(parts: list[str], end: int) -> bool:
    """Whether clid may end here: a channel has a `/`, an application has none."""
    channel, dstchannel, lastapp = parts[end + 1 : end + 1 + len(_BEHIND_CLID)]
    is_channels = "/" in channel and (not dstchannel or "/" in dstchannel) and "/" not in lastapp
    return is_channels and (parts[end].endswith(">") or end == _CLID)


def _is_tail(parts: list[str]) -> bool:
    start, answer, end, duration, billsec, disposition = parts[:6]
    times = all(_TIME.fullmatch(text) for text in (start, end))
    is_answer = answer in _NO_TIME or bool(_TIME.fullmatch(answer))
    numbers = duration.isdecimal() and billsec.isdecimal()
    return times and is_answer and numbers and disposition.upper() in DISPOSITIONS
