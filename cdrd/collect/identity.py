"""Who a file is: a checksum of how its content begins, and the bytes before the position.

A path is no identity, because files are renamed; an inode is only a hint, because it is used again.
All offsets are those of the uncompressed content, so a file stays who it is when it is compressed.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from enum import Enum
from typing import Protocol

from cdrd.records import FileMark, FilePosition

HEAD_BYTES = 1024
"""How much of the beginning the checksum covers, where so much was there when it was first stored."""
TAIL_BYTES = 64
"""How much is remembered of what is before a position."""


class Content(Protocol):
    """The uncompressed bytes of a file that is open."""

    def read(self, offset: int, count: int) -> bytes:
        """Bytes from an offset on; fewer than asked for at the end of what is there."""

    def length(self) -> int:
        """How many bytes there are."""

    def is_whole(self) -> bool:
        """False for a compressed file that ends too early."""


class Likeness(Enum):
    """What the content of a file says about a position."""

    SAME = "it holds everything that is stored, and perhaps more"
    SHORTER = "it begins alike and ends before the position"
    OTHER = "it is something else"
    UNKNOWN = "it is compressed and not whole yet"


def digest(head: bytes) -> bytes:
    """The checksum of a beginning."""
    return hashlib.sha256(head).digest()


def beginning(data: bytes) -> FileMark:
    """The mark of a file of which nothing is stored yet, and these are the first bytes."""
    head = data[:HEAD_BYTES]
    return FileMark(len(head), digest(head), b"")


def begins(head: bytes, mark: FileMark) -> bool:
    """Whether these first bytes are those that the mark is of; there may be more of them."""
    length = mark.head_length
    return 0 < length <= len(head) and digest(head[:length]) == mark.head_digest


def advanced(position: FilePosition, data: memoryview, lines: int) -> FilePosition:
    """The position after `data`, which follows directly on it, is stored too."""
    if not data:
        return position
    mark = position.mark
    if position.offset == 0:
        mark = beginning(bytes(data[:HEAD_BYTES]))
    tail = bytes(data[-TAIL_BYTES:])
    if len(tail) < TAIL_BYTES:
        tail = (mark.tail + tail)[-TAIL_BYTES:]
    return replace(
        position,
        mark=FileMark(mark.head_length, mark.head_digest, tail),
        offset=position.offset + len(data),
        line=position.line + lines,
        # what was given up for lost is found after all
        unread_bytes=max(0, position.unread_bytes - len(data)),
    )


def likeness(content: Content, position: FilePosition) -> Likeness:
    """Whether a file is the one that was stored up to the position."""
    mark = position.mark
    head = content.read(0, mark.head_length)
    if len(head) < mark.head_length and not content.is_whole():
        return Likeness.UNKNOWN
    if not begins(head, mark):
        return Likeness.OTHER
    tail = content.read(position.offset - len(mark.tail), len(mark.tail))
    if tail == mark.tail:
        return Likeness.SAME
    if len(tail) == len(mark.tail):
        return Likeness.OTHER
    return Likeness.SHORTER if content.is_whole() else Likeness.UNKNOWN


def contained(one: Content, other: Content) -> bool:
    """Whether what is there of one file is, as its first and last bytes tell, how the other begins."""
    head = one.read(0, HEAD_BYTES)
    if other.read(0, len(head)) != head:
        return False
    length = one.length()
    if length > other.length():
        return False
    start = max(0, length - TAIL_BYTES)
    return one.read(start, length - start) == other.read(start, length - start)
