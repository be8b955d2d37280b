"""The decoder of a source: chosen by what its settings say about its records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from cdrd.decode.cdr_csv import CsvGrammar
from cdrd.decode.cdr_custom import CustomGrammar
from cdrd.decode.cdr_json import JsonGrammar
from cdrd.decode.chunks import decode_chunk
from cdrd.decode.grammar import Grammar
from cdrd.errors import SettingsError
from cdrd.records import Chunk, Decoded, DecodedChunk, Rejected, SourceKind


@dataclass(frozen=True, slots=True)
class Shape:
    """What a source's settings say about its records."""

    kind: SourceKind
    zone: str = "UTC"
    """IANA zone of times that are written without one; "UTC" with usegmtime=yes."""
    columns: tuple[str, ...] | Literal["auto"] = "auto"
    """asterisk-csv: auto, or the names; asterisk-custom: the names (see `columns`)."""
    ambiguous: Literal["auto", "uniqueid", "userfield"] = "auto"
    """asterisk-csv: what the 17th column of 17 and of 20 is."""
    max_record_bytes: int = 65536


class Decoder(Protocol):
    """Records become legs."""

    def chunk(self, chunk: Chunk) -> DecodedChunk:
        """Decode a piece of a file."""

    def record(self, raw: bytes, *, line: int, offset: int) -> Decoded | Rejected:
        """Decode one record, for what is tried again or explained."""


def decoder_for(shape: Shape) -> Decoder:
    """The decoder for records of this shape. SettingsError if the shape makes no sense."""
    return _GrammarDecoder(_grammar(shape))


@dataclass(frozen=True, slots=True)
class _GrammarDecoder:
    grammar: Grammar[Decoded]

    def chunk(self, chunk: Chunk) -> DecodedChunk:
        return decode_chunk(chunk, self.grammar)

    def record(self, raw: bytes, *, line: int, offset: int) -> Decoded | Rejected:
        return self.grammar.record(raw, line=line, offset=offset)


def _grammar(shape: Shape) -> Grammar[Decoded]:
    match shape:
        case Shape(kind=SourceKind.ASTERISK_JSON):
            return JsonGrammar(shape.zone, shape.max_record_bytes)
        case Shape(kind=SourceKind.ASTERISK_CSV, columns="auto"):
            return CsvGrammar(shape.zone, shape.ambiguous, shape.max_record_bytes)
        case Shape(columns="auto"):
            raise SettingsError(["columns: asterisk-custom needs the names of its columns"])
        case _:
            return CustomGrammar(shape.columns, shape.zone, shape.max_record_bytes)
