"""What the settings say about the CSV files of one carrier, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal
from zoneinfo import available_timezones

FIELDS = (
    "carrier_call_id",
    "date",
    "time",
    "caller",
    "called",
    "duration",
    "cost",
    "currency",
    "charge_band",
    "direction",
    "description",
)
"""What a column can be. `time` is for files with date and time in two columns."""

REQUIRED = ("date", "caller", "called", "duration", "cost")
"""What every carrier writes, and without which a cost can be checked against nothing."""

MOST_LINES_AROUND = 20
"""So many lines may be before the rows, and behind them."""

DurationForm = Literal["seconds", "minutes", "clock"]
"""`61` or `61.5`; `1.02` of a minute; `00:01:02` or `01:02`."""


@dataclass(frozen=True, slots=True)
class CarrierMapping:
    """How the rows of a carrier's files are read."""

    columns: Mapping[str, str | int]
    """Field → column: its name in the header, or its number from 1."""
    delimiter: str = ","
    quote: str | None = '"'
    """None where nothing is quoted."""
    header_lines: int = 1
    """Lines to skip; the last of them has the names of the columns."""
    footer_lines: int = 0
    encoding: str = "utf-8"
    date_format: str = "%Y-%m-%d %H:%M:%S"
    """As strptime wants it; of date and time with a blank between, where they are two columns."""
    zone: str = "UTC"
    decimal_mark: Literal[".", ","] = "."
    """What is before it may have the other one, a blank or an apostrophe between thousands."""
    currency: str = ""
    """Where no column says it."""
    cost_unit: Decimal = field(default=Decimal(1))
    """What a cost of 1 is in the currency: 0.01 for a carrier that counts in pence, -1 for one that
    writes what we owe with a minus."""
    duration_form: DurationForm = "seconds"
    strip_prefixes: tuple[str, ...] = ()
    """Taken off caller and called, the longest that fits, once."""
    max_record_bytes: int = 65536

    def problems(self) -> list[str]:
        """Everything that is wrong, one line each."""
        return [
            *self._column_problems(),
            *self._form_problems(),
            *self._currency_problems(),
        ]

    def _column_problems(self) -> list[str]:
        unknown = [name for name in self.columns if name not in FIELDS]
        missing = [name for name in REQUIRED if name not in self.columns]
        named = [name for name, column in self.columns.items() if isinstance(column, str)]
        numbered = [name for name, at in self.columns.items() if isinstance(at, int) and at < 1]
        return [
            *(f"columns: {name} is no field; there are {', '.join(FIELDS)}" for name in unknown),
            *(f"columns: {name} is missing" for name in missing),
            *(f"columns: {name}: columns are counted from 1" for name in numbered),
            *(
                f"columns: {name} is named, but the file has no header (header_lines is 0)"
                for name in named
                if not self.header_lines
            ),
        ]

    def _form_problems(self) -> list[str]:
        problems = []
        if len(self.delimiter) != 1 or self.delimiter in "\r\n" or self.delimiter == self.quote:
            problems.append("delimiter: one character, and not that of quote")
        if self.quote is not None and not _is_quote(self.quote):
            problems.append("quote: one character of ASCII, or none")
        if not _is_line_safe(self.encoding):
            problems.append(f"encoding: {self.encoding} is unknown, or its lines end otherwise")
        if not _is_time_format(self.date_format):
            problems.append(
                f"date_format: {self.date_format} is no date as strptime understands it"
            )
        if self.zone not in available_timezones():
            problems.append(f"zone: {self.zone} is no time zone")
        problems += [
            f"{name}: 0 to {MOST_LINES_AROUND}"
            for name in ("header_lines", "footer_lines")
            if not 0 <= getattr(self, name) <= MOST_LINES_AROUND
        ]
        return problems

    def _currency_problems(self) -> list[str]:
        problems = []
        if not self.currency and "currency" not in self.columns:
            problems.append("currency: say it here or name the column that has it")
        if not self.cost_unit or not self.cost_unit.is_finite():
            problems.append("cost_unit: any number but 0")
        return problems


_ASCII = bytes(range(32, 127)) + b"\t\r\n+2AA- \\ud800 \\x41"
"""With what UTF-7 and the escapes of Python would make something else of."""


def _is_quote(text: str) -> bool:
    return len(text) == 1 and text.isascii() and text not in "\r\n"


def _is_line_safe(encoding: str) -> bool:
    """Whether ASCII is ASCII in it: then a file can be read line by line, and says nothing by escapes."""
    try:
        decoded = (_ASCII + b"\xff\n").decode(encoding, "replace")
        return "a\n".encode(encoding) == b"a\n" and decoded.startswith(_ASCII.decode("ascii"))
    except (LookupError, ValueError):
        return False


def _is_time_format(text: str) -> bool:
    """Whether a day that is written so can be read again."""
    day = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
    try:
        return datetime.strptime(day.strftime(text), text).date() == day.date()  # noqa: DTZ007 - its day is asked
    except ValueError:
        return False
