"""One path, followed: which of its files to read next, and what became of it.

Files are polled, not watched: polling works on every file system, misses nothing when a queue of
notifications overflows, and costs a stat() or two where nothing happens.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cdrd.clock import Clock, Stopwatch, stopwatch, utc_now
from cdrd.collect.disk import DiskFile
from cdrd.collect.finding import Finder
from cdrd.collect.generations import Generation, Generations
from cdrd.collect.happened import Happened, What
from cdrd.collect.identity import Likeness, likeness
from cdrd.collect.missing import Missing, given_up
from cdrd.collect.openfiles import restored
from cdrd.collect.siblings import Siblings
from cdrd.collect.survey import GRACE
from cdrd.collect.tracks import Appetite, Decode, Replaced, Taken, Track, note
from cdrd.errors import SourceUnavailable

_PROMPT_BYTES = 65536
"""So little at the path is read before any backlog: a fresh record does not wait for old ones."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
"""Seconds between attempts at a file that can't be read."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How all files of a source are read."""

    decode: Decode
    appetite: Appetite
    clock: Clock = utc_now
    stopwatch: Stopwatch = stopwatch


class Follower:
    """One path and its rotated files."""

    def __init__(
        self,
        path: str,
        siblings: Siblings,
        reading: Reading,
        *,
        is_ours: Callable[[Generation], bool] = lambda _: True,
    ) -> None:
        self.path = path
        self.siblings = siblings
        self.happened: list[Happened] = []
        """What the operator should know; whoever reads it empties it."""
        self._reading = reading
        self._finder = Finder(path, siblings, reading.clock, is_ours)
        self._files = self._finder.files
        self._missing = Missing()
        self._notes: deque[Taken] = deque()
        self._fresh = False
        """Whether the last turn began with what is fresh at the path."""
        self._pause = 0.0
        self._paused_until = 0.0
        self._unreadable: set[str] = set()

    def resume(self, generations: Generations, missing: Iterable[Generation] = ()) -> None:
        """Goes on from what the database has. Open files stay open: they may be in no folder any more."""
        now = self._reading.stopwatch()
        before, self._missing = self._missing, Missing()
        self._finder.generations = generations
        self._finder.survey.want(anew=True)
        self._finder.survey.copies.clear()
        self._notes.clear()
        lost = self._files.resume(generations)
        for generation in [*missing, *lost, *(restored(old, generations) for old in before)]:
            self._missing.add(generation, now)

    def take(self) -> Taken | None:
        """Reads and decodes what comes next; None where there is nothing (yet)."""
        now = self._reading.stopwatch()
        if now < self._paused_until:
            return None
        try:
            taken = self._turn(now)
        except (OSError, SourceUnavailable) as error:
            self._pause_after(error, now)
            return None
        if self._pause:
            self._pause = 0.0
            self._unreadable.discard(self.path)
            self._tell(What.FILE_READABLE, self.path)
        return taken

    def lag(self) -> int:
        """Bytes that are there and not read, as far as the sizes on disk tell."""
        pending = self._finder.survey.pending
        return sum(track.unread for track in self._files) + sum(file.size for file in pending)

    @property
    def idle(self) -> bool:
        """Whether there is nothing at the path, and nothing left to do for what was."""
        finder = self._finder
        return finder.at_path is None and not any(
            [*self._files, *finder.survey.pending, *self._notes]
        )

    def close(self) -> None:
        """Lets go of every file."""
        for track in self._files:
            self._files.close(track)

    def _turn(self, now: float) -> Taken | None:
        if not self._notes:
            self._look(now)
        if not self._notes:
            taken = (
                self._read_fresh(now)
                or self._read_backlog(now)
                or self._read_held(now)
                or self._read_live(now)
            )
            if taken is not None:
                return taken
            self._give_up(now)
        return self._notes.popleft() if self._notes else None

    def _look(self, now: float) -> None:
        """What is at the path, and, when something may have changed there, beside it."""
        finder = self._finder
        file = finder.look_at_path()
        if self._files.live is not None:
            self._look_at_live(self._files.live, file, now)
        if finder.survey.due(now):
            finder.look_around(now)
            live = self._files.live
            if live is not None and live.physical in finder.survey.files:
                self._leave(live, "renamed", now)
        if self._files.live is None and file is not None and file.size:
            self._open_path(now)

    def _open_path(self, now: float) -> None:
        track = self._finder.open_path(now)
        if track is None:
            return
        generation = track.generation
        self._tell(What.FILE_FOUND, self.path, offset=generation.position.offset)
        if generation.position.offset and generation.position.physical != track.physical:
            # the inode is evidence from now on, so it is stored before anything else can happen
            self._notes.append(self._finder.moved(generation, track.content.opened))

    def _look_at_live(self, live: Track, file: DiskFile | None, now: float) -> None:
        if file is None:
            if live.content.status().links == 0:
                self._leave(live, "removed", now)
        elif file.physical != live.physical:
            self._leave(live, "renamed", now)
        elif file.size < live.generation.known and not live.compressed:
            self._shrunk(live, file, now)

    def _leave(self, track: Track, how: str, now: float) -> None:
        offset = track.generation.position.offset
        self._tell(What.FILE_ROTATED, self.path, how=how, offset=offset)
        self._files.leave(track, now)
        self._finder.survey.want()

    def _shrunk(self, track: Track, file: DiskFile, now: float) -> None:
        """The file at the path is shorter than it was: truncated, or its last bytes were taken back."""
        generation = track.generation
        position = generation.position
        if 0 < position.offset <= file.size and (
            likeness(track.content, position) is Likeness.SAME
        ):
            self._tell(What.BYTES_UNREAD, self.path, bytes=generation.known - file.size)
            generation.known = file.size
        else:
            self._became_another(track, now)

    def _became_another(self, track: Track, now: float) -> None:
        if track is self._files.live:
            self._finder.truncated = track.physical
            offset = track.generation.position.offset
            self._tell(What.FILE_TRUNCATED, self.path, offset=offset)
        self._let_go(track, now)
        self._finder.survey.want(anew=True)

    def _let_go(self, track: Track, now: float) -> None:
        self._files.close(track)
        self._missing.add(track.generation, now)
        if track.generation.complete:
            self._finder.generations.forget(track.generation)

    def _read(self, track: Track, now: float, *, final: bool = False) -> Taken | None:
        reading, generations = self._reading, self._finder.generations
        try:
            return track.take(generations, reading.decode, reading.appetite, final=final)
        except Replaced:
            self._became_another(track, now)
        return None

    def _read_fresh(self, now: float) -> Taken | None:
        """A little at the path goes first, every other time: an eager writer must not stop the backlog."""
        live = self._files.live
        self._fresh = not self._fresh and live is not None and live.unread <= _PROMPT_BYTES
        return self._read_live(now) if self._fresh else None

    def _read_live(self, now: float) -> Taken | None:
        track = self._files.live
        if track is None or track.looked == track.content.status().key:
            return None
        return self._read(track, now)

    def _read_backlog(self, now: float) -> Taken | None:
        while self._files.backlog is not None or self._finder.survey.pending:
            if self._files.backlog is None:
                self._open_next(now)
                if self._notes:
                    return self._notes.popleft()
            elif taken := self._read_rotated(self._files.backlog, now):
                return taken
        return None

    def _open_next(self, now: float) -> None:
        survey = self._finder.survey
        file = survey.pending[0]
        try:
            remembered = self._finder.open_next(now)
        except OSError as error:  # this one alone: it is tried again with the next survey
            survey.leave_unreadable(file)
            self._tell_unreadable(file.path, error)
            return
        self._unreadable.discard(file.path)
        if remembered is not None:
            self._notes.append(remembered)

    def _read_held(self, now: float) -> Taken | None:
        for track in list(self._files.held):
            if taken := self._read_rotated(track, now):
                return taken
        return None

    def _read_rotated(self, track: Track, now: float) -> Taken | None:
        if track.looked != track.content.status().key:
            track.quiet_since = now
            taken = self._read(track, now)
            if taken is not None or track.closed:
                return taken
        return self._at_end(track, now)

    def _at_end(self, track: Track, now: float) -> Taken | None:
        """All of a rotated file was looked at: wait for more, take the torn rest, or be done with it."""
        if not track.content.is_whole():
            self._tell(What.FILE_CUT, track.content.path, offset=track.generation.position.offset)
            self._finder.survey.put_aside(track.content.opened)
            self._let_go(track, now)
            return None
        torn = track.content.length() > track.generation.position.offset
        may_grow = (track.held or torn) and not track.compressed
        if may_grow and now - track.quiet_since < GRACE:
            self._files.keep_looking(track)
            return None
        if torn and (taken := self._read(track, now, final=True)):
            return taken
        if not track.closed:
            self._finish(track, now)
        return None

    def _finish(self, track: Track, now: float) -> None:
        content, position = track.content, track.generation.position
        file = content.opened if track.compressed else content.status()
        self._tell(What.FILE_FINISHED, file.path, bytes=position.offset, lines=position.line - 1)
        gone = content.status().links == 0
        self._let_go(track, now)
        if gone:
            self._finder.survey.want(anew=True)  # a compressed copy is all that is left of it
        elif remembered := self._finder.remember(track.generation, file):
            self._notes.append(remembered)

    def _give_up(self, now: float) -> None:
        """What was looked for long enough is reported, and stored as unread."""
        finder, survey = self._finder, self._finder.survey
        if finder.at_path is None or self._files.backlog or survey.waiting or survey.unreadable:
            return
        generation = self._missing.overdue(
            now, found=lambda lost: self._files.reading(lost) is not None
        )
        if generation is None:
            return
        position, news = given_up(generation)
        self._tell(What.BYTES_UNREAD, position.path, bytes=news)
        finder.generations.move(generation, position)
        self._notes.append(note(generation, position))

    def _pause_after(self, error: OSError | SourceUnavailable, now: float) -> None:
        if not self._pause:
            self._tell_unreadable(self.path, error)
        self._pause = min(max(2 * self._pause, _FIRST_PAUSE), _LONGEST_PAUSE)
        self._paused_until = now + self._pause
        for track in self._files:
            try:
                track.content.status()
            except OSError:  # its handle is of no use any more, as after a file server's restart
                self._let_go(track, now)

    def _tell(self, what: What, path: str, **detail: str | int) -> None:
        self.happened.append(Happened(what, path, detail))

    def _tell_unreadable(self, path: str, error: OSError | SourceUnavailable) -> None:
        if path not in self._unreadable:
            self._unreadable.add(path)
            self._tell(What.FILE_UNREADABLE, path, error=str(error))
