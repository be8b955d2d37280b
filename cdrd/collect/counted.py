"""What became of records, as the metrics and the log tell it."""

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
    metrics.records.labels(source).inc(len(records))
    metrics.stored[family].labels(source).inc(answer.count(Outcome.STORED))
    metrics.duplicates.labels(source).inc(sum(became.again for became in answer.became))
    suspended = [
        _rejected(record)
        for record, became in zip(records, answer.became, strict=True)
        if became.outcome is Outcome.SUSPENDED and not became.again
    ]
    tell_suspended(log, source, suspended)


def tell_suspended(
    log: FilteringBoundLogger, source: str, suspended: Sequence[Rejected], **place: str
) -> None:
    """One line a reason, with the first of its records."""
    for reason, number in Counter(record.reason for record in suspended).items():
        metrics.suspended.labels(source, reason.value).inc(number)
        first = next(record for record in suspended if record.reason is reason)
        log.warning(
            "records_suspended",
            reason=reason.value,
            records=number,
            **place,
            line=first.line,
            offset=first.offset,
            detail=mask_number(first.detail),
            raw=escape_control(first.raw[:_SHOWN].decode("utf-8", "replace")),
        )


def _rejected(record: Sent | Rejected) -> Rejected:
    """A suspended record with its reason; of one that was decoded only the database knows more."""
    if isinstance(record, Rejected):
        return record
    line, offset, _ = record.row.split("\t", 2)
    words = "see `cdrd suspense list`"
    return Rejected(record.raw, int(line), int(offset), Reason.REFUSED, words)
