"""Text of callers and PBXs, made fit for a terminal: what would steer it is written out instead."""

from __future__ import annotations

import unicodedata

_STEERING = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Controls, formats (bidi overrides, zero-width), undecodable bytes, line and paragraph separators."""
_LONGEST = 50
"""Characters of a single value that are shown."""


def printable(text: str) -> str:
    r"""The text with control, bidi and other invisible characters as \x1b or \u202e."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        _shown(char) if unicodedata.category(char) in _STEERING else char for char in text
    )


def in_brief(value: str | None) -> str:
    """A single value among others."""
    text = printable(value or "")
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _shown(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # noqa: PLR2004  a byte that is not UTF-8, kept by surrogateescape
        code -= 0xDC00
    if code <= 0xFF:  # noqa: PLR2004  two digits are enough
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004  the basic plane
