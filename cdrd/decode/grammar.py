"""What the cutting of a chunk asks of each way of writing records."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar

from cdrd.decode.values import Problem
from cdrd.records import Rejected

Whole_co = TypeVar("Whole_co", covariant=True)
"""What a record becomes that is not rejected: a decoded leg or event."""

UsualLine = Callable[[str, int, int], str | None]
"""(line, its number, its byte offset) → row for COPY, or None where the line is not usual."""


class Stretch(NamedTuple):
    """Where a record begins, and how far its end may be looked for."""

    data: bytes
    start: int
    limit: int
    final: bool
    """Nothing will ever follow `limit`."""


class Found(NamedTuple):
    """The end of a record, behind its newline, or of bytes that can't be one."""

    end: int
    problem: Problem | None = None
    """Why these bytes are no record, as far as that is seen without reading fields."""


class Grammar(Protocol[Whole_co]):
    """A way of writing records."""

    @property
    def max_record_bytes(self) -> int:
        """No record is longer."""

    def record(self, raw: bytes, *, line: int, offset: int) -> Whole_co | Rejected:
        """Read one whole record, with or without its newline."""

    def find(self, stretch: Stretch) -> Found | None:
        """Find the end of the record that begins a stretch; None if it could go on behind it."""

    def glued(self, raw: bytes) -> int | None:
        """Where, in a rejected line, a whole record begins that can be nothing else."""

    def usual(self, like: bytes) -> UsualLine | None:
        """The fast path for lines written like this good record."""

    def usual_texts(self, texts: list[str], data: bytes) -> list[str]:
        """The lines of `data` as the fast path wants them; an empty one is not for it."""
