"""Which generation a file is, decided from its content first and from where else that content is second.

What no rule can tell, because the files do not differ in anything that a reader sees:

- A file replaced by one that begins with every byte stored of it, under another inode, with the old
  one gone: it is taken for the same file, moved or restored. (With two records that differ in nothing,
  as without the uniqueid column, it could be a new file whose first records repeat the old one's.)
- Two rotated files, neither read before, one of which is how the other begins: it is taken for a copy.
- A rotated file shorter than what was read of a generation that begins alike, that generation being
  nowhere else any more: it is taken for a copy made before the last records were written.
- A file restored under another inode and then rotated by copying, the copy getting the inode that the
  file had before, all between two looks: it is taken for rotated by renaming, and read again.

Where the inode does tell (the generation is still there, in the file it was read from), it decides.
"""

from __future__ import annotations

from enum import Enum, auto

from cdrd.collect.identity import Likeness


class Home(Enum):
    """Where the content of a generation is, as seen from another file that is like it."""

    HERE = auto()
    """In this very file, by its inode."""
    NOWHERE = auto()
    PATH = auto()
    """At the followed path."""
    ROTATED = auto()
    """In a rotated file that is not this one."""
    REMOVED = auto()
    """In a file that no path leads to any more, but that is still open here."""
    ELSEWHERE = auto()
    """In a file that was moved out of sight, but that is still open here."""


class Verdict(Enum):
    """What is done with a file."""

    GOES_ON = auto()
    """It is the generation: read on at its position."""
    NEW = auto()
    """It is a generation never seen: read from its beginning."""
    COPY = auto()
    """Everything in it is read elsewhere."""
    ENDED = auto()
    """It is what is left of the generation, and all of it is read."""
    CUT = auto()
    """It is compressed and ends too early to tell: it is looked into again when it has changed."""
    WAIT = auto()
    """It can't be told yet: it may still be being written."""


def of_path(likeness: Likeness, home: Home, *, settled: bool) -> Verdict:
    """What the file at the followed path is, given a generation that it begins like.

    `settled`: it has not changed for a while, or is known to have been truncated: what is shorter
    than the generation is not being copied back.
    """
    if likeness is Likeness.SAME:
        # the generation's own inode has another name: this is a new file that begins alike
        return Verdict.NEW if home in (Home.ROTATED, Home.ELSEWHERE) else Verdict.GOES_ON
    if likeness is Likeness.SHORTER and settled:
        return Verdict.NEW
    return Verdict.WAIT


def of_rotated(likeness: Likeness, home: Home, *, settled: bool, longer: bool) -> Verdict:
    """What a rotated file is, given a generation that it begins like.

    `longer`: both it and the generation's own file are plain, and it is the longer one.
    """
    if likeness is Likeness.SAME:
        return _whole(home, longer=longer)
    if likeness is Likeness.UNKNOWN:
        return Verdict.CUT
    if likeness is Likeness.SHORTER and settled:
        return Verdict.ENDED
    return Verdict.WAIT


def _whole(home: Home, *, longer: bool) -> Verdict:
    if home in (Home.HERE, Home.NOWHERE):
        return Verdict.GOES_ON
    if home is Home.ROTATED and longer:
        return Verdict.NEW
    return Verdict.COPY
