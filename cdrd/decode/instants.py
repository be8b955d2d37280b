"""Times to the microsecond, in any of the ways that the writers of events and pushed records have.

An epoch (`1795285487.251379`), a time with an offset, or a local time of a zone. The local hour that
comes twice in autumn is two instants: who asks knows what else to go by.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cdrd.decode.times import instants_of_zone

FIRST_YEAR, LAST_YEAR = 1970, 2199

_EPOCH = re.compile(r"([0-9]{1,11})(?:\.([0-9]{0,9}))?")
_CLOCK = re.compile(
    r"([0-9]{4})[-/]([0-9]{2})[-/]([0-9]{2})[ T]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:[.,]([0-9]{1,9}))?"
    r"(?: ?(Z|UTC|[+-][0-9]{2}(?::?[0-9]{2})?))?"
)
_START = datetime(1970, 1, 1, tzinfo=UTC)
_USUAL_EPOCH = re.compile(r"[1-9][0-9]{8}|[1-6][0-9]{9}")
"""From 1973 to 2191."""
_SECONDS_KEPT = 10_000


class EpochSeconds(dict[str, str]):
    """Epoch → date and time in UTC, without saying so; KeyError for what is no usual epoch."""

    def __missing__(self, epoch: str) -> str:
        if not _USUAL_EPOCH.fullmatch(epoch):
            raise KeyError(epoch)
        if len(self) >= _SECONDS_KEPT:
            self.clear()
        found = self[epoch] = datetime.fromtimestamp(int(epoch), UTC).strftime("%Y-%m-%d %H:%M:%S")
        return found


def epoch_instant(text: str) -> datetime | None:
    """The instant of an epoch with or without a fraction; None for zero and for what is none."""
    match = _EPOCH.fullmatch(text)
    if match is None or not int(match[1]):
        return None
    return _within_reason(_START + timedelta(seconds=int(match[1])), match[2])


def clock_instants(text: str, zone: ZoneInfo) -> tuple[datetime, ...]:
    """The instants that a printed date and time may mean: two in the doubled hour, none for nonsense.

    Without an offset it is a time of the zone; one that the clocks leave out in spring is moved.
    """
    match = _CLOCK.fullmatch(text)
    if match is None:
        return ()
    year, month, day, clock, fraction, offset = match.groups()
    try:
        printed = datetime.fromisoformat(f"{year}-{month}-{day}T{clock}{_iso_offset(offset)}")
        found = (
            instants_of_zone(printed, zone)
            if printed.tzinfo is None
            else (printed.astimezone(UTC),)
        )
    except (ValueError, OverflowError):
        return ()
    exact = (_within_reason(instant, fraction) for instant in found)
    return tuple(instant for instant in exact if instant is not None)


def instants_of(text: str, zone: ZoneInfo) -> tuple[datetime, ...]:
    """The instants that a time may mean, whichever way it is written."""
    epoch = epoch_instant(text)
    return (epoch,) if epoch else clock_instants(text, zone)


def not_before(instants: tuple[datetime, ...], since: int | None) -> datetime | None:
    """Of the two instants of a doubled hour the first that is not before an epoch, else the last."""
    for instant in instants:
        if since is None or instant.timestamp() >= since - 1:
            return instant
    return instants[-1] if instants else None


def copy_time(instant: datetime) -> str:
    """An instant as COPY wants it."""
    return instant.isoformat(" ")


def _iso_offset(offset: str | None) -> str:
    return "+00:00" if offset in ("Z", "UTC") else offset or ""


def _within_reason(instant: datetime, fraction: str | None) -> datetime | None:
    if not FIRST_YEAR <= instant.year <= LAST_YEAR:
        return None
    return instant.replace(microsecond=int((fraction or "0").ljust(6, "0")[:6]))
