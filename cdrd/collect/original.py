"""The bytes of a record that became a leg, found again in its file, wherever rotation has put that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cdrd.collect.compressed import open_content
from cdrd.collect.identity import begins
from cdrd.collect.siblings import Siblings
from cdrd.decode.decoders import Decoder
from cdrd.errors import SourceUnavailable
from cdrd.records import Decoded, FileMark, Leg

_MOST_LINES = 1000
"""A record may span lines; one of more than these is not looked for."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a record was read."""

    path: str
    """Where its file was last seen."""
    rotated: tuple[str, ...]
    """Patterns of where the file may have gone from there."""
    mark: FileMark
    offset: int
    line: int


@dataclass(frozen=True, slots=True)
class Found:
    """The record, and the path of the file it is in now."""

    raw: bytes
    path: str


def find_record(leg: Leg, place: Provenance, decoder: Decoder, *, most_bytes: int) -> Found | None:
    """The record's own bytes; None where no file has them any more.

    It is the right file when it begins as it did, and the right record when it becomes this very leg.
    """
    for path in _candidates(place):
        data = _read(path, place, most_bytes)
        for raw in _beginnings(data):
            decoded = decoder.record(raw, line=place.line, offset=place.offset)
            if isinstance(decoded, Decoded) and decoded.leg == leg:
                return Found(raw, path)
    return None


def _candidates(place: Provenance) -> Iterator[str]:
    yield place.path
    try:
        yield from (file.path for file in Siblings(place.path, place.rotated).files())
    except (OSError, SourceUnavailable):
        return


def _read(path: str, place: Provenance, most_bytes: int) -> bytes:
    try:
        content = open_content(path)
    except OSError:
        return b""
    try:
        if not begins(content.read(0, place.mark.head_length), place.mark):
            return b""
        return content.read(place.offset, most_bytes)
    except OSError:
        return b""
    finally:
        content.close()


def _beginnings(data: bytes) -> Iterator[bytes]:
    """The first line, the first two, and so on; at last everything, for a file may end without a newline."""
    end = 0
    for _ in range(_MOST_LINES):
        end = data.find(b"\n", end) + 1
        if not end:
            break
        yield data[:end]
    if data and not data.endswith(b"\n"):
        yield data
