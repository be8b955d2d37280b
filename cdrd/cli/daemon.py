"""Commands of the running daemon: run, status."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import click
import uvloop
from rich.console import Console
from rich.table import Table

from cdrd.cli import cli
from cdrd.cli.program import Program, run
from cdrd.daemon import ALL_ROLES, Role, run_daemon
from cdrd.errors import CdrdError
from cdrd.logs import configure_logs, escape_control, get_logger
from cdrd.store.feed import horizon, newest
from cdrd.store.legs import ENRICH
from cdrd.store.sources import source_status
from cdrd.store.work import waiting


@cli.command("run")
@click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice([role.value for role in Role]),
    help="Do only this; may be given several times. Default: everything.",
)
@click.pass_obj
def run_command(program: Program, roles: tuple[str, ...]) -> None:
    """Run the daemon in the foreground until SIGTERM or Ctrl-C; SIGHUP reloads."""
    settings = program.settings
    configure_logs(level=settings.logs.level, form=settings.logs.form)
    wanted = frozenset(Role(role) for role in roles) or ALL_ROLES
    run_until_stopped(run_daemon(settings, config=program.config, dsn=program.dsn, roles=wanted))


def run_until_stopped(daemon: Coroutine[Any, Any, None]) -> None:
    """Runs a daemon on the faster event loop; of several faults at once the first of ours is told."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(daemon)
        except BaseExceptionGroup as group:
            ours = group.subgroup(CdrdError)
            if ours is not None:
                raise _first(ours) from group
            get_logger().exception("daemon_failed")
            raise SystemExit(1) from group


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    found = group.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found


@cli.command("status")
@click.pass_obj
def status(program: Program) -> None:
    """Show every source, and what waits for the stages."""

    async def work() -> None:
        async with program.database() as database:
            rows = await source_status(database)
            queue = await waiting(database, ENRICH)
            last = await newest(database)
            served = await horizon(database, ENRICH, deadline=program.settings.serve.deadline)
        table = Table(
            "source",
            "pbx",
            "kind",
            "files",
            "legs",
            "suspended",
            "waiting",
            "unread bytes",
            "last stored",
        )
        for row in rows:
            stored = row["updated_at"]
            table.add_row(
                escape_control(row["name"]),
                escape_control(row["pbx"]),
                row["kind"],
                *(
                    str(row[key])
                    for key in ("files", "legs", "suspended", "waiting", "unread_bytes")
                ),
                f"{stored:%Y-%m-%d %H:%M:%S} UTC" if stored else "never",
            )
        console = Console()
        console.print(table)
        console.print(f"newest acctid {last}, served up to {served}")
        console.print(
            f"waiting for enrich: {queue.legs} legs, the oldest for {queue.oldest_seconds:.1f} s"
        )

    run(work())
