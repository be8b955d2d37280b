"""File names as text that PostgreSQL takes: they are bytes, and need not be UTF-8."""

from __future__ import annotations

import re

_ESCAPED = re.compile(r"\\udc([89a-f][0-9a-f])")


def as_text(name: str) -> str:
    r"""A path, or words with one in them; a byte that is not UTF-8 becomes `\udce9`."""
    return name.encode("utf-8", "backslashreplace").decode()


def as_path(text: str) -> str:
    """The path again, as the file system knows it."""
    return _ESCAPED.sub(lambda found: chr(0xDC00 + int(found[1], 16)), text)
