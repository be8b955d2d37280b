"""Reading stored files again: replay."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from cdrd.cli import cli
from cdrd.cli.program import Program, run
from cdrd.cli.progress import bar
from cdrd.collect.carriers import load_carrier
from cdrd.collect.imports import source_named
from cdrd.collect.replay import Replayed, replay
from cdrd.errors import ExitCode, NotFound
from cdrd.logs import escape_control
from cdrd.records import FileId
from cdrd.settings import Settings
from cdrd.source_settings import SourceSettings
from cdrd.store.database import Database
from cdrd.store.replays import Mended, Replayable, Wanted, replayable_files


@cli.command("replay")
@click.option("--source", metavar="NAME", help="Only files of this source.")
@click.option("--file", "file", metavar="ID|PATH", help="Only this one; see `cdrd file list`.")
@click.option(
    "--since",
    type=click.DateTime(),
    help="Only files of which something was stored since then (UTC).",
)
@click.pass_obj
def replay_command(
    program: Program, source: str | None, file: str | None, since: datetime | None
) -> None:
    """Read stored files again, and store what is missing. Nothing is stored twice.

    For after a repair: when rows were lost with a disk or a backup, and the PBX still has its files.
    A file that cannot be found any more is named, and the command ends with 1.
    """
    number = FileId(int(file)) if file and file.isdecimal() else None
    wanted = Wanted(
        source,
        number,
        None if number is not None else file,
        since and since.replace(tzinfo=UTC),
    )

    async def work() -> int:
        async with program.database() as database:
            files = await replayable_files(database, wanted)
            if not files:
                raise NotFound("there is no such file", hint="See `cdrd file list`.")
            return await _replay_all(database, files, program.settings)

    if run(work()):
        raise SystemExit(ExitCode.FAILED)


async def _replay_all(database: Database, files: list[Replayable], settings: Settings) -> int:
    """Reads one file after another; how many were not found."""
    lost = 0
    total = Replayed()
    with bar("reading", whole=sum(file.position.offset for file in files)) as read:
        for file in files:
            source = _source(file, settings)
            carrier = source.carrier and load_carrier(source.carrier, settings.collect.carriers)
            done = await replay(
                database,
                file,
                source,
                carrier=carrier or None,
                progress=read.more,
            )
            lost += not done.is_found
            total = total.plus(done.records, Mended(done.stored, done.suspended, done.duplicates))
            click.echo(f"{file.file_id} {escape_control(file.position.path)}: {_words(done)}")
    click.echo(f"{len(files)} files, {_words(total)}")
    return lost


def _source(file: Replayable, settings: Settings) -> SourceSettings:
    source = source_named(settings, file.source)
    if source is None:
        raise NotFound(
            f"the settings have no source {file.source!r}",
            hint="Its section is needed: it says where its files are and how they are read.",
        )
    return source


def _words(done: Replayed) -> str:
    if not done.is_found:
        return "not found: no file has all that was read of it"
    return (
        f"{done.records} records, {done.stored} were missing and are stored now,"
        f" {done.suspended} suspended, {done.duplicates} from elsewhere"
    )
