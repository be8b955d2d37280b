"""Files are read again, as far as they are stored: what is nowhere is stored now, and nothing twice.

A record is recognised by its place in its file. So a file must be found again first, wherever rotation has
put it, and hold everything that was read of it. Whoever follows it meanwhile is not disturbed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

from cdrd.collect.carriers import Carrier
from cdrd.collect.compressed import OpenContent, open_content
from cdrd.collect.disk import DiskFile, look
from cdrd.collect.identity import Likeness, likeness
from cdrd.collect.siblings import Siblings, matching
from cdrd.collect.stage import shape_of
from cdrd.decode.decoders import RowDecoder, row_decoder_for
from cdrd.errors import SourceUnavailable
from cdrd.records import Chunk, DecodedChunk, FilePosition
from cdrd.source_settings import SourceSettings
from cdrd.store.database import Database
from cdrd.store.replays import Mended, Piece, Replayable, mend, settle_counts

_AT_ONCE = 1 << 20


class Replayed(NamedTuple):
    """What reading a file again has brought."""

    records: int = 0
    stored: int = 0
    suspended: int = 0
    duplicates: int = 0
    is_found: bool = True
    """False: no file has those bytes any more, or not all of them."""

    def plus(self, records: int, mended: Mended) -> Replayed:
        """So many records more, of which that was missing."""
        return Replayed(
            self.records + records,
            self.stored + mended.stored,
            self.suspended + mended.suspended,
            self.duplicates + mended.duplicates,
        )


@dataclass(frozen=True, slots=True)
class Places:
    """Where a source's files may be now."""

    source: SourceSettings

    def find(self, position: FilePosition) -> OpenContent | None:
        """The file that holds everything that was read, open; None where there is none."""
        for file in sorted(
            self._files(position.path), key=lambda f: f.physical != position.physical
        ):
            try:
                content = open_content(file.path)
            except OSError:
                continue
            try:
                if likeness(content, position) is Likeness.SAME:
                    return content
            except OSError:
                pass
            content.close()
        return None

    def _files(self, last_path: str) -> Iterator[DiskFile]:
        """Each file once, where it was seen last, and all that the settings mean."""
        seen: set[str] = set()
        named = self.source.path or self.source.drop
        bases = [last_path, *(matching(named) if named else ())]
        for base in bases:
            for file in _with_siblings(base, self.source.rotated):
                if file.path not in seen:
                    seen.add(file.path)
                    yield file


def _with_siblings(path: str, rotated: Sequence[str]) -> Iterator[DiskFile]:
    try:
        file = look(path)
    except (SourceUnavailable, OSError):
        return
    if file is not None:
        yield file
    yield from Siblings(path, rotated).files()


async def replay(
    database: Database,
    file: Replayable,
    source: SourceSettings,
    *,
    progress: Callable[[int], None] = lambda _: None,
    carrier: Carrier | None = None,
) -> Replayed:
    """Reads a file again up to its position; `progress` is told of bytes as they are done with."""
    content = await asyncio.to_thread(Places(source).find, file.position)
    if content is None:
        return Replayed(is_found=False)
    [family] = source.kind.families
    done = Replayed()
    with closing(content):
        if carrier is None:
            decoder, most = row_decoder_for(shape_of(source)), 2 * source.max_record_bytes + 65536
        else:
            decoder, most = carrier.decoder(carrier.header(content)), carrier.most_bytes
        pieces = _pieces(content, file.position, decoder, most)
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            mended = await mend(database, file, source.kind, piece)
            done = done.plus(len(piece.rows) + len(piece.rejected), mended)
            progress(piece.upto - piece.first)
    await settle_counts(database, file, family, done.records)
    return done


def _pieces(
    content: OpenContent, position: FilePosition, decoder: RowDecoder, most: int
) -> Iterator[Piece]:
    """The records of a file up to its position, as they were cut when they were read first."""
    offset, line = 0, 1
    want, most = _AT_ONCE, max(_AT_ONCE, most)
    while offset < position.offset:
        count = min(want, position.offset - offset)
        data = content.read(offset, count)
        is_last = count == position.offset - offset
        chunk = Chunk(data, offset, line, final=is_last or want >= most)
        decoded = decoder.chunk(chunk)
        if not decoded.consumed and not chunk.final:
            want = min(2 * want, most)
            continue
        if not decoded.consumed:
            return
        yield _piece(chunk, decoded)
        offset, line, want = offset + decoded.consumed, line + decoded.lines, _AT_ONCE


def _piece(chunk: Chunk, decoded: DecodedChunk) -> Piece:
    return Piece(chunk.offset, chunk.offset + decoded.consumed, decoded.rows, decoded.rejected)
