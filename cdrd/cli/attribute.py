"""Deciding again whose stored calls were: attribute."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

import click

from cdrd.cli import cli
from cdrd.cli.known import company_must_be_known
from cdrd.cli.layout import aligned, moment
from cdrd.cli.program import Program, run
from cdrd.cli.progress import bar
from cdrd.enrich.directory import Directory
from cdrd.enrich.printable import printable
from cdrd.enrich.reattribution import Reattribution
from cdrd.enrich.redeciding import Period, Redeciding, decide_stored_again
from cdrd.errors import Conflict, NotFound
from cdrd.store.database import Database
from cdrd.store.directory import current_version, load_directory

_DATE = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"])


@cli.command("attribute")
@click.option("--since", type=_DATE, required=True, help="Calls that began from then on.")
@click.option("--until", type=_DATE, help="And before then; by default all until now.")
@click.option(
    "--company", metavar="KEY", help="Only what is taken from, or given to, this company."
)
@click.option("--dry-run", is_flag=True, help="Only show what changes.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def attribute(program: Program, /, **asked: Any) -> None:
    """Decide stored calls again, by the directory in force. Shows what changes first.

    For after a correction of the companies file that concerns calls of the past: a number that moved
    on another date, an extension that was forgotten. Each leg is decided by what was true when it began.
    Dates are of UTC where they have no offset: 2026-04-01, 2026-04-01T00:00:00+01:00.

    A call is decided as a whole: of one that a leg of that time belongs to, earlier legs may change, too.
    The running daemon does it, after all that is new. Whoever polls meanwhile sees each row as it was or as
    it is; acctids stay, and the revision moves only of what changes. Killed in the middle, run it again.
    """
    run(_work(program, _Asked(**asked)))


class _Asked(NamedTuple):
    """What was said on the command line."""

    since: datetime
    until: datetime | None
    company: str | None
    dry_run: bool
    yes: bool

    @property
    def period(self) -> Period:
        """The time that is asked about."""
        since, until = _utc(self.since), _utc(self.until) if self.until else None
        if until is not None and until <= since:
            raise click.UsageError("--until is not after --since")
        return Period(since, until)


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)


async def _work(program: Program, asked: _Asked) -> None:
    period = asked.period
    async with program.database() as database:
        directory = await _in_force(database)
        if asked.company is not None:
            await company_must_be_known(database, asked.company)
        found = Reattribution(asked.company)
        redeciding = Redeciding(database, directory, program.settings.enrich)
        with bar("deciding") as told:
            await redeciding.look(period, found, told.at)
        _show(found, period, directory)
        changing = found.acctids
        if asked.dry_run or not changing:
            return
        if not asked.yes:
            click.confirm("Apply this?", abort=True)
        if await current_version(database) != directory.version:
            raise Conflict(
                "another version of the directory came into force meanwhile",
                hint="Run it again to see what changes by that.",
            )
        with bar("applying") as told:
            await decide_stored_again(database, changing, lambda done: told.at(done, len(changing)))
    click.echo("done")


async def _in_force(database: Database) -> Directory:
    content = await load_directory(database)
    if not content.version:
        raise NotFound("no directory was applied yet", hint="Run `cdrd directory apply`.")
    return Directory.compile(content)


def _show(found: Reattribution, period: Period, directory: Directory) -> None:
    until = f" until {moment(period.until)}" if period.until else ""
    click.echo(
        f"{found.legs:,} legs since {moment(period.since)}{until},"
        f" by version {directory.version} of the directory"
    )
    rows = [tuple(map(printable, row)) for row in found.rows()]
    for line in aligned(rows) if rows else ():
        click.echo(line)
    for line in found.words():
        click.echo(line)
