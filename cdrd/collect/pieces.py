"""What a forwarder and its collector say to each other: files as JSON, and pieces of them as they are.

A piece is a line of JSON that says what it is of, and then its bytes. Both sides speak through these
functions; whatever comes from the other side is checked, for it comes over a network.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from cdrd.collect.identity import HEAD_BYTES, TAIL_BYTES
from cdrd.records import FileId, FileMark, FilePosition

LONGEST_HEADER = 65536
"""Bytes of what is said of a piece."""
_DIGEST_BYTES = 32
_LONGEST_PATH = 4096
LONGEST_WORDS = 1000
"""Characters of an error."""
_MOST = 1 << 62
"""Of anything that is counted: it must fit a bigint."""


class Malformed(ValueError):
    """What the other side says makes no sense."""


class Wellbeing(NamedTuple):
    """How a forwarder is doing. Seconds ago, not times of day: two machines' clocks differ."""

    lag_bytes: int | None = None
    behind_seconds: float | None = None
    """The oldest unread byte has been there for so long; None where nothing is unread."""
    failing_seconds: float | None = None
    error: str | None = None
    """The last that went wrong since this was last told."""
    unread_bytes: int = 0
    """Found since then to be gone before anybody could read them."""


@dataclass(frozen=True, slots=True)
class Shipment:
    """A piece of a file on its way; without bytes where there is only something to remember of the file."""

    epoch: int
    """Of the claim: what the collector gave the forwarder when it began."""
    start: FilePosition
    data: bytes
    final: bool
    wellbeing: Wellbeing


@dataclass(frozen=True, slots=True)
class Told:
    """No piece: a forwarder that has nothing to ship says that it is there."""

    epoch: int
    wellbeing: Wellbeing


class Taking(NamedTuple):
    """What the collector took of a piece. It is committed."""

    file: FileId | None
    """None where nothing was taken: there is no whole record in it yet."""
    consumed: int
    lines: int


class Begun(NamedTuple):
    """What a forwarder goes on from."""

    epoch: int
    most_bytes: int
    """So many bytes a piece may have."""
    files: list[FilePosition]


def file_as_json(position: FilePosition) -> dict[str, Any]:
    """A file, and how far it is stored."""
    mark = position.mark
    return {
        "file": position.file_id,
        "path": position.path,
        "physical": position.physical,
        "head_length": mark.head_length,
        "head_digest": mark.head_digest.hex(),
        "tail": mark.tail.hex(),
        "offset": position.offset,
        "line": position.line,
        "seen_size": position.seen_size,
        "seen_mtime_ns": position.seen_mtime_ns,
        "unread_bytes": position.unread_bytes,
    }


def file_of_json(value: object) -> FilePosition:
    """The file that the other side speaks of; Malformed where that can't be one."""
    said = _Object(value)
    file_id = said.count("file") if said.has("file") else None
    return FilePosition(
        file_id=None if file_id is None else FileId(file_id),
        path=said.text("path", _LONGEST_PATH),
        physical=said.text("physical", 64),
        mark=FileMark(
            said.count("head_length", HEAD_BYTES),
            said.bytes("head_digest", _DIGEST_BYTES),
            said.bytes("tail", TAIL_BYTES),
        ),
        offset=said.count("offset"),
        line=said.count("line"),
        seen_size=said.count("seen_size"),
        seen_mtime_ns=said.count("seen_mtime_ns", least=-_MOST),
        unread_bytes=said.count("unread_bytes"),
    )


def shipped(what: Shipment | Told) -> bytes:
    """As it travels."""
    header: dict[str, Any] = {"epoch": what.epoch, "wellbeing": what.wellbeing._asdict()}
    if isinstance(what, Told):
        return json.dumps(header).encode() + b"\n"
    header["start"] = file_as_json(what.start)
    header["final"] = what.final
    header["bytes"] = len(what.data)
    return json.dumps(header).encode() + b"\n" + what.data


def arrived(body: bytes) -> Shipment | Told:
    """What travelled; Malformed where it is not whole, or never was."""
    line, newline, data = body[:LONGEST_HEADER].partition(b"\n")
    if not newline:
        raise Malformed("a line of JSON is expected first")
    said = _Object(_json(line))
    epoch, wellbeing = said.count("epoch"), _wellbeing(said.value("wellbeing"))
    if not said.has("start"):
        return Told(epoch, wellbeing)
    data = body[len(line) + 1 :]
    if said.count("bytes") != len(data):
        raise Malformed(f"it has {len(data)} bytes, and says otherwise")
    start = file_of_json(said.value("start"))
    return Shipment(epoch, start, data, said.value("final") is True, wellbeing)


def _wellbeing(value: object) -> Wellbeing:
    said = _Object(value)
    return Wellbeing(
        lag_bytes=said.count("lag_bytes") if said.has("lag_bytes") else None,
        behind_seconds=said.seconds("behind_seconds"),
        failing_seconds=said.seconds("failing_seconds"),
        error=said.text("error", LONGEST_WORDS) if said.has("error") else None,
        unread_bytes=said.count("unread_bytes"),
    )


def taking_of_json(value: object, *, most: int) -> Taking:
    """What the collector says that it took, of so many bytes at most."""
    said = _Object(value)
    file_id = said.count("file") if said.has("file") else None
    return Taking(
        None if file_id is None else FileId(file_id),
        said.count("consumed", most),
        said.count("lines", most),
    )


def begun_of_json(value: object) -> Begun:
    """What the collector says when a forwarder begins."""
    said = _Object(value)
    return Begun(said.count("epoch"), said.count("most_bytes"), files_of_json(value))


def files_of_json(value: object) -> list[FilePosition]:
    """The files that the collector knows of a source."""
    files = _Object(value).value("files")
    if not isinstance(files, list):
        raise Malformed("files: a list is expected")
    return [file_of_json(file) for file in files]


def _json(text: bytes) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Malformed("it is not JSON") from error


class _Object:
    """A JSON object that is asked for what is expected in it."""

    def __init__(self, value: object) -> None:
        if not isinstance(value, dict):
            raise Malformed("an object is expected")
        self._value: Mapping[str, object] = value

    def has(self, key: str) -> bool:
        return self._value.get(key) is not None

    def value(self, key: str) -> object:
        return self._value.get(key)

    def count(self, key: str, most: int = _MOST, *, least: int = 0) -> int:
        value = self._value.get(key)
        if type(value) is not int or not least <= value <= most:
            raise Malformed(f"{key}: a number from {least} to {most} is expected")
        return value

    def seconds(self, key: str) -> float | None:
        value = self._value.get(key)
        if value is None:
            return None
        if not isinstance(value, int | float) or not 0 <= value < 1e9:  # noqa: PLR2004 - thirty years
            raise Malformed(f"{key}: seconds are expected")
        return float(value)

    def text(self, key: str, longest: int) -> str:
        """Bytes of a file name that are not UTF-8 are lone surrogates; no others, and no NUL."""
        value = self._value.get(key)
        if not isinstance(value, str) or not value or len(value) > longest or "\0" in value:
            raise Malformed(f"{key}: a text of up to {longest} characters is expected")
        try:
            value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise Malformed(f"{key}: a text is expected") from error
        return value

    def bytes(self, key: str, longest: int) -> bytes:
        value = self._value.get(key)
        try:
            found = bytes.fromhex(value) if isinstance(value, str) else None
        except ValueError:
            found = None
        if found is None or len(found) > longest:
            raise Malformed(f"{key}: up to {longest} bytes in hexadecimal are expected")
        return found
