"""Channel events of cel_custom with `format = json`: one object a line, keys named as its columns are.

The event's own JSON stands in it as a text, as Asterisk writes it, or as an object.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cdrd.beside import CelEvent
from cdrd.decode.cel_columns import field_name
from cdrd.decode.cel_event import KNOWN, event_time, read_event
from cdrd.decode.event_rows import DecodedEvent
from cdrd.decode.grammar import UsualLine
from cdrd.decode.json_text import Object, decoded_object, find_object, plain_lines, read_object
from cdrd.decode.times import UsualTimes
from cdrd.decode.usual_cel_json import usual_line
from cdrd.decode.values import Problem, is_text
from cdrd.records import Rejected


class CelJsonGrammar:
    """How the JSON lines of cel_custom are read: keys named as its columns can be."""

    def __init__(self, zone: str = "UTC", max_record_bytes: int = 65536) -> None:
        self.max_record_bytes = max_record_bytes
        self.find = find_object
        self._times = UsualTimes(zone)

    def record(self, raw: bytes, *, line: int, offset: int) -> DecodedEvent | Rejected:
        """Read one whole record, with or without its newline."""
        read = _object(raw)
        event = read if isinstance(read, Problem) else self._event(read.values)
        if isinstance(event, Problem):
            return Rejected(raw, line, offset, *event)
        is_all_said = isinstance(read, Object) and read.is_exact and is_text(raw)
        return DecodedEvent(event, line, offset, None if is_all_said else raw)

    def glued(self, _raw: bytes) -> int | None:
        """`find` cuts in front of every object, also one behind a torn one."""
        return None

    def usual(self, like: bytes) -> UsualLine | None:
        """The fast path for objects with the same keys."""
        read = read_object(like)
        return None if isinstance(read, Problem) else usual_line(read.values, self._times)

    def usual_texts(self, texts: list[str], data: bytes) -> list[str]:
        """The lines that can be read in one way only, and need no escaping for COPY."""
        return plain_lines(texts, data)

    def _event(self, said: Mapping[str, Any]) -> CelEvent | Problem:
        texts: dict[str, str] = {}
        others: dict[str, Any] = {}
        printed: list[str] = []
        for key, value in said.items():
            name = field_name(key)
            if name == "eventtime":
                printed.append(str(value))
            if name not in KNOWN:
                others[key] = value
            elif value is not None:
                texts[name] = str(value)
        time = event_time(printed, self._times.zone, texts.get("uniqueid", ""))
        return read_event(texts, time, others)


def _object(raw: bytes) -> Object | Problem:
    """The values of an object; the event's own JSON as a text, also where it is an object itself."""
    read = read_object(raw)
    if isinstance(read, Object):
        return read
    try:
        found = decoded_object(raw.decode())
    except (ValueError, RecursionError):
        return read
    nested = {key: json.dumps(value) for key, value in found.items() if isinstance(value, dict)}
    return read_object(json.dumps({**found, **nested}).encode())
