"""How a forwarded source is doing, in words and seconds that its collector can pass on."""

from __future__ import annotations

from datetime import UTC, datetime

from cdrd.clock import Stopwatch
from cdrd.collect.behind import Behind
from cdrd.collect.happened import WARNED, Happened, What
from cdrd.collect.pieces import LONGEST_WORDS, Wellbeing


class Health:
    """What there is to say of one source, until it is said."""

    def __init__(self, watch: Stopwatch) -> None:
        self._watch = watch
        self._behind = Behind()
        self._read = 0
        self._lag: int | None = None
        self._behind_since: datetime | None = None
        self._failing: dict[str, datetime] = {}
        """Paths that can't be read, and since when."""
        self._error: str | None = None
        self._unread = 0

    def read(self, count: int) -> None:
        """So many bytes more are stored."""
        self._read += count

    def lags(self, unread: int) -> None:
        """So many bytes wait."""
        self._lag = unread
        self._behind_since = self._behind.since(unread, read=self._read, now=self._now())

    def happened(self, fact: Happened, *, followed: bool) -> None:
        """What a file did; `followed`: it is one that is read now, so that it is said when it is well."""
        if fact.what is What.FILE_READABLE:
            self._failing.pop(fact.path, None)
        elif fact.what in WARNED:
            self.noticed(fact.words())
        if fact.what is What.FILE_UNREADABLE and followed:
            self._failing.setdefault(fact.path, self._now())
        elif fact.what is What.BYTES_UNREAD:
            self._unread += int(fact.detail["bytes"])

    def noticed(self, error: str) -> None:
        """Something went wrong."""
        readable = error.encode("utf-8", "backslashreplace").decode().replace("\0", "")
        self._error = readable[:LONGEST_WORDS] or None

    def told(self) -> Wellbeing:
        """All of it, to be told now."""
        return Wellbeing(
            lag_bytes=self._lag,
            behind_seconds=self._ago(self._behind_since),
            failing_seconds=self._ago(min(self._failing.values(), default=None)),
            error=self._error,
            unread_bytes=self._unread,
        )

    def is_told(self, said: Wellbeing) -> None:
        """What happened once is told once."""
        if self._error == said.error:
            self._error = None
        self._unread -= said.unread_bytes

    def _now(self) -> datetime:
        """By a clock that nobody sets: small machines live in 1970 until they are told the time."""
        return datetime.fromtimestamp(self._watch(), UTC)

    def _ago(self, since: datetime | None) -> float | None:
        return None if since is None else max(0.0, (self._now() - since).total_seconds())
