"""Reads values out of companies.yaml and collects everything that is wrong, with file, line and path."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cdrd.yamlfile import Place, YamlDocument

_TRUTHS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


MOST_TOLD = 100
"""Problems that are told; the others are counted. Whoever has so many has one mistake, many times."""
_MOST_LISTED = 20
"""Words that are listed as what could be written; of more, only one that is alike is told."""


def did_you_mean(word: str, known: Collection[str]) -> str:
    """`; did you mean dids?` where something alike is known, else the list of what is."""
    alike = get_close_matches(word, known, n=1)
    if alike:
        return f"; did you mean {alike[0]}?"
    return f"; there is {', '.join(sorted(known))}" if 0 < len(known) <= _MOST_LISTED else ""


class Problems:
    """What is wrong with a document. Readers go on after a problem, so that all are found at once."""

    def __init__(self, document: YamlDocument) -> None:
        self.document = document
        self._found: list[tuple[tuple[int, int], str]] = []
        self._more = 0

    def add(self, place: Place, message: str) -> None:
        """Something is wrong there."""
        self.add_at((0, self.document.line(place)), f"{self.document.where(place)}: {message}")

    def add_at(self, order: tuple[int, int], text: str) -> None:
        """Something is wrong in that line of that file, as the text says."""
        if len(self._found) < 10 * MOST_TOLD:
            self._found.append((order, text))
        else:
            self._more += 1

    @property
    def are_many(self) -> bool:
        """Whether more will hardly be told: no use in looking for words that help."""
        return len(self._found) >= MOST_TOLD

    def lines(self) -> list[str]:
        """One line a problem, in the order of the files; the last may say how many more there are."""
        told = [text for _, text in sorted(self._found, key=lambda found: found[0])]
        more = len(told[MOST_TOLD:]) + self._more
        return told[:MOST_TOLD] + ([f"and {more:,} more problems"] if more else [])

    def mapping(self, value: Any, place: Place, known: Collection[str] | None) -> dict[str, Any]:
        """Keys and values; keys that are not known are problems. Nothing written is an empty mapping."""
        if value in ("", None):
            return {}
        if not isinstance(value, dict):
            self.add(place, f"here belong keys with values, not {shown(value)}")
            return {}
        for key in value:
            if known is not None and key not in known:
                self.add((*place, key), f"there is no such key{did_you_mean(key, known)}")
        return value

    def items(self, value: Any, place: Place) -> list[tuple[Any, Place]]:
        """The items of a list with their places; a single text is a list of one."""
        if value in ("", None):
            return []
        if isinstance(value, str):
            return [(value, place)]
        if not isinstance(value, list):
            self.add(place, "here belongs a list")
            return []
        return [(item, (*place, index)) for index, item in enumerate(value)]

    def text(self, value: Any, place: Place) -> str | None:
        """A text that is not empty."""
        if not isinstance(value, str):
            self.add(place, f"here belongs a text, not {shown(value)}")
            return None
        if not value.strip():
            self.add(place, "it is empty")
            return None
        return value.strip()

    def flag(self, value: Any, place: Place) -> bool:
        """True or false."""
        truth = _TRUTHS.get(value.lower()) if isinstance(value, str) else None
        if truth is None:
            self.add(place, f"{shown(value)} is neither true nor false")
        return bool(truth)

    def digits(self, value: Any, place: Place) -> str:
        """A text of digits."""
        text = self.text(value, place)
        if text is not None and not (text.isascii() and text.isdigit()):
            self.add(place, f"{shown(text)} is not made of digits alone")
        return text or ""

    def moment(self, value: Any, place: Place, zone: ZoneInfo) -> datetime | None:
        """`2026-04-01` (midnight in the zone) or an instant with or without its offset, in UTC."""
        text = self.text(value, place)
        if text is None:
            return None
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            self.add(
                place, f"{shown(text)} is no date; write 2026-04-01 or 2026-04-01T08:00:00+01:00"
            )
            return None
        return at.replace(tzinfo=at.tzinfo or zone).astimezone(UTC)

    def zone(self, value: Any, place: Place) -> ZoneInfo:
        """The zone that dates are in."""
        text = self.text(value, place)
        try:
            return ZoneInfo(text or "UTC")
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self.add(place, f"{shown(text)} is no time zone; write one like Europe/London, or UTC")
            return ZoneInfo("UTC")

    def one_of(self, value: Any, place: Place, known: Sequence[str]) -> str | None:
        """One of the words that are known."""
        text = self.text(value, place)
        if text is None or text in known:
            return text
        self.add(place, f"{shown(text)} is not known here{did_you_mean(text, known)}")
        return None


def shown(value: Any) -> str:
    """A value as it is quoted in a message."""
    if isinstance(value, str):
        return repr(value)
    return "a list" if isinstance(value, list) else "keys with values"
