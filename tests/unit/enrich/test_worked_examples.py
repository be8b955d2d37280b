"""The worked examples of Asterisk's CDR specification: the book beside this module says what is decided.

Each example is a call that was placed on a real Asterisk. Its block in worked_examples.md has a line for each
call, with what is true of it, and below that a line for each of its legs: what Asterisk wrote, left of the
first bar, and what was decided.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from support.decoded import CAPTURES
from support.truth import calls, directory

from cdrd.calls import CallLeg, CallRecord
from cdrd.enrich.deciding import decide_call
from cdrd.enrich.grouping import CallGroup
from cdrd.records import Attribution, Leg

BOOK = Path(__file__).with_name("worked_examples.md")
_EXAMPLE = re.compile(
    r"^### (.+?)\n.*?`(\w+)` `([\w@]+)`.*?\n```\n(.*?)```\n", re.DOTALL | re.MULTILINE
)
_SERIAL = re.compile(r"-[0-9a-f]{8}(?=;|$)")
_FLAGS = ("is_ivr", "is_park", "is_pick", "is_auth", "is_bounce")
_BILLED = ("company", "target", "bill_to", "direction", "src_ext", "dial_full", "xfer", *_FLAGS)


class Example(NamedTuple):
    """A call of the book."""

    headline: str
    capture: str
    scenario: str
    told: str


EXAMPLES = [Example(*found) for found in _EXAMPLE.findall(BOOK.read_text())]


@cache
def _linkedids(capture: str) -> dict[str, frozenset[str]]:
    """By scenario."""
    with (CAPTURES / capture / "scenarios.jsonl").open() as file:
        told = [json.loads(line) for line in file]
    return {one["name"]: frozenset(one["linkedids"]) for one in told if "linkedids" in one}


def _calls(example: Example, kind: str) -> list[CallGroup]:
    ids = _linkedids(example.capture)[example.scenario]
    return [call for call in calls(example.capture, kind) if call.legs[0].linkedid in ids]


class Decision(NamedTuple):
    """What was decided of a leg."""

    leg: Leg
    part: CallLeg
    attribution: Attribution


def _decided(call: CallGroup) -> tuple[CallRecord, list[Decision]]:
    decided = decide_call(call.legs, directory(), call.events)
    assert decided.record is not None
    legs = {leg.acctid: leg for leg in call.legs}
    found = {one.acctid: one for one in decided.attributions}
    parts = decided.record.legs
    return decided.record, [Decision(legs[p.acctid], p, found[p.acctid]) for p in parts]


def _row(record: CallRecord) -> str:
    """A call in one line; what is not said is not known."""
    answer = f"{record.answered_by} answers" if record.answered_by else "nobody answers"
    said = (
        f"{record.caller or 'somebody'} dials {record.dialled or 'nothing'}",
        answer,
        record.direction or "nowhere",
        f"{record.talk_seconds} s",
        f"queue {record.queue}" if record.queue else "",
        record.reroute_reason or "",
        f"SIP {record.status_code}" if record.status_code else "",
        record.end_reason or "",
    )
    return ", ".join(text for text in said if text)


def _line(decision: Decision) -> str:
    """A leg in one line."""
    leg, part, found = decision
    ends = f"{_named(leg.channel)} → {_named(leg.dstchannel)}"
    asterisk = f"{ends} {leg.lastapp or 'nothing'} {leg.disposition} {leg.billsec} s"
    flags = [f"transferred by {found.xfer}"] if found.xfer else []
    flags += [name.removeprefix("is_") for name in _FLAGS if getattr(found, name)]
    said = (
        asterisk,
        f"{found.direction} {found.company or '-'} → {found.target or '-'}",
        f"{found.bill_to or 'nobody'} pays" + (f" by {found.trunk}" if found.trunk else ""),
        f"{found.src_ext or '-'} dials {found.dial_full or '-'}",
        " ".join((part.role, *([part.end_reason] if part.end_reason else []))),
        ", ".join(flags),
    )
    return " | ".join(text for text in said if text)


def _named(channel: str) -> str:
    return _SERIAL.sub("", channel.removeprefix("PJSIP/")) or "nobody"


def _told(groups: Sequence[CallGroup]) -> Iterator[str]:
    for call in groups:
        record, decisions = _decided(call)
        yield _row(record)
        yield from map(_line, decisions)


def _without_events(example: Example) -> Iterator[str]:
    """What a biller would be told otherwise from records alone."""
    exact = {
        one.leg.acctid: (number, one.attribution)
        for number, one in enumerate(
            (one for call in _calls(example, "cdr_custom and cel") for one in _decided(call)[1]), 1
        )
    }
    guessed = [one for call in _calls(example, "cdr_custom") for one in _decided(call)[1]]
    for one in sorted(guessed, key=lambda one: exact[one.leg.acctid][0]):
        number, known = exact[one.leg.acctid]
        differ = [
            f"{name} {getattr(one.attribution, name) or '-'}"
            for name in _BILLED
            if getattr(one.attribution, name) != getattr(known, name)
        ]
        if differ:
            yield f"without events, leg {number}: {', '.join(differ)}"


def _normal(lines: Iterator[str] | Sequence[str]) -> list[str]:
    return [" ".join(line.split()) for line in lines if line.strip()]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.scenario)
def test_what_the_book_says_of_a_call_is_what_is_decided(example: Example) -> None:
    told = [*_told(_calls(example, "cdr_custom and cel")), *_without_events(example)]

    assert _normal(example.told.splitlines()) == _normal(told)


def test_the_book_has_every_kind_of_call() -> None:
    """A block that is not written as the others are would be left out without a word."""
    text = BOOK.read_text()

    assert text.count("\n### ") == len(EXAMPLES) > 60
    assert len({(e.capture, e.scenario) for e in EXAMPLES}) == len(EXAMPLES)
