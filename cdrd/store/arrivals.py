"""What arrives a second time: by another source of the same PBX, or in a delivery that is repeated.

A record is recognised by its key and its ordinal: the how-manieth with that key from the same source. It
is stored when nobody has delivered it yet, and every arrival is noted. Two legs that differ in nothing
(ForkCDR) both count, and the second from one source is the second from the other.

Only sources that need it pay for it: those of a PBX of which another source hands over the same family,
and those without files. When a PBX gets its second source, the legs of the first are noted, however old.
Keys are forgotten after `collect.remember_days`: what is delivered again later than that is stored again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from cdrd.records import AcctId, FileId, SourceId, SourceKind
from cdrd.store.database import Database
from cdrd.store.identity import Key, Recognition
from cdrd.store.statements import Row, copy_in, statement
from cdrd.store.text import encoded

_COLUMNS = (
    *("day", "digest", "ordinal", "source_id", "stored_as"),
    *("file_id", "line", "byte_offset", "sequence"),
)
_NULL = "\\N"
_AHEAD = 2
"""Days whose partitions are made before they begin."""
_PIECE = 20_000
"""Rows forgotten in one statement."""

Identity = tuple[date, bytes, int]
"""Day, digest, ordinal."""


class Known(NamedTuple):
    """An arrival that is noted."""

    day: date
    digest: bytes
    ordinal: int
    source_id: int
    stored_as: int
    sequence: int | None


class Arrival(NamedTuple):
    """A record that has just arrived."""

    key: Key
    ordinal: int
    is_new: bool
    """Nobody has delivered it: it is to be stored."""
    is_noted: bool
    """This source has delivered it before: there is nothing to note."""

    @property
    def identity(self) -> Identity:
        """What it is recognised by."""
        return (self.key.day, self.key.digest, self.ordinal)


def recognise(
    keys: Sequence[Key], known: Iterable[Known], *, source_id: SourceId, repeats: bool
) -> list[Arrival]:
    """Which records are new, given everything that is noted of the like of them."""
    ordinals = _Ordinals(repeats=repeats)
    delivered: set[Identity] = set()
    for one in known:
        delivered.add((one.day, one.digest, one.ordinal))
        if one.source_id == source_id:
            ordinals.own[one.day, one.digest][one.ordinal] = one.sequence
    arrivals = []
    for key in keys:
        ordinal, is_noted = ordinals.of(key)
        identity = (key.day, key.digest, ordinal)
        arrivals.append(Arrival(key, ordinal, identity not in delivered, is_noted))
        delivered.add(identity)
    return arrivals


class _Ordinals:
    """The how-manieth from its source each record is."""

    def __init__(self, *, repeats: bool) -> None:
        self._repeats = repeats
        self.own: dict[tuple[date, bytes], dict[int, int | None]] = defaultdict(dict)
        """What the source has delivered: ordinal → sequence."""
        self._in_delivery: Counter[tuple[date, bytes]] = Counter()

    def of(self, key: Key) -> tuple[int, bool]:
        """The ordinal, and whether the source has delivered it before."""
        own = self.own[key.day, key.digest]
        again = self._again(key, own) if self._repeats else None
        if again is not None:
            return again, True
        ordinal = len(own)
        if ordinal in own:  # one before it is forgotten
            ordinal = next(n for n in range(ordinal) if n not in own)
        own[ordinal] = key.sequence
        return ordinal, False

    def _again(self, key: Key, own: Mapping[int, int | None]) -> int | None:
        """Two records with one sequence are one. Without it, the nth of a delivery is the nth of another."""
        if key.sequence is not None:
            return next((n for n, sequence in own.items() if sequence == key.sequence), None)
        nth = self._in_delivery[key.day, key.digest]
        self._in_delivery[key.day, key.digest] += 1
        return nth if nth in own else None


class Recognised:
    """A batch of records, each of which is new or was there already."""

    def __init__(self, arrivals: Sequence[Arrival], stored: dict[Identity, int]) -> None:
        self.arrivals = arrivals
        self._stored = stored
        """What is stored as which id."""

    def new(self, rows: Sequence[str]) -> list[str]:
        """The rows that are to be stored."""
        return [row for row, one in zip(rows, self.arrivals, strict=True) if one.is_new]

    def ids(self, first: int) -> list[int]:
        """The id of each record, once the new ones are stored from `first` on."""
        news = (arrival.identity for arrival in self.arrivals if arrival.is_new)
        self._stored.update(zip(news, range(first, first + len(self.arrivals)), strict=False))
        return [self._stored[arrival.identity] for arrival in self.arrivals]


async def look_up(
    connection: Any, keys: Sequence[Key], source_id: SourceId, recognition: Recognition
) -> Recognised:
    """Recognises records. From here on the transaction holds the PBX: nobody else stores of it."""
    await statement("lock_pbx").rows(connection, pbx=recognition.pbx)
    digests: dict[date, set[bytes]] = defaultdict(set)
    for key in keys:
        digests[key.day].add(key.digest)
    known: list[Known] = []
    for day, wanted in digests.items():
        rows = await statement("arrived").rows(connection, day=day, digests=list(wanted))
        known += [Known(day, *row.values()) for row in rows]
    arrivals = recognise(keys, known, source_id=source_id, repeats=recognition.repeats)
    stored: dict[Identity, int] = {}
    for one in known:
        identity = (one.day, one.digest, one.ordinal)
        stored[identity] = min(one.stored_as, stored.get(identity, one.stored_as))
    return Recognised(arrivals, stored)


async def note_arrivals(
    connection: Any,
    arrivals: Sequence[Arrival],
    ids: Sequence[int],
    *,
    source_id: SourceId,
    file_id: FileId | None,
) -> None:
    """Notes who delivered what, and as which leg or event it is stored."""
    known = f"\t{source_id}\t"
    file = f"\t{file_id if file_id is not None else _NULL}\t"
    rows = [
        f"{day}\t\\\\x{digest.hex()}\t{ordinal}{known}{stored_as}{file}{line}\t{offset}\t"
        f"{_NULL if sequence is None else sequence}\n"
        for ((day, digest, sequence, line, offset), ordinal, _, is_noted), stored_as in zip(
            arrivals, ids, strict=True
        )
        if not is_noted
    ]
    if rows:
        await copy_in(connection, "arrival", _COLUMNS, [encoded(rows)])


async def recognition_of(
    database: Database, source_id: SourceId, kind: SourceKind, *, alone: bool = False
) -> Recognition | None:
    """How records of a source are recognised; None while no other source of its PBX hands over the same.

    `alone`: they must be even so, because a delivery may be repeated. The first time this takes as long
    as it takes to note what the PBX has stored so far.
    """
    async with database.transaction() as connection:
        await statement("wait_without_end").rows(connection)
        await _lock_pbx_of(connection, source_id)
        sharing = await statement("share_pbx").rows(
            connection, source_id=source_id, least=1 if alone else 2
        )
        for source in sharing:
            if source["has_legs"]:
                await statement("note_arrivals").value(
                    connection,
                    source_id=source["source_id"],
                    by_channel=SourceKind(source["kind"]).has_channel_names,
                )
        return await known_recognition(connection, source_id, kind)


async def known_recognition(
    connection: Any, source_id: SourceId, kind: SourceKind
) -> Recognition | None:
    """How records of a source are recognised now; this stays so until the transaction ends.

    The lock of the PBX comes before that of the source, here and everywhere.
    """
    await _lock_pbx_of(connection, source_id)
    pbx = await statement("keyed_pbx").value(connection, source_id=source_id)
    return None if pbx is None else Recognition(pbx, kind.has_channel_names)


async def _lock_pbx_of(connection: Any, source_id: SourceId) -> None:
    pbx = await statement("source_pbx").value(connection, source_id=source_id)
    await statement("lock_pbx").rows(connection, pbx=pbx)


async def arrivals_of_leg(connection: Any, acctid: AcctId, *, kind: SourceKind) -> Sequence[Row]:
    """Who delivered a leg: source, path, line, byte_offset, arrived_at; nobody where it is not noted."""
    return await statement("arrivals_of_leg").rows(
        connection, acctid=acctid, by_channel=kind.has_channel_names
    )


async def keep_arrivals(database: Database, *, remember_days: int) -> None:
    """Makes room for the next days, and forgets what is too old to be recognised."""
    async with database.transaction() as connection:
        await statement("create_arrival_days").value(connection, ahead=_AHEAD)
    forgotten = _PIECE
    while forgotten >= _PIECE:
        async with database.transaction() as connection:
            forgotten = await statement("forget_arrivals").value(
                connection, days=remember_days, most=_PIECE
            )
