"""Commands for the directory of companies: check a file, apply it, show what is in force."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, time
from getpass import getuser
from pathlib import Path
from socket import gethostname

import click

from cdrd.cli import cli
from cdrd.cli.layout import aligned, moment, wrapped
from cdrd.cli.program import Program, run
from cdrd.enrich.companies import DirectoryContent, load_companies
from cdrd.enrich.diff import diff_directories, render_diff
from cdrd.enrich.gaps import find_gaps
from cdrd.enrich.printable import printable
from cdrd.errors import Conflict, NotFound, SettingsError
from cdrd.owners import DirectoryVersion, Entry
from cdrd.store.directory import (
    apply_directory,
    current_version,
    load_company,
    load_directory,
    load_overview,
    version_applied,
)
from cdrd.store.statements import Row

_FILE = click.argument("file", type=click.Path(path_type=Path, readable=False), required=False)


@cli.group("directory")
def directory_group() -> None:
    """The companies, and what they own. Account codes, contexts, endpoints, extensions, numbers."""


def _path(program: Program, file: Path | None) -> Path:
    path = file or program.settings.enrich.companies
    if path is None:
        raise SettingsError(
            [f"{program.config}: enrich.companies: no companies file is given"],
            hint="Name a file on the command line, or in the settings.",
        )
    return path


@directory_group.command("check")
@_FILE
@click.pass_obj
def check(program: Program, file: Path | None) -> None:
    """Say what is wrong with a companies file. Everything at once (exit code 78), or what is in it.

    FILE is by default that of the settings. The database is not asked. What companies have nothing of, so
    that less is known of their calls, is a warning.
    """
    path = _path(program, file)
    content = load_companies(path)
    click.echo(f"{path}: fine; {_counts(content)}")
    for gap in find_gaps(content.entries):
        click.echo(wrapped(f"warning: {gap}"))


def _counts(content: DirectoryContent) -> str:
    kinds = Counter(entry.kind.replace("_", " ") for entry in content.entries)
    counted = {"company": len(content.companies), **kinds}
    return ", ".join(f"{what}: {count}" for what, count in counted.items())


@directory_group.command("apply")
@_FILE
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def apply(program: Program, file: Path | None, *, yes: bool) -> None:
    """Show what a companies file changes, and bring it into force.

    FILE is by default that of the settings. Running daemons take it up at once; legs that were decided
    before keep their companies, but for those that waited for a directory.
    """
    path = _path(program, file)
    content = load_companies(path)
    digest = content.digest()
    in_force = run(_load(program, None))
    difference = diff_directories(in_force, content.as_version(in_force.version + 1))
    for line in render_diff(difference):
        click.echo(line)
    if not difference.changes:
        return
    if not yes:
        click.confirm("Apply this?", abort=True)

    async def applied() -> int | None:
        async with program.database() as database:
            if await current_version(database) != in_force.version:
                raise Conflict(
                    "another version came into force meanwhile",
                    hint="Run it again to see what differs.",
                )
            return await apply_directory(
                database,
                content.companies,
                content.entries,
                digest=digest,
                applied_by=_operator(),
            )

    version = run(applied())
    click.echo("nothing changes" if version is None else f"version {version} is in force")


def _operator() -> str:
    """Who runs the command, as far as the system knows."""
    try:
        return f"{getuser()} on {gethostname()}"
    except (OSError, KeyError):  # a user id without a name
        return gethostname()


async def _load(program: Program, version: int | None) -> DirectoryVersion:
    async with program.database() as database:
        return await load_directory(database, version)


@directory_group.command("show")
@click.argument("company", required=False)
@click.option("--version", type=click.IntRange(min=1), help="By default the one in force.")
@click.pass_obj
def show(program: Program, company: str | None, version: int | None) -> None:
    """Show the companies in force. Or everything that one COMPANY has."""

    async def work() -> tuple[DirectoryVersion, Iterable[str], Row | None]:
        async with program.database() as database:
            if company is None:
                found, owned = await load_overview(database, version)
                lines = _companies(found, owned)
            else:
                found = await load_company(database, company, version)
                lines = _company(found, company)
            return found, lines, await version_applied(database, found.version)

    directory, lines, applied = run(work())
    if applied is None:
        raise _no_version(version)
    when, by = moment(applied["applied_at"]), printable(applied["applied_by"])
    click.echo(f"version {directory.version}, applied {when} by {by}")
    for line in lines:
        click.echo(line)


def _no_version(version: int | None) -> NotFound:
    if version is None:
        return NotFound("no directory was applied yet", hint="Run `cdrd directory apply`.")
    return NotFound(f"there is no version {version} of the directory")


def _companies(directory: DirectoryVersion, owned: Counter[str | None]) -> Iterator[str]:
    rows = [("company", "name", "billing group", "entries")]
    for company in sorted(directory.companies, key=lambda company: company.company):
        group, count = company.billing_group or "", owned[company.company]
        rows.append((company.company, printable(company.name), printable(group), str(count)))
    if owned[None]:
        rows.append(("(shared by all)", "", "", str(owned[None])))
    return aligned(rows)


def _company(directory: DirectoryVersion, key: str) -> Iterator[str]:
    found = next((c for c in directory.companies if c.company == key), None)
    if found is None:
        raise NotFound(
            f"there is no company {printable(key)} in version {directory.version}",
            hint="See `cdrd directory show`.",
        )
    yield printable(f"{found.company}: {found.name}")
    pays = {f"pays {situation}": who for situation, who in found.pays.items()}
    told = {"billing group": found.billing_group, **pays, **found.detail}
    for name, value in sorted(told.items()):
        if value:
            yield wrapped(printable(f"{name} {_words(value)}"), indent="  ")
    entries = sorted(directory.entries, key=lambda entry: (entry.kind, entry.pattern))
    yield from aligned(map(_entry, entries), indent="  ")


def _entry(entry: Entry) -> tuple[str, str, str]:
    """What it is, what it looks like, and what else is said of it."""
    said = [f"on {entry.pbx}"] if entry.pbx else []
    said += [f"from {_date(entry.valid_from)}"] if entry.valid_from else []
    said += [f"until {_date(entry.valid_until)}"] if entry.valid_until else []
    said += [
        name if value is True else f"{name} {_words(value)}"
        for name, value in sorted(entry.detail.items())
    ]
    return entry.kind.replace("_", " "), printable(entry.pattern), printable(", ".join(said))


def _words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_words(item)}" for name, item in sorted(value.items()))
    return str(value)


def _date(at: datetime) -> str:
    return f"{at:%Y-%m-%d}" if at.time() == time.min else f"{at:%Y-%m-%d %H:%M} UTC"
