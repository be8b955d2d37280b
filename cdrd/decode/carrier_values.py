"""The values of a carrier's row: times, money, seconds and numbers, each checked by itself.

Every reader returns the value or a sentence; the caller names the column.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
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
_DIRECTIVES = re.compile(r"%(.)", re.DOTALL)
_NUMBERS = {"Y": "year", "m": "month", "d": "day", "H": "hour", "M": "minute", "S": "second"}
_EXACT = Context(prec=200)
"""Money is multiplied without being rounded."""


class Times:
    """Dates and times as a mapping says, in UTC; the first of two where the clocks were put back."""

    def __init__(self, mapping: CarrierMapping) -> None:
        self._form = mapping.date_format
        self._zone = ZoneInfo(mapping.zone)
        self._usual, self._order = _usual_times(mapping.date_format)

    def instant(self, text: str) -> datetime | str:
        """The instant of a printed time, or what is wrong with it."""
        try:
            printed = self._fast(text) or datetime.strptime(text, self._form)  # noqa: DTZ007 - a zone follows, or is in it
            found = (printed if printed.tzinfo else printed.replace(tzinfo=self._zone)).astimezone(
                UTC
            )
        except (ValueError, OverflowError):
            return f"{shown(text)} is no time in the form {self._form}"
        if not FIRST_YEAR <= found.year <= LAST_YEAR:
            return f"{shown(text)} is not between {FIRST_YEAR} and {LAST_YEAR}"
        return found

    def _fast(self, text: str) -> datetime | None:
        """The same as strptime makes of a usual text, several times as fast."""
        match = self._usual.fullmatch(text) if self._usual else None
        if match is None:
            return None
        parts = {name: int(match[at]) for name, at in self._order}
        return datetime(tzinfo=self._zone, **parts)


def _usual_times(form: str) -> tuple[re.Pattern[str] | None, Sequence[tuple[str, int]]]:
    """What fits a form of plain numbers in full, and which group is what; None for other forms."""
    names = _DIRECTIVES.findall(form)
    if len(set(names)) < len(names) or not {"Y", "m", "d"} <= set(names) <= _NUMBERS.keys():
        return None, ()
    pattern = "".join(
        f"([0-9]{{{4 if part == 'Y' else 2}}})" if at % 2 else re.escape(part)
        for at, part in enumerate(_DIRECTIVES.split(form))
    )
    return re.compile(pattern), [(_NUMBERS[name], at) for at, name in enumerate(names, 1)]


def decimal(text: str, mark: str) -> Decimal | str:
    """A number with this decimal mark; thousands may be set apart."""
    plain = text if mark == "." else text.replace(".", " ").replace(",", ".")
    if _PLAIN.fullmatch(plain):
        return Decimal(plain)
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
    if isinstance(found, str) or mapping.cost_unit == 1:
        return found
    return _EXACT.multiply(found, mapping.cost_unit)


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
