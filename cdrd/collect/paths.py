"""All files of a source: one follower for each path that its setting means, read in turn."""

from __future__ import annotations

from collections.abc import Iterable

from cdrd.collect.follow import Follower, Reading
from cdrd.collect.forbidden import Forbidden
from cdrd.collect.generations import Generation, Generations
from cdrd.collect.happened import Happened
from cdrd.collect.siblings import Siblings, matching
from cdrd.collect.tracks import Taken
from cdrd.records import FilePosition

_DISCOVER_EVERY = 1.0
"""Seconds between two looks for new paths."""


class SourceFiles:
    """What is read next of a source. Knows nothing of the database but the positions it is given."""

    def __init__(self, path: str, rotated: Iterable[str], reading: Reading) -> None:
        self._path = path
        self._rotated = tuple(rotated)
        self._reading = reading
        self._generations = Generations()
        self._followers: dict[str, Follower] = {}
        self._matches: frozenset[str] = frozenset()
        self._forbidden = Forbidden(path)
        self._told: list[Happened] = []
        self._discover_at = float("-inf")
        self._turn = 0

    def resume(self, positions: Iterable[FilePosition]) -> None:
        """Goes on from what the database has, whatever was read and not stored."""
        self._generations = Generations(positions)
        self._discover()
        missing = self._generations.incomplete()
        for number, follower in enumerate(self._followers.values()):
            # what was last seen where nobody looks any more is looked for by the first
            responsible = (follower,) if number else (follower, None)
            follower.resume(
                self._generations, [lost for lost in missing if self._owner(lost) in responsible]
            )

    def take(self) -> Taken | None:
        """The next piece of any file, decoded; None where there is nothing (yet)."""
        if self._reading.stopwatch() - self._discover_at >= _DISCOVER_EVERY:
            self._discover()
        followers = list(self._followers.values())
        for step in range(len(followers)):
            follower = followers[(self._turn + step) % len(followers)]
            taken = follower.take()
            if taken is not None:
                self._turn = (self._turn + step + 1) % len(followers)
                return taken
        return None

    @property
    def held(self) -> int:
        """Nobody decides about files that are followed."""
        return 0

    @property
    def paths(self) -> list[str]:
        """The paths that are followed now, and the folders that are looked into in vain."""
        return sorted([*self._followers, *self._forbidden.folders])

    def lag(self) -> int:
        """Bytes that are there and not read."""
        return sum(follower.lag() for follower in self._followers.values())

    def happened(self) -> list[Happened]:
        """What the operator should know since this was last asked."""
        told, self._told = self._told, []
        for follower in self._followers.values():
            told += follower.happened
            follower.happened.clear()
        return told

    def close(self) -> None:
        """Lets go of every file."""
        for follower in self._followers.values():
            follower.close()

    def _discover(self) -> None:
        self._discover_at = self._reading.stopwatch()
        self._told += self._forbidden.look()
        matches = frozenset(matching(self._path))
        if matches != self._matches or not self._followers:
            self._matches = matches
            self._follow(matches)
        for path, follower in list(self._followers.items()):
            if path not in matches and follower.idle:
                del self._followers[path]

    def _follow(self, matches: frozenset[str]) -> None:
        """Follows each path that matches and is no rotated file of another that does."""
        known = {path: follower.siblings for path, follower in self._followers.items()}
        for path in matches - known.keys():
            known[path] = Siblings(path, self._rotated)
        for path in sorted(known):
            rotated = any(siblings.include(path) for siblings in known.values())
            if rotated and path in self._followers:
                # it was found in the moment of a rotation, before the path that it was rotated from
                self._followers.pop(path).close()
            elif not rotated and path not in self._followers:
                self._add(path, known[path])

    def _add(self, path: str, siblings: Siblings) -> None:
        follower = Follower(
            path,
            siblings,
            self._reading,
            is_ours=lambda generation: self._owner(generation) in (None, follower),
        )
        follower.resume(self._generations)
        self._followers[path] = follower

    def _owner(self, generation: Generation) -> Follower | None:
        """Whose file a generation was last seen in; None where that is nobody's (any more)."""
        path = generation.position.path
        follower = self._followers.get(path)
        if follower is not None:
            return follower
        return next(
            (other for other in self._followers.values() if other.siblings.include(path)), None
        )
