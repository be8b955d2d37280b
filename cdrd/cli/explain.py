"""The command that tells the story of a leg: its record, where it came from, its call, and the rules."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import click

from cdrd.cli import cli
from cdrd.cli.layout import wrapped
from cdrd.cli.program import Program, run
from cdrd.collect.original import Whereabouts, find_record
from cdrd.collect.stage import shape_of
from cdrd.decode.cdr_csv import columns_of, write_csv
from cdrd.decode.decoders import decoder_for
from cdrd.enrich.batch import MOST_LEGS_OF_CALL, Gathered, call_name, decide_calls
from cdrd.enrich.deciding import decide_call
from cdrd.enrich.directory import Directory
from cdrd.enrich.faults import place_of
from cdrd.enrich.printable import printable
from cdrd.enrich.story import explain as explained
from cdrd.errors import NotFound
from cdrd.records import (
    AcctId,
    Attribution,
    Direction,
    FileMark,
    Leg,
    SourceKind,
    UnattributedReason,
)
from cdrd.settings import Settings
from cdrd.store.arrivals import arrivals_of_leg
from cdrd.store.attributions import attribution_of
from cdrd.store.database import Database
from cdrd.store.directory import current_version, load_directory
from cdrd.store.feed import newest
from cdrd.store.filenames import as_path
from cdrd.store.legs import Window, leg_story, legs_of_calls
from cdrd.store.statements import Row

_MOST_LEGS = MOST_LEGS_OF_CALL + 1
_MOST_SHOWN = 50


class _Raw(NamedTuple):
    record: bytes
    how: str
    """Where these bytes are from, in words."""


class _Story(NamedTuple):
    """All that is known of a leg."""

    row: Row
    leg: Leg
    call: Sequence[Leg]
    """Its legs in the order of acctid."""
    oversized: bool
    """Too many legs bear the call's name, so that each is decided by itself."""
    decided: Row | None
    """Its attribution as it is stored."""
    directory: Directory | None
    """The directory that decided it."""
    in_force: Directory | None
    arrivals: Sequence[Row]
    """Every delivery of it, where more than one source may have it."""


@cli.command("explain")
@click.argument("acctid", type=click.IntRange(min=1))
@click.pass_obj
def explain(program: Program, acctid: int) -> None:
    """Tell the story of a leg. Its record, where that came from, and which rule decided what."""

    async def work() -> _Story:
        async with program.database() as database:
            return await _read(database, AcctId(acctid), program.settings)

    story = run(work())
    for part in (_record, _call, _attribution):
        for line in part(story, program.settings):
            click.echo(line)


async def _read(database: Database, acctid: AcctId, settings: Settings) -> _Story:
    row = await leg_story(database, acctid)
    if row is None:
        raise NotFound(f"there is no leg {acctid}; the newest is {await newest(database)}")
    leg = Leg(**{name: row[name] for name in Leg._fields})
    decided = await attribution_of(database, acctid)
    in_force = await _directory(database, await current_version(database))
    version = decided["directory_version"] if decided else 0
    same = in_force is not None and in_force.version == version
    call = await _legs_of_call(database, leg, acctid, settings.enrich.lookback_legs)
    oversized = len(call) > MOST_LEGS_OF_CALL
    return _Story(
        row,
        leg,
        [leg] if oversized else call,
        oversized,
        decided,
        in_force if same else await _directory(database, version),
        in_force,
        await _arrivals(database, acctid, SourceKind(row["source_kind"])),
    )


async def _arrivals(database: Database, acctid: AcctId, kind: SourceKind) -> Sequence[Row]:
    async with database.connection() as connection:
        return await arrivals_of_leg(connection, acctid, kind=kind)


async def _directory(database: Database, version: int) -> Directory | None:
    return Directory.compile(await load_directory(database, version)) if version else None


async def _legs_of_call(
    database: Database, leg: Leg, acctid: AcctId, lookback: int
) -> Sequence[Leg]:
    """In the order of acctid; the leg itself where the PBX names no calls."""
    name = call_name(leg)
    if name is None:
        return [leg]
    window = Window(acctid - lookback - 1, await newest(database))
    async with database.connection() as connection:
        legs = await legs_of_calls(connection, [name], window=window, most=_MOST_LEGS)
    return sorted(
        (other for other in legs if other.pbx == leg.pbx), key=lambda leg: leg.acctid or 0
    )


def _record(story: _Story, settings: Settings) -> Iterator[str]:
    row, raw = story.row, _raw(story, settings)
    yield f"Leg {story.leg.acctid}"
    yield f"\nRecord, {raw.how}:"
    yield f"  {printable(raw.record.decode(errors='surrogateescape').removesuffix(chr(10)))}"
    yield "\nFrom"
    yield f"  source {printable(row['source'])} ({row['source_kind']}, PBX {printable(row['pbx'])})"
    if row["path"] is not None:
        place = f"line {row['line']}, byte {row['byte_offset']}"
        yield f"  file {printable(row['path'])}, {place}"
    yield f"  stored {row['stored_at']:%Y-%m-%d %H:%M:%S} UTC"
    for arrival in story.arrivals:
        if arrival["source"] != row["source"]:
            path = "" if arrival["path"] is None else f", file {printable(arrival['path'])}"
            yield (
                f"  also from source {printable(arrival['source'])}{path}, line {arrival['line']},"
                f" {arrival['arrived_at']:%Y-%m-%d %H:%M:%S} UTC"
            )


def _raw(story: _Story, settings: Settings) -> _Raw:
    """The bytes that were kept, else those in the file, else what cdr_csv would have written."""
    row, leg = story.row, story.leg
    if row["original"] is not None:
        return _Raw(row["original"], "as the PBX wrote it")
    source = next((source for source in settings.sources if source.name == row["source"]), None)
    if source is not None and row["path"] is not None and row["byte_offset"] is not None:
        found = find_record(
            leg._replace(acctid=None, pbx=""),
            Whereabouts(
                as_path(row["path"]),
                source.rotated,
                FileMark(row["head_length"], row["head_digest"], b""),
                row["byte_offset"],
                row["line"],
            ),
            decoder_for(shape_of(source)),
            most_bytes=source.max_record_bytes,
        )
        if found is not None:
            return _Raw(found.raw, f"as it is in {printable(found.path)}")
    zone = source.zone if source is not None else "UTC"
    rebuilt = write_csv(leg, zone=zone, columns=columns_of(leg))
    return _Raw(rebuilt, f"rebuilt from the leg as cdr_csv writes it, with times of {zone}")


def _call(story: _Story, _: Settings) -> Iterator[str]:
    name = call_name(story.leg)
    if name is None:
        yield "\nThe PBX wrote neither uniqueid nor linkedid: this leg is a call of its own"
        return
    if story.oversized:
        yield f"\nCall {printable(name)}: too many legs bear this name; each is decided by itself"
        return
    yield f"\nCall {printable(name)}, legs: {len(story.call)}"
    for leg in _around(story):
        mark = "→" if leg.acctid == story.leg.acctid else " "
        channels = (
            f"{leg.channel} → {leg.dstchannel or 'nobody'}, {leg.lastapp or 'no application'}"
        )
        yield printable(
            f"{mark} {leg.acctid}  {leg.calldate:%Y-%m-%d %H:%M:%S} UTC  {leg.src} → {leg.dst}"
            f"  {leg.disposition}, {leg.billsec} of {leg.duration} s"
        )
        yield printable(f"    {channels}")
    if len(story.call) > _MOST_SHOWN:
        yield f"only {_MOST_SHOWN} of them are shown"


def _around(story: _Story) -> Sequence[Leg]:
    """The leg and what came before and after it, of a large call."""
    place = next(
        (at for at, leg in enumerate(story.call) if leg.acctid == story.leg.acctid), len(story.call)
    )
    first = max(0, min(place - _MOST_SHOWN // 2, len(story.call) - _MOST_SHOWN))
    return story.call[first : first + _MOST_SHOWN]


def _attribution(story: _Story, _: Settings) -> Iterator[str]:
    try:
        yield from _decisions(story)
    except Exception as error:  # noqa: BLE001 - a rule that fails on this leg is part of its story
        yield f"\nA rule fails on this leg: {printable(repr(error))} ({place_of(error)})"


def _decisions(story: _Story) -> Iterator[str]:
    now = _decided_now(story)
    if story.decided is None:
        yield "\nNot decided yet: it waits for the enrich stage"
    else:
        row, stored = story.decided, _stored(story.decided)
        yield (
            f"\nDecided {row['decided_at']:%Y-%m-%d %H:%M:%S} UTC by version {row['directory_version']}"
            f" of the directory, knowing every leg up to {row['seen_acctid']}"
        )
        yield from _lines(story, stored, story.directory)
        if now is None or not _differences(stored, now):
            return
        yield "\nIt would be decided otherwise now:"
        yield from (f"  {line}" for line in _differences(stored, now))
    if now is not None and story.in_force is not None:
        yield f"\nBy version {story.in_force.version} of the directory, which is in force:"
        yield from _lines(story, now, story.in_force)


def _lines(story: _Story, attribution: Attribution, directory: Directory | None) -> Iterator[str]:
    told = explained(story.leg, story.call, attribution, directory)
    return (wrapped(line, indent="  ") for line in told)


def _stored(row: Row) -> Attribution:
    known = {name: row[name] for name in Attribution._fields}
    direction, reason = known["direction"], known["reason"]
    known["direction"] = Direction(direction) if direction else None
    known["reason"] = UnattributedReason(reason) if reason else None
    known["rules"] = json.dumps(row["rules"])
    return Attribution(**known)


def _decided_now(story: _Story) -> Attribution | None:
    if story.in_force is None:
        return None
    others = [other for other in story.call if other.acctid != story.leg.acctid]
    decisions = decide_calls(
        [story.leg],
        Gathered(others),
        lambda legs, events: decide_call(legs, story.in_force, events),
    )
    for fault in decisions.faults:
        raise fault.error
    [call] = decisions.calls
    return next(decided for decided in call.attributions if decided.acctid == story.leg.acctid)


def _differences(stored: Attribution, now: Attribution) -> list[str]:
    return [
        f"{name}: {_value(before)} → {_value(after)}"
        for name, before, after in zip(Attribution._fields, stored, now, strict=True)
        if before != after and name != "rules"
    ]


def _value(value: object) -> str:
    return "nothing" if value in (None, False) else printable(str(value))
