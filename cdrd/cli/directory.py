"""Commands for the directory of companies: check a file, apply it, show what is in force."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from getpass import getuser
from pathlib import Path
from socket import gethostname

import click
from rich.console import Console
from rich.table import Table

from cdrd.cli import cli
from cdrd.cli.program import Program, run
from cdrd.enrich.companies import DirectoryContent, load_companies
from cdrd.enrich.diff import diff_directories, render_diff
from cdrd.enrich.printable import printable
from cdrd.errors import Conflict, NotFound, SettingsError
from cdrd.records import Company, DirectoryVersion, Entry
from cdrd.store.directory import apply_directory, current_version, load_directory, version_applied
from cdrd.store.statements import Row

_FILE = click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)


@cli.group("directory")
def directory_group() -> None:
    """The companies: who owns which account codes, contexts, endpoints, extensions and numbers."""


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
    """Say everything that is wrong with a companies file (exit code 78), or what is in it.

    FILE is by default that of the settings. The database is not asked.
    """
    path = _path(program, file)
    click.echo(f"{path}: fine; {_counts(load_companies(path))}")


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
    content, digest = load_companies(path), hashlib.sha256(path.read_bytes()).hexdigest()
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
    """Show the companies of the directory in force, or everything that one COMPANY has."""

    async def work() -> tuple[DirectoryVersion, Row | None]:
        async with program.database() as database:
            found = await load_directory(database, version)
            return found, await version_applied(database, found.version)

    directory, applied = run(work())
    if applied is None:
        raise _no_version(version)
    console = Console(markup=False, emoji=False, highlight=False)
    console.print(
        f"version {directory.version}, applied {applied['applied_at']:%Y-%m-%d %H:%M:%S} UTC"
        f" by {printable(applied['applied_by'])}"
    )
    console.print(_companies(directory) if company is None else _company(directory, company))


def _no_version(version: int | None) -> NotFound:
    if version is None:
        return NotFound("no directory was applied yet", hint="Run `cdrd directory apply`.")
    return NotFound(f"there is no version {version} of the directory")


def _companies(directory: DirectoryVersion) -> Table:
    table = Table("company", "name", "billing group", "entries")
    owned: dict[str | None, int] = {}
    for entry in directory.entries:
        owned[entry.company] = owned.get(entry.company, 0) + 1
    for company in sorted(directory.companies, key=lambda company: company.company):
        _row(
            table, company.company, company.name, company.billing_group, owned.get(company.company)
        )
    if None in owned:
        _row(table, "(shared by all)", "", "", owned[None])
    return table


def _company(directory: DirectoryVersion, key: str) -> Table:
    found = next((c for c in directory.companies if c.company == key), None)
    if found is None:
        raise NotFound(
            f"there is no company {printable(key)} in version {directory.version}",
            hint="See `cdrd directory show`.",
        )
    table = Table("what", "pattern", "PBX", "from", "until", "more", title=_title(found))
    for entry in sorted(_entries(directory, key), key=lambda entry: (entry.kind, entry.pattern)):
        dates = (_date(entry.valid_from), _date(entry.valid_until))
        what = entry.kind.replace("_", " ")
        _row(table, what, entry.pattern, entry.pbx or "every", *dates, _more(entry.detail))
    return table


def _entries(directory: DirectoryVersion, key: str) -> Iterable[Entry]:
    return (entry for entry in directory.entries if entry.company == key)


def _title(company: Company) -> str:
    told = {"billing group": company.billing_group, **company.pays, **company.detail}
    more = _more({name: value for name, value in told.items() if value})
    return printable(f"{company.company}: {company.name}" + (f" ({more})" if more else ""))


def _more(detail: dict[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(detail.items()))


def _date(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else ""


def _row(table: Table, *cells: object) -> None:
    table.add_row(*("" if cell is None else printable(str(cell)) for cell in cells))
