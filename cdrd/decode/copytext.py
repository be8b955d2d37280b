"""A leg as one line of PostgreSQL's COPY text format."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from cdrd.records import Decoded

NULL: Final = "\\N"
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def escaped(text: str) -> str:
    """Text as COPY wants it inside a column."""
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def escaped_lines(texts: list[str]) -> list[str]:
    """Each of them escaped, of which few have anything to escape."""
    return [
        escaped(text) if "\\" in text or "\t" in text or "\r" in text else text for text in texts
    ]


def unescaped_lines(texts: list[str], data: bytes) -> list[str]:
    """Those of the lines of `data` that need no escaping; the others are empty."""
    if any(special in data for special in (b"\\", b"\t", b"\r")):
        return ["" if "\\" in text or "\t" in text or "\r" in text else text for text in texts]
    return texts


def json_text(extra: dict[str, Any]) -> str:
    """The extra columns as a JSON object, for a jsonb column."""
    return _ENCODER.encode(extra)


def copy_row(decoded: Decoded) -> str:
    """A decoded record as a line of COPY text, columns in the order of COPY_COLUMNS."""
    leg = decoded.leg
    columns = (
        decoded.line,
        decoded.offset,
        leg.calldate,
        leg.answerdate,
        leg.enddate,
        leg.clid,
        leg.src,
        leg.dst,
        leg.dcontext,
        leg.channel,
        leg.dstchannel,
        leg.lastapp,
        leg.lastdata,
        leg.duration,
        leg.billsec,
        leg.disposition,
        leg.amaflags,
        leg.accountcode,
        leg.uniqueid,
        leg.linkedid,
        leg.sequence,
        leg.peeraccount,
        leg.userfield,
        leg.extra,
        decoded.original,
    )
    return "\t".join([_COLUMNS[type(value)](value) for value in columns])


def _time_column(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(" ", "seconds")


def _json_column(value: dict[str, Any]) -> str:
    return escaped(json_text(value))


def bytes_column(value: bytes) -> str:
    """Bytes as COPY wants them inside a bytea column."""
    return f"\\\\x{value.hex()}"


def _null_column(_value: None) -> str:
    return NULL


_COLUMNS: dict[type, Callable[[Any], str]] = {
    str: escaped,
    int: str,
    datetime: _time_column,
    dict: _json_column,
    bytes: bytes_column,
    type(None): _null_column,
}
