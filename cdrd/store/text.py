"""Values as PostgreSQL reads them: rows in the text format of COPY, as bytes, and arrays of names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from cdrd.errors import RowRefused

_AT_ONCE: Final = 256


def numbered(rows: Sequence[str], *, first: int, known: str) -> Iterator[bytes]:
    """Rows with what only the store knows in front: a number each, and what is the same for all.

    So many together as a socket takes at once.
    """
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        yield encoded([f"{number}{known}{row}\n" for number, row in enumerate(some, first + start)])


def encoded(lines: Sequence[str]) -> bytes:
    """Rows that have their line ends; raises RowRefused for what is no Unicode."""
    try:
        return "".join(lines).encode()
    except UnicodeEncodeError as error:
        raise RowRefused(f"a text that is no Unicode: {error}") from error


def text_array(values: Sequence[str]) -> str:
    """What PostgreSQL reads as text[]: the driver looks at each element of a list for three base classes.

    Source: PostgreSQL's documentation of arrays, "Array Input and Output Syntax".
    """
    quoted = [value.replace("\\", r"\\").replace('"', r"\"") for value in values]
    return '{"' + '","'.join(quoted) + '"}' if quoted else "{}"
