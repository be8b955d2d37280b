"""How commands print: columns that are never cut, and sentences that go on below themselves.

Only a terminal wraps; what goes into a file or a pipe has a line for each thing, however long.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from shutil import get_terminal_size

from rich.cells import cell_len

_GAP = "  "
_NARROWEST = 40


def aligned(rows: Iterable[Sequence[str]], *, indent: str = "") -> Iterator[str]:
    """Rows of cells as lines, each column as wide as its widest cell; every row has as many cells."""
    held = list(rows)
    widths = [max(map(cell_len, column)) for column in zip(*held, strict=True)]
    for row in held:
        cells = (cell + " " * (w - cell_len(cell)) for cell, w in zip(row, widths, strict=True))
        yield (indent + _GAP.join(cells)).rstrip()


def wrapped(text: str, *, indent: str = "") -> str:
    """A sentence; on a terminal it goes on below itself, further in."""
    if not sys.stdout.isatty():
        return indent + text
    return textwrap.fill(
        text,
        max(get_terminal_size().columns, _NARROWEST),
        initial_indent=indent,
        subsequent_indent=indent + "    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def moment(at: datetime) -> str:
    """A time as commands show it."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
