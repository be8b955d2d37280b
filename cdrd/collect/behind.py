"""Since when a source is behind: how long the oldest byte that is not read yet has been there."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import NamedTuple

_MOST = 1000
"""So many measurements are remembered; of more, every second one."""


class _Measured(NamedTuple):
    total: int
    """How many bytes there were in all, read and unread."""
    at: datetime


class Behind:
    """What was measured, as far as it is not read."""

    def __init__(self) -> None:
        self._waiting: deque[_Measured] = deque()

    def since(self, unread: int, *, read: int, now: datetime) -> datetime | None:
        """When bytes that are still unread were first seen to be there; None where all is read.

        `read` counts up all the time. A file that shrinks takes unread bytes with it.
        """
        if not unread:
            self._waiting.clear()
            return None
        total = read + unread
        while self._waiting and self._waiting[0].total <= read:
            self._waiting.popleft()
        while self._waiting and self._waiting[-1].total > total:
            shrunk = self._waiting.pop()
            if not self._waiting:
                self._waiting.append(shrunk._replace(total=total))
        if not self._waiting or self._waiting[-1].total < total:
            self._waiting.append(_Measured(total, now))
        if len(self._waiting) > _MOST:
            self._waiting = deque(list(self._waiting)[::2])
        return self._waiting[0].at
