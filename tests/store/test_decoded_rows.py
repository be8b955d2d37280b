"""PostgreSQL takes every row that a decoder makes, and reads in it what the decoder meant."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO

import asyncpg
from support.decoded import (
    CAPTURES,
    CUSTOM_ZONES,
    FULL,
    LEGACY,
    RECORDS,
    ZONES,
    decode_files,
    decoded_row,
    master_files,
    record,
)

from cdrd.decode.decoders import Shape, decoder_for
from cdrd.records import COPY_COLUMNS, Chunk, Leg, SourceKind

HOSTILE = (
    *("\\N", "\\.", "\\\\", "\t", "\r", "a\nb", '"'),
    *("\x01\x7f\x1b", "\ufffe\U0010ffff", "\udcff", "\u2028"),
)


def captured_rows() -> Iterator[str]:
    for capture, zone in ZONES.items():
        master = decoder_for(Shape(SourceKind.ASTERISK_CSV, zone=zone))
        for _, decoded in decode_files(master, master_files(capture)):
            yield from decoded.rows
        folder = CAPTURES / capture / "cdr-custom"
        for name, columns in (("full.csv", FULL), ("legacy.csv", LEGACY), ("full.json", None)):
            kind = SourceKind.ASTERISK_CUSTOM if columns else SourceKind.ASTERISK_JSON
            shape = Shape(kind, zone=CUSTOM_ZONES[capture], columns=columns or "auto")
            files = [folder / name] if (folder / name).exists() else []
            for _, decoded in decode_files(decoder_for(shape), files):
                yield from decoded.rows


def hostile_rows() -> Iterator[str]:
    for zone in ("UTC", "Africa/Monrovia", "Asia/Kathmandu", "America/New_York"):
        decoder = decoder_for(Shape(SourceKind.ASTERISK_CSV, zone=zone))
        for text in HOSTILE:
            for start in ("1969-12-31 00:00:00", "2199-12-31 23:59:59", "2026-11-01 01:30:00"):
                raw = record(21, clid=text, userfield=text, uniqueid=text * 9, start=start)
                yield from decoder.chunk(Chunk(raw + raw, 2**40, 2**33)).rows


def custom_rows() -> Iterator[str]:
    columns = ("start", "src", "dst", "duration", "billsec", "disposition", 'own "\\')
    decoder = decoder_for(Shape(SourceKind.ASTERISK_CUSTOM, columns=columns))
    for text in HOSTILE:
        doubled = text.replace('"', '""')
        raw = f'"2026-11-21 13:24:47","1","2",1,1,"BUSY","{doubled}"\n'
        yield from decoder.chunk(Chunk(raw.encode(errors="surrogateescape") * 2, 0, 1)).rows


async def test_postgresql_reads_in_a_row_what_the_decoder_meant(dsn: str) -> None:
    rows = [*captured_rows(), *hostile_rows(), *custom_rows()]
    assert len(rows) > 3 * sum(RECORDS.values())
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            "CREATE TEMP TABLE taken AS SELECT * FROM leg; ALTER TABLE taken ADD n serial"
        )
        await connection.copy_to_table(
            "taken", source=BytesIO("".join(f"{row}\n" for row in rows).encode()),
            columns=COPY_COLUMNS, format="text",
        )  # fmt: skip
        taken = await connection.fetch("SELECT * FROM taken ORDER BY n")
    finally:
        await connection.close()
    for row, stored in zip(rows, taken, strict=True):
        meant = decoded_row(row)
        values = {name: stored[name] for name in Leg._fields if name in stored and name != "acctid"}
        values["extra"] = stored["extra"] and json.loads(stored["extra"])
        assert meant.leg == Leg(**values)
        assert (meant.line, meant.offset) == (stored["line"], stored["byte_offset"])
        assert meant.original == stored["original"]
