"""Events as lines of PostgreSQL's COPY text format, columns in the order of CEL_COLUMNS and QUEUE_COLUMNS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cdrd.beside import CelEvent, QueueEvent
from cdrd.decode.copytext import NULL, bytes_column, escaped, json_text
from cdrd.decode.instants import copy_time


class Place(NamedTuple):
    """Where an event was written."""

    line: int
    offset: int
    original: bytes | None = None
    """The event's own bytes, only where it does not say all that they did."""


class DecodedEvent(NamedTuple):
    """What one record became, when it became an event."""

    event: CelEvent
    line: int
    offset: int
    original: bytes | None
    """The record's own bytes, kept only where the event does not say all that they did."""


def event_row(decoded: DecodedEvent) -> str:
    """A decoded event as a line of COPY text, columns in the order of CEL_COLUMNS."""
    return cel_row(decoded.event, Place(decoded.line, decoded.offset, decoded.original))


def cel_row(event: CelEvent, place: Place) -> str:
    """A channel event as a line of COPY text."""
    texts = (
        event.eventtype,
        event.uniqueid,
        event.linkedid,
        event.channame,
        event.exten,
        event.context,
        event.appname,
        event.appdata,
        event.cid_name,
        event.cid_num,
        event.cid_ani,
        event.cid_rdnis,
        event.cid_dnid,
        str(event.amaflags),
        event.accountcode,
        event.peeraccount,
        event.userfield,
        event.peer,
        event.userdeftype,
    )
    return "\t".join(
        (
            f"{place.line}\t{place.offset}\t{copy_time(event.eventtime)}",
            *map(escaped, texts),
            NULL if event.extra is None else escaped(json_text(event.extra)),
            _original_column(place.original),
        )
    )


def queue_row(event: QueueEvent, place: Place) -> str:
    """A queue event as a line of COPY text."""
    texts = (event.callid, event.queue, event.agent, event.event, array_text(event.data))
    return "\t".join(
        (
            f"{place.line}\t{place.offset}\t{copy_time(event.eventtime)}",
            *map(escaped, texts),
            _original_column(place.original),
        )
    )


def array_text(values: Sequence[str]) -> str:
    """Texts as PostgreSQL writes a text[]."""
    quoted = [value.replace("\\", "\\\\").replace('"', '\\"') for value in values]
    return '{"' + '","'.join(quoted) + '"}' if quoted else "{}"


def _original_column(original: bytes | None) -> str:
    return NULL if original is None else bytes_column(original)
