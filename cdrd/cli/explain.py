"""The command that tells the story of a leg: its record, where it came from, its call, and the rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import click

from cdrd.beside import CelEvent
from cdrd.cli import cli
from cdrd.cli.layout import moment, wrapped
from cdrd.cli.program import Program, run
from cdrd.cli.whole_call import (
    CallStory,
    first_leg_named,
    gather_call,
    read_story,
    stored_attribution,
    tell_call,
)
from cdrd.collect.original import Provenance, find_record
from cdrd.collect.stage import shape_of
from cdrd.decode.cdr_csv import columns_of, write_csv
from cdrd.decode.decoders import decoder_for
from cdrd.enrich.batch import MOST_LEGS_OF_CALL, call_name
from cdrd.enrich.deciding import decide_call
from cdrd.enrich.directory import Directory
from cdrd.enrich.faults import place_of
from cdrd.enrich.printable import printable
from cdrd.enrich.story import explain as explained
from cdrd.errors import NotFound
from cdrd.records import AcctId, Attribution, FileMark, Leg, SourceKind
from cdrd.settings import Settings
from cdrd.store.arrivals import arrivals_of_leg
from cdrd.store.attributions import attribution_of
from cdrd.store.database import Database
from cdrd.store.directory import current_version, load_directory
from cdrd.store.feed import newest
from cdrd.store.filenames import as_path
from cdrd.store.legs import leg_story
from cdrd.store.statements import Row

_LAST_ACCTID = 2**63 - 1
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
    events: Sequence[CelEvent]
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
@click.argument("which", required=False, metavar="[ACCTID|LINKEDID]")
@click.option("--call", "name", help="A call by its linkedid, or its uniqueid.")
@click.option("--pbx", help="The PBX of that call, where several have one of that name.")
@click.pass_obj
def explain(program: Program, which: str | None, name: str | None, pbx: str | None) -> None:
    """Tell the story of a leg or a call. Records, events, and which rule decided what."""
    if (which is None) == (name is None):
        raise click.UsageError("Give an acctid or a linkedid.")
    if which is not None and which.isascii() and which.isdigit():
        if not 0 < int(which) <= _LAST_ACCTID:
            raise click.UsageError(f"An acctid is a number from 1 to {_LAST_ACCTID}.")
        lines = _of_leg(program, AcctId(int(which)))
    else:
        lines = _of_call(program, name or which or "", pbx)
    for line in lines:
        click.echo(line)


def _of_leg(program: Program, acctid: AcctId) -> Iterator[str]:
    settings = program.settings

    async def work() -> _Story:
        async with program.database() as database:
            return await _read(database, acctid, settings)

    story = run(work())
    for part in (_record, _call, _attribution):
        yield from part(story, settings)


def _of_call(program: Program, name: str, pbx: str | None) -> Iterator[str]:
    async def work() -> CallStory:
        async with program.database() as database:
            return await _read_call(database, name, pbx, program.settings)

    return tell_call(run(work()))


async def _read_call(
    database: Database, name: str, pbx: str | None, settings: Settings
) -> CallStory:
    leg = await first_leg_named(database, name, pbx=pbx, newest=await newest(database))
    call = await gather_call(database, leg, settings.enrich.lookback_legs)
    in_force = await _directory(database, await current_version(database))
    return await read_story(database, call, in_force)


async def _read(database: Database, acctid: AcctId, settings: Settings) -> _Story:
    row = await leg_story(database, acctid)
    if row is None:
        raise NotFound(f"there is no leg {acctid}; the newest is {await newest(database)}")
    leg = Leg(**{name: row[name] for name in Leg._fields})
    decided = await attribution_of(database, acctid)
    in_force = await _directory(database, await current_version(database))
    version = decided["directory_version"] if decided else 0
    same = in_force is not None and in_force.version == version
    call, events, _ = await gather_call(database, leg, settings.enrich.lookback_legs)
    oversized = len(call) > MOST_LEGS_OF_CALL
    return _Story(
        row,
        leg,
        [leg] if oversized else call,
        () if oversized else events,
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
    yield f"  stored {moment(row['stored_at'])}"
    for arrival in story.arrivals:
        if arrival["source"] != row["source"]:
            path = "" if arrival["path"] is None else f", file {printable(arrival['path'])}"
            yield (
                f"  also from source {printable(arrival['source'])}{path}, line {arrival['line']},"
                f" {moment(arrival['arrived_at'])}"
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
            Provenance(
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
        told = (
            f"{mark} {leg.acctid}  {moment(leg.calldate)}  {leg.src} → {leg.dst}"
            f"  {leg.disposition}, {leg.billsec} of {leg.duration} s"
        )
        yield wrapped(printable(told))
        channels = f"{leg.channel} → {leg.dstchannel or 'nobody'}"
        yield wrapped(printable(f"{channels}, {leg.lastapp or 'no application'}"), indent="    ")
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
        row, stored = story.decided, stored_attribution(story.decided)
        yield ""
        yield wrapped(
            f"Decided {moment(row['decided_at'])} by version {row['directory_version']}"
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
    told = explained(story.leg, story.call, attribution, directory, story.events)
    return (wrapped(line, indent="  ") for line in told)


def _decided_now(story: _Story) -> Attribution | None:
    if story.in_force is None:
        return None
    together = decide_call(story.call, story.in_force, story.events).attributions
    return next(one for one in together if one.acctid == story.leg.acctid)


def _differences(stored: Attribution, now: Attribution) -> list[str]:
    return [
        f"{name}: {_value(before)} → {_value(after)}"
        for name, before, after in zip(Attribution._fields, stored, now, strict=True)
        if before != after and name != "rules"
    ]


def _value(value: object) -> str:
    return "nothing" if value in (None, False) else printable(str(value))
