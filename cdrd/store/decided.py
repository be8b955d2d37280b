"""What was decided of calls, and the rows that it becomes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from operator import itemgetter
from typing import NamedTuple

from cdrd.calls import CallRecord, SettledBy
from cdrd.records import AcctId, Attribution
from cdrd.store.binary import Rows
from cdrd.store.work import Known

ROWS_COME_WITHIN = timedelta(seconds=2)
"""Asterisk writes the rows of a channel as it ends. So long after its last event a call is over."""

_PIECE = 1 << 16
"""Bytes that are sent together: about what a socket takes."""
_FLAGS = tuple(name for name in Attribution._fields if name.startswith("is_"))
_PROPERTIES = tuple(
    name for name in Attribution._fields if name not in {"acctid", "rules", *_FLAGS}
)
ATTRIBUTION_COLUMNS = (
    *(*_PROPERTIES, *_FLAGS),
    *("acctid", "call_id", "changed"),
    *("directory_version", "seen_acctid", "seen_event_id", "rule_set_id", "revision"),
)
_MOMENTS = ("started", "rang", "answered", "ended")
_ARRAYS = ("linkedids", "legs")
_NUMBERS = ("talk_seconds", "status_code", "waited_seconds")
_WORDS = tuple(
    name for name in CallRecord._fields if name not in {*_MOMENTS, *_ARRAYS, *_NUMBERS, "rules"}
)
CALL_COLUMNS = (
    *("linkedid" if name == "call" else name for name in _WORDS),
    *_MOMENTS,
    *("linkedids", "acctids", "roles", "end_reasons"),
    *_NUMBERS,
    *("call_id", "holds_from", "events", "settles_by", "settles_at"),
    *("directory_version", "seen_acctid", "seen_event_id", "rule_set_id", "revision"),
)
_properties_of = itemgetter(*map(Attribution._fields.index, _PROPERTIES))
_flags_of = itemgetter(*map(Attribution._fields.index, _FLAGS))
_words_of = itemgetter(*map(CallRecord._fields.index, _WORDS))
_moments_of = itemgetter(*map(CallRecord._fields.index, _MOMENTS))


class Decided(NamedTuple):
    """What was decided of a call."""

    attributions: Sequence[Attribution]
    """Of its legs, those that are to be written."""
    record: CallRecord | None = None
    """None for legs that no rules could decide."""
    events: int = 0
    """So many channel events and queue events it was decided with."""
    is_over: bool = False
    """Its events say that it has ended, and every row that they let expect is there."""

    @property
    def call_id(self) -> AcctId | None:
        """The acctid of the first leg that was stored; None where there is no record."""
        return None if self.record is None else call_id_of(self.record)


def call_id_of(record: CallRecord) -> AcctId:
    """The acctid of the first leg of a call that was stored."""
    legs = record.legs
    return legs[0].acctid if len(legs) == 1 else min([leg.acctid for leg in legs])


Placed = tuple[Attribution, AcctId | None]
"""An attribution, and the call that its leg is of."""


Unnumbered = tuple[str, bytes]
"""The rules that decided it, and a row in COPY's binary format without the last two of its columns:
the number of these rules and the revision are known only to who holds the counter."""


class Basis(NamedTuple):
    """What decisions were made from, as their rows say it."""

    known: Known
    rule_sets: Mapping[str, int]
    """The number of each set of rules."""


def placed(calls: Iterable[Decided]) -> list[Placed]:
    """All attributions of these calls."""
    attributions: list[Placed] = []
    for call in calls:
        record = call.record
        call_id = None if record is None else call_id_of(record)
        for attribution in call.attributions:
            attributions.append((attribution, call_id))  # noqa: PERF401 - compiled, it is no slower
    return attributions


def rules_of(calls: Iterable[Decided]) -> set[str]:
    """Every set of rules that decided any of this."""
    rules = {attribution.rules for call in calls for attribution in call.attributions}
    return rules | {call.record.rules for call in calls if call.record is not None}


def may_be_there(calls: Sequence[Decided], there: set[AcctId]) -> list[bool]:
    """Of each call whether there may be a row of it: it is written with its legs, of which these are there.

    Of one that has later legs, which are not ours to decide, somebody may have written these before.
    """
    written: list[bool] = []
    for call in calls:
        ours = call.attributions
        has_more = call.record is not None and len(call.record.legs) > len(ours)
        written.append(has_more or (bool(there) and any(one.acctid in there for one in ours)))
    return written


def attribution_rows(attributions: Sequence[Placed], known: Known) -> Iterator[Unnumbered]:
    """Attributions, columns as in ATTRIBUTION_COLUMNS."""
    row = Rows()
    for attribution, call_id in attributions:
        row.begin(len(ATTRIBUTION_COLUMNS))
        row.texts(_properties_of(attribution))
        row.flags(_flags_of(attribution))
        row.int8(attribution.acctid)
        row.int8(call_id)
        row.flags((known.late,))
        _put_known(row, known)
        yield attribution.rules, row.end()


def call_rows(calls: Sequence[Decided], known: Known) -> Iterator[Unnumbered]:
    """Calls, columns as in CALL_COLUMNS."""
    over = known.known_at + ROWS_COME_WITHIN
    quiet = known.known_at + known.quiet
    row = Rows()
    for call in calls:
        record = call.record
        assert record is not None  # noqa: S101 - calls without one are not written
        row.begin(len(CALL_COLUMNS))
        row.texts(_words_of(record))
        row.moments(_moments_of(record))
        _put_legs(row, record)
        row.int4(record.talk_seconds)
        row.int2(record.status_code)
        row.int4(record.waited_seconds)
        call_id = call_id_of(record)
        row.int8(call_id)
        row.int8(call_id)
        row.int4(call.events)
        row.texts((SettledBy.EVENTS if call.is_over else SettledBy.QUIET,))
        row.moments((over if call.is_over else quiet,))
        _put_known(row, known)
        yield record.rules, row.end()


def _put_legs(row: Rows, record: CallRecord) -> None:
    row.text_array(record.linkedids)
    row.int8_array([leg.acctid for leg in record.legs])
    row.text_array([leg.role for leg in record.legs])
    row.text_array([leg.end_reason for leg in record.legs])


def _put_known(row: Rows, known: Known) -> None:
    row.int8(known.directory_version)
    row.int8(known.seen_acctid)
    row.int8(known.seen_event_id)


def numbered(
    rows: Sequence[Unnumbered], rule_sets: Mapping[str, int], first_revision: int
) -> Iterator[bytes]:
    """The rows whole, several together."""
    pieces = Rows()
    revision = first_revision
    for rules, row in rows:
        pieces.add(row)
        pieces.int4(rule_sets[rules])
        pieces.int8(revision)
        revision += 1
        if pieces.size() >= _PIECE:
            yield pieces.end()
    yield pieces.end()
