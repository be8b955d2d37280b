"""What was decided of calls, and the rows for COPY that it becomes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from cdrd.calls import CallLeg, CallRecord, SettledBy
from cdrd.errors import RowRefused
from cdrd.records import AcctId, Attribution
from cdrd.store.work import Known

ROWS_COME_WITHIN = timedelta(seconds=2)
"""Asterisk writes the rows of a channel as it ends. So long after its last event a call is over."""

ATTRIBUTION_COLUMNS = (
    *(name for name in Attribution._fields if name != "rules"),
    *("rule_set_id", "call_id"),
    *("directory_version", "seen_acctid", "seen_event_id", "changed", "revision"),
)
CALL_COLUMNS = (
    *("call_id", "pbx", "linkedid", "linkedids", "acctids", "roles", "end_reasons"),
    *(
        name
        for name in CallRecord._fields
        if name not in {"pbx", "call", "linkedids", "legs", "rules"}
    ),
    *("rule_set_id", "events", "settles_at", "settles_by", "holds_from"),
    *("directory_version", "seen_acctid", "seen_event_id", "revision"),
)
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_TWO_DIGITS: Final = [f"{number:02}" for number in range(60)]
_FOUR_DIGITS: Final = 1000
_QUOTED = str.maketrans({"\\": "\\\\", '"': '\\"'})


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
        if self.record is None:
            return None
        legs = self.record.legs
        return legs[0].acctid if len(legs) == 1 else min([leg.acctid for leg in legs])


Placed = tuple[Attribution, AcctId | None]
"""An attribution, and the call that its leg is of."""


class Basis(NamedTuple):
    """What decisions were made from, as their rows say it."""

    known: Known
    rule_sets: Mapping[str, int]
    """The number of each set of rules."""


def placed(calls: Iterable[Decided]) -> list[Placed]:
    """All attributions of these calls."""
    return [(attribution, call.call_id) for call in calls for attribution in call.attributions]


def rules_of(calls: Iterable[Decided]) -> set[str]:
    """Every set of rules that decided any of this."""
    rules = {attribution.rules for call in calls for attribution in call.attributions}
    return rules | {call.record.rules for call in calls if call.record is not None}


def attribution_rows(
    attributions: Sequence[Placed], basis: Basis, first_revision: int
) -> Iterator[str]:
    """Attributions, columns as in ATTRIBUTION_COLUMNS."""
    known, rule_sets = basis
    last = f"{known.directory_version}\t{known.seen_acctid}\t{known.seen_event_id}\t{known.late}"
    revision = first_revision
    for attribution, call_id in attributions:
        properties = list[object](attribution)[1:-1]  # whatever a rule has made of them
        for value in properties:
            if not (value is None or isinstance(value, (str, bool))):
                raise RowRefused(f"a property is no text: {value!r}")
        of_call = "\\N" if call_id is None else call_id
        yield (
            f"{attribution.acctid}\t{_columns(properties)}"
            f"\t{rule_sets[attribution.rules]}\t{of_call}\t{last}\t{revision}\n"
        )
        revision += 1


def call_rows(calls: Sequence[Decided], basis: Basis, first_revision: int) -> Iterator[str]:
    """Calls, columns as in CALL_COLUMNS; those that have a record."""
    known, rule_sets = basis
    over = f"{known.known_at + ROWS_COME_WITHIN}\t{SettledBy.EVENTS}"
    quiet = f"{known.known_at + known.quiet}\t{SettledBy.QUIET}"
    last = f"{known.directory_version}\t{known.seen_acctid}\t{known.seen_event_id}"
    revision = first_revision
    for call in calls:
        record = call.record
        if record is None:
            continue
        call_id = call.call_id
        settles = over if call.is_over else quiet
        names = _array(record.linkedids)
        told = _columns([record.pbx, record.call, names, *_legs(record.legs), *record[4:-1]])
        yield (
            f"{call_id}\t{told}\t{rule_sets[record.rules]}"
            f"\t{call.events}\t{settles}\t{call_id}\t{last}\t{revision}\n"
        )
        revision += 1


def _legs(legs: Sequence[CallLeg]) -> tuple[str, str, str]:
    """Three arrays: acctids, roles, end reasons."""
    if len(legs) == 1:
        acctid, role, end_reason = legs[0]
        return f"{{{acctid}}}", f"{{{role}}}", f"{{{end_reason or 'NULL'}}}"
    acctids = ",".join([str(leg.acctid) for leg in legs])
    roles = ",".join([leg.role for leg in legs])
    end_reasons = ",".join([leg.end_reason or "NULL" for leg in legs])
    return f"{{{acctids}}}", f"{{{roles}}}", f"{{{end_reasons}}}"


def _array(names: Sequence[str]) -> str:
    """An array of texts as PostgreSQL writes it."""
    joined = "".join(names)
    if '"' in joined or "\\" in joined:
        names = [name.translate(_QUOTED) for name in names]
    return '{"' + '","'.join(names) + '"}'


def _moment(at: datetime) -> str:
    """As isoformat() has it, which takes three times as long for whole seconds in UTC."""
    if at.tzinfo is not UTC or at.microsecond or at.year < _FOUR_DIGITS:
        return at.isoformat(" ")
    two = _TWO_DIGITS
    return (
        f"{at.year}-{two[at.month]}-{two[at.day]}"
        f" {two[at.hour]}:{two[at.minute]}:{two[at.second]}+00:00"
    )


def _columns(values: list[object]) -> str:
    """Values as COPY's text format has them, with tabs between."""
    texts = []
    nulls = 0
    moment, moment_text = None, ""  # several moments of a call are one
    for value in values:
        if value is None:
            nulls += 1
            texts.append("\\N")
        elif isinstance(value, str):
            texts.append(value)
        elif isinstance(value, int) or not isinstance(value, datetime):
            texts.append(str(value))
        else:
            if value != moment:
                moment, moment_text = value, _moment(value)
            texts.append(moment_text)
    told = "\t".join(texts)
    # the usual texts need no look at each of their characters
    if (
        told.count("\\") == nulls
        and told.count("\t") == len(values) - 1
        and "\n" not in told
        and "\r" not in told
    ):
        return told
    pairs = zip(values, texts, strict=True)
    return "\t".join([t.translate(_ESCAPES) if isinstance(v, str) else t for v, t in pairs])
