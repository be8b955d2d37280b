"""Everything a follower can tell its operator, as one list."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class What(StrEnum):
    """The facts; each is an event of the log by this name."""

    FILE_FOUND = "file_found"
    FILE_ROTATED = "file_rotated"
    FILE_TRUNCATED = "file_truncated"
    FILE_FINISHED = "file_finished"
    FILE_CUT = "file_cut"
    """A compressed file ends too early, or is damaged; or a delivered one ends within a record."""
    FILE_UNREADABLE = "file_unreadable"
    FILE_READABLE = "file_readable"
    FILE_HELD = "file_held"
    """A drop folder's file that may be a duplicate of another."""
    BYTES_UNREAD = "bytes_unread"


class Happened(NamedTuple):
    """One fact about one file."""

    what: What
    path: str
    detail: dict[str, str | int]

    def words(self) -> str:
        """As `cdrd status` says it."""
        told = ", ".join(f"{name} {value}" for name, value in self.detail.items())
        return f"{self.path}: {self.what.value}: {told}"


WARNED = frozenset({What.FILE_HELD, What.FILE_CUT, What.FILE_UNREADABLE, What.BYTES_UNREAD})
"""What somebody should look at."""
