"""Pauses between attempts: longer each time, and not the same for all who failed at one moment."""

from __future__ import annotations

import random

_SHORTEST = 0.1
"""Seconds between the first two attempts at most; doubled with each further one."""
_MOST_DOUBLINGS = 16


class Pauses:
    """Those of one thing that is tried again and again."""

    def __init__(self) -> None:
        self.failures = 0
        """In a row."""

    def next(self, longest: float) -> float:
        """Seconds until it is tried again, now that it has failed once more."""
        pause = min(longest, _SHORTEST * 2**self.failures)
        self.failures = min(self.failures + 1, _MOST_DOUBLINGS)
        return random.uniform(pause / 2, pause)  # noqa: S311 - jitter is no secret

    def over(self) -> None:
        """It goes well."""
        self.failures = 0
