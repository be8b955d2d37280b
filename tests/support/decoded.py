"""The captures, and rows of COPY text read back into legs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cdrd.decode.decoders import Decoder
from cdrd.records import COPY_COLUMNS, Chunk, Decoded, DecodedChunk, Leg

CAPTURES = Path(__file__).parents[1] / "captures"

RECORDS = {
    "main": 1232,
    "v16": 1231,
    "variants/newcols": 28,
    "variants/gmt_plain": 28,
    "variants/batch": 24,
    "variants/cancel_quiet": 29,
    "variants/dst_london": 102,
}
"""How many records each capture has."""

ZONES = dict.fromkeys(RECORDS, "America/New_York") | {
    "variants/gmt_plain": "UTC",
    "variants/dst_london": "Europe/London",
}
"""The zone of the times in Master.csv."""

CUSTOM_ZONES = ZONES | {"variants/gmt_plain": "America/New_York"}
"""The zone of the times of cdr_custom, which knows no usegmtime."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FULL = _words("""
    accountcode peeraccount src dst dcontext clid channel dstchannel lastapp lastdata
    start start_us answer answer_us end end_us duration billsec disposition amaflags
    uniqueid linkedid sequence userfield trunkname dialfull authuser
""")
"""The columns of full.csv."""

LEGACY = _words("""
    uniqueid linkedid sequence clid src dst start start_epoch duration:float billsec:float
    disposition disposition_number userfield
""")
"""The columns of legacy.csv."""

_FIELDS = {
    "accountcode": "acme",
    "src": "101",
    "dst": "102",
    "dcontext": "internal",
    "clid": '"Alice Archer" <101>',
    "channel": "PJSIP/101-00000001",
    "dstchannel": "PJSIP/102-00000002",
    "lastapp": "Dial",
    "lastdata": "PJSIP/102,20",
    "start": "2026-11-21 13:24:47",
    "answer": "2026-11-21 13:24:50",
    "end": "2026-11-21 13:25:00",
    "duration": "13",
    "billsec": "10",
    "disposition": "ANSWERED",
    "amaflags": "DOCUMENTATION",
    "uniqueid": "1795285487.10",
    "userfield": "did:5551000",
    "peeraccount": "acme",
    "linkedid": "1795285487.9",
    "sequence": "17",
}
_BARE = ("duration", "billsec", "sequence")
_OPTIONS = {
    16: (),
    17: ("uniqueid",),
    18: ("uniqueid", "userfield"),
    19: ("peeraccount", "linkedid", "sequence"),
    20: ("uniqueid", "peeraccount", "linkedid", "sequence"),
    21: ("uniqueid", "userfield", "peeraccount", "linkedid", "sequence"),
}

_ROTATION = (".renamed-1", ".renamed-2", ".copied-1", ".copied-2", "")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r"}
_INTEGERS = ("line", "byte_offset", "duration", "billsec", "amaflags", "sequence")
_TIMES = ("calldate", "answerdate", "enddate")


def master_files(capture: str) -> list[Path]:
    """The Master.csv of a capture in the order in which they were written."""
    folder = CAPTURES / capture / "cdr-csv"
    files = [folder / f"Master.csv{end}" for end in _ROTATION]
    return [file for file in files if file.exists()]


def decode_files(decoder: Decoder, files: list[Path]) -> Iterator[tuple[bytes, DecodedChunk]]:
    """Each file in one chunk."""
    for file in files:
        data = file.read_bytes()
        yield data, decoder.chunk(Chunk(data, 0, 1, final=True))


def legs_of(decoder: Decoder, files: list[Path]) -> list[Leg]:
    """The legs of files that hold no rejected record."""
    chunks = [chunk for _, chunk in decode_files(decoder, files)]
    assert [chunk.rejected for chunk in chunks if chunk.rejected] == []
    return [decoded_row(row).leg for chunk in chunks for row in chunk.rows]


def record(columns: int = 18, /, **fields: str) -> bytes:
    """A record as cdr_csv writes it, with other fields than usual."""
    names = (*tuple(_FIELDS)[:16], *_OPTIONS[columns])
    return (
        ",".join(_written(name, fields.get(name, _FIELDS[name])) for name in names) + "\n"
    ).encode(errors="surrogateescape")


def _written(name: str, value: str) -> str:
    if name in _BARE or (name == "answer" and not value):
        return value
    doubled = value.replace('"', '""')
    return f'"{doubled}"'


def decoded_row(row: str) -> Decoded:
    """What a row of COPY text says, as PostgreSQL would understand it."""
    texts = dict(zip(COPY_COLUMNS, map(_unescaped, row.split("\t")), strict=True))
    values = {name: _value(name, text) for name, text in texts.items()}
    line, offset, original = (values.pop(name) for name in ("line", "byte_offset", "original"))
    return Decoded(Leg(**values), line, offset, original)


def _unescaped(text: str) -> str | None:
    assert "\n" not in text
    assert "\r" not in text
    if text == "\\N":
        return None
    return _ESCAPE.sub(lambda match: _ESCAPED.get(match[1], match[1]), text)


def _value(name: str, text: str | None) -> Any:
    if text is None:
        return None
    if name in _INTEGERS:
        return int(text)
    if name in _TIMES:
        return datetime.fromisoformat(text).astimezone(UTC)
    if name == "extra":
        return json.loads(text)
    return bytes.fromhex(text.removeprefix("\\x")) if name == "original" else text
