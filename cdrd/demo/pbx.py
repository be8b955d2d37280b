"""The demo PBX: which call begins when, and which records are due; a state machine without a clock."""

from __future__ import annotations

import heapq
import json
from dataclasses import asdict, dataclass, field, replace
from random import Random
from zoneinfo import ZoneInfo

from cdrd.demo.stories import Numbers, Story, render, stories

_SEED = "cdrd demo"
_FIRST = (
    "outbound_national@acme",
    "internal_answered@globex",
    "inbound_did_extension@acme",
    "onnet_inter_company@acme",
    "blind_xfer_external_refer@globex",
    "inbound_queue_answered@acme",
)
"""Calls that are over when the PBX is switched on for the first time, so that there is something to read."""
_MISSED = 60.0
"""Seconds without a look at the clock after which the calls of the meantime are left out: it slept."""


@dataclass(slots=True)
class PbxState:
    """What is kept from one start to the next."""

    calls: int = 0
    """Calls begun so far; also what the choice of the next one depends on."""
    numbers: Numbers = field(default_factory=Numbers)
    pending: list[tuple[float, int, str]] = field(default_factory=list)
    """Records of calls in progress: when each is due, in seconds since the epoch, its place among those
    that are due at one time, and its text."""

    def to_json(self) -> str:
        """As it is written to a file."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> PbxState:
        """As it was written."""
        data = json.loads(text)
        return PbxState(
            calls=data["calls"],
            numbers=Numbers(**data["numbers"]),
            pending=[(float(due), int(place), str(text)) for due, place, text in data["pending"]],
        )


class DemoPbx:
    """Plays stories at random moments, `rate` calls a minute. Times are seconds since the epoch."""

    def __init__(self, state: PbxState, *, zone: ZoneInfo, rate: float, now: float) -> None:
        self.state = state
        self._zone = zone
        self._rate = rate
        heapq.heapify(state.pending)
        if state.calls == 0:
            self._begin_first(now)
        self._next_call = now + self._pause()

    def due(self, now: float) -> list[bytes]:
        """The records that Asterisk would have written by now and that were not given yet."""
        if now - self._next_call > _MISSED:
            self._next_call = now + self._pause()
        while self._next_call <= now:
            self._begin(self._choose(), at=self._next_call)
            self._next_call += self._pause()
        records = []
        while self.state.pending and self.state.pending[0][0] <= now:
            _, _, text = heapq.heappop(self.state.pending)
            records.append(text.encode("ascii"))
        return records

    @property
    def next_event(self) -> float:
        """When there will be something to do."""
        return min([self._next_call, *(due for due, _, _ in self.state.pending[:1])])

    def _begin_first(self, now: float) -> None:
        """One after the other, the last one just over."""
        known = {story.name: story for story in stories()}
        at = now
        for name in reversed(_FIRST):
            at -= known[name].seconds + 1
        for name in _FIRST:
            self._begin(known[name], at=at)
            at += known[name].seconds + 1

    def _random(self, purpose: str) -> Random:
        """Each call has numbers of its own, so a PBX that was stopped goes on as if it had not been."""
        return Random(f"{_SEED} {purpose} {self.state.calls}")  # noqa: S311 - chooses calls, not secrets

    def _choose(self) -> Story:
        every = stories()
        weights = [story.weight for story in every]
        return self._random("story").choices(every, weights)[0]

    def _pause(self) -> float:
        return self._random("pause").expovariate(self._rate / 60)

    def _begin(self, story: Story, *, at: float) -> None:
        numbers = replace(self.state.numbers, second=int(at))
        for place, record in enumerate(story.records):
            text = render(record.text, numbers, self._zone).decode("ascii")
            heapq.heappush(self.state.pending, (numbers.second + record.after, place, text))
        self.state.numbers = numbers.after(story.used)
        self.state.calls += 1
