"""Commands that prepare: check-config, migrate."""

from __future__ import annotations

import click

from cdrd.cli import cli
from cdrd.cli.program import Program, run
from cdrd.store.migrate import Migration, migrate


@cli.command("check-config")
@click.pass_obj
def check_config(program: Program) -> None:
    """Read the settings and say everything that is wrong with them (exit code 78)."""
    settings = program.settings
    click.echo(f"{program.config}: fine; {len(settings.sources)} source(s)")


@cli.command("migrate")
@click.pass_obj
def migrate_command(program: Program) -> None:
    """Bring the database schema up to this version; safe to run at any time."""

    async def work() -> list[Migration]:
        async with program.database() as database:
            return await migrate(database)

    for migration in run(work()):
        click.echo(f"applied {migration.number:04} {migration.name}")
    click.echo("the schema is up to date")
