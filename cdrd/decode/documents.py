"""Records of which each is one document: those that FreeSWITCH, Yeastar and Grandstream push."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from cdrd.decode.copytext import copy_row
from cdrd.decode.freeswitch import freeswitch_json, freeswitch_xml
from cdrd.decode.grandstream import grandstream_csv, grandstream_json
from cdrd.decode.yeastar import yeastar_record
from cdrd.records import Chunk, Decoded, DecodedChunk, Reason, Rejected, SourceKind

Read = Callable[[bytes, int, int], Decoded | Rejected]
"""Takes a record's bytes, its line and its offset."""


@dataclass(frozen=True, slots=True)
class DocumentDecoder:
    """Reads one document at a time."""

    read: Read

    def chunk(self, chunk: Chunk) -> DecodedChunk:
        """A piece that is one document."""
        found = self.row(chunk.data, line=chunk.line, offset=chunk.offset)
        return DecodedChunk(
            rows=[found] if isinstance(found, str) else [],
            rejected=[found] if isinstance(found, Rejected) else [],
            consumed=len(chunk.data),
            lines=chunk.data.count(b"\n"),
        )

    def record(self, raw: bytes, *, line: int, offset: int) -> Decoded | Rejected:
        """One document."""
        return self.read(raw, line, offset)

    def row(self, raw: bytes, *, line: int, offset: int) -> str | Rejected:
        """One document as a line of COPY text."""
        found = self.read(raw, line, offset)
        return found if isinstance(found, Rejected) else copy_row(found)


def document_decoder(kind: SourceKind, zone: str) -> DocumentDecoder | None:
    """The decoder of a kind whose records are documents; None for the others."""
    where = ZoneInfo(zone)
    match kind:
        case SourceKind.FREESWITCH:
            return DocumentDecoder(_freeswitch)
        case SourceKind.YEASTAR:
            return DocumentDecoder(
                lambda raw, line, offset: yeastar_record(raw, where, line=line, offset=offset)
            )
        case SourceKind.GRANDSTREAM:
            return DocumentDecoder(lambda raw, line, offset: _only(raw, line, offset, where))
    return None


def begins(body: bytes, *beginnings: bytes) -> bool:
    """Whether a text begins with one of these, blanks and a byte order mark aside."""
    return body.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(beginnings)


def grandstream(body: bytes, zone: ZoneInfo) -> list[Decoded | Rejected]:
    """The records of an answer of Grandstream's CDR API, in whichever form."""
    return grandstream_json(body, zone) if begins(body, b"{", b"[") else grandstream_csv(body, zone)


def _freeswitch(raw: bytes, line: int, offset: int) -> Decoded | Rejected:
    read = freeswitch_xml if begins(raw, b"<") else freeswitch_json
    return read(raw, line=line, offset=offset)


def _only(raw: bytes, line: int, offset: int, zone: ZoneInfo) -> Decoded | Rejected:
    found = grandstream(raw, zone)
    if len(found) != 1:
        detail = f"{len(found)} records, expected one"
        return Rejected(raw, line, offset, Reason.AMBIGUOUS, detail)
    return found[0]._replace(line=line, offset=offset)
