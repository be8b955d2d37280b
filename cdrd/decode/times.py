"""Times as Asterisk prints them: which instant a local time is, also in the hour that comes twice.

Asterisk prints local times without an offset. When clocks go back an hour of them happens twice, and
`end` can be printed before `start`. The epoch inside uniqueid (the second in which the channel was
made) and the seconds of the call decide which of the two is meant; without them it is the first.
A time inside the hour that is left out in spring never was: it is moved as the zone database does.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

FIRST_YEAR, LAST_YEAR = 1969, 2199
"""A PBX without a clock begins in 1970, which is 1969 west of Greenwich."""

_CLOCK: Final = frozenset(
    f":{minute:02}:{second:02}" for minute in range(60) for second in range(60)
)
_LOCAL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
_ISO = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[ T]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?"
    r" ?(Z|[+-][0-9]{2}(?::?[0-9]{2})?)"
)
_EPOCH = re.compile(r"([0-9]{1,11})(?:\.([0-9]*))?")
_UNIQUEID = re.compile(r"(?:.*-)?([0-9]{9,11})\.[0-9]{1,10}", re.DOTALL)

_TIMES_KEPT: Final = 4_000
_TOLERANCE: Final = 1
"""Printed seconds are floors of microseconds, so differences of them are right to one second."""


class Moment(NamedTuple):
    """The instants that a printed time may mean: none for an empty one, two in the doubled hour."""

    instants: tuple[datetime, ...] = ()
    cut: bool = False
    """A fraction of a second was printed and is left out."""


class Printed(NamedTuple):
    """The three times of a record, as far as each alone can be understood."""

    start: Moment
    answer: Moment = Moment()
    end: Moment = Moment()

    @property
    def cut(self) -> bool:
        """Whether any of them lost a fraction of a second."""
        return self.start.cut or self.answer.cut or self.end.cut


class Evidence(NamedTuple):
    """What else a record says about its times."""

    since: int | None
    """The epoch inside uniqueid: the call did not start before it."""
    duration: int
    billsec: int


class Times(NamedTuple):
    """The three times of a leg, in UTC."""

    calldate: datetime
    answerdate: datetime | None
    enddate: datetime | None


class UsualTimes(dict[str, str]):
    """Local time → the same with its offset, as PostgreSQL reads it: `2026-11-21 13:24:47-05`.

    KeyError for what is no time, and for the hours that happen twice or change their offset: those
    are for `settle`. It remembers what it was asked, for nearly every time of a busy PBX comes again.
    """

    def __init__(self, zone: str) -> None:
        super().__init__()
        self.zone = ZoneInfo(zone)
        self._hours = _Offsets(self.zone)

    def __missing__(self, text: str) -> str:
        if text[13:] not in _CLOCK:
            raise KeyError(text)
        if len(self) >= _TIMES_KEPT:
            self.clear()
        found = self[text] = text + self._hours[text[:13]]
        return found


class _Offsets(dict[str, str]):
    """Local hour (`2026-11-21 13`) → the offset of all of it (`-05`), KeyError if there is no one."""

    def __init__(self, zone: ZoneInfo) -> None:
        super().__init__()
        self._zone = zone

    def __missing__(self, hour: str) -> str:
        first, last = _local(f"{hour}:00:00"), _local(f"{hour}:59:59")
        if first is None or last is None:
            raise KeyError(hour)
        offsets = {
            time.replace(tzinfo=self._zone, fold=fold).utcoffset()
            for time in (first, last)
            for fold in (0, 1)
        }
        if len(offsets) > 1:
            raise KeyError(hour)
        if len(self) >= _TIMES_KEPT:
            self.clear()
        found = self[hour] = _offset_text(offsets.pop() or timedelta())
        return found


def local_moment(text: str, times: UsualTimes) -> Moment | None:
    """`2026-11-21 13:24:47` of a zone; None if there is no such time in any zone."""
    if not text:
        return Moment()
    try:
        return Moment((datetime.fromisoformat(times[text]).astimezone(UTC),))
    except KeyError:
        return _unusual_moment(text, times.zone)


def _unusual_moment(text: str, zone: ZoneInfo) -> Moment | None:
    local = _local(text)
    return None if local is None else Moment(instants_of_zone(local, zone))


def instants_of_zone(local: datetime, zone: ZoneInfo) -> tuple[datetime, ...]:
    """The instants that a local time may mean: two in the doubled hour of autumn."""
    first = local.replace(tzinfo=zone).astimezone(UTC)
    second = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    is_gap = first.astimezone(zone).replace(tzinfo=None) != local
    return (first,) if first == second or is_gap else (first, second)


def iso_moment(text: str) -> Moment | None:
    """`2026-11-21 13:24:47.251379 -0500`, as `%F %T.%6q %z` prints it; the fraction may be missing."""
    if not text:
        return Moment()
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    date, clock, fraction, offset = match.groups()
    try:
        instant = datetime.fromisoformat(f"{date}T{clock}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):  # no such day, or one outside the calendar in UTC
        return None
    return _within_reason(instant, fraction)


def epoch_moment(text: str) -> Moment | None:
    """`1795285487.251379`, seconds since 1970 in UTC; zero is how Asterisk 16 prints "never"."""
    match = _EPOCH.fullmatch(text)
    if match is None:
        return None if text else Moment()
    seconds, fraction = int(match[1]), match[2]
    if not seconds:
        return Moment()
    return _within_reason(datetime.fromtimestamp(seconds, UTC), fraction)


def is_uniqueid(text: str) -> bool:
    """Whether a text has the form of a uniqueid: `[systemname-]epoch.counter`."""
    return _UNIQUEID.fullmatch(text) is not None


def epoch_of(uniqueid: str | None) -> int | None:
    """The second in which the channel was made."""
    match = _UNIQUEID.fullmatch(uniqueid or "")
    return int(match[1]) if match else None


def settle(printed: Printed, evidence: Evidence) -> Times:
    """Choose among what the printed times may mean what fits uniqueid first, then the seconds."""
    since = -1 if evidence.since is None else evidence.since

    def unlikely(pair: tuple[datetime, datetime | None]) -> tuple[bool, bool, datetime, datetime]:
        start, end = pair
        early = start.timestamp() < since - _TOLERANCE
        return early, _differs(start, end, evidence.duration), start, end or start

    start, end = min(product(printed.start.instants, printed.end.instants or (None,)), key=unlikely)

    def misplaced(answer: datetime) -> tuple[bool, bool, datetime]:
        outside = answer < start or (end is not None and answer > end)
        return outside, _differs(answer, end, evidence.billsec), answer

    return Times(start, min(printed.answer.instants, key=misplaced, default=None), end)


def _differs(start: datetime, end: datetime | None, seconds: int) -> bool:
    return end is not None and abs((end - start).total_seconds() - seconds) > _TOLERANCE


def _local(text: str) -> datetime | None:
    if not _LOCAL.fullmatch(text):
        return None
    try:
        local = datetime.fromisoformat(text)
    except ValueError:
        return None
    return local if FIRST_YEAR <= local.year <= LAST_YEAR else None


def _within_reason(instant: datetime, fraction: str | None) -> Moment | None:
    if not FIRST_YEAR <= instant.year <= LAST_YEAR:
        return None
    return Moment((instant,), cut=bool((fraction or "").strip("0")))


def _offset_text(offset: timedelta) -> str:
    seconds = int(offset.total_seconds())
    sign = "-" if seconds < 0 else "+"
    minutes, rest = divmod(abs(seconds), 60)
    parts = [f"{minutes // 60:02}", f"{minutes % 60:02}", f"{rest:02}"]
    while len(parts) > 1 and parts[-1] == "00":
        parts.pop()
    return sign + ":".join(parts)
