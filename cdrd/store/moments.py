"""Moments as PostgreSQL sends and takes them: microseconds since 2000 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_DAY: Final = 86_400
_SECOND: Final = 1_000_000
_INFINITE: Final = 2**63 - 1
_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)

_REMEMBERED: Final = 4096
_known: Final[dict[datetime, int]] = {}
"""What `microseconds` said of the last moments."""


@lru_cache(maxsize=_REMEMBERED)
def received(sent: tuple[int]) -> datetime:
    """An aware datetime in UTC; the first and the last of all for -infinity and infinity.

    Making one is dear, and legs that are read together share most of their seconds; CDRs have no fractions.
    Raises OverflowError for what a datetime can't say.
    """
    (since,) = sent
    if since >= _INFINITE:
        return _LAST
    if since <= -_INFINITE:
        return _FIRST
    seconds, rest = divmod(
        since, _SECOND
    )  # a timedelta of so many microseconds takes twice as long
    return _EPOCH + timedelta(seconds=seconds, microseconds=rest)


def sent(moment: datetime) -> tuple[int]:
    """Of an aware datetime; the first and the last of all stand for -infinity and infinity."""
    if moment == _LAST:
        return (_INFINITE,)
    if moment == _FIRST:
        return (-_INFINITE - 1,)
    return (microseconds(moment),)


def microseconds(moment: datetime) -> int:
    """Of an aware datetime, that since 2000; remembered, for what was received together is sent together."""
    known = _known.get(moment)
    if known is None:
        if len(_known) >= _REMEMBERED:
            _known.clear()
        since = moment - _EPOCH
        known = (since.days * _DAY + since.seconds) * _SECOND + since.microseconds
        _known[moment] = known
    return known
