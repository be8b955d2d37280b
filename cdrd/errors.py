"""Faults, as the rest of the program sees them; business outcomes are values in `records`.

The docstring of a class is its default message, so that class and message cannot drift.
Each fault is classified once, at the edge of a stage: `Unavailable` is tried again, the rest stops.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process ends with (BSD sysexits where one fits)."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNAVAILABLE = 69
    """A service is missing: the database does not answer, or is older than the program."""
    CONFIG = 78
    """The settings or the companies file are wrong; systemd does not restart on it."""


class CdrdError(Exception):
    """Something went wrong in cdrd."""

    exit_code = ExitCode.FAILED

    def __init__(self, message: str | None = None, *, hint: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())
        self.hint = hint
        """What the operator can do about it, as one sentence."""


class SettingsError(CdrdError):
    """The settings are wrong."""

    exit_code = ExitCode.CONFIG

    def __init__(self, problems: list[str], *, hint: str | None = None) -> None:
        super().__init__("\n".join(problems), hint=hint)
        self.problems = problems
        """Every problem found, one line each, with the file and the path in it."""


class SchemaError(CdrdError):
    """The database schema is older or newer than this program."""

    exit_code = ExitCode.UNAVAILABLE


class Unavailable(CdrdError):
    """Something that cdrd needs does not answer; it will be tried again."""

    exit_code = ExitCode.UNAVAILABLE


class StoreUnavailable(Unavailable):
    """The database does not answer."""


class SourceUnavailable(Unavailable):
    """A source cannot be read."""


class CollectorUnavailable(Unavailable):
    """The collector does not answer, or does not take what it is sent."""

    def __init__(
        self, message: str | None = None, *, hint: str | None = None, seconds: float = 0.0
    ) -> None:
        super().__init__(message, hint=hint)
        self.seconds = seconds
        """It asks not to be asked again before so many are over."""


class Conflict(CdrdError):
    """Somebody else did it first; read again and decide anew."""


class RowRefused(CdrdError):
    """The database refused the values of a row."""


class RequestError(CdrdError):
    """The caller asked for something that cannot be answered."""


class NotFound(RequestError):
    """There is no such thing."""
