"""What every kind of PBX writes, again and again at later days, for decoders to be measured by."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.backlog import ZONE, Backlog
from support.carriers import HEADER, MAPPING, carrier_row
from support.decoded import CAPTURES, FULL
from support.events import CEL_FIELDS
from support.posted import GRANDSTREAM, THREECX, YEASTAR, freeswitch

from cdrd.decode.carrier_chunks import CarrierDecoder
from cdrd.decode.carrier_mapping import CarrierMapping
from cdrd.decode.decoders import RowDecoder, Shape, row_decoder_for
from cdrd.records import Chunk, SourceKind

_MAIN = CAPTURES / "main"
_DAYS = 8
"""No time comes twice in them, so that what remembers times is not flattered; no clock changes either."""
_DOCUMENTS = 4000
_SHIFTED = re.compile(rb"2026-11-21|(?<!\d)1795\d{6}(?=[.|\"])")

Work = Callable[[], int]
"""Does it, and says how many records there were."""


@dataclass(frozen=True)
class Contest:
    """A decoder, and what Python itself needs for the same bytes."""

    name: str
    ours: Work
    other: Work
    other_name: str


def _days(data: bytes) -> list[bytes]:
    return [_SHIFTED.sub(partial(_later, days), data) for days in range(_DAYS)]


def _later(days: int, found: re.Match[bytes]) -> bytes:
    token = found[0]
    if token.startswith(b"2026"):
        return b"2026-11-%02d" % (21 + days)
    return b"%d" % (int(token) + 86400 * days)


def _read(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def _decoding(decoder: RowDecoder, chunks: list[bytes]) -> Work:
    return lambda: sum(len(decoder.chunk(Chunk(data, 0, 1, final=True)).rows) for data in chunks)


def _csv_reading(chunks: list[bytes], delimiter: str = ",") -> Work:
    texts = [chunk.decode(errors="surrogateescape") for chunk in chunks]
    return lambda: sum(
        len(list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))) for text in texts
    )


def _json_reading(chunks: list[bytes]) -> Work:
    """Of what is JSON: that of Asterisk is not always."""
    lines = [line for chunk in chunks for line in chunk.splitlines() if _is_json(line)]
    return lambda: sum(1 for line in lines if json.loads(line))


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _file(name: str, shape: Shape, chunks: list[bytes], delimiter: str = ",") -> Contest:
    other = _csv_reading(chunks, delimiter)
    return Contest(name, _decoding(row_decoder_for(shape), chunks), other, "csv.reader")


def _json_file(name: str, shape: Shape, chunks: list[bytes]) -> Contest:
    decoder = row_decoder_for(shape)
    return Contest(name, _decoding(decoder, chunks), _json_reading(chunks), "json.loads")


def _documents(name: str, shape: Shape, bodies: list[bytes]) -> Contest:
    decoder = row_decoder_for(shape)

    def decode() -> int:
        rows = [decoder.row(body, line=1, offset=0) for body in bodies]
        return sum(isinstance(row, str) for row in rows)

    return Contest(name, decode, _json_reading([b"\n".join(bodies)]), "json.loads")


def _master() -> Contest:
    pieces = list(Backlog().chunks(24))
    chunks = [b"".join(pieces[at : at + 3]) for at in range(0, 24, 3)]
    return _file("cdr_csv", Shape(SourceKind.ASTERISK_CSV, ZONE), chunks)


def _cel_lines() -> bytes:
    """The captured channel events as `format = json` writes them, as far as they are JSON then."""
    names = list(CEL_FIELDS)
    rows = csv.reader(io.StringIO(_read(_MAIN / "cel.csv.gz").decode(errors="replace"), newline=""))
    lines = [
        json.dumps(dict(zip(names, row, strict=True)), separators=(",", ":"))
        for row in rows
        if len(row) == len(names) and "\\" not in "".join(row)
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def _carrier() -> Contest:
    mapping = CarrierMapping(**MAPPING)
    chunk = (HEADER + "".join(map(carrier_row, range(10 * _DOCUMENTS)))).encode()
    decoder = CarrierDecoder("alpha", mapping, HEADER.encode())
    other = _csv_reading([chunk.removeprefix(HEADER.encode())])
    return Contest("carrier", _decoding(decoder, [chunk]), other, "csv.reader")


def _numbered(document: dict[str, object]) -> list[bytes]:
    """Different in the numbers that its ids end with."""
    text = json.dumps(document)
    return [
        re.sub(r"1795285487", str(1795285487 + number), text).encode()
        for number in range(_DOCUMENTS)
    ]


def contests() -> list[Contest]:
    """Every decoder of files and of pushed documents."""
    return [
        _master(),
        _file(
            "cdr_custom",
            Shape(SourceKind.ASTERISK_CUSTOM, ZONE, FULL),
            _days(_read(_MAIN / "cdr-custom" / "full.csv")),
        ),
        _json_file(
            "cdr_json",
            Shape(SourceKind.ASTERISK_JSON, ZONE),
            _days(_read(_MAIN / "cdr-custom" / "full.json")),
        ),
        _file(
            "cel as CSV", Shape(SourceKind.ASTERISK_CEL, ZONE), _days(_read(_MAIN / "cel.csv.gz"))
        ),
        _json_file(
            "cel as JSON", Shape(SourceKind.ASTERISK_CEL, ZONE, format="json"), _days(_cel_lines())
        ),
        _file(
            "queue_log",
            Shape(SourceKind.ASTERISK_QUEUE_LOG, ZONE),
            _days(_read(_MAIN / "queue_log") * 400),
            "|",
        ),
        _documents("FreeSWITCH", Shape(SourceKind.FREESWITCH), _numbered(freeswitch("0c7e-1"))),
        _documents("Yeastar", Shape(SourceKind.YEASTAR), _numbered(dict(YEASTAR))),
        _documents("Grandstream", Shape(SourceKind.GRANDSTREAM), _numbered(dict(GRANDSTREAM))),
        _file(
            "3CX",
            Shape(SourceKind.THREECX),
            [b"".join(THREECX.replace(b"D34D", b"%04x" % n) for n in range(_DOCUMENTS))],
        ),
        _carrier(),
    ]
