r"""Lines of Asterisk's queue_log: `epoch|callid|queue|agent|EVENT|data…`.

The file has no quoting: a `|` in an agent's name shifts what follows, and a newline in what QueueLog()
was given begins a new line. A line that does not begin with a time is rejected, its neighbours stay.
Unknown events are kept as they are. The data of each event: `queue_fields`.
A last line without its newline can't be told from a cut one, and Asterisk always writes the newline,
so it is torn.
"""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

from cdrd.beside import QueueEvent
from cdrd.decode.event_rows import Place, queue_row
from cdrd.decode.instants import EpochSeconds, instants_of
from cdrd.decode.queue_fields import split_data
from cdrd.decode.values import MAX_ID, Problem, is_text, shown
from cdrd.records import Chunk, DecodedChunk, Reason, Rejected

FEWEST = 5
"""Fields that every event has: time, callid, queue, agent, event."""

_SPECIAL = re.compile(r'[\\\t\r\0"]')


class QueueLogDecoder:
    """How the queue_log of one source is read."""

    def __init__(self, zone: str = "UTC", max_record_bytes: int = 65536) -> None:
        self.max_record_bytes = max_record_bytes
        self._zone = ZoneInfo(zone)
        self._seconds = EpochSeconds()

    def chunk(self, chunk: Chunk) -> DecodedChunk:
        """Decode a piece of a file into rows in the order of QUEUE_COLUMNS."""
        *raws, unended = chunk.data.split(b"\n")
        rows: list[str] = []
        rejected: list[Rejected] = []
        offset = chunk.offset
        for line, raw in enumerate(raws, chunk.line):
            row = self._usual(raw, line, offset)
            if row is not None:
                rows.append(row)
            elif raw not in (b"", b"\r"):
                self._carefully(raw + b"\n", Place(line, offset), rows, rejected)
            offset += len(raw) + 1
        if unended and (chunk.final or len(unended) >= self.max_record_bytes):
            rejected.append(self._unended(unended, chunk.line + len(raws), offset))
            offset += len(unended)
        return DecodedChunk(rows, rejected, offset - chunk.offset, len(raws))

    def record(self, raw: bytes, *, line: int, offset: int) -> QueueEvent | Rejected:
        """Read one line, with or without its newline."""
        event = self._event(raw)
        return Rejected(raw, line, offset, *event) if isinstance(event, Problem) else event

    def row(self, raw: bytes, *, line: int, offset: int) -> str | Rejected:
        """The same as a row in the order of QUEUE_COLUMNS."""
        event = self.record(raw, line=line, offset=offset)
        if isinstance(event, Rejected):
            return event
        return queue_row(event, Place(line, offset, None if is_text(raw) else raw))

    def _carefully(
        self, raw: bytes, place: Place, rows: list[str], rejected: list[Rejected]
    ) -> None:
        row = self.row(raw, line=place.line, offset=place.offset)
        if isinstance(row, Rejected):
            rejected.append(row)
        else:
            rows.append(row)

    def _usual(self, raw: bytes, number: int, offset: int) -> str | None:
        """The fast path: a line as Asterisk writes nearly all of them; None where there is doubt."""
        try:
            line = raw.decode()
            time, callid, queue, agent, event, rest = line.split("|", FEWEST)
            time = self._seconds[time]
        except (ValueError, KeyError):
            return None
        if len(raw) > MAX_ID or not event or _SPECIAL.search(line):
            return None
        data = '{"' + '","'.join(split_data(event, rest)) + '"}' if rest else "{}"
        return f"{number}\t{offset}\t{time}+00\t{callid}\t{queue}\t{agent}\t{event}\t{data}\t\\N"

    def _event(self, raw: bytes) -> QueueEvent | Problem:
        if b"\0" in raw:
            return Problem(Reason.NUL_BYTES, f"NUL bytes, the first at {raw.index(0)}")
        if len(raw) > self.max_record_bytes:
            return Problem(Reason.TOO_LONG, f"{len(raw)} bytes, at most {self.max_record_bytes}")
        text = raw.decode(errors="replace").removesuffix("\n").removesuffix("\r")
        fields = text.split("|", FEWEST)
        if len(fields) < FEWEST or not fields[4]:
            expected = "expected time|callid|queue|agent|EVENT|data"
            return Problem(Reason.TOO_FEW_COLUMNS, f"{len(fields)} columns, {expected}")
        time, callid, queue, agent, event, *rest = fields
        instants = instants_of(time, self._zone)
        if not instants:
            return Problem(Reason.BAD_TIME, f"the time is {shown(time)}, expected an epoch")
        if len(callid.encode()) > MAX_ID:
            return Problem(Reason.TOO_LONG, f"callid has more than {MAX_ID} bytes")
        data = tuple(split_data(event, "".join(rest)))
        return QueueEvent(instants[0], callid, queue, agent, event, data)

    def _unended(self, raw: bytes, line: int, offset: int) -> Rejected:
        if len(raw) >= self.max_record_bytes:
            return Rejected(raw, line, offset, Reason.TOO_LONG, f"no newline in {len(raw)} bytes")
        detail = "the file ends in the middle of this line: it has no newline"
        return Rejected(raw, line, offset, Reason.TORN, detail)
