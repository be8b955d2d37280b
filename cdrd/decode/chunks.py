"""A chunk is cut into records: usual lines fast, everything else with care.

The result does not depend on where a file is cut into chunks: nothing is remembered from one to the
next, and what could still turn out otherwise is left for the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import accumulate, chain, count, islice
from time import sleep
from typing import Final, Generic, NamedTuple, TypeVar

from cdrd.decode.grammar import Found, Grammar, Stretch, UsualLine
from cdrd.decode.values import MAX_ID, Problem
from cdrd.records import Chunk, DecodedChunk, Reason, Rejected

_EMPTY_LINES = (b"\n", b"\r\n")
_BYTES_AT_ONCE: Final = 16384
"""Then another thread may go on, such as the one that sends what was decoded before: where this is compiled,
the interpreter has no other occasion to change threads before all of the chunk is done."""

Whole = TypeVar("Whole")


def decode_rows(chunk: Chunk, grammar: Grammar[Whole], row: Callable[[Whole], str]) -> DecodedChunk:
    """Cut a chunk into records and decode them to anything that a row for COPY is made of."""
    return _Walk(chunk, grammar, row).decoded()


class _Lines(NamedTuple):
    """Whole lines, without their newlines."""

    texts: list[str]
    lengths: list[int]
    """In bytes."""


def _lines(piece: bytes, longest: int) -> _Lines:
    """The lines of a piece; the text of those that only the careful path understands is empty.

    These are lines with NULs, without valid UTF-8, or longer than `longest`.
    """
    has_nul = b"\0" in piece
    if not has_nul and piece.isascii():
        texts = piece.decode("ascii").split("\n")
        del texts[-1]
        lengths = [len(text) for text in texts]
        if max(lengths) <= longest:
            return _Lines(texts, lengths)
    lines = piece.split(b"\n")
    del lines[-1]
    texts = [
        "" if len(line) > longest or (has_nul and b"\0" in line) else _text(line) for line in lines
    ]
    return _Lines(texts, [len(line) for line in lines])


def _text(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return ""


def _nothing_is_usual(_text: str, _number: int, _offset: int) -> None:
    """The fast path where there is none."""


class _Walk(Generic[Whole]):
    """The way through one chunk."""

    def __init__(self, chunk: Chunk, grammar: Grammar[Whole], row: Callable[[Whole], str]) -> None:
        self.row = row
        self.chunk = chunk
        self.data = chunk.data
        self.grammar = grammar
        self.rows: list[str] = []
        self.rejected: list[Rejected] = []
        self.usual: UsualLine = self._usual(like=self.data[: self.data.find(b"\n") + 1])
        self.place = 0
        """How far the careful path came."""
        self.line = chunk.line
        """The number of the line that `place` is in."""
        self.waits = False
        """The record at `place` could go on behind the chunk."""

    def decoded(self) -> DecodedChunk:
        """Decode everything that is whole."""
        self._whole_lines()
        ended = self.data.rfind(b"\n") + 1
        if not self.waits and self.place < ended:
            self.place, self.line = ended, self.chunk.line + self.data.count(b"\n")
        while not self.waits and self.place < len(self.data):
            self._careful()
        return DecodedChunk(self.rows, self.rejected, self.place, self.line - self.chunk.line)

    def _usual(self, like: bytes) -> UsualLine:
        return self.grammar.usual(like) or _nothing_is_usual

    def _whole_lines(self) -> None:
        numbered = chain.from_iterable(self._pieces())
        usual = self.usual
        rows = self.rows
        for text, number, before in numbered:
            row = usual(text, number, before + number)
            if row is not None:
                rows.append(row)
            elif self._carefully(before + number, number):
                usual = self.usual
                done = self.line - number - 1
                next(islice(numbered, done, done), None)
            else:
                return

    def _pieces(self) -> Iterator[Iterator[tuple[str, int, int]]]:
        """The lines in their order, some at once: (line, its number, its byte offset less its number)"""
        longest = min(MAX_ID, self.grammar.max_record_bytes - 1)
        start, number = 0, self.chunk.line
        while end := self._end_of_piece(start):
            sleep(0)
            piece = self.data[start:end]
            texts, lengths = _lines(piece, longest)
            before = accumulate(lengths, initial=self.chunk.offset + start - number)
            usual = self.grammar.usual_texts(texts, piece)
            yield zip(usual, count(number), before, strict=False)
            start, number = end, number + len(texts)

    def _end_of_piece(self, start: int) -> int:
        """Behind the last newline within reach, else behind the next; 0 where no whole line is left."""
        data = self.data
        return data.rfind(b"\n", start, start + _BYTES_AT_ONCE) + 1 or data.find(b"\n", start) + 1

    def _carefully(self, offset: int, number: int) -> bool:
        """Take the record that begins with this line, and what else ends within its last line."""
        self.place, self.line = offset - self.chunk.offset, number
        self._careful()
        while not self.waits and self._is_within_line():
            self._careful()
        return not self.waits

    def _is_within_line(self) -> bool:
        return self.place < len(self.data) and self.data[self.place - 1] != ord("\n")

    def _careful(self) -> None:
        """Decode the record at `place`, whatever it is, or wait for its end."""
        limit = min(self.place + self.grammar.max_record_bytes, len(self.data))
        final = self.chunk.final and limit == len(self.data)
        found = self.grammar.find(Stretch(self.data, self.place, limit, final))
        if found is None:
            self._unended(limit, final=final)
        else:
            self._take(found)

    def _unended(self, limit: int, *, final: bool) -> None:
        if limit - self.place >= self.grammar.max_record_bytes:
            detail = f"a record that begins here does not end within {limit - self.place} bytes"
            end = self.data.find(b"\n", self.place, limit) + 1 or limit
            self._take(Found(end, Problem(Reason.TOO_LONG, detail)))
        elif final:
            self._take_last(limit)
        else:
            self.waits = True

    def _take(self, found: Found) -> None:
        raw = self.data[self.place : found.end]
        if raw not in _EMPTY_LINES:
            self._keep(raw, self._outcome(raw, found.problem))
        self._pass(raw)

    def _take_last(self, end: int) -> None:
        """What is left when nothing will ever follow: a record without its newline, or a torn one."""
        raw = self.data[self.place : end]
        outcome = self._outcome(raw, None)
        if isinstance(outcome, Rejected):
            detail = f"the file ends in the middle of this record: {outcome.detail}"
            outcome = outcome._replace(reason=Reason.TORN, detail=detail)
        self._keep(raw, outcome)
        self._pass(raw)

    def _pass(self, raw: bytes) -> None:
        self.place += len(raw)
        self.line += raw.count(b"\n")

    def _outcome(self, raw: bytes, problem: Problem | None) -> Whole | Rejected:
        offset = self.chunk.offset + self.place
        if problem:
            return Rejected(raw, self.line, offset, *problem)
        return self.grammar.record(raw, line=self.line, offset=offset)

    def _keep(self, raw: bytes, outcome: Whole | Rejected) -> None:
        if not isinstance(outcome, Rejected):
            self.rows.append(self.row(outcome))
            self.usual = self._usual(like=raw)
            return
        at = self.grammar.glued(raw)
        if at is None:
            self.rejected.append(outcome)
        else:
            self._keep_glued(outcome, at)

    def _keep_glued(self, outcome: Rejected, at: int) -> None:
        """A record was torn, and the next one is whole behind it on the same line."""
        torn, whole = outcome.raw[:at], outcome.raw[at:]
        reason = Reason.NUL_BYTES if b"\0" in torn else Reason.TORN
        detail = f"only the beginning of a record; another one follows on its line after {at} bytes"
        self.rejected.append(Rejected(torn, outcome.line, outcome.offset, reason, detail))
        line = outcome.line + torn.count(b"\n")
        self._keep(whole, self.grammar.record(whole, line=line, offset=outcome.offset + at))
