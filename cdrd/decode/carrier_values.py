"""The values of a carrier's row: times, money, seconds and numbers, each checked by itself.

Every reader returns the value or a sentence; the caller names the column.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Context, Decimal
from zoneinfo import ZoneInfo

from cdrd.decode.carrier_mapping import CarrierMapping, DurationForm
from cdrd.decode.instants import FIRST_YEAR, LAST_YEAR
from cdrd.decode.values import MAX_NUMBER, shown

_PLAIN = re.compile(r"[+-]?[0-9]{1,18}(?:\.[0-9]{1,12})?")
_GROUPED = re.compile(r"([+-]?[0-9]{1,3})((?:[ '.,\u00a0\u2019\u202f][0-9]{3})+)(?=[.,]|\Z)")
_CLOCK = re.compile(r"(?:([0-9]{1,5}):)?([0-9]{1,4}):([0-9]{2})(\.[0-9]+)?")
_TRAILING_MINUS = re.compile(r"([0-9.,' \u00a0]+)-")
_SECONDS_OF_MINUTE = 60
_EXACT = Context(prec=200)
"""Money is multiplied without being rounded."""


def instant(text: str, mapping: CarrierMapping, zone: ZoneInfo) -> datetime | str:
    """Date and time as the mapping says, in UTC; the first of two where the clocks were put back."""
    try:
        printed = datetime.strptime(text, mapping.date_format)  # noqa: DTZ007 - a zone follows, or is in it
        found = (printed if printed.tzinfo else printed.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return f"{shown(text)} is no time in the form {mapping.date_format}"
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        return f"{shown(text)} is not between {FIRST_YEAR} and {LAST_YEAR}"
    return found


def decimal(text: str, mark: str) -> Decimal | str:
    """A number with this decimal mark; thousands may be set apart."""
    trailing = _TRAILING_MINUS.fullmatch(text)
    bare = f"-{trailing[1]}" if trailing else text
    grouped = _GROUPED.match(bare)
    if grouped and mark not in grouped[2]:
        bare = grouped[1] + re.sub(r"[^0-9]", "", grouped[2]) + bare[grouped.end() :]
    if mark == ",":
        bare = bare.replace(".", " ").replace(",", ".")
    if not _PLAIN.fullmatch(bare):
        return f"{shown(text)} is no number with the decimal mark {mark}"
    return Decimal(bare)


def money(text: str, mapping: CarrierMapping) -> Decimal | str:
    """What a call cost us, in the currency itself; free calls may have an empty cost."""
    found = decimal(text, mapping.decimal_mark) if text else Decimal(0)
    return found if isinstance(found, str) else _EXACT.multiply(found, mapping.cost_unit)


def seconds(text: str, mapping: CarrierMapping) -> Decimal | str:
    """A duration in the mapping's form, not yet whole."""
    found = _clock(text) if mapping.duration_form == "clock" else _counted(text, mapping)
    if isinstance(found, Decimal) and not 0 <= found <= MAX_NUMBER:
        return f"{shown(text)} is negative or too long"
    return found


def without_prefix(number: str, prefixes: tuple[str, ...]) -> str:
    """A number without the longest of the prefixes that it begins with."""
    fitting = [prefix for prefix in prefixes if prefix and number.startswith(prefix)]
    return number.removeprefix(max(fitting, key=len)) if fitting else number


def _counted(text: str, mapping: CarrierMapping) -> Decimal | str:
    found = decimal(text, mapping.decimal_mark)
    form: DurationForm = mapping.duration_form
    return found * _SECONDS_OF_MINUTE if form == "minutes" and isinstance(found, Decimal) else found


def _clock(text: str) -> Decimal | str:
    match = _CLOCK.fullmatch(text)
    if match is None or int(match[3]) >= _SECONDS_OF_MINUTE:
        return f"{shown(text)} is no duration like 00:01:02"
    hours, minutes, rest, fraction = match.groups()
    if hours and int(minutes) >= _SECONDS_OF_MINUTE:
        return f"{shown(text)} has {minutes} minutes behind its hours"
    return Decimal(3600 * int(hours or 0) + 60 * int(minutes) + int(rest)) + Decimal(fraction or 0)
