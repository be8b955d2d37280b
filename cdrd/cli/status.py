"""How everything is doing: status."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from cdrd.cli import cli
from cdrd.cli.layout import moment
from cdrd.cli.program import Program, run
from cdrd.collect.imports import is_import
from cdrd.enrich.stage import RE_ENRICH
from cdrd.logs import escape_control
from cdrd.store.calls import settled_horizon
from cdrd.store.events import EVENTS
from cdrd.store.feed import horizon, newest
from cdrd.store.legs import ENRICH
from cdrd.store.sources import source_status
from cdrd.store.statements import Row
from cdrd.store.work import waiting

_BEHIND = 10.0
"""Seconds of lag that are worth a word."""
_WAITING = {ENRICH: "legs", RE_ENRICH: "legs to be decided again", EVENTS: "events"}
"""What waits for a stage."""


@cli.command("status")
@click.pass_obj
def status(program: Program) -> None:
    """Show every source, and what waits for the stages.

    Records are accounted for: each is a leg, an event, a carrier's row, in suspense (or discarded
    from there), or a duplicate of one that was there already.
    """

    async def work() -> None:
        async with program.database() as database:
            rows = await source_status(database)
            queues = {stage: await waiting(database, stage) for stage in _WAITING}
            last = await newest(database)
            settled = await settled_horizon(database)
            served = await horizon(database, ENRICH, deadline=program.settings.serve.deadline)
        for row in rows:
            for line in (*_account(row), ""):
                click.echo(line)
        for line in _remarks(rows):
            click.echo(line)
        click.echo(f"newest acctid {last}, served up to {served}, settled up to {settled}")
        for stage, queue in queues.items():
            click.echo(
                f"waiting for {stage}: {queue.legs} {_WAITING[stage]},"
                f" the oldest for {queue.oldest_seconds:.1f} s"
            )

    run(work())


def _account(row: Row) -> Iterator[str]:
    """A source in a few lines that fit 80 columns: a table of so many columns would not."""
    name, whose = escape_control(row["name"]), f"{row['kind']}, PBX {escape_control(row['pbx'])}"
    if row["carrier"] is not None:
        whose = f"carrier {escape_control(row['carrier'])}"
    yield f"{name} ({whose}): {', '.join(filter(None, (state_of(row), _lag(row))))}"
    yield (
        f"  records {row['records']}: {_became(row)},"
        f" suspended {row['suspended']}, duplicates {row['duplicates']}"
    )
    stored = row["updated_at"]
    yield f"  waiting in suspense {row['waiting']}, unread bytes {row['unread_bytes']}"
    yield f"  last stored {moment(stored) if stored else 'never'}{_collector(row)}"


def _collector(row: Row) -> str:
    """Which process has it: of several daemons one collects, and the others wait."""
    if row["owner"] is None:
        return ""
    return f", {'' if row['claimed'] else 'last '}collected by {escape_control(row['owner'])}"


def _became(row: Row) -> str:
    if row["carrier"] is not None:
        return f"carrier rows {row['carrier_rows']}"
    return f"legs {row['legs']}, events {row['events']}"


def state_of(row: Row) -> str:
    """One word for how a source is doing."""
    if row["blind_since"] is not None:
        return "blind"
    if row["claimed_at"] is not None and not row["claimed"] and not is_import(row["name"]):
        return "not collected"
    if row["failing_since"] is not None:
        return "failing"
    if row["lag_seconds"] > _BEHIND:
        return "behind"
    return "collecting" if row["claimed"] else "open"


def _lag(row: Row) -> str:
    if row["lag_bytes"] is None:
        return ""
    return f"{row['lag_bytes']} bytes behind ({row['lag_seconds']:.0f} s)"


def _remarks(rows: Sequence[Row]) -> Iterator[str]:
    """What needs somebody: one line a fact, each beginning with its source."""
    for row in rows:
        name = escape_control(row["name"])
        if row["blind_since"] is not None:
            yield f"{name}: blind since {moment(row['blind_since'])}"
        if row["failing_since"] is not None:
            yield f"{name}: failing since {moment(row['failing_since'])}"
        if row["last_error"] is not None:
            at = moment(row["last_error_at"])
            yield f"{name}: last error, {at}: {escape_control(row['last_error'])}"
        if row["held"]:
            yield f"{name}: {row['held']} file(s) held as potential duplicates; see `cdrd file list`"
        if is_import(row["name"]) and row["following"] and not row["claimed"]:
            yield f"{name}: {row['following']} file(s) not imported to the end; import them again"
