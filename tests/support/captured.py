"""Captured records as rows for COPY, by each of the backends that wrote the same calls down."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from cdrd.beside import CelEvent, QueueEvent
from cdrd.decode.ami import AmiStream
from cdrd.decode.ami_events import AmiReader
from cdrd.decode.copytext import copy_row
from cdrd.decode.decoders import Shape, row_decoder_for
from cdrd.decode.event_rows import Place, cel_row, queue_row
from cdrd.records import Chunk, Decoded, Rejected, SourceKind
from support.ami import CAPTURED_MAPPINGS
from support.decoded import CAPTURES, CUSTOM_ZONES, FULL, ZONES, master_files

ZONE = "America/New_York"


def _rows(shape: Shape, files: list[Path]) -> Iterator[str]:
    decoder = row_decoder_for(shape)
    for file in files:
        data = file.read_bytes()
        decoded = decoder.chunk(
            Chunk(gzip.decompress(data) if file.suffix == ".gz" else data, 0, 1, final=True)
        )
        assert decoded.rejected == []
        yield from decoded.rows


@cache
def master_rows(capture: str) -> list[str]:
    """cdr_csv."""
    return [*_rows(Shape(SourceKind.ASTERISK_CSV, zone=ZONES[capture]), master_files(capture))]


@cache
def custom_rows(capture: str) -> list[str]:
    """cdr_custom as CSV."""
    zone = CUSTOM_ZONES.get(capture, ZONE)
    shape = Shape(SourceKind.ASTERISK_CUSTOM, zone=zone, columns=FULL)
    return [*_rows(shape, [CAPTURES / capture / "cdr-custom" / "full.csv"])]


@cache
def json_rows(capture: str) -> list[str]:
    """cdr_custom as JSON, where Asterisk has it."""
    file = CAPTURES / capture / "cdr-custom" / "full.json"
    shape = Shape(SourceKind.ASTERISK_JSON, zone=CUSTOM_ZONES[capture])
    return [*_rows(shape, [file] if file.exists() else [])]


@cache
def channel_event_rows(capture: str) -> list[str]:
    """cel_custom."""
    shape = Shape(SourceKind.ASTERISK_CEL, zone=ZONES.get(capture, ZONE))
    return [*_rows(shape, [CAPTURES / capture / "cel.csv.gz"])]


@cache
def queue_event_rows(capture: str) -> list[str]:
    """queue_log."""
    shape = Shape(SourceKind.ASTERISK_QUEUE_LOG)
    return [*_rows(shape, [CAPTURES / capture / "queue_log"])]


def _heard(file: str, capture: str = "main") -> Iterator[Decoded | CelEvent | QueueEvent]:
    reader = AmiReader(ZONE, CAPTURED_MAPPINGS)
    stream = AmiStream(reader.orders)
    data = gzip.decompress((CAPTURES / capture / file).read_bytes())
    for message in [*stream.feed(data), *stream.ended()]:
        assert not isinstance(message, Rejected)
        said = reader.read(message, datetime.now(UTC))
        if isinstance(said, Decoded | CelEvent | QueueEvent):
            yield said


@cache
def ami_rows() -> list[str]:
    """The manager interface's legs of `main`."""
    return [copy_row(said) for said in _heard("ami_cdr.log.gz") if isinstance(said, Decoded)]


@cache
def ami_channel_event_rows() -> list[str]:
    """Its channel events, of four stretches of `main`."""
    return [
        cel_row(said, Place(1, 0))
        for said in _heard("ami_stretches.log.gz")
        if isinstance(said, CelEvent)
    ]


@cache
def ami_queue_event_rows() -> list[str]:
    """Its queue events, of the same stretches."""
    return [
        queue_row(said, Place(1, 0))
        for said in _heard("ami_stretches.log.gz")
        if isinstance(said, QueueEvent)
    ]


def ami_queue_events(capture: str) -> list[QueueEvent]:
    """What the manager interface says of queues, where a capture has that apart."""
    told = _heard("ami_queues.log.gz", capture)
    return [said for said in told if isinstance(said, QueueEvent)]
