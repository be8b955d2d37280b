"""The CSV files of carriers: what each call cost us, by a mapping of columns.

Every line of a file becomes a row or a Rejected that names every column that is wrong, not only the first;
so a dry run shows all there is to mend. A file whose header lacks a mapped column yields that one Rejected
and nothing else. Of a quote that is never closed only its line is lost: the next record begins behind it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from cdrd.beside import CarrierRow
from cdrd.decode import carrier_values as values
from cdrd.decode.carrier_lines import Joining, Line, numbered_lines, whole_records, without_footer
from cdrd.decode.carrier_mapping import CarrierMapping
from cdrd.records import Reason, Rejected


class Layout(NamedTuple):
    """Where the columns of a file are."""

    places: Mapping[str, int]
    """Field → index of its column."""
    names: Sequence[str]
    """Of the header; without one, their numbers are made up."""


def carrier_rows(
    lines: Iterable[bytes], mapping: CarrierMapping
) -> Iterator[CarrierRow | Rejected]:
    """The rows of a file, given as its lines with their newlines, as iterating over it gives them."""
    numbered = numbered_lines(lines)
    header = [line for _, line in zip(range(mapping.header_lines), numbered, strict=False)]
    layout = layout_of(header, mapping)
    if isinstance(layout, Rejected):
        yield layout
        return
    reader = RowReader(mapping, layout)
    for record in reader.records(numbered, final=True):
        yield reader.outcome(record)


class RowReader:
    """How the rows of one file are read."""

    def __init__(self, mapping: CarrierMapping, layout: Layout) -> None:
        self._mapping = mapping
        self._layout = layout
        self._times = values.Times(mapping)
        self._mapped = frozenset(layout.places.values())
        self._fewest = 1 + max(layout.places.values())
        self._quote = mapping.quote.encode(mapping.encoding) if mapping.quote else None

    def records(self, lines: Iterator[Line], *, final: bool) -> Iterator[Line]:
        """The records that lines behind the header hold; `final`: nothing follows on these."""
        mapping = self._mapping
        most = mapping.max_record_bytes
        body = without_footer(lines, mapping.footer_lines, max_bytes=most)
        return whole_records(body, Joining(self._quote, self.is_shaped, most, final=final))

    def is_shaped(self, raw: bytes) -> bool:
        """Whether bytes are a whole record with all mapped columns, and no more than the header has."""
        fields = self._fields(raw)
        most = len(self._layout.names) or len(fields)
        return self._fewest <= len(fields) <= most

    def outcome(self, line: Line) -> CarrierRow | Rejected:
        """What a record became."""
        if b"\0" in line.raw:
            return _rejected(line, Reason.NUL_BYTES, f"NUL bytes, the first at {line.raw.index(0)}")
        if len(line.raw) > self._mapping.max_record_bytes:
            return _rejected(line, Reason.TOO_LONG, f"{len(line.raw)} bytes")
        fields = self._fields(line.raw)
        if not fields:
            return _rejected(
                line, Reason.BAD_QUOTING, "a quote that is not closed, or text behind one"
            )
        if len(fields) < self._fewest:
            detail = f"{len(fields)} columns, expected {self._fewest} at least"
            return _rejected(line, Reason.TOO_FEW_COLUMNS, detail)
        names = self._layout.names
        if names and len(fields) > len(names):
            detail = f"{len(fields)} columns, the header has {len(names)}"
            return _rejected(line, Reason.TOO_MANY_COLUMNS, detail)
        return self._row(line, fields)

    def _fields(self, raw: bytes) -> list[str]:
        """The columns of a record; none if its quotes are wrong."""
        text = raw.decode(self._mapping.encoding, errors="replace").strip("\r\n\ufeff")
        return _parsed(text, self._mapping)

    def _row(self, line: Line, fields: Sequence[str]) -> CarrierRow | Rejected:
        texts = {name: fields[at].strip() for name, at in self._layout.places.items()}
        read = _Values(texts, self._mapping)
        date = read.instant(self._times)
        duration = read.checked("duration", values.seconds(texts["duration"], self._mapping))
        cost = read.checked("cost", values.money(texts["cost"], self._mapping))
        currency = texts.get("currency") or self._mapping.currency
        if not currency:
            read.problems.append((Reason.MISSING_FIELD, "currency is empty"))
        if read.problems or date is None or duration is None or cost is None:
            details = "; ".join(detail for _, detail in read.problems)
            return _rejected(line, read.problems[0][0], details)
        return CarrierRow(
            line=line.number,
            carrier_call_id=texts.get("carrier_call_id") or None,
            calldate=date,
            caller=values.without_prefix(texts["caller"], self._mapping.strip_prefixes),
            called=values.without_prefix(texts["called"], self._mapping.strip_prefixes),
            duration=int(duration),
            cost=cost,
            currency=currency,
            charge_band=texts.get("charge_band", ""),
            direction=texts.get("direction", ""),
            description=texts.get("description", ""),
            extra=self._extra(fields, texts, is_cut=duration != int(duration)),
        )

    def _extra(
        self, fields: Sequence[str], texts: Mapping[str, str], *, is_cut: bool
    ) -> dict[str, Any] | None:
        names = self._layout.names
        extra: dict[str, Any] = {
            names[at] if at < len(names) else f"column {at + 1}": text.strip()
            for at, text in enumerate(fields)
            if at not in self._mapped and text.strip()
        }
        if is_cut:
            extra["duration"] = texts["duration"]
        return extra or None


class _Values:
    """The values of one row, and everything that is wrong with them."""

    def __init__(self, texts: Mapping[str, str], mapping: CarrierMapping) -> None:
        self.problems: list[tuple[Reason, str]] = []
        self._texts = texts
        self._mapping = mapping
        if not texts["called"]:
            self.problems.append((Reason.MISSING_FIELD, f"{self._column('called')} is empty"))

    def instant(self, times: values.Times) -> datetime | None:
        """The time of the call, of one column or two."""
        texts = self._texts
        found = times.instant(
            f"{texts['date']} {texts['time']}" if "time" in texts else texts["date"]
        )
        if isinstance(found, str):
            self.problems.append((Reason.BAD_TIME, f"{self._column('date')}: {found}"))
            return None
        return found

    def checked(self, name: str, found: Decimal | str) -> Decimal | None:
        """A number, or one problem more."""
        if isinstance(found, str):
            self.problems.append((Reason.BAD_NUMBER, f"{self._column(name)}: {found}"))
            return None
        return found

    def _column(self, name: str) -> str:
        return f"{name} (column {self._mapping.columns[name]})"


def layout_of(header: Sequence[Line], mapping: CarrierMapping) -> Layout | Rejected:
    """Where the mapped columns are, by the lines of a header; Rejected where one is missing."""
    names: list[str] = []
    if header:
        text = header[-1].raw.decode(mapping.encoding, errors="replace")
        names = [name.strip() for name in _parsed(text.strip("\r\n\ufeff"), mapping)]
    known = {name.casefold(): at for at, name in reversed([*enumerate(names)])}
    places = {
        field: column - 1 if isinstance(column, int) else known.get(column.strip().casefold(), -1)
        for field, column in mapping.columns.items()
    }
    missing = [str(mapping.columns[field]) for field, at in places.items() if at < 0]
    if missing:
        line = header[-1] if header else Line(b"", 1, 0)
        if b"\0" in line.raw:
            detail = (
                "the header has NUL bytes, as UTF-16 has: ask the carrier for UTF-8, or save it so"
            )
            return _rejected(line, Reason.NUL_BYTES, detail)
        detail = f"the header has no column {', no column '.join(missing)}"
        return _rejected(line, Reason.MISSING_FIELD, detail)
    return Layout(places, names)


def _parsed(text: str, mapping: CarrierMapping) -> list[str]:
    """The columns of one record; none if it is no CSV."""
    if text and "\r" not in text and "\n" not in text and (mapping.quote or "\n") not in text:
        return text.split(mapping.delimiter)
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if mapping.quote else csv.QUOTE_NONE
    reader = csv.reader(
        [text],
        delimiter=mapping.delimiter,
        quotechar=mapping.quote,
        quoting=quoting,
        strict=True,
    )
    try:
        return next(reader, [])
    except csv.Error:
        return []


def _rejected(line: Line, reason: Reason, detail: str) -> Rejected:
    return Rejected(line.raw, line.number, line.offset, reason, detail)
