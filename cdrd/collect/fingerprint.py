"""What a whole file holds, said in few bytes: its SHA-256, its length, and which files it begins with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple

from cdrd.collect.generations import Generation
from cdrd.collect.identity import Content

_PIECE = 1 << 20


class Fingerprint(NamedTuple):
    """The content of a whole file."""

    sha256: bytes
    length: int
    begins_with: Sequence[Generation]
    """Those of which everything that was read is exactly how this one begins, the longest first."""
    ends_a_line: bool


def fingerprint(content: Content, alike: Iterable[Generation]) -> Fingerprint:
    """Reads a file through once; `alike` are generations that were read to their ends."""
    waiting = sorted(alike, key=lambda generation: generation.position.offset)
    running, place, last = sha256(), 0, b""
    begun: list[Generation] = []
    while data := content.read(place, _PIECE):
        while waiting and waiting[0].position.offset <= place + len(data):
            generation = waiting.pop(0)
            so_far = running.copy()
            so_far.update(data[: generation.position.offset - place])
            if so_far.digest() == generation.position.sha256:
                begun.insert(0, generation)
        running.update(data)
        place += len(data)
        last = data[-1:]
    return Fingerprint(running.digest(), place, begun, last == b"\n")


def digest_of(content: Content, length: int) -> bytes:
    """The SHA-256 of so many bytes of a file."""
    running, place = sha256(), 0
    while place < length and (data := content.read(place, min(_PIECE, length - place))):
        running.update(data)
        place += len(data)
    return running.digest()
