"""How everything is doing: status."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cdrd.cli import cli
from cdrd.cli.program import Program, run
from cdrd.logs import escape_control
from cdrd.store.events import EVENTS
from cdrd.store.feed import horizon, newest
from cdrd.store.legs import ENRICH
from cdrd.store.sources import source_status
from cdrd.store.statements import Row
from cdrd.store.work import waiting

_BEHIND = 10.0
"""Seconds of lag that are worth a word."""
_COUNTS = ("records", "legs", "events", "suspended", "waiting", "duplicates", "unread_bytes")


@cli.command("status")
@click.pass_obj
def status(program: Program) -> None:
    """Show every source, and what waits for the stages.

    Records are accounted for: each is a leg, an event, in suspense (or discarded from there), or a
    duplicate of one that was there already.
    """

    async def work() -> None:
        async with program.database() as database:
            rows = await source_status(database)
            queues = {stage: await waiting(database, stage) for stage in (ENRICH, EVENTS)}
            last = await newest(database)
            served = await horizon(database, ENRICH, deadline=program.settings.serve.deadline)
        console = Console()
        console.print(_table(rows))
        for line in _remarks(rows):
            console.print(Text(line))
        console.print(f"newest acctid {last}, served up to {served}")
        for stage, queue in queues.items():
            console.print(
                f"waiting for {stage}: {queue.legs} {'events' if stage == EVENTS else 'legs'},"
                f" the oldest for {queue.oldest_seconds:.1f} s"
            )

    run(work())


def _table(rows: Sequence[Row]) -> Table:
    table = Table("source", "pbx", "kind", "state", "lag")
    for title in (
        "records",
        "legs",
        "events",
        "suspended",
        "waiting",
        "duplicates",
        "unread bytes",
    ):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("last stored")
    for row in rows:
        stored = row["updated_at"]
        table.add_row(
            escape_control(row["name"]),
            escape_control(row["pbx"]),
            row["kind"],
            state_of(row),
            _lag(row),
            *(str(row[name]) for name in _COUNTS),
            f"{stored:%Y-%m-%d %H:%M:%S} UTC" if stored else "never",
        )
    return table


def state_of(row: Row) -> str:
    """One word for how a source is doing."""
    if row["blind_since"] is not None:
        return "blind"
    if row["claimed_at"] is not None and not row["claimed"]:
        return "not collected"
    if row["failing_since"] is not None:
        return "failing"
    if row["lag_seconds"] > _BEHIND:
        return "behind"
    return "collecting" if row["claimed"] else "open"


def _lag(row: Row) -> str:
    if row["lag_bytes"] is None:
        return ""
    return f"{row['lag_bytes']} bytes, {row['lag_seconds']:.0f} s"


def _remarks(rows: Sequence[Row]) -> Iterator[str]:
    """What does not go into a table: one line a fact, each beginning with its source."""
    for row in rows:
        name = escape_control(row["name"])
        if row["blind_since"] is not None:
            yield f"{name}: blind since {row['blind_since']:%Y-%m-%d %H:%M:%S} UTC"
        if row["failing_since"] is not None:
            yield f"{name}: failing since {row['failing_since']:%Y-%m-%d %H:%M:%S} UTC"
        if row["last_error"] is not None:
            at = f"{row['last_error_at']:%Y-%m-%d %H:%M:%S} UTC"
            yield f"{name}: last error, {at}: {escape_control(row['last_error'])}"
        if row["held"]:
            yield f"{name}: {row['held']} file(s) held as potential duplicates; see `cdrd file list`"
