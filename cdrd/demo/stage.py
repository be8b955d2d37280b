"""The demo PBX as a running thing: it appends to its file as Asterisk does, until it is stopped."""

from __future__ import annotations

import asyncio
from pathlib import Path
from zoneinfo import ZoneInfo

from cdrd.clock import Clock, utc_now
from cdrd.demo.pbx import DemoPbx, PbxState

_LONGEST_PAUSE = 1.0
"""Seconds; the clock may be set meanwhile."""


async def play(path: Path, *, zone: ZoneInfo, rate: float, clock: Clock = utc_now) -> None:
    """Plays calls into a Master.csv until it is cancelled; its state is kept beside the file."""
    keeper = _StateFile(path.with_name("state.json"))
    pbx = DemoPbx(keeper.load(), zone=zone, rate=rate, now=clock().timestamp())
    try:
        while True:
            now = clock().timestamp()
            records = pbx.due(now)
            # First the state: after a kill -9 in between, a record is missing, as with Asterisk itself;
            # the other way round it would be written twice.
            keeper.save(pbx.state)
            for record in records:
                append(path, record)
            await asyncio.sleep(min(max(pbx.next_event - now, 0.01), _LONGEST_PAUSE))
    finally:
        keeper.save(pbx.state)


def append(path: Path, record: bytes) -> None:
    """One record: opened, appended, closed, as cdr_csv does."""
    with path.open("ab") as file:
        file.write(record)


class _StateFile:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._saved = ""

    def load(self) -> PbxState:
        """What the last run left, or a new PBX."""
        if not self._path.exists():
            return PbxState()
        return PbxState.from_json(self._path.read_text(encoding="utf-8"))

    def save(self, state: PbxState) -> None:
        """Whole or not at all; nothing is written when nothing changed."""
        text = state.to_json()
        if text == self._saved:
            return
        new = self._path.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        new.replace(self._path)
        self._saved = text
