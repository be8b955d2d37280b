"""Commands about files: file list, show, release, discard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import click

from cdrd.cli import cli
from cdrd.cli.layout import aligned, moment
from cdrd.cli.program import Program, run
from cdrd.logs import escape_control
from cdrd.records import FileId, FileState
from cdrd.store.files import decide, file_story, files
from cdrd.store.statements import Row

_COUNTS = ("records", "legs", "events", "carrier_rows", "suspended", "duplicates")
_ids = click.argument("ids", metavar="ID", nargs=-1, required=True, type=click.IntRange(min=1))


@cli.group("file")
def file() -> None:
    """Files that were read, and what became of them. Also what to do with those that are held.

    A file of a drop folder is held when it is like one that was read before: whole, or by how it begins.
    """


@file.command("list")
@click.option("--source", metavar="NAME", help="Only those of this source.")
@click.option(
    "--state",
    type=click.Choice([state.value for state in FileState]),
    help="Only those in this state; `held` are those that wait for a decision.",
)
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True)
@click.pass_obj
def list_command(program: Program, source: str | None, state: str | None, limit: int) -> None:
    """List files, the newest first."""

    async def work() -> Sequence[Row]:
        async with program.database() as database:
            wanted = FileState(state) if state else None
            return await files(database, source=source, state=wanted, most=limit + 1)

    rows = run(work())
    for row in rows[:limit]:
        for line in _listed(row):
            click.echo(line)
    if not rows:
        click.echo("there is no such file", err=True)
    if len(rows) > limit:
        click.echo(f"there are more than these {limit}: --limit shows more of them")


def _listed(row: Row) -> Iterator[str]:
    """Which, in what state, and what became of its records."""
    like = f", like file {row['like_file_id']}" if row["like_file_id"] else ""
    yield f"{row['file_id']}  {row['state']}{like}, last stored {moment(row['updated_at'])}"
    yield f"    {_shown(row['source'])}, {_shown(row['path'])}"
    yield "    " + ", ".join(f"{name.replace('_', ' ')} {row[name]}" for name in _COUNTS)


@file.command("show")
@click.argument("file_id", metavar="ID", type=click.IntRange(min=1))
@click.pass_obj
def show_command(program: Program, file_id: int) -> None:
    """Show everything about one file."""

    async def work() -> Row:
        async with program.database() as database:
            return await file_story(database, FileId(file_id))

    row = run(work())
    facts = {
        name.replace("_", " "): value.hex() if isinstance(value, bytes) else _shown(value)
        for name, value in row.items()
        if value is not None and name != "source_id"
    }
    for line in aligned(facts.items()):
        click.echo(line)


@file.command("release")
@_ids
@click.pass_obj
def release_command(program: Program, ids: tuple[int, ...]) -> None:
    """Read held files after all: they are no duplicates. Of a running daemon this takes seconds."""
    _decide(program, ids, FileState.RELEASED)


@file.command("discard")
@_ids
@click.pass_obj
def discard_command(program: Program, ids: tuple[int, ...]) -> None:
    """Never read held files: they are duplicates."""
    _decide(program, ids, FileState.DISCARDED)


def _decide(program: Program, ids: tuple[int, ...], state: FileState) -> None:
    async def work() -> None:
        async with program.database() as database:
            for file_id in ids:
                await decide(database, FileId(file_id), state)
                click.echo(f"{file_id}: {state.value}")

    run(work())


def _shown(value: object) -> str:
    return moment(value) if isinstance(value, datetime) else escape_control(str(value))
