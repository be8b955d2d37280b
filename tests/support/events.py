"""Rows of COPY text read back into channel events and queue events, and records of them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from cdrd.beside import CEL_COLUMNS, QUEUE_COLUMNS, CelEvent, QueueEvent

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r"}
_ELEMENT = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)

CEL_FIELDS = {
    "eventtype": "ANSWER",
    "eventtime": "2026-11-21 13:24:47.559852",
    "eventtime(double)": "1795285487.559852",
    "userdeftype": "",
    "name": "Alice Archer",
    "num": "101",
    "ani": "101",
    "rdnis": "",
    "dnid": "102",
    "exten": "102",
    "context": "internal",
    "channame": "PJSIP/101-00000001",
    "appname": "Dial",
    "appdata": "PJSIP/102,20",
    "amaflags": "3",
    "accountcode": "acme",
    "peeraccount": "",
    "uniqueid": "1795285487.10",
    "linkedid": "1795285487.9",
    "userfield": "",
    "peer": "",
    "eventextra": "",
}
"""An event by the columns of cel_custom, in the order of its sample."""


class Stored(NamedTuple):
    """What a row says."""

    event: Any
    line: int
    offset: int
    original: bytes | None


def cel_record(columns: Sequence[str] = tuple(CEL_FIELDS), **fields: str) -> bytes:
    """A record as cel_custom writes it, with other fields than usual."""
    said = CEL_FIELDS | {name.replace("_double", "(double)"): text for name, text in fields.items()}
    quoted = [said[name].replace('"', '""') for name in columns]
    return ('"' + '","'.join(quoted) + '"\n').encode(errors="surrogateescape")


def cel_stored(row: str) -> Stored:
    """A row in the order of CEL_COLUMNS."""
    said = dict(zip(CEL_COLUMNS, map(_unescaped, row.split("\t")), strict=True))
    line, offset, original = _place(said)
    extra = said.pop("extra")
    time = datetime.fromisoformat(str(said.pop("eventtime"))).astimezone(UTC)
    event = CelEvent(
        time,
        amaflags=int(said.pop("amaflags") or ""),
        extra=None if extra is None else json.loads(extra),
        **{name: text or "" for name, text in said.items()},
    )
    return Stored(event, line, offset, original)


def queue_stored(row: str) -> Stored:
    """A row in the order of QUEUE_COLUMNS."""
    said = dict(zip(QUEUE_COLUMNS, map(_unescaped, row.split("\t")), strict=True))
    line, offset, original = _place(said)
    time, callid, queue, agent, event, array = (said[name] or "" for name in QUEUE_COLUMNS[2:-1])
    data = tuple(_ESCAPE.sub(r"\1", element) for element in _ELEMENT.findall(array))
    when = datetime.fromisoformat(time).astimezone(UTC)
    return Stored(QueueEvent(when, callid, queue, agent, event, data), line, offset, original)


def _place(said: dict[str, str | None]) -> tuple[int, int, bytes | None]:
    line, offset, original = (said.pop(name) for name in ("line", "byte_offset", "original"))
    raw = None if original is None else bytes.fromhex(original.removeprefix("\\x"))
    return int(line or ""), int(offset or ""), raw


def _unescaped(text: str) -> str | None:
    assert "\n" not in text
    assert "\r" not in text
    if text == "\\N":
        return None
    return _ESCAPE.sub(lambda match: _ESCAPED.get(match[1], match[1]), text)
