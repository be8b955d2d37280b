"""Any number of records that look like a real PBX's: the captured ones, again and again at later times."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

CAPTURE = Path(__file__).parent.parent / "captures" / "main" / "cdr-csv"
ROTATED = ("renamed-1", "renamed-2", "copied-1", "copied-2")
ZONE = "America/New_York"
"""The zone of the captured times; no clock changes within the eleven days that two million records span."""
STEP = 600
"""Seconds between two repetitions: more than the capture's 505, so that every uniqueid is fresh."""

NUMBERS = 7919
"""How far outside numbers move on: nobody is called by everybody, and what remembers numbers forgets."""
CHANNELS = 0x2000
"""How far the numbers of channels move on with each repetition."""

_TOKEN = re.compile(
    rb'"(2026-11-21 \d\d:\d\d:\d\d)"'  # a time
    rb'|"(1795\d{6})\.(\d+)"'  # a uniqueid
    rb'|-([0-9a-f]{8})(?=[;"])'  # the number of a channel
    rb"|(?<=1632)(\d{6})"  # an outside number, behind its area code
)
_TIME = "%Y-%m-%d %H:%M:%S"


class Backlog:
    """The captured records with gaps for their times and uniqueids."""

    def __init__(self, *, tame: bool = False) -> None:
        """With `tame` only those that a line-wise reader of UTF-8 understands."""
        whole = b"".join((CAPTURE / f"Master.csv.{name}").read_bytes() for name in ROTATED)
        whole += (CAPTURE / "Master.csv").read_bytes()
        chosen = [raw for raw in split_records(whole) if not tame or _is_tame(raw)]
        self.records = len(chosen)
        """Records of one repetition."""
        self._parts: list[bytes] = []
        """Everything in order; what varies is filled in anew for each repetition."""
        self._times: list[tuple[int, bytes]] = []
        self._uniqueids: list[tuple[int, int, bytes]] = []
        self._channels: list[tuple[int, int]] = []
        self._outside: list[tuple[int, int]] = []
        self._take_apart(b"".join(chosen))

    def _take_apart(self, whole: bytes) -> None:
        end = 0
        for token in _TOKEN.finditer(whole):
            place = len(self._parts) + 1
            self._parts += (whole[end : token.start()], b"")
            end = token.end()
            time, epoch, counter, channel, outside = token.groups()
            if time:
                self._times.append((place, time))
            elif epoch:
                self._uniqueids.append((place, int(epoch), counter))
            elif channel:
                self._channels.append((place, int(channel, 16)))
            else:
                self._outside.append((place, int(outside)))
        self._parts.append(whole[end:])

    def repetitions(self, records: int) -> int:
        """How many repetitions are at least so many records."""
        return -(-records // self.records)

    def write(self, path: Path, repetitions: int) -> int:
        """Writes them to a file; returns how many records that are."""
        with path.open("wb") as file:
            file.writelines(self.chunks(repetitions))
        return repetitions * self.records

    def chunks(self, repetitions: int) -> Iterator[bytes]:
        """One repetition after the other."""
        for number in range(repetitions):
            yield self._shifted(number)

    @cached_property
    def _moments(self) -> dict[bytes, datetime]:
        return {
            time: datetime.strptime(time.decode(), _TIME)  # noqa: DTZ007 - local time, only shifted
            for _, time in self._times
        }

    def _shifted(self, number: int) -> bytes:
        parts = self._parts
        shift = timedelta(seconds=number * STEP)
        times = {old: f'"{time + shift:{_TIME}}"'.encode() for old, time in self._moments.items()}
        for place, time in self._times:
            parts[place] = times[time]
        for place, epoch, counter in self._uniqueids:
            parts[place] = b'"%d.%s"' % (epoch + number * STEP, counter)
        for place, channel in self._channels:
            parts[place] = b"-%08x" % (channel + number * CHANNELS)
        for place, outside in self._outside:
            parts[place] = b"%06d" % ((outside + number * NUMBERS) % 1_000_000)
        return b"".join(parts)


def split_records(whole: bytes) -> Iterator[bytes]:
    """Each record's own bytes; a record ends at the first line end outside quotes."""
    record = b""
    for line in whole.splitlines(keepends=True):
        record += line
        if record.count(b'"') % 2 == 0:
            yield record
            record = b""


def _is_tame(raw: bytes) -> bool:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return False
    return text.removesuffix("\n").isprintable()


def columns(whole: bytes) -> list[list[str]]:
    """What Python's own csv.reader makes of records."""
    return list(csv.reader(io.StringIO(whole.decode(errors="surrogateescape"), newline="")))
