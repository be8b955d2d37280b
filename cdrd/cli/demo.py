"""The command demo: all of cdrd in one process on a newcomer's machine, with nothing to set up."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from cdrd.cli import cli
from cdrd.cli.daemon import run_until_stopped
from cdrd.cli.program import Program, run
from cdrd.daemon import run_daemon
from cdrd.demo.folder import DEMO, OWN, DemoFolder, FirstSettings, followed_path
from cdrd.demo.machine import file_kind, is_zone, machine_zone
from cdrd.demo.stage import play
from cdrd.demo.welcome import Welcome, shown
from cdrd.errors import Conflict, Unavailable
from cdrd.logs import configure_logs
from cdrd.owners import Permission
from cdrd.records import SourceKind
from cdrd.serve.address import why_not_bound
from cdrd.serve.passwords import digest, new_token
from cdrd.settings import ServeSettings, Settings
from cdrd.source_settings import SourceSettings
from cdrd.store.database import Database
from cdrd.store.migrate import migrate
from cdrd.store.principals import (
    NewPrincipal,
    TokenKind,
    account,
    create_principal,
    create_token,
    principal_of_token,
)
from cdrd.upkeep import keep_partitions

_PORT = 8887
_LOGIN = "demo"


@dataclass(frozen=True, slots=True)
class _Demo:
    """What runs: where everything is, and what is followed."""

    folder: DemoFolder
    settings: Settings
    source: SourceSettings
    file: Path
    rate: float | None
    """Calls a minute of the simulator; None when a file of the user's is followed."""


def _zone(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None and not is_zone(value):
        raise click.BadParameter(f"{value!r} is none; write one like Europe/London, or UTC")
    return value


@cli.command("demo")
@click.option("--cdr", type=click.Path(path_type=Path), help="Follow this file; no simulator.")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where everything is kept.  [default: var; with --cdr var/own]",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), help=f"0 is any free one.  [default: {_PORT}]"
)
@click.option(
    "--rate",
    type=click.FloatRange(0.1, 60_000),
    default=20.0,
    show_default=True,
    help="Calls a minute that the simulated PBX makes.",
)
@click.option(
    "--zone", callback=_zone, help="Zone of the times in the file.  [default: the machine's]"
)
def demo(
    cdr: Path | None, data: Path | None, port: int | None, rate: float, zone: str | None
) -> None:
    """Try cdrd on a simulated PBX. Or on your own Master.csv; the PostgreSQL is an embedded one."""
    folder = DemoFolder(data or (Path("var") / "own" if cdr else Path("var")))
    first = FirstSettings(
        name=OWN if cdr else DEMO,
        kind=file_kind(cdr) if cdr else SourceKind.ASTERISK_CSV,
        file=cdr or folder.master,
        zone=zone or machine_zone(os.environ),
        port=_PORT if port is None else port,
    )
    with folder.held():
        folder.write_settings(first)
        program = Program(folder.settings)
        settings = _with_port(program.settings, port)
        source = _source_of(settings, folder, first)
        if zone and zone != source.zone:
            click.echo(f"cdrd: {shown(folder.settings)} says {source.zone}; change the zone there")
        _check_port(settings.serve)
        _run(program, _Demo(folder, settings, source, first.file, None if cdr else rate))


def _with_port(settings: Settings, port: int | None) -> Settings:
    if port is None:
        return settings
    return settings.model_copy(update={"serve": settings.serve.model_copy(update={"port": port})})


def _source_of(settings: Settings, folder: DemoFolder, first: FirstSettings) -> SourceSettings:
    """The source that follows the file; the settings are the user's and may say something else by now."""
    wanted = followed_path(first.file)
    for source in settings.sources:
        if source.path == wanted:
            return source
    raise Conflict(
        f"{shown(folder.settings)} does not follow {first.file}",
        hint="Add it there under `sources`, or start anew elsewhere: --data FOLDER (make run DATA=FOLDER).",
    )


def _check_port(serve: ServeSettings) -> None:
    """Says at once, before anything is started, that somebody else has the port."""
    trouble = why_not_bound(serve.host, serve.port)
    if trouble:
        raise Unavailable(
            f"port {serve.port} of {serve.host} cannot be used: {trouble}",
            hint="Stop the program that has it, or choose another one: make run PORT=8888.",
        )


def _run(program: Program, demo: _Demo) -> None:
    configure_logs(level=demo.settings.logs.level, form=demo.settings.logs.form)
    click.echo(f"cdrd: starting PostgreSQL in {shown(demo.folder.path / 'postgresql')} ...")
    try:
        token = run(_prepare(program, demo))
        run_until_stopped(_play_and_serve(program, demo, _teller(demo, token)))
    except KeyboardInterrupt:  # before the daemon ran, which takes Ctrl-C for itself
        pass
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # PostgreSQL still has to be stopped
    with suppress(OSError):  # the terminal may be gone
        click.echo("cdrd: stopped")


async def _prepare(program: Program, demo: _Demo) -> str:
    """Brings the database up to date; returns the token of its reader."""
    async with program.database() as database:
        await migrate(database)
        await keep_partitions(demo.settings.database, database)
        return await _token(database, demo.folder)


async def _token(database: Database, folder: DemoFolder) -> str:
    """The token of the last run, while it is valid; else a new one."""
    kept = folder.read_token()
    if kept and await principal_of_token(database, digest(kept), TokenKind.BEARER):
        return kept
    if await account(database, _LOGIN) is None:
        reader = NewPrincipal(
            login=_LOGIN,
            name="Reader of the demo",
            password_hash=None,
            permissions=[Permission.BILLING_CALL_SUMMARY],
            companies=None,
        )
        await create_principal(database, reader)
    token = new_token()
    await create_token(database, _LOGIN, digest=digest(token), label="cdrd demo", life=None)
    folder.write_token(token)
    return token


def _teller(demo: _Demo, token: str) -> Callable[[str], None]:
    """Tells the user where it listens and what to try."""

    def tell(url: str) -> None:
        welcome = Welcome(
            program=sys.argv[0],
            url=url.rstrip("/"),
            token=token,
            token_file=demo.folder.token,
            settings=demo.folder.settings,
            companies=demo.folder.companies,
            followed=str(demo.file),
            zone=demo.source.zone,
            simulated=demo.rate is not None,
        )
        click.echo(welcome.text())
        if sys.stdin.isatty():
            # a terminal that is closed takes the demo with it, where a daemon would read its settings
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGHUP, signal.raise_signal, signal.SIGTERM)

    return tell


async def _play_and_serve(program: Program, demo: _Demo, tell: Callable[[str], None]) -> None:
    async with asyncio.TaskGroup() as tasks:
        playing = None
        if demo.rate is not None:
            demo.folder.write_note()
            zone = ZoneInfo(demo.source.zone)
            playing = tasks.create_task(play(demo.folder.master, zone=zone, rate=demo.rate))
        await run_daemon(demo.settings, config=program.config, dsn=program.dsn, listening=tell)
        if playing is not None:
            playing.cancel()
