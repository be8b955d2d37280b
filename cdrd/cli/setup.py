"""Commands that prepare: check-config, migrate."""

from __future__ import annotations

import click

from cdrd.checks import check_settings
from cdrd.cli import cli
from cdrd.cli.program import Program, run
from cdrd.store.migrate import Migration, migrate


@cli.command("check-config")
@click.pass_obj
def check_config(program: Program) -> None:
    """Say what is wrong with the settings. Everything at once (exit code 78).

    The companies file, certificate and key that they name are read too. The database is not asked.
    """
    settings = program.settings
    check_settings(settings)
    click.echo(f"{program.config}: fine; {len(settings.sources)} source(s)")


@cli.command("migrate")
@click.pass_obj
def migrate_command(program: Program) -> None:
    """Bring the database schema up to this version. Safe to run at any time."""

    async def work() -> list[Migration]:
        async with program.database() as database:
            return await migrate(database)

    for migration in run(work()):
        click.echo(f"applied {migration.number:04} {migration.name}")
    click.echo("the schema is up to date")
