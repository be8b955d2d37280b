"""The files of one path that are open: the one at the path, those it has left, and the backlog."""

from __future__ import annotations

from collections.abc import Iterator

from cdrd.collect.generations import Generation, Generations, unstored
from cdrd.collect.identity import Likeness, likeness
from cdrd.collect.tracks import Track


class OpenFiles:
    """Each generation is read in one file at most."""

    def __init__(self) -> None:
        self.live: Track | None = None
        """The file at the path."""
        self.backlog: Track | None = None
        """The one rotated file that is being read through."""
        self.held: list[Track] = []
        """Files the path has left, and rotated ones that end within a record: looked at for a while."""

    def __iter__(self) -> Iterator[Track]:
        """The oldest first."""
        if self.backlog is not None:
            yield self.backlog
        yield from list(self.held)
        if self.live is not None:
            yield self.live

    def reading(self, generation: Generation) -> Track | None:
        """Where a generation is read."""
        return next((track for track in self if track.generation is generation), None)

    def leave(self, track: Track, now: float) -> None:
        """The path is another file now; who has this one open may still write to it."""
        self.live = None
        track.held = True
        track.quiet_since = now
        self.held.append(track)

    def keep_looking(self, track: Track) -> None:
        """The backlog goes on with the next file; the end of this one is looked at later."""
        if track is self.backlog:
            self.backlog = None
            self.held.append(track)

    def close(self, track: Track) -> None:
        """Lets go of a file."""
        track.content.close()
        track.closed = True
        if track is self.live:
            self.live = None
        elif track is self.backlog:
            self.backlog = None
        else:
            self.held.remove(track)

    def resume(self, generations: Generations) -> list[Generation]:
        """Goes on in each file where the database has it; returns the generations that lost theirs."""
        lost = []
        for track in self:
            generation = restored(track.generation, generations, track)
            track.generation = generation
            track.looked = None
            if not _holds(track):
                self.close(track)
                lost.append(generation)
        return lost


def _holds(track: Track) -> bool:
    """Whether an open file still is what is read from it."""
    position = track.generation.position
    try:
        return not position.offset or likeness(track.content, position) is Likeness.SAME
    except OSError:
        return False


def restored(old: Generation, generations: Generations, track: Track | None = None) -> Generation:
    """What the database has of a generation that was known before; new where it has nothing.

    The outcome of its first commit may have been unknown: then it is found by its content.
    """
    new = None
    if old.file_id is not None:
        new = generations.of_file(old.file_id)
    elif track is not None:
        new = _stored_after_all(track, generations)
    if new is None:
        new = unstored(old)
        generations.add(new)
    new.known = max(new.known, old.known)
    return new


def _stored_after_all(track: Track, generations: Generations) -> Generation | None:
    found = [
        generation
        for generation in generations.alike(track.content)
        if generation.position.physical == track.physical
        and likeness(track.content, generation.position) is Likeness.SAME
    ]
    return found[-1] if found else None
