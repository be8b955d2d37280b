"""Commands about records that became no leg: suspense list, show, retry, discard."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import cache, partial

import click

from cdrd.cli import cli
from cdrd.cli.layout import aligned, moment, wrapped
from cdrd.cli.program import Program, run
from cdrd.collect.carriers import Carrier, load_carrier
from cdrd.collect.imports import source_named
from cdrd.collect.stage import shape_of
from cdrd.collect.suspense import discard, retry
from cdrd.errors import ExitCode, NotFound
from cdrd.logs import escape_control
from cdrd.records import Family, Rejected, SuspenseId
from cdrd.settings import Settings
from cdrd.source_settings import SourceSettings
from cdrd.store.database import Database
from cdrd.store.statements import Row
from cdrd.store.suspense import suspended_record, waiting_suspense

_PAGE = 500
_WORDS = {Family.LEG: "leg", Family.CARRIER_ROW: "carrier's row"}
_MOST_SHOWN = 16384
"""So many bytes of a record are shown; more than that is no call record."""

_ids = click.argument("ids", metavar="ID", nargs=-1, type=click.IntRange(min=1))
_source = click.option("--source", metavar="NAME", help="Only those of this source.")


@cli.group("suspense")
def suspense() -> None:
    """Records that became no leg. See why, try them again after a fix, or discard them."""


@suspense.command("list")
@_source
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True)
@click.pass_obj
def list_command(program: Program, source: str | None, limit: int) -> None:
    """List the records that wait for a decision, oldest first."""

    async def work() -> Sequence[Row]:
        async with program.database() as database:
            return await waiting_suspense(database, source=source, most=limit + 1)

    rows = run(work())
    for row in rows[:limit]:
        for line in _listed(row):
            click.echo(line)
    if not rows:
        click.echo("no record waits", err=True)
    if len(rows) > limit:
        click.echo(f"there are more than these {limit}: --limit shows more of them")


def _listed(row: Row) -> Iterator[str]:
    """What, where, and why."""
    when, size = moment(row["suspended_at"]), row["raw_bytes"]
    yield f"{row['suspense_id']}  {row['reason']}, {size} bytes, suspended {when}"
    place = "" if row["path"] is None else f", {_shown(row['path'])} line {_shown(row['line'])}"
    yield f"    {_shown(row['source'])}{place}"
    yield wrapped(_shown(row["detail"]), indent="    ")


@suspense.command("show")
@click.argument("suspense_id", metavar="ID", type=click.IntRange(min=1))
@click.pass_obj
def show_command(program: Program, suspense_id: int) -> None:
    """Show one record with its bytes. As a Python bytes literal, and with what became of it."""

    async def work() -> Row:
        async with program.database() as database:
            return await suspended_record(database, SuspenseId(suspense_id))

    row = run(work())
    raw: bytes = row["raw"]
    names = ("source", "path", "line", "byte_offset", "reason", "detail", "state", "stored_as")
    facts = {name.replace("_", " "): _shown(row[name]) for name in names if row[name] is not None}
    facts |= {"suspended": moment(row["suspended_at"]), "bytes": str(len(raw))}
    for line in aligned(facts.items()):
        click.echo(line)
    click.echo(repr(raw[:_MOST_SHOWN]))
    if len(raw) > _MOST_SHOWN:
        click.echo(f"and {len(raw) - _MOST_SHOWN} bytes more")


@suspense.command("retry")
@_ids
@_source
@click.option("--all", "everything", is_flag=True, help="All that wait.")
@click.pass_obj
def retry_command(
    program: Program, ids: tuple[int, ...], source: str | None, *, everything: bool
) -> None:
    """Decode records again, and store what becomes legs. With the settings as they are now.

    A leg gets a new acctid, and the file, line and offset that it came from. What became a leg
    already is not stored again. Ends with 1 when a record still is none.
    """
    if bool(ids) == bool(source or everything):
        raise click.UsageError("say which: IDs, or else --source NAME or --all")

    async def work() -> int:
        async with program.database() as database:
            chosen = _given(database, ids) if ids else _waiting(database, source)
            return await _retry(database, chosen, cache(partial(_source_of, program.settings)))

    if run(work()):
        raise SystemExit(ExitCode.FAILED)


async def _given(database: Database, ids: tuple[int, ...]) -> AsyncIterator[Row]:
    for suspense_id in ids:
        yield await suspended_record(database, SuspenseId(suspense_id))


async def _waiting(database: Database, source: str | None) -> AsyncIterator[Row]:
    after = 0
    while rows := await waiting_suspense(database, source=source, after=after, most=_PAGE):
        for row in rows:
            yield row
        after = rows[-1]["suspense_id"]


def _source_of(settings: Settings, name: str) -> tuple[SourceSettings, Carrier | None]:
    """How the records of a source are decoded now."""
    source = source_named(settings, name)
    if source is None:
        raise NotFound(
            f"the settings have no source {name!r}",
            hint="Retrying needs the source's section in the settings: its kind and zone.",
        )
    carrier = source.carrier and load_carrier(source.carrier, settings.collect.carriers)
    return source, carrier or None


async def _retry(
    database: Database,
    rows: AsyncIterator[Row],
    source_of: Callable[[str], tuple[SourceSettings, Carrier | None]],
) -> int:
    """How many still are no legs."""
    tried = failed = 0
    async for row in rows:
        source, carrier = source_of(row["source"])
        outcome = await retry(
            database, SuspenseId(row["suspense_id"]), shape_of(source), carrier=carrier
        )
        tried += 1
        if isinstance(outcome, Rejected):
            failed += 1
            words = f"still none: {outcome.reason}: {escape_control(outcome.detail)}"
        else:
            [family] = source.kind.families
            word = _WORDS.get(family, "event")
            words = f"{word} {outcome}"
        click.echo(f"{row['suspense_id']}: {words}")
    click.echo(f"{tried} tried, {tried - failed} are stored, {failed} wait on")
    return failed


@suspense.command("discard")
@_ids
@click.pass_obj
def discard_command(program: Program, ids: tuple[int, ...]) -> None:
    """Decide that records will never become legs. They are kept, and are not listed any more."""
    if not ids:
        raise click.UsageError("say which: IDs, as `cdrd suspense list` shows them")

    async def work() -> None:
        async with program.database() as database:
            for suspense_id in ids:
                await discard(database, SuspenseId(suspense_id))
                click.echo(f"{suspense_id}: discarded")

    run(work())


def _shown(value: object) -> str:
    """What a caller wrote steers no terminal."""
    return "" if value is None else escape_control(str(value))
