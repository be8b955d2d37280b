"""How a source is doing, written down for `cdrd status`: at once when it changes for better or worse."""

from __future__ import annotations

from datetime import datetime

from cdrd import metrics
from cdrd.clock import Clock, Stopwatch, stopwatch, utc_now
from cdrd.collect.behind import Behind
from cdrd.records import SourceId
from cdrd.store.database import Database
from cdrd.store.sources import Report, report_source

_EVERY = 5.0
"""Seconds between two reports of nothing but another lag."""


class Reporter:
    """What there is to say of one source."""

    def __init__(
        self, source: str, *, clock: Clock = utc_now, watch: Stopwatch = stopwatch
    ) -> None:
        self._name = source
        self._clock = clock
        self._watch = watch
        self._behind = Behind()
        self._report = Report()
        self._written: Report | None = None
        self._written_at = float("-inf")
        self._failing: dict[str, str] = {}
        """What does not go, and why."""

    def lags(self, unread: int, *, read: int) -> None:
        """So many bytes wait, and so many were read by this process."""
        since = self._behind.since(unread, read=read, now=self._clock())
        seconds = (self._clock() - since).total_seconds() if since else 0.0
        metrics.lag_bytes.labels(self._name).set(unread)
        metrics.lag_seconds.labels(self._name).set(seconds)
        self._report = self._report._replace(lag_bytes=unread, behind_since=since)

    def fails(self, what: str, error: str) -> None:
        """That does not go, until it is said to be well."""
        if self._failing.get(what) != error:
            self._failing[what] = error
            self.noticed(error)
        since = self._report.failing_since or self._clock()
        self._report = self._report._replace(failing_since=since)

    def noticed(self, error: str) -> None:
        """Something went wrong once."""
        self._report = self._report._replace(last_error=error)

    def well(self, what: str) -> None:
        """That goes again."""
        self._failing.pop(what, None)
        if not self._failing:
            self._report = self._report._replace(failing_since=None)

    def blind(self, since: datetime | None) -> None:
        """What the source sends is lost since then; None: nothing is."""
        self._report = self._report._replace(blind_since=since)

    async def write(self, database: Database, source_id: SourceId) -> None:
        """Writes what is new, if there is anything. Only whoever holds the source may."""
        report, written = self._report, self._written
        if report == written:
            return
        unlagged = report._replace(lag_bytes=None, behind_since=None)
        is_urgent = written is None or unlagged != written._replace(
            lag_bytes=None, behind_since=None, last_error=None
        )
        if not is_urgent and self._watch() - self._written_at < _EVERY:
            return
        await report_source(database, source_id, report)
        # an error is told once; what is told next changes nothing about it
        self._report = self._report._replace(last_error=None)
        self._written, self._written_at = report._replace(last_error=None), self._watch()
