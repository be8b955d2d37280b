"""A drop folder: whole files, delivered by rsync, SFTP or NFS, each read once from its beginning to its end.

A file is taken when it is complete: it has not changed for a while, and its name is not one that a
delivery uses while it is under way. What it is, its content says (what is in it, where it is compressed):

- all of a file that was read, byte for byte, and more behind it: what is new is read, as of a file that grew;
- it begins as a file does that was read or held before, or is the same: held, until somebody releases or
  discards it;
- anything else is a new file, whatever its name.

Where it ends within a record its delivery was cut off: that record stays unread until the rest of it comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from cdrd.collect.arriving import Arriving
from cdrd.collect.compressed import OpenContent, open_content
from cdrd.collect.disk import DiskFile, seen
from cdrd.collect.fingerprint import Fingerprint, digest_of, fingerprint
from cdrd.collect.follow import Reading
from cdrd.collect.forbidden import Forbidden
from cdrd.collect.generations import Generation, Generations
from cdrd.collect.happened import Happened, What
from cdrd.collect.identity import HEAD_BYTES, Likeness, beginning, likeness
from cdrd.collect.tracks import Decode, Piece, Replaced, Taken, Track, note
from cdrd.errors import SourceUnavailable
from cdrd.records import DecodedChunk, FileMark, FilePosition, FileState, Reason

_LOOK_EVERY = 1.0
"""Seconds between two looks into the folder, or more where there is very much in it."""
_LOOKS_TAKE = 10
"""Looking may take one part in so many of the time."""
_AGAIN = 5.0
"""Seconds until a file is tried again that could not be read."""
_DONE = (FileState.FINISHED, FileState.HELD, FileState.DISCARDED)


class Opened(NamedTuple):
    """How one file is decoded."""

    decode: Decode
    header: bytes | None = None
    """What it begins with, where that says how."""


class DropFolder:
    """What is read next of a drop folder. Knows nothing of the database but the positions it is given."""

    def __init__(
        self,
        pattern: str,
        quiet: float,
        reading: Reading,
        opened: Callable[[OpenContent], Opened] | None = None,
    ) -> None:
        """`opened` says how a file is decoded that is not as all others; SourceUnavailable if not at all."""
        self._reading = reading
        self._opened = opened or (lambda _: Opened(reading.decode))
        self._decode = reading.decode
        self._arriving = Arriving(pattern, quiet)
        self._forbidden = Forbidden(pattern)
        self._generations = Generations()
        self._known: list[Generation] = []
        self._track: Track | None = None
        self._found: Fingerprint | None = None
        """What the file held that was looked into last."""
        self._told: list[Happened] = []
        self._unreadable: set[str] = set()
        self._look_at = float("-inf")

    def resume(self, positions: Iterable[FilePosition]) -> None:
        """Goes on from what the database has, whatever was read and not stored."""
        self.close()
        self._known = [Generation(one, one.offset, one.file_id) for one in positions]
        self._generations = Generations()
        for generation in self._known:
            self._generations.add(generation)
        self._look_at = float("-inf")

    def take(self) -> Taken | None:
        """The next piece of a file, decoded; None where there is nothing (yet)."""
        if self._track is not None:
            return self._read(self._track)
        now = self._reading.stopwatch()
        if now < self._look_at:
            return None
        done = {_key(one.position) for one in self._known if _is_done(one.position)}
        files = self._arriving.look(now, known=lambda file: file.key in done)
        self._told += self._forbidden.look()
        took = self._reading.stopwatch() - now
        for file in files:
            taken = self._begin(file, now)
            if taken is not None:
                return taken
        self._look_at = now + max(_LOOK_EVERY, _LOOKS_TAKE * took)
        return None

    def begin(self, file: DiskFile) -> Taken | None:
        """Looks into a file that somebody names, also when it is known: it is read from now on, or held."""
        return self._begin(file, self._reading.stopwatch())

    @property
    def paths(self) -> list[str]:
        """The path that is read now, and the folders that would be if they might."""
        reading = [] if self._track is None else [self._track.content.path]
        return [*reading, *self._forbidden.folders]

    @property
    def held(self) -> int:
        """How many files wait for a decision."""
        return sum(_is_held(one.position) for one in self._known)

    def lag(self) -> int:
        """Bytes that are there and not read."""
        track = self._track
        read = {
            one.position.physical: one.position.offset
            for one in self._known
            if one.position.state is FileState.FOLLOWING
        }
        waiting = sum(
            max(0, file.size - read.get(file.physical, 0))
            for file in self._arriving.waiting
            if track is None or file.physical != track.physical
        )
        return waiting if track is None else waiting + track.unread

    def happened(self) -> list[Happened]:
        """What the operator should know since this was last asked."""
        told, self._told = self._told, []
        return told

    def close(self) -> None:
        """Lets go of the file that is read."""
        if self._track is not None:
            self._track.content.close()
            self._track = None

    def _begin(self, file: DiskFile, now: float) -> Taken | None:
        """Looks into a complete file: it is read from now on, or held, or left alone for a while."""
        try:
            with ExitStack() as opened:
                content = opened.enter_context(closing(open_content(file.path)))
                generation = self._judged(file, content, now)
                if generation is None:
                    return None
                if generation.position.state is FileState.HELD:
                    return note(generation, generation.position)
                self._track = Track(content, generation, now=now)
                opened.pop_all()
        except FileNotFoundError:
            return None
        except (OSError, SourceUnavailable) as error:
            self._arriving.put_aside(file, now + _AGAIN)
            if file.path not in self._unreadable:
                self._unreadable.add(file.path)
                self._tell(What.FILE_UNREADABLE, file.path, error=str(error))
            return None
        self._unreadable.discard(file.path)
        return self._read(self._track)

    def _judged(self, file: DiskFile, content: OpenContent, now: float) -> Generation | None:
        """What the file is, once it is sure that all of it is there."""
        if not content.is_whole():
            self._tell(What.FILE_CUT, file.path, offset=0)
            self._arriving.put_aside(file)
            return None
        alike = self._generations.alike(content)
        ours = [one for one in alike if not one.position.elsewhere]
        finished = [one for one in ours if one.position.state is FileState.FINISHED]
        self._found = found = fingerprint(content, finished)
        if content.status().key != file.key:
            return None
        if not found.ends_a_line and self._arriving.may_be_cut(file, now):
            self._arriving.put_aside(file, now + _AGAIN)
            return None
        going_on = _going_on(content, ours, found)
        if going_on is None and alike:
            return self._held(file, content, alike)
        opened = self._opened(content)
        self._decode = opened.decode
        if going_on is not None:
            return self._following(going_on, opened)
        return self._new(file, opened)

    def _following(self, generation: Generation, opened: Opened) -> Generation:
        position = replace(generation.position, state=FileState.FOLLOWING, header=opened.header)
        self._generations.move(generation, position)
        self._tell(What.FILE_FOUND, position.path, offset=position.offset)
        return generation

    def _held(
        self, file: DiskFile, content: OpenContent, alike: Sequence[Generation]
    ) -> Generation:
        """A potential duplicate; the same one held at the same path is a delivery that is repeated."""
        assert self._found is not None  # noqa: S101 - it was looked into
        sha256 = self._found.sha256
        like = max(
            alike,
            key=lambda one: (
                one.position.sha256 == sha256,
                one.position.state is not FileState.HELD,
                one.file_id or 0,
            ),
        )
        same = (file.path, sha256)
        generation = next(
            (
                one
                for one in alike
                if _is_held(one.position) and (one.position.path, one.position.sha256) == same
            ),
            None,
        )
        if generation is None:
            mark = beginning(content.read(0, HEAD_BYTES))
            generation = self._added(
                replace(_fresh(file), mark=mark, sha256=sha256, like=like.file_id)
            )
        position = replace(seen(generation.position, file), state=FileState.HELD)
        self._generations.move(generation, position)
        self._tell(What.FILE_HELD, file.path, like=like.file_id or 0)
        return generation

    def _new(self, file: DiskFile, opened: Opened) -> Generation:
        self._tell(What.FILE_FOUND, file.path, offset=0)
        return self._added(replace(_fresh(file), header=opened.header))

    def _added(self, position: FilePosition) -> Generation:
        generation = Generation(position)
        self._known.insert(0, generation)
        self._generations.add(generation)
        return generation

    def _read(self, track: Track) -> Taken | None:
        content = track.content
        # as it is before it is read for the last time: what is appended behind that is looked into again
        file = content.opened if track.compressed else content.status()
        try:
            taken = track.take(
                self._generations,
                partial(_whole_records, self._decode),
                self._reading.appetite,
                final=True,
            )
        except Replaced:
            self._tell(What.FILE_TRUNCATED, content.path, offset=0)
            self.close()
            return None
        if taken is not None:
            return taken
        end = content.length() if track.compressed else file.size
        if end > track.generation.position.offset:  # what is left is a record's beginning
            self._cut_off(track, file)
            return None
        return self._finished(track, file)

    def _cut_off(self, track: Track, file: DiskFile) -> None:
        """All that is whole is read; it is looked into again when it has changed."""
        generation = track.generation
        self._tell(What.FILE_CUT, file.path, offset=generation.position.offset)
        self._arriving.put_aside(file)
        if not generation.position.offset and generation.file_id is None:
            self._known.remove(generation)
            self._generations.forget(generation)
        self.close()

    def _finished(self, track: Track, file: DiskFile) -> Taken:
        """All of it is read, and what was appended since it was looked into."""
        position = track.generation.position
        finished = replace(
            seen(position, file), state=FileState.FINISHED, sha256=self._sha256(track)
        )
        self._tell(What.FILE_FINISHED, file.path, bytes=position.offset, lines=position.line - 1)
        self._generations.move(track.generation, finished)
        self.close()
        return note(track.generation, finished)

    def _sha256(self, track: Track) -> bytes:
        length = track.generation.position.offset
        if self._found is not None and self._found.length == length:
            return self._found.sha256
        return digest_of(track.content, length)

    def _tell(self, what: What, path: str, **detail: str | int) -> None:
        self._told.append(Happened(what, path, detail))


def _whole_records(decode: Decode, piece: Piece) -> DecodedChunk:
    """What a piece becomes, but for a record of which only the beginning is there."""
    decoded = decode(piece)
    last = decoded.rejected[-1] if decoded.rejected else None
    if (
        last is None
        or last.reason is not Reason.TORN
        or last.offset + len(last.raw) != piece.offset + decoded.consumed
    ):
        return decoded
    return replace(
        decoded,
        rejected=decoded.rejected[:-1],
        consumed=last.offset - piece.offset,
        lines=last.line - piece.line,
    )


def _going_on(
    content: OpenContent, alike: Iterable[Generation], found: Fingerprint
) -> Generation | None:
    """A file that was being read, is to be read after all, or has grown since it was read."""
    is_known = False
    for generation in alike:
        position = generation.position
        is_same = position.sha256 == found.sha256
        if position.state is FileState.RELEASED and is_same:
            return generation
        if position.state is FileState.FOLLOWING and (
            position.offset > 0 and likeness(content, position) is Likeness.SAME
        ):
            return generation
        is_known = is_known or is_same
    return None if is_known or not found.begins_with else found.begins_with[0]


def _is_held(position: FilePosition) -> bool:
    return position.state is FileState.HELD and not position.elsewhere


def _fresh(file: DiskFile) -> FilePosition:
    return FilePosition(None, file.path, file.physical, FileMark(0, b"", b""), 0, 1)


def _is_done(position: FilePosition) -> bool:
    return position.elsewhere or position.state in _DONE


def _key(position: FilePosition) -> tuple[str, int, int]:
    return (position.physical, position.seen_size, position.seen_mtime_ns)
