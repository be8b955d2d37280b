"""What must hold of any bytes, for each way in which records come: the targets of the fuzzer.

A target takes bytes and raises when something is wrong with what a decoder makes of them. Its seeds are
pieces of the captures, so that the fuzzer begins with what a PBX really writes.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from support.ami import MAPPINGS
from support.decoded import CAPTURES, FULL, LEGACY, decoded_row
from support.events import CEL_FIELDS, cel_stored, queue_stored
from support.posted import THREECX, everything

from cdrd.beside import CARRIER_COLUMNS
from cdrd.decode.ami import AmiStream
from cdrd.decode.ami_events import AmiReader
from cdrd.decode.bodies import document, records
from cdrd.decode.carrier_chunks import CarrierDecoder
from cdrd.decode.carrier_mapping import CarrierMapping
from cdrd.decode.decoders import RowDecoder, Shape, row_decoder_for
from cdrd.decode.values import Problem
from cdrd.records import Chunk, Family, Rejected, SourceKind

ZONE = "America/New_York"
_READERS: dict[Family, Callable[[str], object]] = {
    Family.LEG: decoded_row,
    Family.CEL_EVENT: cel_stored,
    Family.QUEUE_EVENT: queue_stored,
    Family.CARRIER_ROW: lambda row: dict(zip(CARRIER_COLUMNS, row.split("\t"), strict=True)),
}
_SEED_RECORDS = 60
"""Records of a capture that are given to the fuzzer, each as a seed of its own."""


@dataclass(frozen=True)
class Target:
    """One way in which records come."""

    check: Callable[[bytes], None]
    seeds: Callable[[], Sequence[bytes]]


def said(rows: Sequence[str], family: Family) -> list[object]:
    """What PostgreSQL's COPY makes of rows: each is one line, of so many columns of UTF-8."""
    for row in rows:
        assert "\0" not in row
        row.encode()  # halves of surrogate pairs are no text
    return [_READERS[family](row) for row in rows]


def check_file(decoder: RowDecoder, family: Family, good: bytes, data: bytes) -> None:
    """A file: its records are found wherever it is cut, and bad ones leave their neighbours alone."""
    whole = decoder.chunk(Chunk(data, 0, 1, final=True))
    assert whole.consumed == len(data)
    for one in whole.rejected:
        assert data.startswith(one.raw, one.offset)
        assert data.count(b"\n", 0, one.offset) + 1 == one.line
    cut = (data[0] if data else 0) * len(data) // 256
    _is_the_same_in_two(decoder, family, data, cut)
    end = b"" if data.endswith(b"\n") or not data else b"\n"
    amid = decoder.chunk(Chunk(good + data + end + 3 * good, 0, 1, final=True))
    starts = {int(row.split("\t", 2)[1]) for row in amid.rows}
    assert 0 in starts
    assert len(good) * 3 + len(data) + len(end) in starts


def _is_the_same_in_two(decoder: RowDecoder, family: Family, data: bytes, cut: int) -> None:
    whole = decoder.chunk(Chunk(data, 0, 1, final=True))
    first = decoder.chunk(Chunk(data[:cut], 0, 1))
    line = 1 + first.lines
    rest = decoder.chunk(Chunk(data[first.consumed :], first.consumed, line, final=True))
    assert said(whole.rows, family) == said([*first.rows, *rest.rows], family)
    assert [*whole.rejected] == [*first.rejected, *rest.rejected]


def check_body(shape: Shape, content_type: str, data: bytes) -> None:
    """A push: each of its records becomes a row or is rejected, and nothing else happens."""
    inner = document(shape, data, content_type)
    if isinstance(inner, Problem):
        return
    found = records(shape, inner)
    [family] = shape.kind.families
    said([one.row for one in found if not isinstance(one, Rejected)], family)


def check_manager(data: bytes) -> None:
    """A manager interface: what is heard does not depend on the pieces in which it comes."""
    size = 1 + len(data) // 50
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert _heard([data]) == _heard(pieces)


def _heard(pieces: Sequence[bytes]) -> list[object]:
    reader = AmiReader(ZONE, MAPPINGS)
    stream = AmiStream(reader.orders, max_event_bytes=2048)
    messages = [message for piece in pieces for message in stream.feed(piece)]
    messages += stream.ended()
    received = datetime(2026, 11, 21, tzinfo=UTC)
    return [
        message if isinstance(message, Rejected) else reader.read(message, received)
        for message in messages
    ]


def _records_of(path: Path) -> list[bytes]:
    data = path.read_bytes()
    lines = (gzip.decompress(data) if path.suffix == ".gz" else data).splitlines(keepends=True)
    step = max(1, len(lines) // _SEED_RECORDS)
    return [b"".join(lines[at : at + 2]) for at in range(0, len(lines), step)]


def _file_target(shape: Shape, path: Path) -> Target:
    decoder = row_decoder_for(shape)
    [family] = shape.kind.families
    good = next(
        line
        for line in _records_of(path)[0].splitlines(keepends=True)
        if decoder.chunk(Chunk(line, 0, 1, final=True)).rows
    )
    return Target(partial(check_file, decoder, family, good), partial(_records_of, path))


def _body_target(kind: SourceKind, content_type: str = "") -> Target:
    name = {SourceKind.FREESWITCH: "fs", SourceKind.YEASTAR: "yeastar"}.get(kind, "ucm")
    seeds = [posted.body for posted in everything() if posted.source == name]
    return Target(partial(check_body, Shape(kind, ZONE), content_type), lambda: seeds)


def _threecx_target() -> Target:
    check = partial(check_file, row_decoder_for(Shape(SourceKind.THREECX)), Family.LEG, THREECX)
    return Target(check, lambda: [THREECX])


_CARRIER_HEADER = b"Start;Date;From;To;Seconds;Price;Cur;Id\n"
_CARRIER_ROW = b'13:24:47;21.11.2026;"+44 1908 555100";07700900123;61;"1.234,56";GBP;x-1\n'


def _carrier_target() -> Target:
    mapping = CarrierMapping(
        columns={
            "date": "Date", "time": "Start", "caller": "From", "called": "To",
            "duration": "Seconds", "cost": "Price", "currency": "Cur", "carrier_call_id": "Id",
        },
        delimiter=";",
        date_format="%d.%m.%Y %H:%M:%S",
        decimal_mark=",",
        strip_prefixes=("+44",),
        max_record_bytes=2048,
    )  # fmt: skip
    assert not mapping.problems()
    decoder = CarrierDecoder("example", mapping, _CARRIER_HEADER)
    return Target(partial(_check_carrier, decoder), lambda: [_CARRIER_ROW])


def _check_carrier(decoder: CarrierDecoder, data: bytes) -> None:
    """The header is there before the rows; else it is a file like others."""
    whole = _CARRIER_HEADER + data
    assert decoder.chunk(Chunk(whole, 0, 1, final=True)).consumed == len(whole)
    cut = len(_CARRIER_HEADER) + (data[0] if data else 0) * len(data) // 256
    _is_the_same_in_two(decoder, Family.CARRIER_ROW, whole, cut)


_LIMIT = 2048
"""Bytes of a record: short, so that the fuzzer finds its way beyond."""
_MAIN = CAPTURES / "main"
_VARIANT = CAPTURES / "variants"


def _cel_json_target() -> Target:
    shape = Shape(SourceKind.ASTERISK_CEL, ZONE, max_record_bytes=_LIMIT, format="json")
    names = {"eventtime(double)"}
    record = {key: value for key, value in CEL_FIELDS.items() if key not in names}
    extra = record | {"eventtype": "HANGUP", "eventextra": '{"hangupcause":16}'}
    good, other = (
        json.dumps(one, separators=(",", ":")).encode() + b"\n" for one in (record, extra)
    )
    decoder = row_decoder_for(shape)
    return Target(partial(check_file, decoder, Family.CEL_EVENT, good), lambda: [good, other])


def _manager_seeds() -> list[bytes]:
    data = gzip.decompress((_MAIN / "ami_stretches.log.gz").read_bytes())
    events = [event + b"\r\n\r\n" for event in data.split(b"\r\n\r\n")]
    step = max(1, len(events) // _SEED_RECORDS)
    return [b"".join(events[at : at + 2]) for at in range(0, len(events), step)]


TARGETS: dict[str, Callable[[], Target]] = {
    "cdr_csv": lambda: _file_target(
        Shape(SourceKind.ASTERISK_CSV, ZONE, max_record_bytes=_LIMIT),
        _MAIN / "cdr-csv" / "Master.csv.renamed-1",
    ),
    "cdr_csv_21": lambda: _file_target(
        Shape(SourceKind.ASTERISK_CSV, ZONE, max_record_bytes=_LIMIT),
        _VARIANT / "newcols" / "cdr-csv" / "Master.csv",
    ),
    "cdr_custom": lambda: _file_target(
        Shape(SourceKind.ASTERISK_CUSTOM, ZONE, FULL, max_record_bytes=_LIMIT),
        _MAIN / "cdr-custom" / "full.csv",
    ),
    "cdr_custom_legacy": lambda: _file_target(
        Shape(SourceKind.ASTERISK_CUSTOM, ZONE, LEGACY, max_record_bytes=_LIMIT),
        _MAIN / "cdr-custom" / "legacy.csv",
    ),
    "cdr_json": lambda: _file_target(
        Shape(SourceKind.ASTERISK_JSON, ZONE, max_record_bytes=_LIMIT),
        _MAIN / "cdr-custom" / "full.json",
    ),
    "cel_csv": lambda: _file_target(
        Shape(SourceKind.ASTERISK_CEL, ZONE, max_record_bytes=_LIMIT), _MAIN / "cel.csv.gz"
    ),
    "cel_json": _cel_json_target,
    "queue_log": lambda: _file_target(
        Shape(SourceKind.ASTERISK_QUEUE_LOG, ZONE, max_record_bytes=_LIMIT), _MAIN / "queue_log"
    ),
    "ami": lambda: Target(check_manager, _manager_seeds),
    "freeswitch": lambda: _body_target(SourceKind.FREESWITCH),
    "freeswitch_form": lambda: _body_target(
        SourceKind.FREESWITCH, "application/x-www-form-urlencoded"
    ),
    "yeastar": lambda: _body_target(SourceKind.YEASTAR),
    "grandstream": lambda: _body_target(SourceKind.GRANDSTREAM),
    "3cx": _threecx_target,
    "carrier": _carrier_target,
}
