"""A carrier's file, decoded piece by piece into lines of PostgreSQL's COPY text format.

What its header says is known before any piece is decoded, so a file can be gone on with anywhere: the
result does not depend on where it is cut. Of a piece that is not the last one, the lines that may still be
the footer are left, and so is a quote that may still be closed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cdrd.beside import CarrierRow
from cdrd.decode.carrier import RowReader, layout_of
from cdrd.decode.carrier_lines import Line, numbered_lines
from cdrd.decode.carrier_mapping import CarrierMapping
from cdrd.decode.copytext import NULL, escaped, json_text
from cdrd.errors import SettingsError
from cdrd.records import Chunk, DecodedChunk, Rejected

_SPECIAL = re.compile(r"[\\\t\r\n]")


def header_of(beginning: bytes, mapping: CarrierMapping) -> bytes:
    """The lines of a file's beginning that are its header."""
    return b"".join(_lines(beginning)[: mapping.header_lines])


class CarrierDecoder:
    """Decodes one file of a carrier. SettingsError where its header lacks what the mapping names."""

    def __init__(self, carrier: str, mapping: CarrierMapping, header: bytes) -> None:
        layout = layout_of([*numbered_lines(_lines(header))][: mapping.header_lines], mapping)
        if isinstance(layout, Rejected):
            raise SettingsError([f"carrier {carrier}: {layout.detail}"])
        self._carrier = escaped(carrier)
        self._mapping = mapping
        self._reader = RowReader(mapping, layout)

    def chunk(self, chunk: Chunk) -> DecodedChunk:
        """Decode a piece of the file."""
        whole = self._whole(chunk)
        rows: list[str] = []
        rejected: list[Rejected] = []
        done = chunk.offset
        for record in self._records(chunk, whole):
            done = record.offset + len(record.raw)
            if record.number <= self._mapping.header_lines:
                continue
            outcome = self._outcome(record)
            if isinstance(outcome, Rejected):
                rejected.append(outcome)
            else:
                rows.append(outcome)
        consumed = len(whole) if chunk.final else done - chunk.offset
        return DecodedChunk(rows, rejected, consumed, whole.count(b"\n", 0, consumed))

    def row(self, raw: bytes, *, line: int, offset: int) -> str | Rejected:
        """Decode one record, for what is tried again."""
        return self._outcome(Line(raw, line, offset))

    def _whole(self, chunk: Chunk) -> bytes:
        """The part of a chunk that is whole lines, and the rest where it is too long to wait for more."""
        ended = chunk.data.rfind(b"\n") + 1
        if chunk.final or len(chunk.data) - ended > self._mapping.max_record_bytes:
            return chunk.data
        return chunk.data[:ended]

    def _records(self, chunk: Chunk, whole: bytes) -> Iterator[Line]:
        lines = numbered_lines(_lines(whole), line=chunk.line, offset=chunk.offset)
        for line in lines:
            if line.number > self._mapping.header_lines:
                lines = _again(line, lines)
                break
            yield line
        yield from self._reader.records(lines, final=chunk.final)

    def _outcome(self, record: Line) -> str | Rejected:
        outcome = self._reader.outcome(record)
        if isinstance(outcome, Rejected):
            return outcome
        return carrier_copy_row(self._carrier, outcome, record)


def carrier_copy_row(carrier: str, row: CarrierRow, record: Line) -> str:
    """A row as a line of COPY text, columns in the order of CARRIER_COLUMNS."""
    identity, extra = row.carrier_call_id, row.extra
    parties = _escaped((row.caller, row.called))
    words = _escaped((row.currency, row.charge_band, row.direction, row.description))
    return (
        f"{record.number}\t{record.offset}\t{carrier}"
        f"\t{NULL if identity is None else escaped(identity)}"
        f"\t{row.calldate.isoformat(' ')}\t{parties}\t{row.duration}\t{row.cost:f}\t{words}"
        f"\t{NULL if extra is None else escaped(json_text(extra))}\t\\\\x{record.raw.hex()}"
    )


def _escaped(texts: Sequence[str]) -> str:
    """Texts as COPY wants them, in their columns."""
    if _SPECIAL.search("".join(texts)):
        return "\t".join(map(escaped, texts))
    return "\t".join(texts)


def _lines(data: bytes) -> list[bytes]:
    r"""Lines with their newlines; only \n ends one."""
    pieces = data.split(b"\n")
    last = pieces.pop()
    lines = [piece + b"\n" for piece in pieces]
    return [*lines, last] if last else lines


def _again(line: Line, lines: Iterator[Line]) -> Iterator[Line]:
    yield line
    yield from lines
