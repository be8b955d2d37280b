"""What became of a delivery, as the metrics and the log tell it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from structlog.typing import FilteringBoundLogger

from cdrd import metrics
from cdrd.logs import escape_control, mask_number
from cdrd.records import Family, Reason, Rejected
from cdrd.store.deliveries import Answer, Outcome, Sent

_SHOWN = 200
"""So many bytes of a suspended record are logged; `cdrd suspense show` has all of them."""


def count(
    log: FilteringBoundLogger,
    source: str,
    family: Family,
    records: Sequence[Sent | Rejected],
    answer: Answer,
) -> None:
    """Counts the records of a delivery, once: a repeated one was counted when it came first."""
    if answer.repeated:
        return
    stored = metrics.legs if family is Family.LEG else metrics.events
    metrics.records.labels(source).inc(len(records))
    stored.labels(source).inc(answer.count(Outcome.STORED))
    metrics.duplicates.labels(source).inc(sum(became.again for became in answer.became))
    suspended = [
        record
        for record, became in zip(records, answer.became, strict=True)
        if became.outcome is Outcome.SUSPENDED and not became.again
    ]
    _tell_suspended(log, source, suspended)


def _tell_suspended(
    log: FilteringBoundLogger, source: str, suspended: Sequence[Sent | Rejected]
) -> None:
    """One line a reason, with the first of its records."""
    for reason, number in Counter(map(_reason, suspended)).items():
        metrics.suspended.labels(source, reason.value).inc(number)
        first = next(record for record in suspended if _reason(record) is reason)
        detail = first.detail if isinstance(first, Rejected) else "see `cdrd suspense list`"
        log.warning(
            "records_suspended",
            reason=reason.value,
            records=number,
            detail=mask_number(detail),
            raw=escape_control(first.raw[:_SHOWN].decode("utf-8", "replace")),
        )


def _reason(record: Sent | Rejected) -> Reason:
    return record.reason if isinstance(record, Rejected) else Reason.REFUSED
