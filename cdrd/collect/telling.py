"""What a source's files and their storing bring, as metrics, log and status tell it."""

from __future__ import annotations

from cdrd import metrics
from cdrd.collect.counted import tell_suspended
from cdrd.collect.happened import WARNED, Happened, What
from cdrd.collect.reporter import Reporter
from cdrd.collect.storing import Stored
from cdrd.collect.tracks import Taken
from cdrd.logs import get_logger
from cdrd.source_settings import SourceSettings


class Telling:
    """What is told of one source."""

    def __init__(self, source: SourceSettings, reporter: Reporter) -> None:
        self._name = source.name
        self._reporter = reporter
        self._log = get_logger(source=source.name)
        [family] = source.kind.families
        self._became = metrics.stored[family]

    def stored(self, taken: Taken, stored: Stored) -> None:
        """What became of a piece."""
        name = self._name
        metrics.collected_bytes.labels(name).inc(taken.decoded.consumed)
        metrics.records.labels(name).inc(stored.records)
        self._became.labels(name).inc(stored.stored)
        metrics.duplicates.labels(name).inc(stored.duplicates)
        tell_suspended(self._log, name, stored.rejected, path=taken.start.path)

    def happened(self, fact: Happened, *, followed: bool) -> None:
        """What a file did; `followed`: it is one that is read now, so that it is said when it is well."""
        self._report(fact, followed=followed)
        if fact.what is What.FILE_ROTATED:
            metrics.rotations.labels(self._name, fact.detail["how"]).inc()
        elif fact.what is What.FILE_TRUNCATED:
            metrics.rotations.labels(self._name, "truncated").inc()
        elif fact.what is What.BYTES_UNREAD:
            metrics.unread_bytes.labels(self._name).inc(int(fact.detail["bytes"]))
        tell = self._log.warning if fact.what in WARNED else self._log.info
        tell(fact.what.value, path=fact.path, **fact.detail)

    def _report(self, fact: Happened, *, followed: bool) -> None:
        if fact.what is What.FILE_READABLE:
            self._reporter.well(fact.path)
        elif fact.what is What.FILE_UNREADABLE and followed:
            self._reporter.fails(fact.path, str(fact.detail["error"]))
        elif fact.what in WARNED:
            self._reporter.noticed(fact.words())
