"""Generations: the contents that a source's files had, each known by how it begins, and how far it is read.

One path has many of them, one after another. Positions in the database are these, as far as stored;
here they run ahead by what is read and being stored right now.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from cdrd.collect.compressed import is_compressed
from cdrd.collect.disk import DiskFile
from cdrd.collect.identity import HEAD_BYTES, TAIL_BYTES, Content, beginning, begins, digest
from cdrd.records import FileId, FileMark, FilePosition


@dataclass(slots=True, eq=False)
class Generation:
    """One content, whichever file it is in."""

    position: FilePosition
    """As far as it is read; ahead of the database by what is being stored."""
    known: int = 0
    """How many bytes of content are known to have existed."""
    file_id: FileId | None = None
    """What the database calls it, once something of it is stored. Apart from `position`, because that
    is replaced by the thread that reads while this is set by whoever stores."""

    @property
    def complete(self) -> bool:
        """Whether nothing is known to be unread, but what was given up."""
        return self.position.offset + self.position.unread_bytes >= self.known

    @property
    def telling(self) -> bool:
        """Whether another file can be known for this one by what was read.

        The few bytes of a first record that was never finished (a quote, a digit) begin many files.
        """
        position = self.position
        return position.offset >= TAIL_BYTES or position.mark.tail[-1:] in (b"", b"\n")

    def is_done_with(self, file: DiskFile) -> bool:
        """Whether a file is the very one that this was read from, unchanged since its end was reached."""
        position = self.position
        seen = (position.physical, position.seen_size, position.seen_mtime_ns)
        return seen == file.key and (
            is_compressed(position.path) or position.offset >= position.seen_size
        )


def begun(content: Content, file: DiskFile) -> Generation:
    """A generation of which nothing is read yet, but how it begins: it may have to be found elsewhere."""
    mark = beginning(content.read(0, HEAD_BYTES))
    return Generation(FilePosition(None, file.path, file.physical, mark, 0, 1))


def stored(position: FilePosition) -> Generation:
    """A generation as the database has it."""
    known = position.offset + position.unread_bytes
    if not is_compressed(position.path):
        known = max(known, position.seen_size)
    return Generation(position, known, position.file_id)


def unstored(generation: Generation) -> Generation:
    """The same one, of which nothing was stored after all."""
    position, mark = generation.position, generation.position.mark
    fresh = FileMark(mark.head_length, mark.head_digest, b"")
    again = FilePosition(None, position.path, position.physical, fresh, 0, 1)
    return Generation(again, generation.known)


class Generations:
    """All of a source's, found by how they begin, whatever their number."""

    def __init__(self, positions: Iterable[FilePosition] = ()) -> None:
        self._young: list[Generation] = []
        """Those of which nothing is stored: their heads may still grow."""
        self._by_head: dict[tuple[int, bytes], list[Generation]] = defaultdict(list)
        self._head_lengths: set[int] = set()
        self._by_physical: dict[str, list[Generation]] = defaultdict(list)
        self._by_file: dict[FileId, Generation] = {}
        for position in positions:
            self.add(stored(position))

    def add(self, generation: Generation) -> None:
        """From now on it is found."""
        if generation.position.offset == 0:
            self._young.append(generation)
        else:
            self._know_head(generation)
        self._by_physical[generation.position.physical].append(generation)
        if generation.file_id is not None:
            self._by_file[generation.file_id] = generation

    def _know_head(self, generation: Generation) -> None:
        mark = generation.position.mark
        self._by_head[mark.head_length, mark.head_digest].append(generation)
        self._head_lengths.add(mark.head_length)

    def move(self, generation: Generation, position: FilePosition) -> None:
        """A generation is read further, or in another file."""
        before, generation.position = generation.position, position
        if before.offset == 0 < position.offset:
            self._young.remove(generation)
            self._know_head(generation)
        if before.physical != position.physical:
            self._by_physical[before.physical].remove(generation)
            self._by_physical[position.physical].append(generation)

    def forget(self, generation: Generation) -> None:
        """Nothing of it was stored, nor will be."""
        if generation in self._young and generation.file_id is None:
            self._young.remove(generation)
            self._by_physical[generation.position.physical].remove(generation)

    def incomplete(self) -> list[Generation]:
        """Those in the database of which something is known to be unread."""
        return [generation for generation in self._by_file.values() if not generation.complete]

    def of_file(self, file_id: FileId) -> Generation | None:
        """The one that the database knows by that id."""
        return self._by_file.get(file_id)

    def alike(self, content: Content) -> list[Generation]:
        """Those that begin as a file does, the least far read first: so that it is read forward."""
        head = content.read(0, HEAD_BYTES)
        found = [young for young in self._young if begins(head, young.position.mark)]
        for length in self._head_lengths:
            if length <= len(head):
                found += self._by_head.get((length, digest(head[:length])), ())
        return sorted(
            (generation for generation in found if generation.telling),
            key=lambda generation: generation.position.offset,
        )

    def is_done_with(self, file: DiskFile) -> bool:
        """Whether a file was read to its end, and has not changed since."""
        return any(
            generation.is_done_with(file) for generation in self._by_physical.get(file.physical, ())
        )
