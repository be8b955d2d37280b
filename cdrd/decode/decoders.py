"""The decoder of a source: chosen by what its settings say about its records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, Protocol

from cdrd.decode.cdr_csv import CsvGrammar
from cdrd.decode.cdr_custom import CustomGrammar
from cdrd.decode.cdr_json import JsonGrammar
from cdrd.decode.cel import CelGrammar
from cdrd.decode.cel_columns import SAMPLE
from cdrd.decode.cel_json import CelJsonGrammar
from cdrd.decode.chunks import Whole, decode_rows
from cdrd.decode.copytext import copy_row
from cdrd.decode.documents import document_decoder
from cdrd.decode.event_rows import DecodedEvent, event_row
from cdrd.decode.grammar import Grammar
from cdrd.decode.queue_log import QueueLogDecoder
from cdrd.decode.threecx import COLUMNS, ThreeCxGrammar
from cdrd.errors import SettingsError
from cdrd.records import Chunk, Decoded, DecodedChunk, Family, Rejected, SourceKind


@dataclass(frozen=True, slots=True)
class Shape:
    """What a source's settings say about its records."""

    kind: SourceKind
    zone: str = "UTC"
    """IANA zone of times that are written without one; "UTC" with usegmtime=yes."""
    columns: tuple[str, ...] | Literal["auto"] = "auto"
    """asterisk-csv: auto, or the names; asterisk-custom: the names (see `columns`); asterisk-cel: auto is
    everything that cel_custom has (see `cel_columns`)."""
    ambiguous: Literal["auto", "uniqueid", "userfield"] = "auto"
    """asterisk-csv: what the 17th column of 17 and of 20 is."""
    max_record_bytes: int = 65536
    format: Literal["csv", "json"] = "csv"
    """asterisk-cel: how cel_custom writes."""


class RowDecoder(Protocol):
    """Records become rows for COPY: of legs, channel events or queue events."""

    def chunk(self, chunk: Chunk) -> DecodedChunk:
        """Decode a piece of a file."""

    def row(self, raw: bytes, *, line: int, offset: int) -> str | Rejected:
        """Decode one record, for what is tried again."""


class Decoder(RowDecoder, Protocol):
    """Records become legs."""

    def record(self, raw: bytes, *, line: int, offset: int) -> Decoded | Rejected:
        """Decode one record, for what is explained."""


def row_decoder_for(shape: Shape) -> RowDecoder:
    """The decoder for records of this shape. SettingsError if the shape makes no sense."""
    match shape.kind:
        case SourceKind.ASTERISK_CEL:
            return _GrammarDecoder(_cel_grammar(shape), event_row)
        case SourceKind.ASTERISK_QUEUE_LOG:
            return QueueLogDecoder(shape.zone, shape.max_record_bytes)
        case _:
            return decoder_for(shape)


def decoder_for(shape: Shape) -> Decoder:
    """The decoder for records of this shape, which are those of legs. SettingsError as above."""
    if Family.LEG not in shape.kind.families:
        raise SettingsError([f"kind: {shape.kind.value} has no legs"])
    documents = document_decoder(shape.kind, shape.zone)
    return documents or _GrammarDecoder(_grammar(shape), copy_row)


@dataclass(frozen=True, slots=True)
class _GrammarDecoder(Generic[Whole]):
    grammar: Grammar[Whole]
    to_row: Callable[[Whole], str]

    def chunk(self, chunk: Chunk) -> DecodedChunk:
        return decode_rows(chunk, self.grammar, self.to_row)

    def record(self, raw: bytes, *, line: int, offset: int) -> Whole | Rejected:
        return self.grammar.record(raw, line=line, offset=offset)

    def row(self, raw: bytes, *, line: int, offset: int) -> str | Rejected:
        whole = self.record(raw, line=line, offset=offset)
        return whole if isinstance(whole, Rejected) else self.to_row(whole)


def _grammar(shape: Shape) -> Grammar[Decoded]:
    match shape:
        case Shape(kind=SourceKind.ASTERISK_JSON):
            return JsonGrammar(shape.zone, shape.max_record_bytes)
        case Shape(kind=SourceKind.THREECX, columns=columns):
            fields = COLUMNS if columns == "auto" else columns
            return ThreeCxGrammar(fields, shape.zone, shape.max_record_bytes)
        case Shape(kind=SourceKind.ASTERISK_CSV, columns="auto"):
            return CsvGrammar(shape.zone, shape.ambiguous, shape.max_record_bytes)
        case Shape(columns="auto"):
            raise SettingsError(["columns: asterisk-custom needs the names of its columns"])
        case _:
            return CustomGrammar(shape.columns, shape.zone, shape.max_record_bytes)


def _cel_grammar(shape: Shape) -> Grammar[DecodedEvent]:
    if shape.format == "json":
        return CelJsonGrammar(shape.zone, shape.max_record_bytes)
    columns = SAMPLE if shape.columns == "auto" else shape.columns
    return CelGrammar(columns, shape.zone, shape.max_record_bytes)
