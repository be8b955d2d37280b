"""A call as `cdrd explain` tells of it: all its legs and events, and what was decided of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from cdrd.beside import CelEvent, QueueEvent
from cdrd.cli.layout import moment, wrapped
from cdrd.enrich.batch import MOST_LEGS_OF_CALL, acctid_of
from cdrd.enrich.deciding import decide_call
from cdrd.enrich.directory import Directory
from cdrd.enrich.faults import place_of
from cdrd.enrich.gathering import Gathering
from cdrd.enrich.grouping import calls_of
from cdrd.enrich.printable import printable
from cdrd.enrich.queue_row import by_caller, queue_events_of, told_by_queue
from cdrd.enrich.queue_telling import in_order
from cdrd.enrich.telling import moments, summary
from cdrd.errors import NotFound
from cdrd.records import AcctId, Attribution, Direction, Leg, UnattributedReason
from cdrd.store.attributions import attributions_of
from cdrd.store.calls import call_of
from cdrd.store.database import Database
from cdrd.store.events import pbxs_with_events
from cdrd.store.legs import Window, legs_of_calls
from cdrd.store.statements import Row
from cdrd.store.work import prepare_to_decide

_MOST_SHOWN = 200
"""Moments of a call that are shown."""


class WholeCall(NamedTuple):
    """A call as far as it is known."""

    legs: Sequence[Leg]
    """In the order of acctid."""
    events: Sequence[CelEvent]
    queued: Sequence[QueueEvent] = ()


class CallStory(NamedTuple):
    """What is told of a call."""

    call: WholeCall
    decided: dict[AcctId, Attribution]
    stored: Row | None
    """Its row."""
    directory: Directory | None


async def gather_call(database: Database, leg: Leg, lookback: int) -> WholeCall:
    """Everything that belongs to a leg's call, as the enrich stage finds it."""
    pbxs = await pbxs_with_events(database)
    async with database.transaction() as connection:
        known = await prepare_to_decide(connection)
        found = await Gathering(connection, known, lookback, pbxs).gather([leg])
    for group in calls_of([leg, *found.legs], found.events, channels=found.channels):
        if any(one.acctid == leg.acctid for one in group.legs):
            queued = queue_events_of(group.legs, group.events, by_caller(found.queued))
            return WholeCall(sorted(group.legs, key=acctid_of), group.events, queued)
    raise AssertionError("every leg is of a call")


async def first_leg_named(database: Database, name: str, *, pbx: str | None, newest: AcctId) -> Leg:
    """The first leg that bears a linkedid or uniqueid. Raises NotFound, also where it is not clear which."""
    async with database.connection() as connection:
        legs = await legs_of_calls(
            connection, [name], window=Window(-1, newest), most=MOST_LEGS_OF_CALL + 1
        )
    pbxs = sorted({leg.pbx for leg in legs})
    if pbx is None and len(pbxs) > 1:
        known = ", ".join(map(printable, pbxs))
        raise NotFound(f"PBXs {known} have a call {printable(name)}", hint="Say --pbx.")
    wanted = [leg for leg in legs if pbx in (None, leg.pbx)]
    if not wanted:
        raise NotFound(f"no leg bears the linkedid or uniqueid {printable(name)}")
    return min(wanted, key=acctid_of)


async def read_story(database: Database, call: WholeCall, directory: Directory | None) -> CallStory:
    """What is stored of a call beside its legs and events."""
    acctids = [acctid_of(leg) for leg in call.legs]
    async with database.connection() as connection:
        rows = await attributions_of(connection, acctids)
        stored = await call_of(connection, acctids[0])
    return CallStory(
        call, {row["acctid"]: stored_attribution(row) for row in rows}, stored, directory
    )


def stored_attribution(row: Row) -> Attribution:
    """An attribution as it is stored."""
    known: dict[str, Any] = {name: row[name] for name in Attribution._fields}
    direction, reason = known["direction"], known["reason"]
    known["direction"] = Direction(direction) if direction else None
    known["reason"] = UnattributedReason(reason) if reason else None
    known["rules"] = json.dumps(row["rules"])
    return Attribution(**known)


def tell_call(story: CallStory) -> Iterator[str]:
    """The call, line by line."""
    legs, events, queued = story.call
    if len(legs) > MOST_LEGS_OF_CALL:
        yield "Too many legs bear this name; each is decided by itself: see `cdrd explain ACCTID`"
        return
    try:
        record = told_by_queue(decide_call(legs, story.directory, events), legs, queued).record
    except Exception as error:  # noqa: BLE001 - a rule that fails on this call is its story
        yield f"A rule fails on this call: {printable(repr(error))} ({place_of(error)})"
        return
    if record is None:
        raise AssertionError("every call has a record")
    yield f"Call {printable(record.call)} of PBX {printable(record.pbx)}"
    others = [name for name in record.linkedids if name != record.call]
    if others:
        yield wrapped(f"also {printable(', '.join(others))}", indent="  ")
    yield from (wrapped(line, indent="  ") for line in summary(record))
    yield wrapped(_state(story), indent="  ")
    counted = f"legs: {len(legs)}, channel events: {len(events)}"
    more = f", queue events: {len(queued)}" if queued else ""
    yield f"\nFrom {moment(record.started)}, {counted}{more}"
    told = moments(legs, (*events, *in_order(queued)), record.legs, story.decided)
    for happened in told[:_MOST_SHOWN]:
        yield wrapped(f"{happened.at:%H:%M:%S.%f}"[:12] + f"  {happened.text}", indent="  ")
        yield from (wrapped(detail, indent=" " * 18) for detail in happened.details)
    if len(told) > _MOST_SHOWN:
        yield f"only {_MOST_SHOWN} of {len(told)} are shown"


def _state(story: CallStory) -> str:
    stored = story.stored
    if stored is None and story.decided:
        return "not decided as a call: only its legs are"
    if stored is None:
        return "not decided yet: it waits for the enrich stage"
    if stored["settled_by"] == "events":
        return "settled: its events say that it is over"
    if stored["settled_by"] == "quiet":
        return "settled: nothing came for the configured time"
    return f"not settled before {moment(stored['settles_at'])}"
