"""What would become of a carrier's file: its first rows, every problem, and what it costs. Stores nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Context, Decimal

from cdrd.beside import CarrierRow
from cdrd.collect.carriers import Carrier
from cdrd.collect.compressed import OpenContent, open_content
from cdrd.decode.carrier import carrier_rows
from cdrd.errors import NotFound, SourceUnavailable
from cdrd.records import Rejected

_PIECE = 1 << 20
_EXACT = Context(prec=200)


@dataclass(slots=True)
class DryRun:
    """What was found in a file so far."""

    first_rows: list[CarrierRow] = field(default_factory=list)
    rows: int = 0
    problems: int = 0
    costs: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    """Of all rows, by currency."""
    begin: datetime | None = None
    """The first and the last call."""
    end: datetime | None = None

    def add(self, row: CarrierRow, *, shown: int) -> None:
        """One row more."""
        self.rows += 1
        if len(self.first_rows) < shown:
            self.first_rows.append(row)
        self.costs[row.currency] = _EXACT.add(self.costs[row.currency], row.cost)
        self.begin = min(self.begin or row.calldate, row.calldate)
        self.end = max(self.end or row.calldate, row.calldate)


def dry_run(
    path: str,
    carrier: Carrier,
    *,
    shown: int,
    rejected: Callable[[Rejected], None],
    progress: Callable[[int], None] = lambda _: None,
) -> DryRun:
    """Reads a file through; `rejected` is told of each problem as it is found, `progress` of bytes."""
    found = DryRun()
    try:
        with closing(open_content(path)) as content:
            if not content.is_whole():
                raise SourceUnavailable(f"{path}: it ends too early, or is damaged")
            lines = _lines(content, carrier.mapping.max_record_bytes, progress)
            for outcome in carrier_rows(lines, carrier.mapping):
                if isinstance(outcome, Rejected):
                    found.problems += 1
                    rejected(outcome)
                else:
                    found.add(outcome, shown=shown)
    except FileNotFoundError as error:
        raise NotFound(f"{path}: there is no such file") from error
    except OSError as error:
        raise SourceUnavailable(f"{path}: {error.strerror or error}") from error
    return found


def _lines(content: OpenContent, most: int, progress: Callable[[int], None]) -> Iterator[bytes]:
    """The lines of a file; one that is too long for a record is cut, so that memory stays flat."""
    place, rest = 0, b""
    while data := content.read(place, _PIECE):
        place += len(data)
        *whole, rest = (rest[: most + 1] + data).split(b"\n")
        yield from (line + b"\n" for line in whole)
        progress(len(data))
    if rest:
        yield rest
