"""The calls that the demo PBX plays: what a real Asterisk wrote, with new times and numbers."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

_PLACEHOLDER = re.compile(r"\{([TUPLS])(\d+)(?:\.(\d+))?\}")


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers that Asterisk counts up from its start, and the second that a call begins in."""

    second: int = 0
    """Since the epoch, as in a uniqueid."""
    uniqueid: int = 0
    """What stands after the dot of a uniqueid."""
    pjsip: int = 0
    local: int = 0
    sequence: int = 0

    def after(self, used: Numbers) -> Numbers:
        """The numbers of the next call, when this one takes so many."""
        return Numbers(
            second=self.second,
            uniqueid=self.uniqueid + used.uniqueid,
            pjsip=self.pjsip + used.pjsip,
            local=self.local + used.local,
            sequence=self.sequence + used.sequence,
        )


@dataclass(frozen=True, slots=True)
class StoryRecord:
    """One record of a story."""

    after: float
    """Seconds from the story's first second to the moment that Asterisk wrote the record."""
    text: str
    """The record with placeholders; `about` in stories.json explains them."""


@dataclass(frozen=True, slots=True)
class Story:
    """A call from its first to its last record."""

    name: str
    story: str
    weight: int
    """How often it is played, compared with the others."""
    captured: Numbers
    """With these numbers the records are the captured ones again, byte for byte."""
    used: Numbers
    """How many numbers of each kind the call takes."""
    records: tuple[StoryRecord, ...]

    @property
    def seconds(self) -> float:
        """From its first second until its last record is written."""
        return max(record.after for record in self.records)


@cache
def stories() -> tuple[Story, ...]:
    """Every story."""
    document = json.loads(files(__package__).joinpath("stories.json").read_text(encoding="utf-8"))
    return tuple(_story(item) for item in document["stories"])


def _story(item: dict[str, Any]) -> Story:
    return Story(
        name=item["name"],
        story=item["story"],
        weight=item["weight"],
        captured=Numbers(**item["captured"]),
        used=Numbers(**item["used"]),
        records=tuple(StoryRecord(**record) for record in item["records"]),
    )


def render(text: str, numbers: Numbers, zone: ZoneInfo) -> bytes:
    """The bytes of a record as cdr_csv appends them, the line's end included."""

    def value(found: re.Match[str]) -> str:
        kind, first = found[1], int(found[2])
        if kind == "T":
            moment = datetime.fromtimestamp(numbers.second + first, UTC).astimezone(zone)
            return f"{moment:%Y-%m-%d %H:%M:%S}"
        if kind == "U":
            return f"{numbers.second + first}.{numbers.uniqueid + int(found[3])}"
        if kind == "S":
            return str(numbers.sequence + first)
        return f"{(numbers.pjsip if kind == 'P' else numbers.local) + first:08x}"

    return (_PLACEHOLDER.sub(value, text) + "\n").encode("ascii")
