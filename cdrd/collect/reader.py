"""What the stage asks of a source's files, whether they are followed or delivered whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from cdrd.collect.happened import Happened
from cdrd.collect.tracks import Taken
from cdrd.records import FilePosition


class Reader(Protocol):
    """What is read next of a source. Used by one thread at a time."""

    def resume(self, positions: Iterable[FilePosition]) -> None:
        """Go on from what the database has, whatever was read and not stored."""

    def take(self) -> Taken | None:
        """Return the next piece of any file, decoded; None where there is nothing (yet)."""

    def lag(self) -> int:
        """Count the bytes that are there and not read."""

    def happened(self) -> list[Happened]:
        """Return what the operator should know since this was last asked."""

    @property
    def paths(self) -> Sequence[str]:
        """The paths that are read now."""

    @property
    def held(self) -> int:
        """How many files wait for a decision; where there are fewer now, `resume` is wanted."""

    def close(self) -> None:
        """Let go of every file."""
