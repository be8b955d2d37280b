"""The time, as something that is passed in: nothing else in the program asks the system for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the present as an aware datetime in UTC."""

Stopwatch = Callable[[], float]
"""Returns seconds that only ever grow, whatever happens to the system's clock."""


def utc_now() -> datetime:
    """The present, aware, in UTC."""
    return datetime.now(UTC)


stopwatch: Stopwatch = time.monotonic
