"""Files become tracks: a file is opened, and what is in it decides which generation goes on in it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace

from cdrd.clock import Clock
from cdrd.collect.compressed import OpenContent, open_content
from cdrd.collect.disk import DiskFile, look, seen
from cdrd.collect.generations import Generation, Generations, begun
from cdrd.collect.openfiles import OpenFiles
from cdrd.collect.siblings import Siblings
from cdrd.collect.survey import Survey
from cdrd.collect.tracks import Taken, Track, note
from cdrd.collect.verdicts import Verdict
from cdrd.collect.whereabouts import Judged, Whereabouts


class Finder:
    """Finds what to read for one path, in it and beside it."""

    def __init__(
        self, path: str, siblings: Siblings, clock: Clock, is_ours: Callable[[Generation], bool]
    ) -> None:
        self.path = path
        self.files = OpenFiles()
        self.survey = Survey(siblings, clock)
        self.generations = Generations()
        self.at_path: DiskFile | None = None
        """The file at the path, when it was last looked at."""
        self.truncated: str | None = None
        """Its inode, when it was seen to become shorter."""
        self._is_ours = is_ours

    def look_at_path(self) -> DiskFile | None:
        """The file at the path now."""
        self.at_path = look(self.path)
        return self.at_path

    def look_around(self, now: float) -> None:
        """Lists the rotated files, and learns where those that are open are now."""
        tracked = {track.physical: track for track in self.files}
        self.survey.look(
            now,
            path=self.at_path,
            known=lambda file: file.physical in tracked or self.generations.is_done_with(file),
        )
        for physical in tracked.keys() & self.survey.files.keys():
            tracked[physical].content.path = self.survey.files[physical].path

    def open_path(self, now: float) -> Track | None:
        """Begins with the file at the path, or None while it can't be told what it is."""
        with ExitStack() as opened:
            try:
                content = opened.enter_context(closing(open_content(self.path)))
            except FileNotFoundError:
                return None
            file = content.status()
            settled = file.physical == self.truncated or self.survey.settled(file, now)
            judged = self._around().of_path(content, self._alike(content), settled=settled)
            if judged.verdict is Verdict.WAIT or not file.size:
                self.survey.waiting = True
                return None
            self.files.live = track = self._track(content, judged, now)
            opened.pop_all()
        self.truncated = None
        return track

    def open_next(self, now: float) -> Taken | None:
        """Looks into the oldest of the pending files: it becomes the backlog, or has nothing to read.

        Returns what is to be remembered of a file that has nothing to read.
        """
        file = self.survey.pending.popleft()
        try:
            with ExitStack() as opened:
                content = opened.enter_context(closing(open_content(file.path)))
                if content.status().physical != file.physical:
                    self.survey.want()
                    return None
                judged = self._around().of_rotated(
                    content, self._alike(content), settled=self.survey.settled(file, now)
                )
                if judged.verdict in (Verdict.GOES_ON, Verdict.NEW):
                    self.files.backlog = self._track(content, judged, now)
                    opened.pop_all()
                    return None
        except FileNotFoundError:
            self.survey.want()
            return None
        return self._nothing_to_read(file, judged)

    def _nothing_to_read(self, file: DiskFile, judged: Judged) -> Taken | None:
        match judged:
            case Judged(Verdict.WAIT):
                self.survey.leave_undecided(file)
            case Judged(Verdict.CUT):
                self.survey.put_aside(file)
            case Judged(verdict, generation):
                self.survey.put_aside(file, copy_of=generation)
                if verdict is Verdict.ENDED and generation is not None:
                    return self.remember(generation, file)
        return None

    def moved(self, generation: Generation, file: DiskFile) -> Taken:
        """What is to be stored when a generation goes on in another file."""
        position = replace(seen(generation.position, file), seen_size=0, seen_mtime_ns=0)
        self.generations.move(generation, position)
        return note(generation, position)

    def remember(self, generation: Generation, file: DiskFile) -> Taken | None:
        """What is to be stored so that a file which was read to its end is not opened again."""
        position = seen(generation.position, file)
        if position == generation.position or not position.offset:
            return None
        self.generations.move(generation, position)
        return note(generation, position)

    def _around(self) -> Whereabouts:
        return Whereabouts(self.survey, self.at_path, self.files)

    def _alike(self, content: OpenContent) -> list[Generation]:
        return [
            generation
            for generation in self.generations.alike(content)
            if self._is_ours(generation)
        ]

    def _track(self, content: OpenContent, judged: Judged, now: float) -> Track:
        """From now on the generation is read in this file, and in no other."""
        generation = judged.generation
        if judged.verdict is Verdict.NEW or generation is None:
            generation = begun(content, content.status())
            self.generations.add(generation)
        elsewhere = self.files.reading(generation)
        if elsewhere is not None:
            self.files.close(elsewhere)
            self.survey.want(anew=True)
        return Track(content, generation, now=now)
