"""Bytes that are known to have existed and are in no file any more: looked for, then reported."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from cdrd.collect.generations import Generation
from cdrd.collect.survey import GRACE
from cdrd.records import FilePosition


class Missing:
    """Generations with something unread, while no file is known to have it."""

    def __init__(self) -> None:
        self._since: dict[Generation, float] = {}

    def __iter__(self) -> Iterator[Generation]:
        yield from list(self._since)

    def add(self, generation: Generation, now: float) -> None:
        """It is in no file that is open now."""
        if not generation.complete:
            self._since.setdefault(generation, now)

    def overdue(self, now: float, *, found: Callable[[Generation], bool]) -> Generation | None:
        """One that was looked for long enough, and will not be looked for any more."""
        for generation, since in list(self._since.items()):
            if generation.complete or found(generation):
                del self._since[generation]
            elif now - since >= GRACE:
                del self._since[generation]
                return generation
        return None


def given_up(generation: Generation) -> tuple[FilePosition, int]:
    """The position that says how much is unread for good, and how much of that is news."""
    position = generation.position
    unread = generation.known - position.offset
    return replace(position, unread_bytes=unread), unread - position.unread_bytes
