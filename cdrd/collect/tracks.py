"""Reading on in one open file: whole records from the position on, never past what was proven to be it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from cdrd.collect.compressed import OpenContent, is_compressed
from cdrd.collect.disk import DiskFile, seen
from cdrd.collect.generations import Generation, Generations
from cdrd.collect.identity import advanced, beginning, begins
from cdrd.records import Chunk, DecodedChunk, FileMark, FilePosition


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece(Chunk):
    """A piece, and the file that it is of: for whoever decodes it elsewhere and stores it there."""

    start: FilePosition
    """Where it begins, with what the disk said of the file just before it was read."""


Decode = Callable[[Piece], DecodedChunk]


@dataclass(frozen=True, slots=True)
class Taken:
    """A piece of a file, decoded: what is stored in one transaction."""

    generation: Generation
    start: FilePosition
    """Where the piece begins, with what the disk said of the file just before it was read."""
    chunk: Chunk
    decoded: DecodedChunk

    @property
    def position(self) -> FilePosition:
        """How far the file is stored once this is."""
        return self.position_at(
            self.chunk.offset + self.decoded.consumed, self.chunk.line + self.decoded.lines
        )

    def position_at(self, offset: int, line: int) -> FilePosition:
        """How far the file is stored once the piece is stored up to there."""
        data = memoryview(self.chunk.data)[: offset - self.chunk.offset]
        start = replace(self.start, file_id=self.generation.file_id)
        return advanced(start, data, line - self.chunk.line)


def note(generation: Generation, position: FilePosition) -> Taken:
    """Nothing is read, but there is something to remember of the file."""
    nothing = Chunk(b"", position.offset, position.line)
    return Taken(generation, position, nothing, DecodedChunk((), (), 0, 0))


@dataclass(frozen=True, slots=True)
class Appetite:
    """How much is read at once."""

    batch_bytes: int
    """At least what the checksum of a beginning covers."""
    most_bytes: int
    """More than any record: where even so much holds no whole record, it is taken as it is."""


class Replaced(Exception):
    """What is before the position is not what was read there: the file became another."""


class Track:
    """An open file and the generation that is read from it."""

    def __init__(self, content: OpenContent, generation: Generation, *, now: float) -> None:
        self.content = content
        self.physical = content.status().physical
        self.generation = generation
        self.looked: tuple[str, int, int] | None = None
        """The state of the file in which everything there was looked at."""
        self.quiet_since = now
        self.closed = False
        self.held = False
        """The path has left it, so it is kept open: who wrote to it may not know yet."""

    @property
    def unread(self) -> int:
        """Bytes that are there and not read, as far as the disk tells."""
        size = self.content.status().size
        return size if self.compressed else max(0, size - self.generation.position.offset)

    @property
    def compressed(self) -> bool:
        """Whether the size on disk is not that of the content."""
        return is_compressed(self.content.path)

    def take(
        self,
        generations: Generations,
        decode: Decode,
        appetite: Appetite,
        *,
        final: bool = False,
    ) -> Taken | None:
        """The next whole records, or None where there are none yet. Raises Replaced."""
        file = self.content.status()
        start = self._start(file)
        want, forced = appetite.batch_bytes, False
        while True:
            data = self._read(start, want)
            more = len(data) == want
            chunk = Piece(
                data=data,
                offset=start.offset,
                line=start.line,
                final=forced or (final and not more),
                start=start,
            )
            decoded = decode(chunk) if data else DecodedChunk((), (), 0, 0)
            if decoded.consumed or not more or forced:
                break
            # only now: where a piece ends is no end of the file for the records before it
            forced = want >= appetite.most_bytes
            want = min(2 * want, appetite.most_bytes)
        self._known(file, data)
        if not decoded.consumed:
            self.looked = file.key
            self._young(generations, start, data)
            return None
        taken = Taken(self.generation, start, chunk, decoded)
        generations.move(self.generation, taken.position)
        return taken

    def _start(self, file: DiskFile) -> FilePosition:
        """The position, with the size of the file at this moment, which is before it is read."""
        position = replace(seen(self.generation.position, file), file_id=self.generation.file_id)
        return replace(position, seen_size=0, seen_mtime_ns=0) if self.compressed else position

    def _read(self, position: FilePosition, want: int) -> bytes:
        """What follows on the position, once it is sure that what was read before is still before it."""
        mark = position.mark
        data = self.content.read(position.offset - len(mark.tail), len(mark.tail) + want)
        # a compressed file is not written to again, and would have to be read from its beginning
        same_head = self.compressed or self._has_head(mark, data if position.offset == 0 else None)
        if not same_head or not data.startswith(mark.tail):
            raise Replaced
        return data[len(mark.tail) :]

    def _has_head(self, mark: FileMark, data: bytes | None) -> bool:
        if not mark.head_length:
            return True
        return begins(self.content.read(0, mark.head_length) if data is None else data, mark)

    def _known(self, file: DiskFile, data: bytes) -> None:
        generation = self.generation
        size = 0 if self.compressed else file.size
        generation.known = max(generation.known, generation.position.offset + len(data), size)

    def _young(self, generations: Generations, start: FilePosition, data: bytes) -> None:
        """Nothing of it is stored, so its beginning is remembered here, to find it elsewhere."""
        if start.offset == 0:
            generations.move(self.generation, replace(start, mark=beginning(data)))
