"""What a record says about itself that every backend of its PBX says alike: its key.

A key is made from a row of COPY text. Its escapes keep columns apart whatever a caller puts into one, and
times become UTC to the second. The digest is that of `leg_digest` in the database, which makes the keys
of legs that were stored before anybody needed them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from functools import cache
from hashlib import sha256
from operator import itemgetter
from typing import NamedTuple

from cdrd.errors import RowRefused
from cdrd.records import Family
from cdrd.store.families import TABLES

_NULL = "\\N"
_DIGEST_BYTES = 16
_TIMES_KEPT = 100_000


class Recognition(NamedTuple):
    """How the records of a source are recognised."""

    pbx: str
    by_channel: bool = True
    """Whether a leg's channels and times say which it is; else its uniqueid has to."""
    repeats: bool = False
    """Whether the same record in another delivery is the same one again, as with a push that is retried.
    In a file, and on a connection that nobody repeats, it is another one."""


class Key(NamedTuple):
    """A record, and where it came from."""

    day: date
    digest: bytes
    sequence: int | None
    line: int
    offset: int


def keys_of(rows: Sequence[str], family: Family, recognition: Recognition) -> list[Key]:
    """The key of each row of COPY text."""
    table = TABLES[family]
    others = table.witnesses
    if family is Family.LEG and not recognition.by_channel:
        others = (*others, "uniqueid")
    read = _columns(table.row, (*table.times, *others))
    beginning = f"{family.value}\t{recognition.pbx}\t"
    sequence_at = table.row.index("sequence") if "sequence" in table.row else None
    count = len(table.times)
    keys = []
    # what recognising costs is spent in this loop: nothing is called here that need not be
    for row in rows:
        columns = row.split("\t")
        said = read(columns)
        times = [_SECONDS[time] for time in said[:count]]
        text = beginning + "\t".join((*times, *said[count:]))
        sequence = _NULL if sequence_at is None else columns[sequence_at]
        keys.append(
            Key(
                _DAYS[times[0][:10]],
                sha256(text.encode()).digest()[:_DIGEST_BYTES],
                None if sequence == _NULL else int(sequence),
                int(columns[0]),
                int(columns[1]),
            )
        )
    return keys


@cache
def _columns(
    row: tuple[str, ...], names: tuple[str, ...]
) -> Callable[[list[str]], tuple[str, ...]]:
    return itemgetter(*(row.index(name) for name in names))


class _Days(dict[str, date]):
    """A day by its text."""

    def __missing__(self, text: str) -> date:
        if len(self) >= _TIMES_KEPT:
            self.clear()
        found = self[text] = date.fromisoformat(text)
        return found


class _Seconds(dict[str, str]):
    """A time as a decoder writes it → the same in UTC, to the second."""

    def __missing__(self, text: str) -> str:
        if len(self) >= _TIMES_KEPT:
            self.clear()
            self[_NULL] = _NULL
        try:
            time = datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise RowRefused(f"{text[:40]!r} is no time") from error
        found = self[text] = time.strftime("%Y-%m-%d %H:%M:%S")
        return found


_DAYS = _Days()
_SECONDS = _Seconds({_NULL: _NULL})
