"""Rows in the binary format of COPY: PostgreSQL takes them for four fifths of what text costs it.

A row is the number of its fields, and each field its length in bytes and what the type's receive function
reads. Source: PostgreSQL's documentation of COPY, "Binary Format", and of each type its `..._send`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from librt.strings import BytesWriter, write_i16_be, write_i32_be, write_i64_be

from cdrd.errors import RowRefused
from cdrd.store.moments import microseconds

BEGIN: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
"""What comes before the first row."""
END: Final = b"\xff\xff"
"""What comes after the last."""

_NULL: Final = -1
"""A length."""
_TEXT_TYPE: Final = 25
_INT8_TYPE: Final = 20


class Rows:
    """Writes one row after the other."""

    __slots__ = ("_row",)

    def __init__(self) -> None:
        self._row = BytesWriter()

    def begin(self, fields: int) -> None:
        """A row of so many fields."""
        write_i16_be(self._row, fields)

    def add(self, some: bytes) -> None:
        """What others of these have written."""
        self._row.write(some)

    def size(self) -> int:
        """How many bytes there are since the last end."""
        return len(self._row)

    def end(self) -> bytes:
        """What was written since the last one."""
        row = self._row.getvalue()
        self._row.truncate(0)
        return row

    def texts(self, values: Sequence[object]) -> None:
        """Fields of type text; raises RowRefused for what is no text."""
        _texts(self._row, values)

    def flags(self, values: Sequence[object]) -> None:
        """Fields of type boolean; raises RowRefused for what is neither True nor False."""
        row = self._row
        for value in values:
            if not isinstance(value, bool):
                raise RowRefused(f"neither true nor false: {value!r}")
            write_i32_be(row, 1)
            row.append(value)

    def moments(self, values: Sequence[datetime | None]) -> None:
        """Fields of type timestamptz."""
        row = self._row
        for value in values:
            if value is None:
                write_i32_be(row, _NULL)
            else:
                write_i32_be(row, 8)
                write_i64_be(row, microseconds(value))

    def int2(self, value: int) -> None:
        """A field of type smallint."""
        write_i32_be(self._row, 2)
        write_i16_be(self._row, value)

    def int4(self, value: int | None) -> None:
        """A field of type integer."""
        if value is None:
            write_i32_be(self._row, _NULL)
        else:
            write_i32_be(self._row, 4)
            write_i32_be(self._row, value)

    def int8(self, value: int | None) -> None:
        """A field of type bigint."""
        if value is None:
            write_i32_be(self._row, _NULL)
        else:
            write_i32_be(self._row, 8)
            write_i64_be(self._row, value)

    def text_array(self, values: Sequence[str | None]) -> None:
        """A field of type text[], of one value or more."""
        items = BytesWriter()
        _texts(items, values)
        self._array(_TEXT_TYPE, len(values), items.getvalue(), has_null=None in values)

    def int8_array(self, values: Sequence[int]) -> None:
        """A field of type bigint[], of one value or more."""
        items = BytesWriter()
        for value in values:
            write_i32_be(items, 8)
            write_i64_be(items, value)
        self._array(_INT8_TYPE, len(values), items.getvalue(), has_null=False)

    def _array(self, of_type: int, count: int, items: bytes, *, has_null: bool) -> None:
        row = self._row
        write_i32_be(row, 20 + len(items))
        write_i32_be(row, 1)  # dimensions
        write_i32_be(row, 1 if has_null else 0)
        write_i32_be(row, of_type)
        write_i32_be(row, count)
        write_i32_be(row, 1)  # index of the first
        row.write(items)


def _texts(row: BytesWriter, values: Sequence[object]) -> None:
    for value in values:
        if value is None:
            write_i32_be(row, _NULL)
        elif isinstance(value, str):
            text = _encoded(value)
            write_i32_be(row, len(text))
            row.write(text)
        else:
            raise RowRefused(f"no text: {value!r}")


def _encoded(value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise RowRefused(f"a text that is no Unicode: {error}") from error
